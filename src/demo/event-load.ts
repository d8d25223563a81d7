import { Client, credentials } from '@grpc/grpc-js';
import type { Population } from './population.js';
import type { Tally } from './tally.js';
import type { TokenCounts } from './trace-shape.js';
import { type AppliedBatch, encodeSource, type LlmEvent } from './usage-batch.js';
import { UsageStream } from './usage-stream.js';
import type { Workload } from './workload.js';

/** A batch on its way: when it was applied and as what. */
interface Flight {
  appliedMs: number;
  answer: AppliedBatch | null;
  /** It belongs to the end, not to the load. */
  readonly isLast: boolean;
}

export interface LoadContext {
  readonly grpcAddress: string;
  readonly workload: Workload;
  readonly population: Population;
  readonly tally: Tally;
  readonly random: () => number;
  /** The time is over: one pass of a file is finished, nothing else begun. */
  isOver(): boolean;
  readonly signal: AbortSignal;
}

const streamsCount = 2;
/** Of each stream. A few bursts: enough to keep the sidecar busy, and reservations do not wait behind more. */
const unappliedEventsMax = 5_000;
/** Events that are not durable and that the reporters keep between them; past it they wait for the journal. */
const keptEventsMax = 50_000;
/** One batch in so many is sent again at once over the other stream, as after a broken connection. */
const repeatEvery = 20;
/** Usage of accounts that nobody created. */
const unknownShare = 0.001;
/** Each account uses one model. */
const models = ['gpt-4o-mini', 'claude-haiku-4-5', 'gemini-2.5-flash', 'gpt-4o-mini', 'claude-sonnet-4-6'];

/** The trace's requests as finished usage, at full speed, until the time is over and all is durable. */
export class EventLoad {
  readonly #streams: UsageStream<Flight>[] = [];
  readonly #clients: Client[] = [];
  readonly #sources: readonly Buffer[];
  readonly #unknownSources: readonly Buffer[];
  /** To be sent again, each with the number of the stream that must not be the same. */
  readonly #repeats: { events: readonly LlmEvent[]; not: number }[] = [];
  #keptEvents = 0;
  #pass = 0;
  #nextBurst = 0;
  #sentBatches = 0;
  #failure: Error | undefined;
  #appliedMs = 0;
  #durableMs = 0;
  #wake: () => void = () => undefined;

  constructor(private readonly context: LoadContext) {
    const { accountIds, unknownIds } = context.population;
    this.#sources = accountIds.map((id, i) => encodeSource(id, models[i % models.length] as string));
    this.#unknownSources = unknownIds.map((id) => encodeSource(id, models[0] as string));
    for (let i = 0; i < streamsCount; i++) this.#openStream();
  }

  /** Whole passes over the workload so far. */
  get passes(): number {
    return this.#pass;
  }

  /** When the load's last event was applied, and when it was known to be durable, of performance.now(). */
  get endsMs(): { readonly applied: number; readonly durable: number } {
    return { applied: this.#appliedMs, durable: this.#durableMs };
  }

  async run(): Promise<void> {
    while (!this.#isDone()) {
      if (this.#failure !== undefined) throw this.#failure;
      this.context.signal.throwIfAborted();
      if (!this.#sendOne()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /**
   * Ends with one event for each account, and waits until they are durable: then so is everything that came before them,
   * reservations included, because a journal is one sequence for all accounts of a partition.
   */
  async finish(): Promise<void> {
    const eventTimeMs = Date.now();
    this.#send(
      0,
      this.#sources.map((source, i) => ({
        eventId: `last-${i}`,
        source,
        inputTokens: 1,
        outputTokens: 1,
        eventTimeMs,
      })),
      true,
    );
    await Promise.all(this.#streams.map((stream) => stream.end()));
    for (const client of this.#clients) client.close();
    if (this.#failure !== undefined) throw this.#failure;
  }

  abort(error: Error): void {
    this.#failure ??= error;
    for (const stream of this.#streams) stream.cancel();
    this.#wake();
  }

  #isDone(): boolean {
    const { workload } = this.context;
    if (!this.context.isOver() || this.#repeats.length > 0) return false;
    return !workload.isWhole.requests || this.#pass > 0;
  }

  /** False: no room now; whatever makes room wakes. */
  #sendOne(): boolean {
    if (this.#keptEvents >= keptEventsMax) return false;
    const repeat = this.#repeats[0];
    if (repeat !== undefined) {
      const other = this.#streams.findIndex((stream, i) => i !== repeat.not && stream.hasRoom);
      if (other < 0) return false;
      this.#repeats.shift();
      this.context.tally.repeated += repeat.events.length;
      this.#send(other, repeat.events);
      return true;
    }
    const index = this.#streams.findIndex(
      (stream, i) => i === this.#sentBatches % streamsCount && stream.hasRoom,
    );
    if (index < 0) return false;
    const events = this.#makeBurst();
    this.#send(index, events);
    if (++this.#sentBatches % repeatEvery === 0) this.#repeats.push({ events, not: index });
    return true;
  }

  #send(index: number, events: readonly LlmEvent[], isLast = false): void {
    this.#keptEvents += events.length;
    this.context.tally.events.sent += events.length;
    this.#streams[index]?.send(events, { appliedMs: 0, answer: null, isLast });
  }

  #makeBurst(): LlmEvent[] {
    const { bursts } = this.context.workload;
    const burst = bursts[this.#nextBurst] as readonly TokenCounts[];
    const name = `llm-${this.#pass}-${this.#nextBurst}-`;
    const eventTimeMs = Date.now();
    const events = burst.map((tokens, i) => ({
      eventId: name + i,
      source: this.#drawSource(),
      ...tokens,
      eventTimeMs,
    }));
    if (++this.#nextBurst === bursts.length) {
      this.#nextBurst = 0;
      this.#pass++;
    }
    return events;
  }

  /** Some accounts use much more than others. */
  #drawSource(): Buffer {
    const { random } = this.context;
    const from = random() < unknownShare ? this.#unknownSources : this.#sources;
    return from[Math.floor(random() ** 2 * from.length)] as Buffer;
  }

  #openStream(): void {
    const client = new Client(this.context.grpcAddress, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#clients.push(client);
    const { tally } = this.context;
    this.#streams.push(
      new UsageStream<Flight>(
        client,
        { unappliedEventsMax },
        {
          applied: ({ extra }, answer) => {
            extra.appliedMs = performance.now();
            if (!extra.isLast) this.#appliedMs = extra.appliedMs;
            extra.answer = answer;
            tally.applied(answer);
          },
          durable: ({ events, extra }) => {
            this.#keptEvents -= events;
            if (!extra.isLast) this.#durableMs = performance.now();
            if (extra.answer !== null) tally.durable(extra.answer, performance.now() - extra.appliedMs);
          },
          room: () => this.#wake(),
          failed: (error) => this.abort(error),
        },
      ),
    );
  }
}
