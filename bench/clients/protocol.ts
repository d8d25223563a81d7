/** Between the harness and the process that makes the load: requests with one answer each, over the channel of fork(). */

export interface ClientConfig {
  readonly address: string;
  /** Of the sidecar, for what is measured beside it. */
  readonly redisUrl: string | null;
  readonly accountIds: readonly string[];
  /** Streams, each on a connection of its own. */
  readonly streams: number;
  readonly batchEvents: number;
  /** Events that are not durable and that the client keeps; past it it waits. */
  readonly keptEventsMax: number;
  /** Calls in flight, for clients without streams. */
  readonly callsInFlight: number;
  /** Sessions that are open at once. */
  readonly sessions: number;
  readonly seed: number;
}

export type Request =
  | { readonly type: 'start'; readonly config: ClientConfig }
  /** Changes the load from now on; null means as fast as the limits allow, 0 nothing. */
  | { readonly type: 'load'; readonly ratePerSecond: number | null }
  | { readonly type: 'count' }
  /** Forgets the latencies that were recorded until now. */
  | { readonly type: 'openWindow' }
  | { readonly type: 'closeWindow' }
  /** Sends no more, waits until everything is durable. */
  | { readonly type: 'stop' };

export interface Counts {
  /** Of performance.now() in the client. */
  readonly atMs: number;
  readonly applied: number;
  readonly durable: number;
  readonly refused: number;
  readonly duplicate: number;
}

export interface Window {
  readonly counts: Counts;
  readonly latenciesMs: readonly number[];
  readonly durableLatenciesMs: readonly number[];
  /** What was measured in turns with it, by name. */
  readonly besideMs: Readonly<Record<string, readonly number[]>>;
}

export interface Answers {
  readonly start: null;
  readonly load: null;
  readonly count: Counts;
  readonly openWindow: Counts;
  readonly closeWindow: Window;
  readonly stop: Counts;
}

export type Reply =
  | { readonly type: 'answer'; readonly answer: Answers[keyof Answers] }
  | { readonly type: 'failed'; readonly message: string };

/** Latencies are kept one by one: at 1,000 a second, ten minutes are 5 MB. */
export class Recorder {
  #applied = 0;
  #durable = 0;
  #refused = 0;
  #duplicate = 0;
  #latencies: number[] = [];
  #durableLatencies: number[] = [];
  #beside: Record<string, number[]> = {};

  applied(events: { recorded: number; duplicate: number; refused: number }, latencyMs: number): void {
    this.#applied += events.recorded;
    this.#duplicate += events.duplicate;
    this.#refused += events.refused;
    this.#latencies.push(latencyMs);
  }

  /** Sent, and counted by whom it was sent to. */
  reported(events: number): void {
    this.#applied += events;
    this.#durable += events;
  }

  durable(events: number, latencyMs: number): void {
    this.#durable += events;
    this.#durableLatencies.push(latencyMs);
  }

  beside(name: string, latencyMs: number): void {
    this.#beside[name] ??= [];
    this.#beside[name].push(latencyMs);
  }

  counts(): Counts {
    return {
      atMs: performance.now(),
      applied: this.#applied,
      durable: this.#durable,
      refused: this.#refused,
      duplicate: this.#duplicate,
    };
  }

  openWindow(): Counts {
    this.#latencies = [];
    this.#durableLatencies = [];
    this.#beside = {};
    return this.counts();
  }

  closeWindow(): Window {
    return {
      counts: this.counts(),
      latenciesMs: this.#latencies,
      durableLatenciesMs: this.#durableLatencies,
      besideMs: this.#beside,
    };
  }
}

/** What makes a load; `serveRequests` puts it behind the channel. */
export interface LoadClient {
  readonly recorder: Recorder;
  load(ratePerSecond: number | null): void;
  stop(): Promise<void>;
}

export function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  process.send?.({ type: 'failed', message } satisfies Reply);
}

/** Runs in the client's process. */
export function serveRequests(start: (config: ClientConfig) => Promise<LoadClient>): void {
  let client: LoadClient | undefined;
  const answer = async (request: Request): Promise<Reply> => {
    if (request.type === 'start') {
      client = await start(request.config);
      return { type: 'answer', answer: null };
    }
    if (client === undefined) throw new Error('The client was not started');
    const { recorder } = client;
    switch (request.type) {
      case 'load':
        client.load(request.ratePerSecond);
        return { type: 'answer', answer: null };
      case 'count':
        return { type: 'answer', answer: recorder.counts() };
      case 'openWindow':
        return { type: 'answer', answer: recorder.openWindow() };
      case 'closeWindow':
        return { type: 'answer', answer: recorder.closeWindow() };
      case 'stop':
        await client.stop();
        return { type: 'answer', answer: recorder.counts() };
    }
  };
  process.on('message', (request: Request) => {
    answer(request).then((reply) => process.send?.(reply), fail);
  });
  // The harness is gone: nobody would stop this process.
  process.on('disconnect', () => process.exit(1));
}
