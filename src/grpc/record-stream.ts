import type { ServerDuplexStream } from '@grpc/grpc-js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { EventResult, RecordOutcome, UsageMeter, Watermarks } from '../usage/types.js';
import { BatchDurability } from './batch-durability.js';
import { type CallEnvironment, callOptions, type OpenStream } from './call.js';
import { toDrawdownError, toStatus } from './errors.js';
import type { Outcomes } from './outcomes.js';
import {
  type DecodedBatch,
  decodeRecordUsageRequest,
  encodeBatchApplied,
  encodeDrainNotice,
  encodeDurableWatermark,
  encodeResendBatches,
  mergeResults,
} from './record-codec.js';
import { fieldInvalid } from './validate.js';

const method = 'UsageService/RecordUsage';
const nothingToJudge: RecordOutcome = { results: [], positions: [] };

export interface RecordStreamEnvironment extends CallEnvironment {
  readonly meter: UsageMeter;
  readonly watermarks: Watermarks;
  readonly metrics: Pick<Metrics, 'streamMessages' | 'streamPauses' | 'recordBatchEvents'>;
  readonly outcomes: Outcomes;
}

/**
 * One RecordUsage stream. Bytes come and go raw; see record-codec.ts.
 *
 * States:
 * - *open*: batches are taken, answered when applied, and watermarks follow.
 * - *closing*: the client has half-closed. What is in flight is answered; then, for at most durableWaitMaxMs, it waits
 *   until everything is durable, sends the last watermark and ends with OK. How far that is durable the watermark says.
 * - *ended*: a status was sent or the transport is gone. Whatever still resolves is dropped.
 *
 * open -> closing by half-close; open, closing -> ended by completion, error, cancellation, loss of the transport,
 * idleness, or the end of a drain. A drain itself changes no state: the client is told and may go on until then.
 *
 * Bounds, while open: reading pauses while streamEventsInFlightMax events wait for their answer (in_flight) or while the
 * client does not read (slow_reader). At most 16 unread messages (the high water mark of grpc-js) wait as raw bytes, and
 * output never exceeds 16 messages plus the answers of what was in flight. At most one watermark is on its way.
 */
export class RecordStream implements OpenStream {
  #state: 'open' | 'closing' | 'ended' = 'open';
  #eventsInFlight = 0;
  #batchesInFlight = 0;
  #isSlowReader = false;
  readonly #batches = new BatchDurability();
  /** The watermark that the client was sent last. */
  #sentThrough = 0;
  #watermarkOnItsWay = false;
  #checkScheduled = false;
  #durableWait: NodeJS.Timeout | undefined;
  readonly #idle: NodeJS.Timeout;
  readonly #unsubscribe: () => void;

