import type { ServerDuplexStream } from '@grpc/grpc-js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { EventResult, RecordOutcome, UsageMeter } from '../usage/types.js';
import { callOptions, type OpenStream } from './call.js';
import { NumberedStream, type NumberedStreamEnvironment } from './numbered-stream.js';
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

const method = 'UsageService/RecordUsage';
const nothingToJudge: RecordOutcome = { results: [], positions: [] };

export interface RecordStreamEnvironment extends NumberedStreamEnvironment {
  readonly meter: UsageMeter;
  readonly metrics: Pick<Metrics, 'streamMessages' | 'streamPauses' | 'recordBatchEvents'>;
  readonly outcomes: Outcomes;
}

/**
 * One RecordUsage stream; see numbered-stream.ts for its states and record-codec.ts for its bytes. At most streamEventsInFlightMax events wait for
 * their answer before it is read no further, and output never exceeds 16 messages plus the answers of what was in flight.
 */
export class RecordStream extends NumberedStream {
  #eventsInFlight = 0;
  #batchesInFlight = 0;

  constructor(
    call: ServerDuplexStream<Buffer, Buffer>,
    private readonly environment: RecordStreamEnvironment,
    onEnded: (stream: OpenStream) => void,
  ) {
    super(call, environment, { method, number: 'batch_number', messages: 'batches' }, onEnded);
  }

  /** Tells the client that the stream will be ended after `withinMs`. */
  notifyDrain(withinMs: number): void {
    if (!this.isEnded) this.send('drain', encodeDrainNotice(withinMs));
  }

  protected get isBusy(): boolean {
    return this.#batchesInFlight > 0;
  }

  protected get isFull(): boolean {
    return this.#eventsInFlight >= this.environment.settings.streamEventsInFlightMax;
  }

  protected receive(bytes: Buffer): void {
    const batch = this.#decode(bytes);
    const { metrics } = this.environment;
    metrics.streamMessages.inc({ method, direction: 'in', kind: 'batch' });
    metrics.recordBatchEvents.observe(batch.count);
    this.accept(batch.batchNumber);
    this.#batchesInFlight++;
    // An empty batch counts too, so that no number of them is without a bound.
    this.#eventsInFlight += Math.max(1, batch.count);
    this.pauseWhenFull();
    void this.#apply(batch);
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
    if (this.isEnded) return;
    this.applied(batch.batchNumber, outcome.positions);
    this.#batchesInFlight--;
    this.#eventsInFlight -= Math.max(1, batch.count);
    this.send('applied', encodeBatchApplied(batch.batchNumber, results));
    this.resume();
    this.scheduleCheck();
  }

  protected tellResend(numbers: readonly number[]): void {
    this.send('resend', encodeResendBatches(numbers));
  }

  protected tellDurable(through: number, onWritten: () => void): void {
    this.send('durable', encodeDurableWatermark(through), onWritten);
  }
}
