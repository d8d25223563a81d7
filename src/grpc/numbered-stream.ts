import type { ServerDuplexStream } from '@grpc/grpc-js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Position, Watermarks } from '../usage/types.js';
import { BatchDurability } from './batch-durability.js';
import type { CallEnvironment, OpenStream } from './call.js';
import { resetUnread } from './deaf-client.js';
import { toDrawdownError, toStatus } from './errors.js';
import { fieldInvalid } from './validate.js';

export interface NumberedStreamEnvironment extends CallEnvironment {
  readonly watermarks: Watermarks;
  readonly metrics: Pick<Metrics, 'streamMessages' | 'streamPauses'>;
}

/**
 * What RecordUsage and MeterUsage have in common: a stream of messages that the client numbers 1, 2, 3, ... and keeps until they are durable. Bytes
 * come and go raw.
 *
 * States:
 * - *open*: messages are taken, answered when applied, and watermarks follow.
 * - *closing*: the client has half-closed. What is in flight is answered; then, for at most durableWaitMaxMs, it waits
 *   until everything is durable, sends the last watermark and ends with OK. How far that is durable the watermark says.
 * - *ended*: a status was sent or the transport is gone. Whatever still resolves is dropped.
 *
 * open -> closing by half-close; open, closing -> ended by completion, error, cancellation, loss of the transport,
 * idleness, or the end of a drain. A drain itself changes no state: the client is told and may go on until then.
 *
 * Bounds, while open: reading pauses while `isFull` (in_flight) or while the client does not read (slow_reader). At most 16 unread messages (the
 * high water mark of grpc-js) wait as raw bytes, and at most one watermark is on its way.
 */
export abstract class NumberedStream implements OpenStream {
  #state: 'open' | 'closing' | 'ended' = 'open';
  #isSlowReader = false;
  readonly #numbers = new BatchDurability();
  /** The watermark that the client was sent last. */
  #sentThrough = 0;
  #watermarkOnItsWay = false;
  #checkScheduled = false;
  #durableWait: NodeJS.Timeout | undefined;
  readonly #idle: NodeJS.Timeout;
  readonly #unsubscribe: () => void;

