import type { Logger } from 'pino';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Pool } from '../postgres/pool.js';
import { readAdvanced, readWatchedAccounts } from '../postgres/watch.js';
import type { Watermarks } from '../usage/types.js';
import { fromPostgres } from './from-postgres.js';
import {
  AccountsWatch,
  type BalanceWatch,
  type BalanceWatches,
  type Thresholds,
  type WatchRequest,
} from './watch.js';

/** Between two looks at where the watched ledgers stand: an account changes at most five times a second for its watchers. */
const WATCH_INTERVAL_MS = 200;
/** Looked at least so often: a commit of another sidecar whose cursor nobody here follows is seen all the same. */
const POLL_MS = 1_000;
/** Accounts that all watches of a sidecar follow. One look at so many takes Postgres about ten milliseconds, 5 % of a core. */
const WATCHED_ACCOUNTS_MAX = 10_000;

/**
 * All watches of this sidecar. Commits wake it, its own and those of others whose cursors it follows; then one query asks which of
 * the watched ledgers have grown, and those watches read on by themselves.
 */
export class Watches implements BalanceWatches {
  readonly #watches = new Set<AccountsWatch>();
  #accounts = 0;
  #looking = false;
  #isDue = false;
  #lookedMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;
  #unsubscribe: () => void = () => undefined;

  constructor(
    private readonly pool: Pool,
    private readonly watermarks: Pick<Watermarks, 'onAdvance'>,
    /** Those of requests that name none. */
    private readonly thresholds: () => Thresholds,
    private readonly metrics: Pick<Metrics, 'watchedAccounts'>,
    private readonly logger: Logger,
  ) {}

  async open(request: WatchRequest): Promise<BalanceWatch> {
    this.#count(request.accounts.length);
    try {
      const thresholds = sorted(request.thresholds ?? this.thresholds());
      const watch = await fromPostgres(async () =>
        AccountsWatch.begin(this.pool, await this.#find(request), thresholds, (closed) =>
          this.#closed(closed),
        ),
      );
      this.#watches.add(watch);
      if (this.#watches.size === 1) this.#start();
      // Lines may have come since the accounts were read.
      this.#due();
      return watch;
    } catch (error) {
      this.#count(-request.accounts.length);
      throw error;
    }
  }

  /** Closes every watch. */
  stop(): void {
    for (const watch of this.#watches) watch.close();
  }

  async #find({ accounts }: WatchRequest) {
    const rows = await readWatchedAccounts(
      this.pool,
      accounts.map(({ accountId }) => accountId),
    );
    return accounts.map(({ accountId, cursor }, i) => {
      const row = rows.find((found) => found.accountId === accountId);
      const field = `accounts[${i}]`;
      if (row === undefined) {
        throw new DrawdownError('ACCOUNT_UNKNOWN', `account ${accountId} does not exist`, {
          field: `${field}.account_id`,
        });
      }
      if (cursor > row.entries) {
        throw new DrawdownError('FIELD_INVALID', `${field}.cursor: not one that an update had`, {
          field: `${field}.cursor`,
        });
      }
      const { accountKey, entries } = row;
      return { accountId, accountKey, cursor: cursor === 0 ? entries : cursor, latest: entries };
    });
  }

  #count(accounts: number): void {
    if (accounts > 0 && this.#accounts + accounts > WATCHED_ACCOUNTS_MAX) {
      throw new DrawdownError(
        'LIMIT_REACHED',
        `watchedAccountsMax (${WATCHED_ACCOUNTS_MAX}) is reached: watch elsewhere`,
        { retryAfterMs: 5_000 },
      );
    }
    this.#accounts += accounts;
    this.metrics.watchedAccounts.set(this.#accounts);
  }

  #closed(watch: AccountsWatch): void {
    this.#watches.delete(watch);
    this.#count(-watch.size);
    if (this.#watches.size === 0) this.#end();
  }

  #start(): void {
    this.#unsubscribe = this.watermarks.onAdvance(() => this.#due());
    this.#poll = setInterval(() => this.#due(), POLL_MS);
  }

  #end(): void {
    this.#unsubscribe();
    if (this.#poll !== null) clearInterval(this.#poll);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Something may have been committed: looks now, or as soon as the last look is long enough ago. */
  #due(): void {
    this.#isDue = true;
    if (this.#timer !== null || this.#looking || this.#watches.size === 0) return;
    const waitMs = Math.max(0, this.#lookedMs + WATCH_INTERVAL_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#look();
    }, waitMs);
  }

  /** Never rejects: Postgres is asked again at the next poll. */
  async #look(): Promise<void> {
    this.#looking = true;
    this.#isDue = false;
    try {
      const known = new Map<number, number>();
      for (const watch of this.#watches) {
        for (const key of watch.accountKeys) {
          known.set(key, Math.min(known.get(key) ?? Number.POSITIVE_INFINITY, watch.latest(key)));
        }
      }
      const advanced = await readAdvanced(this.pool, known);
      for (const watch of this.#watches) {
        for (const { accountKey, entries } of advanced) watch.advanced(accountKey, entries);
      }
    } catch (error) {
      this.logger.warn({ reason: String(error) }, 'watched accounts could not be looked at');
    }
    this.#looking = false;
    this.#lookedMs = performance.now();
    if (this.#isDue) this.#due();
  }
}

function sorted(thresholds: Thresholds): Thresholds {
  const rising = (a: bigint, b: bigint): number => (a < b ? -1 : Number(a > b));
  return new Map([...thresholds].map(([unit, amounts]) => [unit, [...new Set(amounts)].sort(rising)]));
}
