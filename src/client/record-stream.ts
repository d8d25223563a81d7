import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { Connection } from './connections.js';
import { fromServiceError, MeterError } from './errors.js';
import { decodeAnswer, encodeBatch } from './event-codec.js';
import type { EventResult } from './types.js';

const path = '/drawdown.v1.UsageService/RecordUsage';
const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Events of one stream that are sent and not answered. A few batches: enough to keep the sidecar busy (it reads no further
 * from 20,000 on), and what waits longer can still go over another connection.
 */
const unansweredEventsMax = 5_000;

/** The owner of a stream and of the events in it. */
export interface StreamOwner<Event> {
  /** Returns which of the events are still to be made durable by this stream. */
  applied(events: readonly Event[], results: readonly EventResult[]): readonly Event[];
  durable(events: readonly Event[]): void;
  /** There may be room again, or the stream takes no more. */
  changed(): void;
  /** The stream is over; these events are not durable. Null: it ended as it should. */
  ended(unfinished: readonly Event[], error: MeterError | null): void;
}

interface Batch<Event> {
  events: readonly Event[];
  unanswered: boolean;
}

/**
 * One RecordUsage stream.
 *
 * States: *open* -> *closing* (half-closed, because the sidecar drains or nothing is left) -> *ended*. A stream that broke goes from anywhere to
 * *ended*. While it closes, answers still come; what the sidecar asks for again then goes over the next stream.
 */
export class RecordStream<Event extends { readonly bytes: Buffer }> {
  #state: 'open' | 'closing' | 'ended' = 'open';
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  /** Batches that are not durable, oldest first; the first has number `#durableThrough + 1`. */
  #batches: Batch<Event>[] = [];
  #durableThrough = 0;
  #unansweredEvents = 0;
  #isBlocked = false;
  /** Numbers of batches that the sidecar lost, in its order. */
  readonly #resends: number[] = [];

  constructor(
    connection: Connection,
    private readonly owner: StreamOwner<Event>,
  ) {
    this.#call = connection.client.makeBidiStreamRequest(path, asIs, asIs, connection.metadata);
    this.#call.on('data', (bytes: Buffer) => this.#onData(bytes));
    this.#call.on('drain', () => {
      this.#isBlocked = false;
      this.#sendAgain();
      owner.changed();
    });
    this.#call.on('error', (error: ServiceError) => this.#end(fromServiceError(error)));
    this.#call.on('end', () => this.#end(null));
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get hasRoom(): boolean {
    return this.#state === 'open' && this.#resends.length === 0 && this.#canWrite;
  }

  /** Events that were sent and are not durable. */
  get unfinished(): Event[] {
    return this.#batches.flatMap(({ events }) => events);
  }

  send(events: readonly Event[]): void {
    this.#batches.push({ events, unanswered: false });
    this.#write(this.#durableThrough + this.#batches.length);
  }

  /** No more batches; the sidecar answers what is on its way, makes it durable, and ends the stream. */
  finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#call.end();
    this.owner.changed();
  }

  /** Gives up what is on its way. */
  cancel(): void {
    this.#call.cancel();
  }

  get #canWrite(): boolean {
    return !this.#isBlocked && this.#unansweredEvents < unansweredEventsMax;
  }

  #write(number: number): void {
    const batch = this.#batch(number);
    batch.unanswered = true;
    this.#unansweredEvents += batch.events.length;
    if (!this.#call.write(encodeBatch(number, batch.events))) this.#isBlocked = true;
  }

  #onData(bytes: Buffer): void {
    if (this.#state === 'ended') return;
    try {
      this.#onAnswer(bytes);
    } catch (thrown) {
      const message = `The answer of the sidecar makes no sense: ${(thrown as Error).message}`;
      this.#end(new MeterError('INTERNAL', message, { retryable: true, cause: thrown }));
      this.#call.cancel();
    }
  }

  #onAnswer(bytes: Buffer): void {
    const answer = decodeAnswer(bytes);
    if (answer?.kind === 'applied') this.#onApplied(answer.batchNumber, answer.results);
    else if (answer?.kind === 'durable') this.#onDurable(answer.durableThrough);
    else if (answer?.kind === 'resend') {
      this.#resends.push(...answer.batchNumbers);
      this.#sendAgain();
    } else if (answer?.kind === 'drain') this.finish();
  }

  #onApplied(number: number, results: readonly EventResult[]): void {
    const batch = this.#batch(number);
    const { events } = batch;
    if (!batch.unanswered || results.length !== events.length) {
      throw new Error(`${results.length} results for batch ${number} of ${events.length} events`);
    }
    batch.unanswered = false;
    this.#unansweredEvents -= events.length;
    batch.events = this.owner.applied(events, results);
    this.#sendAgain();
    this.owner.changed();
  }

  #onDurable(through: number): void {
    const count = through - this.#durableThrough;
    const batches = this.#batches.slice(0, Math.max(0, count));
    if (batches.length !== count || batches.some(({ unanswered }) => unanswered)) {
      throw new Error(`batches through ${through} cannot be durable`);
    }
    this.#batches = this.#batches.slice(count);
    this.#durableThrough = through;
    for (const { events } of batches) this.owner.durable(events);
  }

  /** Events that were refused are left out: nothing of them can be lost. */
  #sendAgain(): void {
    while (this.#state === 'open' && this.#canWrite) {
      const number = this.#resends.shift();
      if (number === undefined) return;
      this.#write(number);
    }
  }

  #batch(number: number): Batch<Event> {
    const batch = this.#batches[number - this.#durableThrough - 1];
    if (batch === undefined) throw new Error(`batch ${number} is not open`);
    return batch;
  }

  #end(error: MeterError | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const { unfinished } = this;
    this.#batches = [];
    this.owner.ended(unfinished, error);
  }
}
