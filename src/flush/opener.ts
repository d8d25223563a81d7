import type { Logger } from 'pino';
import { type Cursor, readCursors } from '../postgres/partitions.js';
import type { Pool } from '../postgres/pool.js';
import type { RedisConnection } from '../redis/connection.js';
import { readJournal } from '../redis/journal.js';
import type { Scripts } from '../redis/scripts.js';
import type { Partition } from '../usage/partition.js';

/** Records read at once while the journal beyond the cursor is verified. */
const RECORDS_PER_READ_MAX = 100;
/** Between tries to open partitions that could not be opened. */
const RETRY_MS = 250;

/**
 * Opens partitions: makes their keys where the installation is new, else verifies that Redis is the one that Postgres knows,
 * under the run_id of the connection. A contradiction fences the partition: it never serves one wrong balance.
 */
export class Opener {
  #opening: Promise<void> | null = null;
  #stopped = false;

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly pool: Pool,
    private readonly connection: RedisConnection,
    private readonly scripts: Scripts,
    private readonly logger: Logger,
  ) {}

  stop(): void {
    this.#stopped = true;
  }

  /** Opens every partition that is closed; tries again until all are open or fenced, or the connection is lost. */
  openAll(): Promise<void> {
    this.#opening ??= this.#run().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #run(): Promise<void> {
    for (;;) {
      const { runId } = this.connection;
      if (runId !== null) for (const partition of this.partitions) partition.reopen(runId);
      const closed = this.partitions.filter((partition) => partition.state.kind === 'closed');
      if (closed.length === 0 || runId === null || this.#stopped) return;
      try {
        const cursors = await readCursors(this.pool);
        for (const partition of closed) await this.#open(partition, cursors, runId);
      } catch (error) {
        this.logger.warn({ reason: String(error) }, 'partitions could not be opened; trying again');
      }
      if (this.partitions.some((partition) => partition.state.kind === 'closed')) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #open(partition: Partition, cursors: readonly Cursor[], runId: string): Promise<void> {
    const cursor = cursors.find((c) => c.partition === partition.number);
    if (cursor === undefined) return partition.fence('Postgres has no cursor for it');
    const meta = await this.#readMeta(partition);
    if (meta === null) return this.#openNew(partition, cursor, runId);
    if (meta.installation !== partition.fenceArguments().installation) {
      return partition.fence("Redis holds another installation's data");
    }
    if (meta.epoch !== cursor.epoch) {
      return partition.fence(`Redis is at epoch ${meta.epoch}, Postgres at ${cursor.epoch}`);
    }
    const contradiction = await this.#verify(partition, cursor, meta.seq);
    if (contradiction !== null) {
      const now = (await readCursors(this.pool)).find((c) => c.partition === partition.number);
      // Another sidecar has flushed, and may have trimmed, since the cursor was read: the next round looks again.
      if (now !== undefined && now.seq !== cursor.seq) return;
      return partition.fence(contradiction);
    }
    const fence = { ...partition.fenceArguments(runId), epoch: cursor.epoch };
    if ((await this.scripts.adopt(fence, meta.seq)) === 'OK')
      partition.open({ epoch: cursor.epoch, seq: meta.seq, runId });
  }

  async #openNew(partition: Partition, cursor: Cursor, runId: string): Promise<void> {
    if (cursor.seq > 0 || partition.seqSeen > 0) {
      return partition.fence(
        'Redis has lost its keys (a flush, or a restart without its data), Postgres knows entries',
      );
    }
    const fence = { ...partition.fenceArguments(runId), epoch: cursor.epoch };
    // EXISTS: another sidecar was faster; the next round verifies what it made.
    if ((await this.scripts.openNew(fence, cursor.seq, 0)) === 'OK') {
      partition.open({ epoch: cursor.epoch, seq: cursor.seq, runId });
    }
  }

  async #readMeta(
    partition: Partition,
  ): Promise<{ epoch: number; seq: number; installation: string } | null> {
    const [epoch, seq, installation] = await this.connection.client.hmget(
      partition.keys[0],
      'epoch',
      'seq',
      'installation',
    );
    if (epoch == null || seq == null || installation == null) return null;
    return { epoch: Number(epoch), seq: Number(seq), installation };
  }

  /** Does the record at the cursor carry the hash that Postgres stored, and is nothing missing after it? Says what is wrong, or null. */
  async #verify(partition: Partition, cursor: Cursor, seq: number): Promise<string | null> {
    if (seq < cursor.seq) return `Redis went back to seq ${seq}, Postgres has ${cursor.seq}`;
    if (seq < partition.seqSeen)
      return `Redis went back to seq ${seq}, ${partition.seqSeen} was acknowledged`;
    const read = (fromSeq: number, recordsMax: number) =>
      readJournal(this.connection, partition.keys[7], { epoch: cursor.epoch, fromSeq, recordsMax });
    if (cursor.recordSeq !== null) {
      const [record] = await read(cursor.recordSeq, 1);
      if (record === undefined || record.firstSeq !== cursor.recordSeq)
        return `the journal lacks the record at the cursor (seq ${cursor.recordSeq})`;
      if (cursor.recordHash === null || !record.hash.equals(cursor.recordHash)) {
        return `the journal's record at seq ${cursor.recordSeq} is not the one that Postgres has`;
      }
    }
    let next = cursor.seq + 1;
    while (next <= seq) {
      const records = await read(next, RECORDS_PER_READ_MAX);
      if (records.length === 0) return `the journal lacks seq ${next} of ${seq}`;
      for (const record of records) {
        if (record.firstSeq !== next) return `the journal lacks seq ${next}`;
        next = record.lastSeq + 1;
      }
    }
    // More than meta says: another sidecar is working, or a script was cut off after its first write.
    return null;
  }
}
