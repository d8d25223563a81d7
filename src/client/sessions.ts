import { aborted } from './call-limits.js';
import type { Connection } from './connections.js';
import type { EndKeeper } from './end-keeper.js';
import { Ending } from './ending.js';
import { closed, isUnavailable, isUnsent, type MeterError, ofProblem, ofReason } from './errors.js';
import { isTime, problemOfQuantities, timeRule } from './event-codec.js';
import { LiveSession, type SessionCarrier, sessionOver } from './live-session.js';
import { type OpensOwner, PendingOpen } from './pending-open.js';
import type { Room } from './room.js';
import { Roster } from './roster.js';
import { type Opened, openSize } from './session-codec.js';
import { copyOf, holdOf, problemOfOpen, requestOf, reserveOf } from './session-requests.js';
import { SessionStreams, type SessionsOwner } from './session-streams.js';
import type { EndOptions, OpenRequest, Session } from './session-types.js';
import type { Lost, Quantities, Reason, ReleaseResult, SettleRequest, SettleResult } from './types.js';
import type { UnavailablePolicy } from './unavailable-policy.js';

/** What a session costs in memory beside its bytes, from its open until its end is durable: 1,230 were measured, and 190 for its end. */
const sessionOverheadBytes = 1_536;

/** An open, a settle or a release that could not be judged for now. */
const AGAIN: ReadonlySet<Reason> = new Set(['UNAVAILABLE', 'LIMIT_REACHED']);
/** Refusals for which a session that is open is only to be opened again: Redis forgot it, or cannot be asked at the moment. */
const CARRIED_ON: ReadonlySet<Reason> = new Set([...AGAIN, 'SESSION_UNKNOWN']);
/** A stream that does not know the session ends it no more; the call by its id does. */
const ALONE: ReadonlySet<Reason> = new Set(['UNAVAILABLE', 'LIMIT_REACHED', 'SESSION_UNKNOWN', 'HOLD_ENDED']);

export interface SessionsOptions {
  readonly timeoutDefaultMs: number;
  readonly onLost: (lost: Lost) => void;
  readonly onDisconnect: (error: MeterError, address: string) => void;
}

/** The sessions of a meter: opens them, carries them over streams that come and go, and ends each once. */
export class Sessions implements SessionCarrier {
  readonly #streams: SessionStreams;
  /** What has taken room and is not over. */
  readonly #live = new Roster<LiveSession>();
  #isClosing = false;

  constructor(
    connections: readonly Connection[],
    private readonly room: Room,
    private readonly keeper: EndKeeper,
    private readonly policy: UnavailablePolicy,
    private readonly options: SessionsOptions,
  ) {
    this.#streams = new SessionStreams(connections, this.#owner);
  }

  open(given: OpenRequest): Promise<Session> {
    if (this.#isClosing) return Promise.reject(closed());
    const problem = problemOfOpen(given);
    if (problem !== null) return Promise.reject(ofProblem(problem));
    const { signal, timeoutMs = this.options.timeoutDefaultMs } = given;
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const request = copyOf(given);
    const startTimeMs = given.startTimeMs ?? Date.now();
    const costBytes = sessionOverheadBytes + openSize(request, startTimeMs);
    const session = new LiveSession(request, startTimeMs, costBytes, this);
    const pending = new PendingOpen(session, this.#opens);
    session.pending = pending;
    const verdict = pending.within({ signal, timeoutMs });
    this.room.enter(pending);
    return verdict;
  }

  settle(session: LiveSession, quantities: Quantities, options: EndOptions): Promise<SettleResult> {
    const problem = problemOfQuantities(quantities, 'quantities', 1);
    if (problem !== null) return Promise.reject(ofProblem(problem));
    return this.#end(session, 'settle', quantities, options) as Promise<SettleResult>;
  }

  release(session: LiveSession, options: EndOptions): Promise<ReleaseResult> {
    return this.#end(session, 'release', {}, options) as Promise<ReleaseResult>;
  }

  /** Takes no more calls; what waits is sent. Sessions that are open are left to the grace period. */
  close(): void {
    this.#isClosing = true;
    for (const session of this.#live.all) {
      if (session.pending === null) continue;
      this.#take(session)?.reject(closed());
      this.#abandon(session);
    }
    this.#streams.close();
    for (const session of this.#live.all) {
      if (session.ending === null && !session.isAbandoned) this.#leave(session);
    }
  }

  get areEnded(): boolean {
    return this.#streams.areEnded;
  }

  ended(): Promise<void> {
    return this.#streams.ended();
  }

  /** Gives up what is on its way; settles and releases that are not durable go to the keeper. */
  stop(): void {
    const live = this.#live.all;
    this.#streams.stop();
    for (const { ending } of live) ending?.reject(closed());
  }

  #take(session: LiveSession): PendingOpen | null {
    const { pending } = session;
    session.pending = null;
    return pending;
  }

  readonly #opens: OpensOwner = {
    admitted: (session) => {
      this.#live.add(session);
      this.#streams.carry(session);
    },
    refused: (session, error) => this.#take(session)?.reject(error),
    givenUp: (session, error) => this.#giveUp(session, error),
  };

