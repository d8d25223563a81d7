import type { Metrics } from '../metrics.js';
import type { Position, Reason, Released, Settled } from '../usage/types.js';
import { type Session, type SessionListener, UPDATE, type Update } from './session.js';
import type { Sessions } from './sessions.js';
import type {
  Judged,
  SessionOpen,
  SessionOutcome,
  SessionRefusal,
  SessionRelease,
  SessionSettle,
  SessionStand,
  SessionStopped,
  SessionVerdict,
} from './types.js';

/** The stream, as its sessions see it. */
export interface SessionHost {
  /** There is something to answer. */
  answersWait(): void;
  /** All that a message asked for is judged; where that stands in the journals. */
  judged(messageNumber: number, positions: readonly Position[]): void;
}

/** Who counts what became of calls. */
export interface SessionCounts {
  sessionOpened(verdict: SessionVerdict): void;
  settled(call: { meter: string; model: string }, result: Settled): void;
  released(result: Released): void;
  sessionRefused(kind: 'open_session' | 'settle' | 'release', reason: Reason): void;
}

/** What a message asks for, beside its progress. */
export interface SessionMessage {
  readonly messageNumber: number;
  readonly opens: readonly SessionOpen[];
  readonly settles: readonly SessionSettle[];
  readonly releases: readonly SessionRelease[];
  readonly refused: readonly SessionRefusal[];
}

/** What waits to be told. */
export interface WaitingAnswers {
  readonly opened: SessionVerdict[];
  readonly acknowledged: SessionStand[];
  readonly stops: SessionStopped[];
  readonly ended: SessionOutcome[];
  readonly refused: SessionRefusal[];
}

/** A session of this stream, the message that opened it, and the end that waits for its verdict. */
interface Row {
  readonly session: Session;
  readonly openedBy: number;
  end: { readonly call: SessionSettle | SessionRelease; readonly message: MessageInFlight } | null;
}

/** What is still to be judged of one message. */
interface MessageInFlight {
  readonly number: number;
  left: number;
  readonly positions: Position[];
}

/**
 * The sessions of one stream, by the stream's own numbers, and what they have to tell it. Acknowledgements of a session that was not told yet are
 * one; so with a client that does not read, what waits is bounded by its sessions and by `answersWaiting`, which its stream bounds.
 *
 * A message names only sessions that it or an earlier one opened: one that is sent again, under its old number, never means a session that took
 * a number over since.
 */
export class StreamSessions implements SessionListener {
  readonly #rows = new Map<number, Row>();
  #waiting: WaitingAnswers = emptyAnswers();
  #acknowledging: Session[] = [];
  #callsInFlight = 0;
  #messageNumber = 0;
  #nowMs = 0;
  #updates = 0;
  #isLeft = false;
  #refusesOpens: SessionRefusal | null = null;

  constructor(
    private readonly sessions: Sessions,
    private readonly host: SessionHost,
    private readonly counts: SessionCounts,
    private readonly metrics: Pick<Metrics, 'sessionUpdates'>,
  ) {}

  /** Sessions of the stream, those included that wait for their verdict. */
  get size(): number {
    return this.#rows.size;
  }

  /** Opens, settles and releases that are not judged. */
  get callsInFlight(): number {
    return this.#callsInFlight;
  }

  /** Answers that wait to be told, acknowledgements apart: those are one a session at most. */
  get answersWaiting(): number {
    const { opened, stops, ended, refused } = this.#waiting;
    return opened.length + stops.length + ended.length + refused.length;
  }

