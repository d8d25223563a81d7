import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { Connection } from './connections.js';
import type { Ending } from './ending.js';
import { fromServiceError, isUnsent, MeterError } from './errors.js';
import type { LiveSession } from './live-session.js';
import {
  type AnswerReader,
  beginMessage,
  decodeMeterAnswer,
  endMessage,
  hasRoom,
  type Opened,
  writeOpen,
  writeProgress,
  writeRelease,
  writeSettle,
} from './session-codec.js';
import type { Reason, ReleaseResult, SettleResult } from './types.js';

const path = '/drawdown.v1.UsageService/MeterUsage';
const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Counts wait so long for each other. A message costs both ends as much as 50 counts in it; a sidecar looks once a second at what moved,
 * so a fiftieth of that is late for nothing. What has reached its end does not wait.
 */
const progressTickMs = 20;

/** After these the session is no longer this stream's. */
const GONE: ReadonlySet<Reason> = new Set(['SESSION_MOVED', 'SESSION_EXPIRED', 'HOLD_ENDED']);

/** The owner of a stream and of the sessions in it. */
export interface SessionStreamOwner {
  opened(session: LiveSession, opened: Opened): void;
  /** An open, a settle or a release was not judged, or the stream does not know the session: it carries it no longer. */
  refused(session: LiveSession, reason: Reason, message: string, retryAfterMs: number): void;
  /** `isGone`: the stream carries it no longer. */
  stopped(session: LiveSession, reason: Reason, isGone: boolean): void;
  ended(ending: Ending, result: SettleResult | ReleaseResult): void;
  durable(ending: Ending): void;
  /** It was lost with Redis, or with the stream before it was durable. */
  lost(ending: Ending): void;
  drained(): void;
  /** The stream is over; it carried these. Null: it ended as it should. */
  over(sessions: readonly LiveSession[], error: MeterError | null): void;
}

/** What matters of a message until it is durable. */
interface Message {
  readonly opens: readonly LiveSession[];
  readonly endings: readonly Ending[];
}

/** Most messages have only counts. */
const onlyCounts: Message = { opens: [], endings: [] };

/**
 * One MeterUsage stream: collects what its sessions have to say and sends it in few messages.
 *
 * States: *open* -> *draining* (the sidecar is about to stop; what it carries may go on) -> *closing* (half-closed) -> *ended*, from
 * anywhere when it breaks.
 */
export class SessionStream {
  #state: 'open' | 'draining' | 'closing' | 'ended' = 'open';
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  /** By their numbers; no session has number 0. */
  readonly #sessions: (LiveSession | null)[] = [null];
  #sessionsCount = 0;
  /** Numbers of sessions whose end is durable: used again, so that they stay small. */
  readonly #freeNumbers: number[] = [];
  #opens: LiveSession[] = [];
  #endings: Ending[] = [];
  #moved: LiveSession[] = [];
  /** Messages that are not durable, oldest first; the first has number `#durableThrough + 1`. */
  #messages: Message[] = [];
  #durableThrough = 0;
  readonly #resends: number[] = [];
  #isBlocked = false;
  #isFinishing = false;
  #flushScheduled = false;
  #tick: NodeJS.Timeout | undefined;