  constructor(
    private readonly call: ServerDuplexStream<Buffer, Buffer>,
    private readonly environment: RecordStreamEnvironment,
    private readonly onEnded: (stream: RecordStream) => void,
  ) {
    this.#idle = setTimeout(() => this.#onIdle(), environment.settings.streamIdleMs);
    this.#unsubscribe = environment.watermarks.onAdvance(() => this.#scheduleCheck());
    call.on('data', (bytes: Buffer) => this.#onData(bytes));
    call.on('end', () => this.#onHalfClose());
    call.on('drain', () => this.#onDrained());
    call.on('cancelled', () => this.#end());
    call.on('close', () => this.#end());
  }

  /** Tells the client that the stream will be ended after `withinMs`. */
  notifyDrain(withinMs: number): void {
    if (this.#state === 'ended') return;
    this.#send('drain', encodeDrainNotice(withinMs));
  }

  /** Ends the stream with a status, whatever it waits for. */
  fail(thrown: unknown): void {
    if (this.#state === 'ended') return;
    this.#end();
    const error = toDrawdownError(thrown, this.environment.logger, method);
    // This is how grpc-js takes a status for a stream; it has its own listener for it, so nothing is thrown.
    this.call.emit('error', toStatus(error));
  }

  #onData(bytes: Buffer): void {
    if (this.#state !== 'open') return;
    this.#idle.refresh();
    try {
      const batch = this.#decode(bytes);
      const { metrics } = this.environment;
      metrics.streamMessages.inc({ method, direction: 'in', kind: 'batch' });
      metrics.recordBatchEvents.observe(batch.count);
      this.#take(batch);
    } catch (error) {
      this.fail(error);
    }
  }

  #decode(bytes: Buffer): DecodedBatch {
    try {
      return decodeRecordUsageRequest(bytes, this.environment.settings.batchEventsMax);
    } catch (error) {
      // On a stream an oversized batch is the client's mistake, not a lack of room.
      if (error instanceof DrawdownError && error.code === 'LIMIT_REACHED') {
        throw new DrawdownError('FIELD_INVALID', error.message, { field: 'events' });
      }
      throw error;
    }
  }

  #take(batch: DecodedBatch): void {
    if (!this.#batches.accept(batch.batchNumber)) {
      const rule = `must be ${this.#batches.next}, or the first of the batches to resend`;
      throw fieldInvalid('batch_number', rule);
    }
    this.#batchesInFlight++;
    // An empty batch counts too, so that no number of them is without a bound.
    this.#eventsInFlight += Math.max(1, batch.count);
    if (this.#eventsInFlight >= this.environment.settings.streamEventsInFlightMax) this.#pause('in_flight');
    void this.#apply(batch);
  }

  /** Never rejects. */
  async #apply(batch: DecodedBatch): Promise<void> {
    const { meter, settings } = this.environment;
    try {
      // The deadline of a stream may be hours away; a batch that waits does so no longer than any other call.
      const latestMs = Date.now() + settings.callDeadlineDefaultMs;
      const deadlineMs = Math.min(callOptions(this.call, false, settings).deadlineMs, latestMs);
      const outcome =
        batch.events.length === 0
          ? nothingToJudge
          : await meter.record(batch.events, { durable: false, deadlineMs });
      this.#onApplied(batch, outcome);
    } catch (error) {
      this.fail(error);
    }
  }

  #onApplied(batch: DecodedBatch, outcome: RecordOutcome): void {
    const results: readonly EventResult[] = mergeResults(batch, outcome.results);
    this.environment.outcomes.recorded(batch.events, outcome.results);
    this.environment.outcomes.invalid(batch.invalid.length);
    if (this.#state === 'ended') return;
    this.#batches.applied(batch.batchNumber, outcome.positions);
    this.#batchesInFlight--;
    this.#eventsInFlight -= Math.max(1, batch.count);
    this.#send('applied', encodeBatchApplied(batch.batchNumber, results));
    this.#resume();
    this.#scheduleCheck();
  }

  #onHalfClose(): void {
    if (this.#state !== 'open') return;
    this.#idle.refresh();
    this.#state = 'closing';
    this.#scheduleCheck();
  }

  /** Watermarks advance many times a second over all partitions; one look per turn of the event loop is enough. */
  #scheduleCheck(): void {
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
    const { durableThrough, resend, more } = this.#batches.advance(this.environment.watermarks);
    if (resend.length > 0) this.#send('resend', encodeResendBatches(resend));
    if (durableThrough > this.#sentThrough) {
      this.#sentThrough = durableThrough;
      this.#watermarkOnItsWay = true;
      this.#send('durable', encodeDurableWatermark(durableThrough), () => {
        this.#watermarkOnItsWay = false;
        this.#scheduleCheck();
      });
    }
    if (more) this.#scheduleCheck();
    else this.#finishWhenDone();
  }

  #finishWhenDone(): void {
    if (this.#state !== 'closing' || this.#batchesInFlight > 0) return;
    // What is awaited cannot come any more: the client knows it and sends it on its next stream.
    if (this.#batches.onlyAwaited) this.#finish();
    else this.#durableWait ??= setTimeout(() => this.#finish(), this.environment.settings.durableWaitMaxMs);
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.#end();
    this.call.end();
  }

  /** An idle stream whose batches are all durable has nothing to lose; any other gets more time. */
  #onIdle(): void {
    if (this.#isSlowReader) {
      const message = 'The client has read nothing for streamIdleMs';
      this.fail(new DrawdownError('LIMIT_REACHED', message));
    } else if (this.#state !== 'open') return;
    else if (this.#batches.allDurable) this.#finish();
    else this.#idle.refresh();
  }

  #send(kind: 'applied' | 'durable' | 'resend' | 'drain', bytes: Buffer, onWritten?: () => void): void {
    this.environment.metrics.streamMessages.inc({ method, direction: 'out', kind });
    const hasRoom = this.call.write(bytes, onWritten === undefined ? undefined : () => onWritten());
    if (hasRoom || this.#isSlowReader) return;
    this.#isSlowReader = true;
    this.#pause('slow_reader');
  }

  #onDrained(): void {
    if (!this.#isSlowReader) return;
    this.#isSlowReader = false;
    this.#resume();
    this.#scheduleCheck();
  }

  #pause(reason: 'in_flight' | 'slow_reader'): void {
    this.environment.metrics.streamPauses.inc({ reason });
    this.call.pause();
  }

  #resume(): void {
    const { streamEventsInFlightMax } = this.environment.settings;
    if (this.#state !== 'open' || this.#isSlowReader) return;
    if (this.#eventsInFlight < streamEventsInFlightMax && this.call.isPaused()) this.call.resume();
  }

  /** From here on nothing refers to the stream but what is still in flight. */
  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#idle);
    clearTimeout(this.#durableWait);
    this.#unsubscribe();
    // Reads what is left and drops it, or the transport would never see its end.
    this.call.resume();
    this.onEnded(this);
  }
}