  /** Takes opens, then what `readProgress` reads of the message, then settles and releases. */
  take(message: SessionMessage, readProgress: () => void): void {
    const inFlight: MessageInFlight = {
      number: message.messageNumber,
      left: 1 + message.opens.length + message.settles.length + message.releases.length,
      positions: [],
    };
    this.#messageNumber = message.messageNumber;
    this.#callsInFlight += inFlight.left - 1;
    this.#nowMs = Date.now();
    for (const refusal of message.refused) this.#refuse(refusal);
    for (const open of message.opens) this.#open(open, inFlight);
    readProgress();
    this.metrics.sessionUpdates.inc(this.#updates);
    this.#updates = 0;
    for (const settle of message.settles) this.#end(settle, inFlight);
    for (const release of message.releases) this.#end(release, inFlight);
    this.#judged(inFlight, null);
  }

  /** One update: the hot path. */
  progress(number: number, counts: Float64Array, length: number): void {
    const row = this.#rows.get(number);
    if (row === undefined || row.openedBy > this.#messageNumber) {
      this.#refuse(unknownSession(number));
      return;
    }
    this.#updates++;
    const update = row.session.update(counts, length, this.#nowMs);
    if (update === UPDATE.taken) return;
    if (update === UPDATE.growAtOnce) this.sessions.growSoon(row.session);
    else this.#refuse(invalidCounts(number, update));
  }

  /** From now on opens are refused. */
  drain(withinMs: number): void {
    const message = 'The sidecar is stopping; go on elsewhere';
    this.#refusesOpens = { number: 0, reason: 'UNAVAILABLE', message, retryAfterMs: Math.max(1, withinMs) };
  }

  /** The stream is gone, or will say no more of its sessions: they get their grace period. */
  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    for (const { session } of this.#rows.values()) this.sessions.leave(session);
    this.#rows.clear();
  }

  /** Gives what waits to be told, at most so many of each kind, and forgets it. Null: nothing. */
  takeAnswers(itemsMax: number): WaitingAnswers | null {
    const { opened, stops, ended, refused } = this.#waiting;
    const acknowledging = this.#acknowledging.splice(0, itemsMax);
    const acknowledged: Session[] = [];
    for (const session of acknowledging) {
      session.isAcknowledging = false;
      if (session.isOpen) acknowledged.push(session);
    }
    const taken: WaitingAnswers = {
      opened: opened.splice(0, itemsMax),
      acknowledged,
      stops: stops.splice(0, itemsMax),
      ended: ended.splice(0, itemsMax),
      refused: refused.splice(0, itemsMax),
    };
    return Object.values(taken).some((items) => items.length > 0) ? taken : null;
  }

  acknowledged(session: Session): void {
    if (this.#isLeft || session.isAcknowledging) return;
    session.isAcknowledging = true;
    this.#acknowledging.push(session);
    this.host.answersWait();
  }

  stopped(session: Session, reason: Reason, isLost: boolean): void {
    const { number, allowedThrough } = session;
    if (isLost && this.#rows.get(number)?.session === session) this.#rows.delete(number);
    this.#tell(this.#waiting.stops, { number, reason, allowedThrough });
  }

  countsRefused(session: Session, message: string): void {
    this.#refuse({ number: session.number, reason: 'FIELD_INVALID', message, retryAfterMs: 0 });
  }

  #open(open: SessionOpen, message: MessageInFlight): void {
    const { number } = open;
    const known = this.#rows.get(number);
    const isSame = known !== undefined && isSameSession(known.session.opened, open);
    const refusal =
      known !== undefined && !isSame
        ? numberInUse(number)
        : this.#refusesOpens === null
          ? null
          : { ...this.#refusesOpens, number };
    const admitted = refusal ?? this.sessions.admit(open, this, this.#rows.size);
    if ('reason' in admitted) {
      this.counts.sessionRefused('open_session', admitted.reason);
      this.#refuse(admitted);
      this.#finished(message, null);
      return;
    }
    // The same one again: what was applied of it may be lost. The new row takes it over.
    if (known !== undefined) this.sessions.drop(known.session);
    const row: Row = { session: admitted, openedBy: message.number, end: null };
    this.#rows.set(number, row);
    this.sessions.open(admitted, (judged) => this.#opened(row, message, judged));
  }

  #opened(row: Row, message: MessageInFlight, judged: Judged<SessionVerdict>): void {
    if ('answer' in judged) {
      this.counts.sessionOpened(judged.answer);
      this.#tell(this.#waiting.opened, judged.answer);
    } else {
      this.counts.sessionRefused('open_session', judged.refusal.reason);
      this.#refuse(judged.refusal);
    }
    const { session, end } = row;
    if (!session.isOpen) this.#forget(row);
    if (end !== null) {
      if (session.isOpen) this.#sendEnd(row, end.call, end.message);
      else this.#refuseEnd(end.call, end.message);
    }
    this.#finished(message, 'answer' in judged ? judged.position : null);
  }

  #end(call: SessionSettle | SessionRelease, message: MessageInFlight): void {
    const row = this.#rows.get(call.number);
    const isKnown = row !== undefined && row.openedBy <= message.number;
    const { state } = isKnown ? row.session : { state: 'gone' };
    if (isKnown && state === 'opening' && row.end === null) row.end = { call, message };
    else if (isKnown && (state === 'open' || state === 'stopped')) this.#sendEnd(row, call, message);
    else this.#refuseEnd(call, message);
  }

  #sendEnd(row: Row, call: SessionSettle | SessionRelease, message: MessageInFlight): void {
    const told = (judged: Judged<SessionOutcome>): void => this.#ended(row, call, message, judged);
    if ('quantities' in call) this.sessions.settle(row.session, call, told);
    else this.sessions.release(row.session, call, told);
  }

  #ended(
    row: Row,
    call: SessionSettle | SessionRelease,
    message: MessageInFlight,
    judged: Judged<SessionOutcome>,
  ): void {
    const { session } = row;
    if ('answer' in judged) {
      const { answer } = judged;
      if (answer.kind === 'settled') this.counts.settled(session.opened, answer.settled);
      else this.counts.released(answer.released);
      this.#forget(row);
      this.#tell(this.#waiting.ended, answer);
    } else {
      this.counts.sessionRefused(kindOf(call), judged.refusal.reason);
      if (session.state === 'gone') this.#forget(row);
      this.#refuse(judged.refusal);
    }
    this.#finished(message, 'answer' in judged ? judged.position : null);
  }

  #refuseEnd(call: SessionSettle | SessionRelease, message: MessageInFlight): void {
    this.counts.sessionRefused(kindOf(call), 'SESSION_UNKNOWN');
    this.#refuse(unknownSession(call.number));
    this.#finished(message, null);
  }

  #forget(row: Row): void {
    if (this.#rows.get(row.session.number) === row) this.#rows.delete(row.session.number);
  }

  #finished(message: MessageInFlight, position: Position | null): void {
    this.#callsInFlight--;
    this.#judged(message, position);
  }