  constructor(
    connection: Connection,
    private readonly owner: SessionStreamOwner,
  ) {
    this.#call = connection.client.makeBidiStreamRequest(path, asIs, asIs, connection.metadata);
    this.#call.on('data', (bytes: Buffer) => this.#onData(bytes));
    this.#call.on('drain', () => {
      this.#isBlocked = false;
      this.#flush();
    });
    this.#call.on('error', (error: ServiceError) => this.#end(fromServiceError(error)));
    this.#call.on('end', () => this.#end(null));
  }

  /** It takes sessions. */
  get isOpen(): boolean {
    return this.#state === 'open' && !this.#isFinishing;
  }

  open(session: LiveSession): void {
    session.stream = this;
    session.number = this.#freeNumbers.pop() ?? this.#sessions.length;
    this.#sessions[session.number] = session;
    this.#sessionsCount++;
    this.#opens.push(session);
    this.hurry();
  }

  /** The session has counts to report; asked once until they are sent. */
  moved(session: LiveSession): void {
    this.#moved.push(session);
    if (!this.#flushScheduled) this.#tick ??= setTimeout(() => this.#flush(), progressTickMs);
  }

  end(ending: Ending): void {
    ending.number = ending.session.number;
    this.#endings.push(ending);
    this.hurry();
  }

  /** What waits goes out at the end of this turn of the event loop. */
  hurry(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** It carries the session no longer; whatever still comes for it is not heard. */
  leave(session: LiveSession): void {
    if (session.stream !== this) return;
    this.#sessions[session.number] = null;
    this.#sessionsCount--;
    session.stream = null;
    this.#finishIfIdle();
  }

  /** The sessions that it carries, whatever their state. */
  get sessions(): LiveSession[] {
    return this.#sessions.filter((session) => session !== null);
  }

  /** Sends what waits, and half-closes as soon as it waits for no answer: open sessions are left to the sidecar. */
  finish(): void {
    this.#isFinishing = true;
    this.#flush();
    this.#finishIfIdle();
  }

  /** Gives up what is on its way. */
  stop(): void {
    this.#end(null);
    this.#call.cancel();
  }

  #finishIfIdle(): void {
    const isOver = this.#state === 'draining' && this.#sessionsCount === 0;
    if (!this.#isFinishing && !isOver) return;
    if (this.#state === 'closing' || this.#state === 'ended' || this.#hasWork) return;
    // From the end: answers come in the order of their numbers, more or less.
    if (this.#sessions.findLast(waitsForAnswer) !== undefined) return;
    this.#state = 'closing';
    this.#call.end();
  }

  get #hasWork(): boolean {
    const { length } = this.#opens;
    return length + this.#endings.length + this.#moved.length + this.#resends.length > 0;
  }

  #flush(): void {
    clearTimeout(this.#tick);
    this.#tick = undefined;
    while (!this.#isBlocked && this.#hasWork && this.#state !== 'closing' && this.#state !== 'ended') {
      const number = this.#resends.shift();
      if (number === undefined) this.#writeNext();
      else this.#writeAgain(number);
    }
    this.#finishIfIdle();
  }

  #writeNext(): void {
    beginMessage(this.#durableThrough + this.#messages.length + 1);
    const opens = this.#writeOpens();
    let sent = 0;
    for (; sent < this.#moved.length && hasRoom(); sent++) {
      const session = this.#moved[sent] as LiveSession;
      if (session.stream !== this || session.state !== 'open') continue;
      session.isDirty = false;
      writeProgress(session.number, session.latest);
    }
    this.#moved = this.#moved.slice(sent);
    const endings = this.#writeEndings();
    const isOnlyCounts = opens.length + endings.length === 0;
    this.#messages.push(isOnlyCounts ? onlyCounts : { opens, endings });
    this.#write();
  }

  /** Writes those that it still carries; what has no room waits for the next message. */
  #writeOpens(): LiveSession[] {
    const opens: LiveSession[] = [];
    let seen = 0;
    for (; seen < this.#opens.length && hasRoom(); seen++) {
      const session = this.#opens[seen] as LiveSession;
      if (session.stream !== this) continue;
      opens.push(session);
      this.#writeOpen(session);
    }
    this.#opens = this.#opens.slice(seen);
    return opens;
  }

  #writeEndings(): Ending[] {
    let written = 0;
    for (; written < this.#endings.length && hasRoom(); written++) {
      const { kind, number, quantities, eventTimeMs } = this.#endings[written] as Ending;
      if (kind === 'settle') writeSettle(number, quantities, eventTimeMs);
      else writeRelease(number, eventTimeMs);
    }
    const endings = this.#endings;
    this.#endings = endings.splice(written);
    return endings;
  }

  /** Opens of what is still open; endings go another way, and counts are sent anew when the session is open again. */
  #writeAgain(number: number): void {
    beginMessage(number);
    for (const session of this.#message(number).opens) {
      if (session.stream === this && session.state !== 'ending') this.#writeOpen(session);
    }
    this.#write();
  }

  #writeOpen(session: LiveSession): void {
    writeOpen(session.number, session.request, session.startTimeMs, session.newestGeneration);
    session.unansweredOpens++;
  }

  #write(): void {
    if (!this.#call.write(endMessage())) this.#isBlocked = true;
  }

  #onData(bytes: Buffer): void {
    if (this.#state === 'ended') return;
    try {
      decodeMeterAnswer(bytes, this.#reader);
      this.#finishIfIdle();
    } catch (thrown) {
      const message = `The answer of the sidecar makes no sense: ${(thrown as Error).message}`;
      this.#end(new MeterError('INTERNAL', message, { retryable: true, cause: thrown }));
      this.#call.cancel();
    }
  }

  readonly #reader: AnswerReader = {
    opened: (opened) => {
      const session = this.#sessions[opened.session] ?? null;
      if (session === null || session.state === 'ending') return;
      if (!opened.isAllowed) {
        this.leave(session);
        this.#freeNumbers.push(opened.session);
      }
      this.owner.opened(session, opened);
    },
    acknowledged: (number, counts, allowedThrough) => {
      this.#sessions[number]?.acknowledge(counts, allowedThrough);
    },
    stopped: (number, reason, allowedThrough) => {
      const session = this.#sessions[number] ?? null;
      if (session === null || session.state === 'ending') return;
      session.acknowledge([], allowedThrough);
      if (GONE.has(reason)) this.leave(session);
      this.owner.stopped(session, reason, GONE.has(reason));
    },
    settled: (number, result) => this.#onEnded(number, result),
    released: (number, result) => this.#onEnded(number, result),
    refused: (number, reason, message, retryAfterMs) => {
      const session = this.#sessions[number] ?? null;
      if (session === null) return;
      this.leave(session);
      if (session.state === 'opening' || session.state === 'away') this.#freeNumbers.push(number);
      // One that is about to stop says when it will be gone; another one need not wait for that.
      this.owner.refused(session, reason, message, this.#state === 'open' ? retryAfterMs : 0);
    },
    durable: (through) => this.#onDurable(through),
    resend: (numbers) => this.#onResend(numbers),
    drain: () => {
      if (this.#state !== 'open') return;
      this.#state = 'draining';
      this.owner.drained();
    },
  };

  #onEnded(number: number, result: SettleResult | ReleaseResult): void {
    const session = this.#sessions[number] ?? null;
    const ending = session?.ending ?? null;
    if (session === null || ending === null) return;
    this.leave(session);
    ending.state = 'answered';
    this.owner.ended(ending, result);
  }

  #onDurable(through: number): void {
    const count = through - this.#durableThrough;
    const messages = this.#messages.slice(0, Math.max(0, count));
    if (messages.length !== count) throw new Error(`message ${through} was not sent`);
    for (const { endings } of messages) {
      for (const ending of endings) {
        if (ending.state === 'waiting') throw new Error(`an end in message ${through} has no answer`);
        if (ending.state === 'void') continue;
        this.#freeNumbers.push(ending.number);
        this.owner.durable(ending);
      }
    }
    this.#messages = this.#messages.slice(count);
    this.#durableThrough = through;
  }

  #onResend(numbers: readonly number[]): void {
    for (const number of numbers) {
      this.#resends.push(number);
      for (const ending of this.#message(number).endings) this.#lose(ending);
    }
    this.#flush();
  }

  /** What was written has not left this process: nobody has made or taken anything for it. */
  #takeBackOpens(sessions: readonly LiveSession[]): void {
    const unwritten = new Set(this.#opens);
    for (const session of sessions) if (!unwritten.has(session)) session.unansweredOpens--;
  }

  /** A settle or release carries all that it needs: it goes on without a stream. */
  #lose(ending: Ending): void {
    if (ending.state === 'void') return;
    if (ending.state === 'waiting') this.leave(ending.session);
    ending.state = 'void';
    this.owner.lost(ending);
  }

  #message(number: number): Message {
    const message = this.#messages[number - this.#durableThrough - 1];
    if (message === undefined) throw new Error(`message ${number} is not open`);
    return message;
  }

  #end(error: MeterError | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#tick);
    const endings = [...this.#messages.flatMap((message) => message.endings), ...this.#endings];
    this.#messages = [];
    for (const ending of endings) this.#lose(ending);
    const { sessions } = this;
    if (error !== null && isUnsent(error)) this.#takeBackOpens(sessions);
    for (const session of sessions) this.leave(session);
    this.owner.over(sessions, error);
  }
}

function waitsForAnswer(session: LiveSession | null): boolean {
  if (session === null) return false;
  const { state, isAbandoned } = session;
  return isAbandoned || state === 'opening' || state === 'ending';
}
