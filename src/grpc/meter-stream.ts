import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Metrics } from '../metrics.js';
import type { Sessions } from '../sessions/sessions.js';
import { type SessionHost, StreamSessions } from '../sessions/stream-sessions.js';
import type { Position } from '../usage/types.js';
import type { OpenStream } from './call.js';
import { decodeMeterUsageRequest, encodeMeterUsageResponse, readProgress } from './meter-codec.js';
import { NumberedStream, type NumberedStreamEnvironment } from './numbered-stream.js';
import type { Outcomes } from './outcomes.js';

const method = 'UsageService/MeterUsage';

/** Answers of each kind in one message: some 250 KB of acknowledgements, far below what a client accepts (4 MiB). */
const answersMax = 10_000;

export interface MeterStreamEnvironment extends NumberedStreamEnvironment {
  readonly sessions: Sessions;
  readonly metrics: Pick<Metrics, 'streamMessages' | 'streamPauses' | 'sessionUpdates'>;
  readonly outcomes: Outcomes;
}

/**
 * One MeterUsage stream; see numbered-stream.ts for its states, stream-sessions.ts for its sessions and meter-codec.ts for its bytes.
 *
 * What it has to say goes out in one message at a time: what comes up while one is on its way is the next one, so that messages grow with load, and
 * a client that does not read costs no more than what waits for it. At most streamEventsInFlightMax opens, settles and releases wait for their
 * answer before it is read no further; progress waits for nobody. A stream with sessions is not idle: a model may think for long.
 */
export class MeterStream extends NumberedStream implements SessionHost {
  readonly #sessions: StreamSessions;
  #flushScheduled = false;
  #messageOnItsWay = false;
  #resend: number[] = [];
  #durableThrough = 0;
  #onDurableWritten: (() => void) | null = null;
  #drainWithinMs: number | null = null;

  constructor(
    call: ServerDuplexStream<Buffer, Buffer>,
    private readonly environment: MeterStreamEnvironment,
    onEnded: (stream: OpenStream) => void,
  ) {
    super(call, environment, { method, number: 'message_number', messages: 'messages' }, onEnded);
    const { sessions, outcomes, metrics } = environment;
    this.#sessions = new StreamSessions(sessions, this, outcomes, metrics);
  }

  /** Tells the client that the stream will be ended after `withinMs`, and refuses opens from now on. */
  notifyDrain(withinMs: number): void {
    if (this.isEnded) return;
    this.#sessions.drain(withinMs);
    this.#drainWithinMs = withinMs;
    this.answersWait();
  }

  protected get isBusy(): boolean {
    return this.#sessions.callsInFlight > 0;
  }

  protected get isFull(): boolean {
    return this.#sessions.callsInFlight >= this.environment.settings.streamEventsInFlightMax;
  }

  protected override get mayEnd(): boolean {
    return super.mayEnd && this.#sessions.size === 0;
  }

  protected receive(bytes: Buffer): void {
    const message = decodeMeterUsageRequest(bytes);
    this.environment.metrics.streamMessages.inc({ method, direction: 'in', kind: 'sessions' });
    this.accept(message.messageNumber);
    this.#sessions.take(message, () => readProgress(bytes, message, this.#sessions));
    this.pauseWhenFull();
  }

  /** All that a message asked for is judged. */
  judged(messageNumber: number, positions: readonly Position[]): void {
    if (this.isEnded) return;
    this.applied(messageNumber, positions);
    if (this.isClosing) this.onClosing();
    this.resume();
    this.scheduleCheck();
  }

  answersWait(): void {
    if (this.#flushScheduled || this.#messageOnItsWay || this.isSlowReader || this.isEnded) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      if (this.isEnded || this.#messageOnItsWay || this.isSlowReader) return;
      try {
        this.#flush();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Sends what waits to be told, if there is anything. */
  #flush(): boolean {
    const answers = this.#sessions.takeAnswers(answersMax);
    const drainWithinMs = this.#drainWithinMs;
    if (
      answers === null &&
      drainWithinMs === null &&
      this.#durableThrough === 0 &&
      this.#resend.length === 0
    ) {
      return false;
    }
    const said = { durableThrough: this.#durableThrough, resend: this.#resend, drainWithinMs };
    const bytes = encodeMeterUsageResponse({ ...noAnswers, ...answers, ...said });
    const onDurableWritten = this.#onDurableWritten;
    this.#durableThrough = 0;
    this.#resend = [];
    this.#drainWithinMs = null;
    this.#onDurableWritten = null;
    this.#messageOnItsWay = true;
    this.send('sessions', bytes, () => {
      this.#messageOnItsWay = false;
      onDurableWritten?.();
      this.answersWait();
    });
    return true;
  }

  protected tellResend(numbers: readonly number[]): void {
    this.#resend.push(...numbers);
    this.answersWait();
  }

  protected tellDurable(through: number, onWritten: () => void): void {
    this.#durableThrough = through;
    this.#onDurableWritten = onWritten;
    this.answersWait();
  }

  /** What is still to be judged is judged first: an end may wait for its open. */
  protected override onClosing(): void {
    if (!this.isBusy) this.#sessions.leave();
  }

  protected override onReading(): void {
    this.answersWait();
  }

  protected override onFinishing(): void {
    while (this.#flush());
  }

  protected override onEnd(): void {
    this.#sessions.leave();
  }
}

const noAnswers = { opened: [], acknowledged: [], stops: [], ended: [], refused: [] };