  #judged(message: MessageInFlight, position: Position | null): void {
    if (position !== null) message.positions.push(position);
    message.left--;
    if (message.left === 0) this.host.judged(message.number, message.positions);
  }

  #refuse(refusal: SessionRefusal): void {
    this.#tell(this.#waiting.refused, refusal);
  }

  #tell<T>(list: T[], item: T): void {
    if (this.#isLeft) return;
    list.push(item);
    this.host.answersWait();
  }
}

function emptyAnswers(): WaitingAnswers {
  return { opened: [], acknowledged: [], stops: [], ended: [], refused: [] };
}

function isSameSession(one: SessionOpen, other: SessionOpen): boolean {
  return one.sessionId === other.sessionId && one.accountId === other.accountId;
}

function kindOf(call: SessionSettle | SessionRelease): 'settle' | 'release' {
  return 'quantities' in call ? 'settle' : 'release';
}

function unknownSession(number: number): SessionRefusal {
  const message = 'no session of this number is open on this stream';
  return { number, reason: 'SESSION_UNKNOWN', message, retryAfterMs: 0 };
}

function numberInUse(number: number): SessionRefusal {
  const message = 'open.session: is the number of another open session of this stream';
  return { number, reason: 'FIELD_INVALID', message, retryAfterMs: 0 };
}

function invalidCounts(number: number, update: Update): SessionRefusal {
  const message =
    update === UPDATE.tooManyCounts
      ? 'progress.counts: more than the session counts'
      : 'progress.counts: must be whole numbers from 0 to 9007199254740991';
  return { number, reason: 'FIELD_INVALID', message, retryAfterMs: 0 };
}
