import type { Pool, PoolClient } from 'pg';

/** The cursor of one partition: what is durable, and how the record that holds its last entry looked. */
export interface Cursor {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  /** First seq and sha-256 of the record at the cursor; null before the first flush of an epoch. */
  readonly recordSeq: number | null;
  readonly recordHash: Buffer | null;
  readonly bytes: number;
  /** When the last entry was booked; 0: none was. */
  readonly bookedMs: number;
  readonly chain: Buffer;
}

export interface CursorRow {
  partition: number;
  epoch: number;
  seq: number;
  record_seq: number | null;
  record_hash: Buffer | null;
  bytes: number;
  booked_ms: number;
  chain: Buffer;
}

export function cursorOf(row: CursorRow): Cursor {
  return {
    partition: row.partition,
    epoch: row.epoch,
    seq: row.seq,
    recordSeq: row.record_seq,
    recordHash: row.record_hash,
    bytes: row.bytes,
    bookedMs: row.booked_ms,
    chain: row.chain,
  };
}

export async function readCursors(pool: Pool): Promise<Cursor[]> {
  const { rows } = await pool.query<CursorRow>(
    `SELECT partition, epoch, seq, record_seq, record_hash, bytes, booked_ms, chain FROM partitions ORDER BY partition`,
  );
  return rows.map(cursorOf);
}

/** Locks the cursors of some partitions, in order, for the transaction of a flush. */
export async function lockCursors(client: PoolClient, partitions: readonly number[]): Promise<Cursor[]> {
  const { rows } = await client.query<CursorRow>({
    name: 'lock_cursors',
    text: `SELECT partition, epoch, seq, record_seq, record_hash, bytes, booked_ms, chain FROM partitions
           WHERE partition = ANY($1::integer[]) ORDER BY partition FOR UPDATE`,
    values: [partitions],
  });
  return rows.map(cursorOf);
}

/** Makes the first epoch of partitions that have none. */
export async function createFirstEpochs(pool: Pool, partitionCount: number, chain: Buffer): Promise<void> {
  await pool.query(
    `WITH made AS (
       INSERT INTO partitions (partition, epoch, seq, chain)
       SELECT n, 1, 0, $2 FROM generate_series(0, $1 - 1) AS n
       ON CONFLICT (partition) DO NOTHING RETURNING partition
     ), leased AS (
       INSERT INTO leases (partition) SELECT partition FROM made ON CONFLICT (partition) DO NOTHING
     )
     INSERT INTO epochs (partition, epoch, after_seq) SELECT partition, 1, 0 FROM made ON CONFLICT (partition, epoch) DO NOTHING`,
    [partitionCount, chain],
  );
}

export async function moveCursors(client: PoolClient, cursors: readonly Cursor[]): Promise<void> {
  await client.query({
    name: 'move_cursors',
    text: `UPDATE partitions SET seq = c.seq, record_seq = c.record_seq, record_hash = c.record_hash, bytes = c.bytes,
             booked_ms = c.booked_ms, chain = c.chain
           FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bytea[])
             AS c (partition, seq, record_seq, record_hash, bytes, booked_ms, chain)
           WHERE partitions.partition = c.partition`,
    values: [
      cursors.map((c) => c.partition),
      cursors.map((c) => c.seq),
      cursors.map((c) => c.recordSeq),
      cursors.map((c) => c.recordHash),
      cursors.map((c) => c.bytes),
      cursors.map((c) => c.bookedMs),
      cursors.map((c) => c.chain),
    ],
  });
}

/** Takes or keeps the leases that are free, expired or ours; returns the partitions that we hold now. */
export async function takeLeases(pool: Pool, owner: string, leaseMs: number): Promise<number[]> {
  const { rows } = await pool.query<{ partition: number }>(
    `UPDATE leases SET owner = $1, until = now() + $2 * interval '1 millisecond'
     WHERE partition IN (
       SELECT partition FROM leases WHERE owner = $1 OR owner IS NULL OR until < now() ORDER BY partition FOR UPDATE
     ) RETURNING partition`,
    [owner, leaseMs],
  );
  return rows.map((row) => row.partition);
}

export async function giveLeasesBack(pool: Pool, owner: string): Promise<void> {
  await pool.query(`UPDATE leases SET owner = NULL, until = NULL WHERE owner = $1`, [owner]);
}

/** What Postgres calls connections that flush. */
export const FLUSH_APPLICATION = 'drawdown flush';

/**
 * Ends flushes older than `statementTimeoutMs`, after which whoever made one has given it up, unless it stands still: in the middle of a COPY Postgres waits
 * for its lines as long as it lives, with its cursors locked, and no timeout of the server's own ends that. Returns how many.
 */
export async function endStandingFlushes(pool: Pool, statementTimeoutMs: number): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = $1 AND xact_start < now() - $2 * interval '1 millisecond'`,
    [FLUSH_APPLICATION, statementTimeoutMs],
  );
  return rowCount ?? 0;
}
