import { Client, credentials } from '@grpc/grpc-js';
import { drawTokenCounts, randomSource, type TokenCounts } from '../../src/demo/trace-shape.js';
import { encodeSource, type LlmEvent } from '../../src/demo/usage-batch.js';
import { UsageStream } from '../../src/demo/usage-stream.js';
import { type ClientConfig, fail, type LoadClient, Recorder, serveRequests } from './protocol.js';

/**
 * A batch reporter: streams of RecordUsage at a rate that does not depend on the answers. Each batch has the time at which
 * it is due; what delays it (a full transport, a sidecar that answers slowly, too much that is not durable) is counted
 * as latency, because an application's usage does not wait for the meter either.
 */
class UsageReporter implements LoadClient {
  readonly recorder = new Recorder();
  readonly #clients: Client[] = [];
  readonly #streams: UsageStream<number>[] = [];
  readonly #sources: readonly Buffer[];
  /** Token counts drawn in advance. */
  readonly #tokens: readonly TokenCounts[];
  readonly #random: () => number;
  readonly #runId: string;
  #made = 0;
  #keptEvents = 0;
  #next = 0;
  /** Time between two batches; 0: as fast as the limits allow; infinite: nothing is sent. */
  #everyMs = Number.POSITIVE_INFINITY;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly config: ClientConfig) {
    this.#random = randomSource(config.seed);
    this.#runId = Date.now().toString(36).padStart(9, '0');
    this.#sources = config.accountIds.map((id) => encodeSource(id, 'gpt-4o-mini'));
    this.#tokens = Array.from({ length: 16_384 }, () => drawTokenCounts(this.#random));
    for (let i = 0; i < config.streams; i++) this.#openStream();
  }

  load(ratePerSecond: number | null): void {
    this.#everyMs = ratePerSecond === null ? 0 : (this.config.batchEvents * 1_000) / ratePerSecond;
    this.#dueMs = performance.now();
    this.#pump();
  }

  async stop(): Promise<void> {
    this.#everyMs = Number.POSITIVE_INFINITY;
    await Promise.all(this.#streams.map((stream) => stream.end()));
    for (const client of this.#clients) client.close();
  }

  #openStream(): void {
    // A connection of its own, as different gateways have.
    const client = new Client(this.config.address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#clients.push(client);
    const stream = new UsageStream<number>(
      client,
      { unappliedEventsMax: 20_000 },
      {
        applied: ({ extra: dueMs }, answer) => this.recorder.applied(answer, performance.now() - dueMs),
        durable: ({ events, extra: dueMs }) => {
          this.#keptEvents -= events;
          this.recorder.durable(events, performance.now() - dueMs);
        },
        room: () => this.#pump(),
        failed: fail,
      },
    );
    this.#streams.push(stream);
  }

  /** Sends all that is due, as far as there is room; whoever makes room calls again. */
  #pump(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const nowMs = performance.now();
      if (this.#everyMs === Number.POSITIVE_INFINITY) return;
      if (this.#dueMs > nowMs) {
        this.#timer = setTimeout(() => this.#pump(), this.#dueMs - nowMs);
        return;
      }
      if (this.#keptEvents + this.config.batchEvents > this.config.keptEventsMax) return;
      const stream = this.#streamWithRoom();
      if (stream === undefined) return;
      this.#keptEvents += this.config.batchEvents;
      stream.send(this.#makeEvents(), this.#everyMs === 0 ? nowMs : this.#dueMs);
      this.#dueMs += this.#everyMs;
    }
  }

  #streamWithRoom(): UsageStream<number> | undefined {
    for (let tried = 0; tried < this.#streams.length; tried++) {
      const stream = this.#streams[this.#next++ % this.#streams.length];
      if (stream?.hasRoom) return stream;
    }
    return undefined;
  }

  #makeEvents(): LlmEvent[] {
    const eventTimeMs = Date.now();
    const events: LlmEvent[] = [];
    for (let i = 0; i < this.config.batchEvents; i++) {
      const number = this.#made++;
      const { inputTokens, outputTokens } = this.#tokens[number & 16_383] as TokenCounts;
      events.push({
        // 24 characters, as a vendor's request ids have.
        eventId: `req_${this.#runId}-${number.toString(36).padStart(10, '0')}`,
        source: this.#sources[Math.floor(this.#random() * this.#sources.length)] as Buffer,
        inputTokens,
        outputTokens,
        eventTimeMs,
      });
    }
    return events;
  }
}

serveRequests(async (config) => new UsageReporter(config));
