import { type Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { type AppliedBatch, decodeAnswer, encodeBatch, type LlmEvent } from './usage-batch.js';

const path = '/drawdown.v1.UsageService/RecordUsage';
const asIs = (bytes: Buffer): Buffer => bytes;

/** A batch on its way, until it is durable. */
export interface SentBatch<Extra> {
  readonly events: number;
  readonly extra: Extra;
}

export interface UsageStreamEvents<Extra> {
  applied(batch: SentBatch<Extra>, answer: AppliedBatch): void;
  durable(batch: SentBatch<Extra>): void;
  /** There may be room again; ask `hasRoom`. */
  room(): void;
  failed(error: Error): void;
}

export interface UsageStreamLimits {
  /** Events sent and not answered; the sidecar itself reads no further from 20,000 on. */
  readonly unappliedEventsMax: number;
}

/**
 * One RecordUsage stream of a caller. Obeys the back pressure of the transport and names each batch to its owner again
 * when it is applied and when it is durable. Whoever must survive a loss keeps the events until then.
 */
export class UsageStream<Extra> {
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  /** Batches that are not durable, oldest first; the first has number `#durableThrough + 1`. */
  readonly #open: SentBatch<Extra>[] = [];
  #sent = 0;
  #durableThrough = 0;
  #unappliedEvents = 0;
  #isBlocked = false;
  readonly #ended: Promise<void>;

  constructor(
    client: Client,
    private readonly limits: UsageStreamLimits,
    private readonly listener: UsageStreamEvents<Extra>,
  ) {
    this.#call = client.makeBidiStreamRequest(path, asIs, asIs, new Metadata());
    this.#call.on('data', (bytes: Buffer) => {
      try {
        this.#onAnswer(bytes);
      } catch (error) {
        listener.failed(error as Error);
      }
    });
    this.#call.on('drain', () => {
      this.#isBlocked = false;
      listener.room();
    });
    this.#ended = new Promise((resolve) => {
      this.#call.on('error', (error: Error) => {
        listener.failed(error);
        resolve();
      });
      this.#call.on('end', () => resolve());
    });
  }

  get hasRoom(): boolean {
    return !this.#isBlocked && this.#unappliedEvents < this.limits.unappliedEventsMax;
  }

  send(events: readonly LlmEvent[], extra: Extra): void {
    const number = ++this.#sent;
    this.#open.push({ events: events.length, extra });
    this.#unappliedEvents += events.length;
    if (!this.#call.write(encodeBatch(number, events))) this.#isBlocked = true;
  }

  /** Half-closes; resolves when the sidecar has made everything durable and ended the stream. */
  async end(): Promise<void> {
    this.#call.end();
    await this.#ended;
  }

  /** Gives up what is on its way. */
  cancel(): void {
    this.#call.cancel();
  }

  #onAnswer(bytes: Buffer): void {
    const answer = decodeAnswer(bytes);
    if (answer.kind === 'applied') {
      const batch = this.#batch(answer.batchNumber);
      this.#unappliedEvents -= batch.events;
      this.listener.applied(batch, answer);
      this.listener.room();
    } else if (answer.kind === 'durable') {
      while (this.#durableThrough < answer.durableThrough) {
        const batch = this.#batch(this.#durableThrough + 1);
        this.#open.shift();
        this.#durableThrough++;
        this.listener.durable(batch);
      }
      this.listener.room();
    } else {
      const why =
        answer.kind === 'resend' ? 'The sidecar lost what it had applied' : 'The sidecar is stopping';
      this.listener.failed(new Error(why));
    }
  }

  #batch(number: number): SentBatch<Extra> {
    const batch = this.#open[number - this.#durableThrough - 1];
    if (batch === undefined) throw new Error(`The sidecar answered batch ${number}, which was not open`);
    return batch;
  }
}