  #giveUp(session: LiveSession, over: MeterError): void {
    const pending = this.#take(session);
    if (pending === null) return;
    if (!pending.isAdmitted) {
      this.room.leave(pending);
      pending.reject(over);
      return;
    }
    const error = over.reason === 'ABORTED' ? over : (pending.error ?? over);
    if (!isUnavailable(error)) {
      this.#abandon(session);
      pending.reject(error);
      return;
    }
    const { countMax, countMin, requestFor } = reserveOf(session);
    const through = this.policy.allowsThrough(requestFor, { countMin, countMax });
    if (through === null) {
      this.#abandon(session);
      session.deny('UNAVAILABLE', false);
    } else {
      session.stream?.leave(session);
      session.allowUnjudged(through);
    }
    pending.resolve(session);
  }

  /** A hold that was made all the same is given back. */
  #abandon(session: LiveSession): void {
    session.isAbandoned = true;
    // On its way: what comes back is seen to then.
    if (session.stream !== null || !this.#live.has(session)) return;
    if (session.wasSent) this.#deliver(new Ending(session));
    else this.#leave(session);
  }

  #end(
    session: LiveSession,
    kind: Ending['kind'],
    quantities: Quantities,
    options: EndOptions,
  ): Promise<SettleResult | ReleaseResult> {
    if (this.#isClosing) return Promise.reject(closed());
    const { state, stream } = session;
    if (state === 'ending' || state === 'over') {
      return Promise.reject(sessionOver(session));
    }
    const { signal, timeoutMs = this.options.timeoutDefaultMs, eventTimeMs = Date.now() } = options;
    if (!isTime(eventTimeMs)) return Promise.reject(ofProblem(`event_time_ms ${timeRule}`));
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const ending = new Ending(session, kind, { ...quantities }, eventTimeMs);
    const answer = ending.within({ signal, timeoutMs });
    session.ending = ending;
    session.end('ending');
    // While it is being opened again its end follows on the same stream: only the verdict tells whether it is still this client's.
    if (stream !== null && (state === 'open' || state === 'away')) stream.end(ending);
    else this.#endAlone(ending);
    return answer;
  }

  #endAlone(ending: Ending): void {
    const { session, kind } = ending;
    session.stream?.leave(session);
    if (!session.judged && kind === 'settle') this.policy.kept(holdOf(session));
    this.#deliver(ending);
    if (session.judged || kind === 'settle') return;
    // Nothing was held, as far as anybody knows.
    this.policy.ended(holdOf(session));
    ending.resolve({ unit: null, released: 0n, available: 0n, duplicate: false });
  }

  /** By a call of its own, repeated until it is durable. */
  #deliver(ending: Ending): void {
    const { session } = ending;
    const request = requestOf(ending);
    this.keeper.adopt({
      request,
      costBytes: session.costBytes,
      delivered: (result) => {
        if (!session.judged) this.policy.ended(holdOf(session));
        this.#over(session);
        ending.resolve(result);
      },
      refused: (error) => {
        if (!session.judged) this.policy.ended(holdOf(session));
        this.#over(session);
        this.#tellRefused(ending, error);
      },
    });
  }

  /** A release of what was never held, or has ended, that nobody waits for: there is nothing left to do. */
  #tellRefused(ending: Ending, error: MeterError): void {
    const { session, kind, isHeard } = ending;
    if (error.reason === 'SESSION_MOVED') session.stop('SESSION_MOVED');
    if (isHeard) ending.reject(error.reason === 'SESSION_MOVED' ? sessionOver(session) : error);
    else if (kind === 'settle') {
      this.options.onLost({ kind, settle: requestOf(ending) as SettleRequest, error });
    }
  }

  #over(session: LiveSession): void {
    session.end('over');
    this.#live.delete(session);
  }

  /** It is over, and nothing of it is to be kept. */
  #leave(session: LiveSession): void {
    if (!this.#live.delete(session)) return;
    session.end('over');
    this.room.release(1, session.costBytes);
  }

  /** It has stopped, and no stream will carry it again; it may still be settled. */
  #detach(session: LiveSession, reason: Reason): void {
    session.state = 'detached';
    session.stop(reason);
  }

  readonly #owner: SessionsOwner = {
    opened: (session, opened) => this.#onOpened(session, opened),
    refused: (session, reason, message, retryAfterMs) => {
      const error = ofReason(reason, message, retryAfterMs);
      if (session.state === 'ending') this.#onEndRefused(session, reason, error);
      else if (reason === 'SESSION_MOVED') this.#onMoved(session, false);
      else if (session.isAbandoned) this.#leave(session);
      else if (session.state === 'open' && !CARRIED_ON.has(reason)) this.#detach(session, reason);
      else this.#onOpenRefused(session, reason, error);
    },
    stopped: (session, reason, isGone) => {
      if (reason === 'SESSION_MOVED') this.#onMoved(session, session.mayHaveMovedItself());
      else if (isGone) this.#detach(session, reason);
      else session.stop(reason);
    },
    ended: (ending, result) => {
      this.#over(ending.session);
      ending.resolve(result);
    },
    durable: ({ session }) => this.room.release(1, session.costBytes),
    lost: (ending) => this.#deliver(ending),
    dropped: (session, error) => this.#onDropped(session, error),
    disconnected: (error, address) => this.options.onDisconnect(error, address),
  };

  /** Somebody else has it; or only an open of its own, which is found out by opening it again. */
  #onMoved(session: LiveSession, mayBeItself: boolean): void {
    if (mayBeItself) {
      session.state = 'away';
      this.#streams.carry(session);
    } else {
      session.stop('SESSION_MOVED');
      this.#leave(session);
    }
  }

  /** Nobody waits for it any more: it is given back; one that somebody had before is left at what was acknowledged to them. */
  #onAbandonedOpened(session: LiveSession, opened: Opened): void {
    const { stream, unansweredOpens } = session;
    if (!opened.isAllowed || stream === null) {
      this.#leave(session);
      return;
    }
    session.judge(opened);
    session.acknowledge(opened.counts, opened.allowedThrough);
    const hadOwner = opened.generation > unansweredOpens;
    session.ending = hadOwner ? new Ending(session, 'settle', session.knownAndCounted) : new Ending(session);
    session.end('ending');
    stream.end(session.ending);
  }

  #onOpened(session: LiveSession, opened: Opened): void {
    if (session.isAbandoned) {
      this.#onAbandonedOpened(session, opened);
      return;
    }
    const pending = this.#take(session);
    if (opened.isAllowed) session.carried(opened);
    else if (pending === null) this.#detach(session, opened.reason ?? 'UNAVAILABLE');
    else {
      session.judge(opened);
      this.#leave(session);
    }
    pending?.resolve(session);
  }

  #onOpenRefused(session: LiveSession, reason: Reason, error: MeterError): void {
    const { pending } = session;
    if (session.state === 'open') session.state = 'away';
    if (CARRIED_ON.has(reason)) {
      if (pending !== null) pending.error = error;
      this.#streams.carryLater(session, error.retryAfterMs ?? 0);
    } else if (pending === null) this.#detach(session, reason);
    else if (reason === 'HOLD_ENDED') {
      // As a reservation of such an id is denied.
      this.#take(session);
      this.#leave(session);
      session.deny(reason, true);
      pending.resolve(session);
    } else this.#fail(session, error);
  }

  #onEndRefused(session: LiveSession, reason: Reason, error: MeterError): void {
    const ending = session.ending as Ending;
    ending.state = 'void';
    if (reason === 'SESSION_MOVED' && !session.mayHaveMovedItself()) {
      this.#leave(session);
      this.#tellRefused(ending, error);
      return;
    }
    if (session.isAbandoned || !ending.isHeard || ALONE.has(reason) || reason === 'SESSION_MOVED') {
      this.#deliver(ending);
      return;
    }
    // The caller may correct it and end the session again.
    session.ending = null;
    session.state = 'detached';
    ending.reject(error);
  }

  #onDropped(session: LiveSession, error: MeterError | null): void {
    if (error === null || !isUnsent(error)) session.wasSent = true;
    if (session.isAbandoned) {
      this.#abandon(session);
      return;
    }
    if (this.#isClosing) return;
    if (session.state === 'open') session.state = 'away';
    const { pending } = session;
    if (pending !== null && error !== null) {
      pending.error = error;
      if (!error.retryable) {
        this.#fail(session, error);
        return;
      }
    }
    this.#streams.carry(session);
  }

  #fail(session: LiveSession, error: MeterError): void {
    const pending = this.#take(session);
    this.#leave(session);
    pending?.reject(error);
  }
}