  protected constructor(
    protected readonly call: ServerDuplexStream<Buffer, Buffer>,
    private readonly common: NumberedStreamEnvironment,
    private readonly names: { readonly method: string; readonly number: string; readonly messages: string },
    private readonly onEnded: (stream: OpenStream) => void,
  ) {
    this.#idle = setTimeout(() => this.#onIdle(), common.settings.streamIdleMs);
    this.#unsubscribe = common.watermarks.onAdvance(() => this.scheduleCheck());
    call.on('data', (bytes: Buffer) => this.#onData(bytes));
    call.on('end', () => this.#onHalfClose());
    call.on('drain', () => this.#onDrained());
    call.on('cancelled', () => this.#end());
    call.on('close', () => this.#end());
  }

  abstract notifyDrain(withinMs: number): void;

  /** Takes one message; what it raises ends the stream. */
  protected abstract receive(bytes: Buffer): void;
  /** Something that was taken is not answered yet. */
  protected abstract get isBusy(): boolean;
  /** As much is in flight as may be: nothing is read meanwhile. */
  protected abstract get isFull(): boolean;
  /** Messages that the client is to send again. */
  protected abstract tellResend(numbers: readonly number[]): void;
  protected abstract tellDurable(through: number, onWritten: () => void): void;

  /** Nothing would be lost if the stream ended now. */
  protected get mayEnd(): boolean {
    return this.#numbers.allDurable;
  }

  /** The client has half-closed, or reads again, or the stream is about to end with OK, or has ended. */
  protected onClosing(): void {}
  protected onReading(): void {}
  protected onFinishing(): void {}
  protected onEnd(): void {}

  protected get isEnded(): boolean {
    return this.#state === 'ended';
  }

  protected get isClosing(): boolean {
    return this.#state === 'closing';
  }

  protected get isSlowReader(): boolean {
    return this.#isSlowReader;
  }

  /** The client has read nothing for so long. */
  protected hasReadNothingFor(_ms: number): boolean {
    return this.#isSlowReader;
  }

  /** Ends the stream with a status, whatever it waits for. */
  fail(thrown: unknown): void {
    if (this.#state === 'ended') return;
    this.#end();
    const error = toDrawdownError(thrown, this.common.logger, this.names.method);
    // This is how grpc-js takes a status for a stream; it has its own listener for it, so nothing is thrown.
    this.call.emit('error', toStatus(error));
  }

  /** Takes the number of a message, or raises why it cannot come now. */
  protected accept(number: number): void {
    if (this.#numbers.accept(number)) return;
    const rule = `must be ${this.#numbers.next}, or the first of the ${this.names.messages} to resend`;
    throw fieldInvalid(this.names.number, rule);
  }

  protected applied(number: number, positions: readonly Position[]): void {
    this.#numbers.applied(number, positions);
  }

  #onData(bytes: Buffer): void {
    if (this.#state !== 'open') return;
    this.#idle.refresh();
    try {
      this.receive(bytes);
    } catch (error) {
      this.fail(error);
    }
  }

  #onHalfClose(): void {
    if (this.#state !== 'open') return;
    this.#idle.refresh();
    this.#state = 'closing';
    this.onClosing();
    this.scheduleCheck();
  }

  /** Watermarks advance many times a second over all partitions; one look per turn of the event loop is enough. */
  protected scheduleCheck(): void {
    if (this.#checkScheduled || this.#state === 'ended') return;
    this.#checkScheduled = true;
    setImmediate(() => {
      this.#checkScheduled = false;
      try {
        this.#check();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  #check(): void {
    // The end of the write in progress and the client's reading both come back here.
    if (this.#state === 'ended' || this.#watermarkOnItsWay || this.#isSlowReader) return;
    const { durableThrough, resend, more } = this.#numbers.advance(this.common.watermarks);
    if (resend.length > 0) this.tellResend(resend);
    if (durableThrough > this.#sentThrough) {
      this.#sentThrough = durableThrough;
      this.#watermarkOnItsWay = true;
      this.tellDurable(durableThrough, () => {
        this.#watermarkOnItsWay = false;
        this.scheduleCheck();
      });
    }
    if (more) this.scheduleCheck();
    else this.#finishWhenDone();
  }

  #finishWhenDone(): void {
    if (this.#state !== 'closing' || this.isBusy) return;
    // What is awaited cannot come any more: the client knows it and sends it on its next stream.
    if (this.#numbers.onlyAwaited) this.#finish();
    else this.#durableWait ??= setTimeout(() => this.#finish(), this.common.settings.durableWaitMaxMs);
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.onFinishing();
    this.#end();
    this.call.end();
  }

  /** An idle stream that has nothing to lose ends; any other gets more time. */
  #onIdle(): void {
    if (this.hasReadNothingFor(this.common.settings.streamIdleMs)) {
      const message = 'The client has read nothing for streamIdleMs';
      this.fail(new DrawdownError('LIMIT_REACHED', message));
      resetUnread(this.call);
    } else if (this.#state !== 'open') return;
    else if (this.mayEnd) this.#finish();
    else this.#idle.refresh();
  }

  protected send(kind: string, bytes: Buffer, onWritten?: () => void): void {
    this.common.metrics.streamMessages.inc({ method: this.names.method, direction: 'out', kind });
    const hasRoom = this.call.write(bytes, onWritten === undefined ? undefined : () => onWritten());
    if (hasRoom || this.#isSlowReader) return;
    this.#isSlowReader = true;
    this.#pause('slow_reader');
  }

  #onDrained(): void {
    if (!this.#isSlowReader) return;
    this.#isSlowReader = false;
    this.resume();
    this.onReading();
    this.scheduleCheck();
  }

  protected pauseWhenFull(reason: 'in_flight' | 'slow_reader' = 'in_flight'): void {
    if (this.isFull) this.#pause(reason);
  }

  #pause(reason: 'in_flight' | 'slow_reader'): void {
    this.common.metrics.streamPauses.inc({ reason });
    this.call.pause();
  }

  protected resume(): void {
    if (this.#state !== 'open' || this.#isSlowReader) return;
    if (!this.isFull && this.call.isPaused()) this.call.resume();
  }

  /** From here on nothing refers to the stream but what is still in flight. */
  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#idle);
    clearTimeout(this.#durableWait);
    this.#unsubscribe();
    this.onEnd();
    // Reads what is left and drops it, or the transport would never see its end.
    this.call.resume();
    this.onEnded(this);
  }
}
