import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { compiledFile } from '../paths.js';
import type { FlushReply, FlushThreadOptions, PartPlace } from './flush-protocol.js';

const WORKER_FILE = compiledFile(import.meta.url, 'flush/flush-worker.js');

/** Closing connections takes a moment, unless the store stands still: then it would never end. */
const CLOSE_MAX_MS = 1_000;

const ENDED: FlushReply = { failed: { reason: 'store', message: 'the flush thread has ended' } };

/** One by one: a thread gets a copy, and what it needs not (tokens) stays here. */
export function flushThreadOptions(
  config: Omit<FlushThreadOptions, 'redisUrl' | 'postgresUrl'>,
  { redisUrl, postgresUrl }: Pick<FlushThreadOptions, 'redisUrl' | 'postgresUrl'>,
): FlushThreadOptions {
  return {
    redisUrl,
    redisConnectTimeoutMs: config.redisConnectTimeoutMs,
    redisCommandTimeoutMs: config.redisCommandTimeoutMs,
    postgresUrl,
    postgresConnectTimeoutMs: config.postgresConnectTimeoutMs,
    postgresStatementTimeoutMs: config.postgresStatementTimeoutMs,
    leaseMs: config.leaseMs,
    flushConnections: config.flushConnections,
    flushEntriesMax: config.flushEntriesMax,
    logLevel: config.logLevel,
  };
}

/**
 * The thread that flushes: decoding the journal, encoding lines and feeding COPY take as long as serving does, and callers would wait
 * for it. It has connections of its own to Redis and Postgres. What it does not catch ends the process, as anywhere else.
 */
export class FlushThread {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #lastId = 0;
  readonly #waiting = new Map<number, (reply: FlushReply) => void>();

  constructor(options: FlushThreadOptions) {
    this.#worker = new Worker(WORKER_FILE, { workerData: options, execArgv: [] });
    this.#worker.on('message', ({ id, reply }: { id: number; reply: FlushReply }) => {
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    });
    this.#worker.on('error', (error) => {
      throw error;
    });
    this.#ended = once(this.#worker, 'exit').then(() => {
      this.#hasEnded = true;
      for (const answer of this.#waiting.values()) answer(ENDED);
      this.#waiting.clear();
    });
  }

  /** Makes durable what follows these places, in one transaction, and tells what became of it. */
  flush(places: readonly PartPlace[]): Promise<FlushReply> {
    if (this.#hasEnded) return Promise.resolve(ENDED);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#worker.postMessage({ id, places });
    });
  }

  /** Closes its connections; resolves when the thread has ended. A flush that is under way then fails: its entries stay in the journal. */
  async stop(): Promise<void> {
    this.#worker.postMessage('stop');
    const giveUp = setTimeout(() => void this.#worker.terminate(), CLOSE_MAX_MS);
    await this.#ended;
    clearTimeout(giveUp);
  }
}
