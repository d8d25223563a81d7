import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { closedBefore, monthOf } from '../ledger/month.js';
import type { Metrics } from '../metrics.js';
import { markOpened, readOpenedPartitions, writeOpenings } from '../postgres/openings.js';
import { readCursors } from '../postgres/partitions.js';
import type { Pool } from '../postgres/pool.js';
import type { RedisConnection } from '../redis/connection.js';
import type { Partition } from '../usage/partition.js';

/** How often it looks whether a month has begun. One look costs nothing once the month is open. */
const LOOK_EVERY_MS = 10_000;
/** Accounts opened by one statement. At about a millisecond each, where something was booked, it ends well within its timeout. */
const ACCOUNTS_PER_STATEMENT_MAX = 200;

/**
 * Writes what every wallet had when the current month (UTC, of booked time) began, once a month, so that statements read at most one
 * month before their range and old months of the ledger can be detached. A partition is opened when everything booked before the
 * month is in the ledger. Two sidecars at once change nothing: openings are written once.
 */
export class Openings {
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #stopping = false;
  #month = 0;
  /** Partitions known to have the openings of `#month`. */
  #opened: ReadonlySet<number> = new Set();
  /** What each partition had booked at the first look at `#month`: everything before the month is among it. */
  readonly #targets = new Map<number, { readonly epoch: number; readonly seq: number }>();
  /** Fewer after a failure: some accounts may have so many lines that a page of them takes too long. */
  #accountsPerStatement = ACCOUNTS_PER_STATEMENT_MAX;

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly owned: () => ReadonlySet<number>,
    private readonly connection: RedisConnection,
    private readonly pool: Pool,
    private readonly options: { readonly clockSkewMaxMs: number },
    private readonly metrics: Pick<Metrics, 'openingBalances' | 'openingFailures'>,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  /** Opens the month for the partitions that this sidecar owns, where it can be. Never rejects: what failed is looked at again. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .catch((error: unknown) => {
        this.#accountsPerStatement = Math.max(1, Math.floor(this.#accountsPerStatement / 4));
        this.metrics.openingFailures.inc();
        this.logger.warn(
          { reason: error instanceof Error ? error.message : String(error) },
          'a month could not be opened; it will be tried again',
        );
      })
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  async #look(): Promise<void> {
    const closed = (): Partition[] =>
      this.partitions.filter(
        ({ number, isOpen }) => isOpen && this.owned().has(number) && !this.#opened.has(number),
      );
    if (!this.partitions.some(({ isOpen }) => isOpen)) return;
    const [seconds] = await this.connection.client.time();
    const month = monthOf(closedBefore(Number(seconds) * 1_000, this.options.clockSkewMaxMs));
    if (month !== this.#month) {
      this.#month = month;
      this.#opened = new Set();
      this.#targets.clear();
    }
    if (closed().length === 0) return;
    this.#opened = new Set(await readOpenedPartitions(this.pool, month));
    const ready = await this.#caughtUp(closed());
    if (ready.length > 0) await this.#open(ready, month);
  }

  /** Those of which all is in the ledger that Redis had booked when the month was first looked at. */
  async #caughtUp(partitions: readonly Partition[]): Promise<number[]> {
    await Promise.all(
      partitions.map(async ({ number, keys }) => {
        if (this.#targets.has(number)) return;
        const [epoch, seq] = await this.connection.client.hmget(keys[0], 'epoch', 'seq');
        if (epoch != null && seq != null) {
          this.#targets.set(number, { epoch: Number(epoch), seq: Number(seq) });
        }
      }),
    );
    const cursors = await readCursors(this.pool);
    return partitions.flatMap(({ number }) => {
      const target = this.#targets.get(number);
      const cursor = cursors.find(({ partition }) => partition === number);
      if (target === undefined || cursor === undefined) return [];
      const isThere = cursor.epoch === target.epoch ? cursor.seq >= target.seq : cursor.epoch > target.epoch;
      return isThere ? [number] : [];
    });
  }

  async #open(partitions: readonly number[], month: number): Promise<void> {
    let afterKey = -1;
    for (;;) {
      if (this.#stopping) return;
      const page = { partitions, month, afterKey, countMax: this.#accountsPerStatement };
      const { accounts, lastKey, written } = await writeOpenings(this.pool, page);
      this.metrics.openingBalances.inc(written);
      afterKey = lastKey;
      if (accounts < page.countMax) break;
      await setImmediate();
    }
    await markOpened(this.pool, partitions, month);
    this.#accountsPerStatement = ACCOUNTS_PER_STATEMENT_MAX;
    this.#opened = new Set([...this.#opened, ...partitions]);
  }
}
