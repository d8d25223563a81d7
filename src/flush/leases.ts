import type { Logger } from 'pino';
import { type Cursor, giveLeasesBack, readCursors, takeLeases } from '../postgres/partitions.js';
import type { Pool } from '../postgres/pool.js';
import type { Partition } from '../usage/partition.js';
import type { DurableWatermarks } from '../usage/watermarks.js';
import type { Flusher } from './flusher.js';

/** Renewals per lease: one may be lost without losing it. */
const RENEWALS_PER_LEASE = 3;
/** How often the cursors of partitions that others flush are read while somebody waits for them. */
const FOLLOW_MS = 50;

/** Holds the leases of partitions and follows the cursors of those that other sidecars flush. */
export class Leases {
  #owned: ReadonlySet<number> = new Set();
  #timer: NodeJS.Timeout | null = null;
  #follower: NodeJS.Timeout | null = null;
  #busy: Promise<void> = Promise.resolve();

  constructor(
    private readonly owner: string,
    private readonly partitions: readonly Partition[],
    private readonly pool: Pool,
    private readonly watermarks: DurableWatermarks,
    private readonly leaseMs: number,
    private readonly flusher: Flusher,
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
      this.#owned = new Set(await takeLeases(this.pool, this.owner, this.leaseMs));
      this.flusher.own(this.#owned);
      const known = this.flusher.known();
      const askedMs = performance.now();
      const cursors = await readCursors(this.pool);
      this.#noticeEpochs(cursors);
      this.flusher.compare(cursors, known, askedMs);
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

  /** Where another sidecar has begun an epoch, this one learns by opening the partition anew what it lost with the one before. */
  #noticeEpochs(cursors: readonly Cursor[]): void {
    for (const { partition: number, epoch } of cursors) {
      const partition = this.partitions[number];
      if (partition?.isOpen && epoch > partition.epoch) partition.doubt(`Postgres is at epoch ${epoch}`);
    }
  }
}
