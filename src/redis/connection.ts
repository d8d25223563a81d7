import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { DrawdownError } from '../errors.js';
import { restoreFastStrings } from './fast-strings.js';

restoreFastStrings();

/** Redis 7 brought script flags (`allow-oom`), which decide what still runs when memory is full. */
const REDIS_MAJOR_MIN = 7;
/**
 * How often a server is asked who it is beside every connect: its replication history may become another one, and it may begin or cease to be one that
 * may serve, without a connection breaking. INFO costs it some 50 us.
 */
const IDENTIFY_EVERY_MS = 1_000;

export interface RedisConnectionOptions {
  readonly url: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly logger: Logger;
}

/**
 * One connection to Redis, and the identity of the server that it reached.
 *
 * States: down -> (socket ready, INFO read and accepted) -> up -> (socket closed, or INFO no longer accepted) -> down -> ... -> closed;
 * up -> (INFO says that it is another one) -> down -> up.
 * `runId` is the server's own run_id and the id of its replication history, which is another one after it was a replica in between, and also since its first replica
 * was attached: both are read after every connect and once a second. Commands carry it, so that a Redis that was restarted or replaced behind the same address is noticed by the scripts' fence. Nothing is queued while down and nothing is ever sent twice:
 * a script whose reply is lost may have run.
 */
export class RedisConnection {
  readonly client: Redis;
  #runId: string | null = null;
  #refusal: string | null = null;
  readonly #logger: Logger;
  readonly #up = new Set<(runId: string) => void>();
  readonly #down = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #isAsked = false;

  constructor(options: RedisConnectionOptions) {
    this.#logger = options.logger;
    this.client = new Redis(options.url, {
      lazyConnect: true,
      connectTimeout: options.connectTimeoutMs,
      commandTimeout: options.commandTimeoutMs,
      // A lost reply means unknown, never failed: ids in the scripts make a repetition safe, and only callers repeat.
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      // 'ready' comes only once Redis has loaded its AOF.
      enableReadyCheck: true,
      retryStrategy: (attempt) => Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)) * (0.5 + Math.random() / 2),
    });
    this.client.on('error', (error: Error) =>
      this.#logger.warn({ reason: error.message }, 'redis connection'),
    );
    this.client.on('ready', () => void this.#identify());
    this.client.on('close', () => this.#lost());
    this.#timer = setInterval(() => void this.#look(), IDENTIFY_EVERY_MS).unref();
  }

  /** Which server is connected, and with which history of data; null while there is none that may serve. */
  get runId(): string | null {
    return this.#runId;
  }

  /** Why the connected server may not serve; null if it may or nothing is connected. */
  get refusal(): string | null {
    return this.#refusal;
  }

  onUp(listener: (runId: string) => void): void {
    this.#up.add(listener);
  }

  onDown(listener: () => void): void {
    this.#down.add(listener);
  }

  /** Connects for the first time. Rejects UNAVAILABLE where nothing answers or the server must not be used. */
  async connect(): Promise<void> {
    try {
      await this.client.connect();
    } catch (cause) {
      throw new DrawdownError('UNAVAILABLE', 'Redis does not answer', { cause });
    }
    await this.#identify();
    if (this.#refusal !== null) throw new DrawdownError('UNAVAILABLE', this.#refusal);
  }

  /** Whoever was found to be a replica was demoted, and may have taken over other data since: it is asked again who it is. */
  askAgain(): void {
    if (this.client.status === 'ready') this.client.disconnect(true);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#up.clear();
    this.#lost();
    this.#down.clear();
    this.client.disconnect();
    await Promise.resolve();
  }

  /** Asks the server that is connected who it is now; whoever finds that another sidecar knows it by another id does so before acting on it. */
  async identify(): Promise<void> {
    if (this.client.status === 'ready') await this.#identify();
  }

  async #look(): Promise<void> {
    if (this.#isAsked) return;
    this.#isAsked = true;
    await this.identify();
    this.#isAsked = false;
  }

  async #identify(): Promise<void> {
    try {
      const info = parseInfo(await this.client.info());
      const refusal = refusalOf(info);
      const isNews = refusal !== this.#refusal;
      this.#refusal = refusal;
      if (refusal !== null) {
        if (isNews) this.#logger.error({ reason: refusal }, 'redis refused');
        this.#lost();
        return;
      }
      const runId = `${info.get('run_id')}/${info.get('master_replid')}`;
      if (this.#runId === runId) return;
      this.#lost();
      this.#runId = runId;
      for (const listener of this.#up) listener(runId);
    } catch (error) {
      // The connection broke again while it was being asked; the next 'ready' asks again.
      this.#logger.warn({ reason: String(error) }, 'redis could not be identified');
    }
  }

  #lost(): void {
    if (this.#runId === null) return;
    this.#runId = null;
    for (const listener of this.#down) listener();
  }
}

function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** Why a server must not hold balances, in words for its operator; null if it may. */
function refusalOf(info: Map<string, string>): string | null {
  const major = Number.parseInt(info.get('redis_version') ?? '0', 10);
  if (major < REDIS_MAJOR_MIN)
    return `Redis ${info.get('redis_version')} is too old: ${REDIS_MAJOR_MIN}.0 or later is needed`;
  const policy = info.get('maxmemory_policy');
  if (policy !== 'noeviction') {
    return `Redis runs maxmemory-policy ${policy}: it would evict balances. Set it to noeviction`;
  }
  if (info.get('role') !== 'master') return 'Redis is a replica: balances are drawn down on the primary only';
  return null;
}
