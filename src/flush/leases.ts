import type { Logger } from 'pino';
import {
  type Cursor,
  endStandingFlushes,
  giveLeasesBack,
  readCursors,
  takeLeases,
} from '../postgres/partitions.js';
import type { Pool } from '../postgres/pool.js';
import type { Partition } from '../usage/partition.js';
import type { DurableWatermarks } from '../usage/watermarks.js';
import type { Flusher } from './flusher.js';

/** Renewals per lease: one may be lost without losing it. */
const RENEWALS_PER_LEASE = 3;
/** How often the cursors of partitions that others flush are read while somebody waits for them. */
const FOLLOW_MS = 50;

/**
 * Holds the leases of partitions and follows the cursors of those that other sidecars flush. A sidecar whose operations Redis refuses (its clock is
 * off) lets go of them at each third renewal: another one takes them then. Where there is none it goes on flushing what is in the journal.
 */
export class Leases {
  #owned: ReadonlySet<number> = new Set();
  #timer: NodeJS.Timeout | null = null;
  #follower: NodeJS.Timeout | null = null;
  #busy: Promise<void> = Promise.resolve();
  #renewals = 0;

  constructor(
    private readonly owner: string,
    private readonly partitions: readonly Partition[],
    private readonly pool: Pool,
    private readonly watermarks: DurableWatermarks,
    private readonly leaseMs: number,
    private readonly statementTimeoutMs: number,
    private readonly flusher: Flusher,
    /** False: no operation of ours is taken, so that sweeping is for others. */
    private readonly isTaken: () => boolean,
    private readonly logger: Logger,
  ) {}

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  async start(): Promise<void> {
    await this.#renew();
    this.#timer = setInterval(() => {
      this.#busy = this.#renew();
    }, this.leaseMs / RENEWALS_PER_LEASE);
    this.#follower = setInterval(() => void this.#follow(), FOLLOW_MS);
  }

  /** Gives the leases back, so that another sidecar need not wait for them to expire. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#follower !== null) clearInterval(this.#follower);
    await this.#busy;
    try {
      await giveLeasesBack(this.pool, this.owner);
    } catch (error) {
      this.logger.warn({ reason: String(error) }, 'leases were not given back; they expire');
    }
  }

  async #renew(): Promise<void> {
    try {
      this.#renewals += 1;
      if (!this.isTaken() && this.#renewals % RENEWALS_PER_LEASE === 0) {
        await giveLeasesBack(this.pool, this.owner);
        this.#owned = new Set();
        this.flusher.own(this.#owned);
        return;
      }
      this.#owned = new Set(await takeLeases(this.pool, this.owner, this.leaseMs));
      this.flusher.own(this.#owned);
      const known = this.flusher.known();
      const askedMs = performance.now();
      const cursors = await readCursors(this.pool);
      this.#noticeEpochs(cursors);
      this.flusher.compare(cursors, known, askedMs);
      const ended = await endStandingFlushes(this.pool, this.statementTimeoutMs);
      if (ended > 0) this.logger.warn({ ended }, 'flushes that stood still were ended');
    } catch (error) {
      // They may expire meanwhile. Going on is harmless: the cursor decides.
      this.logger.warn({ reason: String(error) }, 'leases could not be renewed');
    }
  }

  async #follow(): Promise<void> {
    if (this.#owned.size === this.partitions.length || !this.watermarks.hasWaiters) return;
    try {
      const cursors = await readCursors(this.pool);
      this.#noticeEpochs(cursors);
      for (const cursor of cursors) {
        if (!this.#owned.has(cursor.partition))
          this.watermarks.advance(cursor.partition, cursor.epoch, cursor.seq);
      }
    } catch (error) {
      this.logger.warn({ reason: String(error) }, 'cursors could not be read');
    }
  }

  /**
   * Where another sidecar has begun an epoch, maybe on another Redis, this one learns by opening the partition anew what it lost with the one before. It
   * may hear of it by nothing else, when nobody calls it or its Redis is not the one that counts.
   */
  #noticeEpochs(cursors: readonly Cursor[]): void {
    for (const { partition: number, epoch } of cursors) {
      const partition = this.partitions[number];
      if (partition !== undefined && epoch > partition.epoch)
        partition.doubt(`Postgres is at epoch ${epoch}`);
    }
  }
}
