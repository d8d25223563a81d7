import { type Client, credentials, type requestCallback } from '@grpc/grpc-js';
import { drawTokenCounts, randomSource } from '../../src/demo/trace-shape.js';
import { type PlainEvent, PlainMeter, type PlainOutcome } from '../variants/plain-service.js';
import { type ClientConfig, fail, type LoadClient, Recorder, serveRequests } from './protocol.js';

type PlainClient = Client & {
  recordEvent(event: PlainEvent, callback: requestCallback<PlainOutcome>): void;
};

/** Calls of one event each; a fixed number of them is always on its way. An answer means applied and durable. */
class UnaryCaller implements LoadClient {
  readonly recorder = new Recorder();
  readonly #clients: PlainClient[];
  readonly #random: () => number;
  readonly #runId: string;
  #made = 0;
  #inFlight = 0;
  #isStopped = true;
  #onIdle: (() => void) | undefined;

  constructor(private readonly config: ClientConfig) {
    this.#random = randomSource(config.seed);
    this.#runId = Date.now().toString(36).padStart(9, '0');
    this.#clients = Array.from(
      { length: config.streams },
      () =>
        new PlainMeter(config.address, credentials.createInsecure(), {
          'grpc.use_local_subchannel_pool': 1,
        }) as unknown as PlainClient,
    );
  }

  load(): void {
    this.#isStopped = false;
    while (this.#inFlight < this.config.callsInFlight) this.#call();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    for (const client of this.#clients) client.close();
  }

  #call(): void {
    const startMs = performance.now();
    const client = this.#clients[this.#made % this.#clients.length] as PlainClient;
    this.#inFlight++;
    client.recordEvent(this.#makeEvent(), (error, outcome) => {
      this.#inFlight--;
      if (error !== null) return fail(error);
      const isDuplicate = outcome?.duplicate === true;
      const latencyMs = performance.now() - startMs;
      this.recorder.applied(
        { recorded: isDuplicate ? 0 : 1, duplicate: isDuplicate ? 1 : 0, refused: 0 },
        latencyMs,
      );
      this.recorder.durable(1, latencyMs);
      if (!this.#isStopped) this.#call();
      else if (this.#inFlight === 0) this.#onIdle?.();
    });
  }

  #makeEvent(): PlainEvent {
    const { inputTokens, outputTokens } = drawTokenCounts(this.#random);
    const { accountIds } = this.config;
    return {
      event_id: `req_${this.#runId}-${(this.#made++).toString(36).padStart(10, '0')}`,
      account_id: accountIds[Math.floor(this.#random() * accountIds.length)] as string,
      model: 'gpt-4o-mini',
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      event_time_ms: Date.now(),
    };
  }
}

serveRequests(async (config) => new UnaryCaller(config));
