import type { Logger } from 'pino';
import { type OpenEpoch, readClosedEpochs } from '../postgres/epochs.js';
import type { Pool } from '../postgres/pool.js';
import type { RedisConnection } from '../redis/connection.js';
import type { Meta } from '../redis/meta.js';
import type { Partition } from '../usage/partition.js';
import type { DurableWatermarks } from '../usage/watermarks.js';
import { contradictionOf, forPeople, lookAt } from './contradiction.js';
import type { Rebuild } from './rebuild.js';

/** Between tries to open partitions that could not be opened. */
const RETRY_MS = 250;
/** Looks at fenced partitions, for when people have settled what is wrong. */
const FENCED_LOOK_MS = 5_000;
/** Looks in one try: after a rebuild, and after somebody else's. */
const LOOKS_MAX = 3;
/** Partitions opened at once: a rebuild holds a connection to Postgres and uses another one. */
const OPENING_MAX = 2;

/**
 * Opens partitions: verifies that Redis is the one that Postgres knows, under the run_id of the connection, and has it rebuilt where it is
 * not. What only people can settle fences the partition. So it never serves one wrong balance.
 */
export class Opener {
  #opening: Promise<void> | null = null;
  #fencedToo = false;
  #fencedTimer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly pool: Pool,
    private readonly connection: RedisConnection,
    private readonly rebuild: Rebuild,
    private readonly watermarks: DurableWatermarks,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.#fencedTimer = setInterval(() => {
      if (this.partitions.some(({ state }) => state.kind === 'fenced')) {
        this.#fencedToo = true;
        void this.openAll();
      }
    }, FENCED_LOOK_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#fencedTimer !== null) clearInterval(this.#fencedTimer);
    await this.#opening;
  }

  /** Opens every partition that is closed; tries again until all are open or fenced, or the connection is lost. */
  openAll(): Promise<void> {
    this.#opening ??= this.#run();
    return this.#opening;
  }

  async #run(): Promise<void> {
    for (;;) {
      // Another sidecar may know the server by an id that it did not have yet when this one connected.
      await this.connection.identify();
      const { runId } = this.connection;
      if (runId !== null) for (const partition of this.partitions) partition.reopen(runId);
      const fencedToo = this.#fencedToo;
      this.#fencedToo = false;
      await this.#once(({ state: { kind } }) => kind === 'closed' || (fencedToo && kind === 'fenced'));
      const isDone = this.partitions.every(({ state }) => state.kind !== 'closed');
      if (isDone || this.#stopped || this.connection.runId === null) {
        // At once: whoever closes a partition after this begins anew.
        this.#opening = null;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** One try for each of some partitions. */
  async #once(isWanted: (partition: Partition) => boolean): Promise<void> {
    const left = this.partitions.filter(isWanted);
    const work = async (): Promise<void> => {
      for (let partition = left.shift(); partition !== undefined; partition = left.shift()) {
        const { runId } = this.connection;
        if (runId === null || this.#stopped) return;
        await this.#open(partition, runId).catch((error: unknown) =>
          this.logger.warn({ reason: String(error) }, 'a partition could not be opened; trying again'),
        );
      }
    };
    await Promise.all(Array.from({ length: OPENING_MAX }, work));
  }

  async #open(partition: Partition, runId: string): Promise<void> {
    for (let look = 1; look <= LOOKS_MAX; look++) {
      const { epoch, meta } = await lookAt(this.pool, this.connection, partition);
      const why = forPeople(meta, epoch, partition);
      if (why !== null) return partition.fence(why);
      if (epoch.token !== null && meta?.runId === runId) {
        const wrong = await contradictionOf(this.connection, partition, epoch, meta, runId);
        if (wrong === null) return this.#serve(partition, epoch, meta);
      }
      const rebuilt = await this.rebuild.run(partition, runId);
      if (rebuilt === 'busy') return;
      if (rebuilt !== 'done') return partition.fence(rebuilt.fenced);
    }
  }

  async #serve(partition: Partition, { cursor }: OpenEpoch, meta: Meta): Promise<void> {
    const { number } = partition;
    if (partition.epoch !== 0 && partition.epoch !== cursor.epoch) {
      for (const { epoch, lastSeq } of await readClosedEpochs(this.pool, number, partition.epoch))
        this.watermarks.closeEpoch(number, epoch, lastSeq);
    }
    this.watermarks.advance(number, cursor.epoch, cursor.seq);
    // A connection that was lost since then has closed it already: whoever answers next is to be verified.
    if (this.connection.runId !== meta.runId) return;
    partition.open({ epoch: cursor.epoch, seq: meta.seq, runId: meta.runId });
  }
}
