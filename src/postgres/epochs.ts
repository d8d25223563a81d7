import type { Pool, PoolClient } from 'pg';
import { type Cursor, type CursorRow, cursorOf } from './partitions.js';

/** The open epoch of a partition, and its cursor. */
export interface OpenEpoch {
  readonly cursor: Cursor;
  /** Of the keys in Redis that were admitted, and of the server that they were admitted under; null: none yet. */
  readonly token: string | null;
  readonly runId: string | null;
}

/** Null where the partition has none. */
export async function readOpenEpoch(pool: Pool, partition: number): Promise<OpenEpoch | null> {
  const { rows } = await pool.query<CursorRow & { token: string | null; runId: string | null }>({
    name: 'read_open_epoch',
    text: `SELECT p.partition, p.epoch, p.seq, p.record_seq, p.record_hash, p.bytes, p.booked_ms, p.chain, e.token, e.run_id AS "runId"
           FROM partitions p JOIN epochs e ON e.partition = p.partition AND e.epoch = p.epoch WHERE p.partition = $1`,
    values: [partition],
  });
  const [row] = rows;
  return row === undefined ? null : { cursor: cursorOf(row), token: row.token, runId: row.runId };
}

/** Last seqs of the epochs of a partition that were closed, from `fromEpoch` on. */
export async function readClosedEpochs(
  pool: Pool,
  partition: number,
  fromEpoch: number,
): Promise<{ readonly epoch: number; readonly lastSeq: number }[]> {
  const { rows } = await pool.query<{ epoch: number; lastSeq: number }>({
    name: 'read_closed_epochs',
    text: `SELECT epoch, last_seq AS "lastSeq" FROM epochs
           WHERE partition = $1 AND epoch >= $2 AND last_seq IS NOT NULL ORDER BY epoch`,
    values: [partition, fromEpoch],
  });
  return rows;
}

/** Advisory locks of rebuilds: this number, and the partition. */
const REBUILD_LOCK = 0x44524157;

/** Tries to become the one that rebuilds a partition, for the transaction of this connection. */
export async function lockRebuild(client: PoolClient, partition: number): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'SELECT pg_try_advisory_xact_lock($1, $2) AS locked',
    [REBUILD_LOCK, partition],
  );
  return rows[0]?.locked === true;
}

/**
 * Closes the epoch of a cursor with the cursor's seq and opens `nextEpoch`; false where the cursor is elsewhere by now.
 */
export async function closeEpoch(
  pool: Pool,
  { partition, epoch, seq }: Pick<Cursor, 'partition' | 'epoch' | 'seq'>,
  nextEpoch: number,
  because: string,
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'close_epoch',
    text: `WITH at AS (
             SELECT partition FROM partitions WHERE partition = $1 AND epoch = $2 AND seq = $3 FOR UPDATE
           ), closed AS (
             UPDATE epochs SET last_seq = $3, closed_at = now(), closed_because = $4 FROM at
             WHERE epochs.partition = at.partition AND epochs.epoch = $2 RETURNING epochs.partition
           ), opened AS (
             INSERT INTO epochs (partition, epoch, after_seq) SELECT partition, $5, $3 FROM closed RETURNING partition
           )
           UPDATE partitions SET epoch = $5, record_seq = NULL, record_hash = NULL, bytes = 0
           FROM opened WHERE partitions.partition = opened.partition`,
    values: [partition, epoch, seq, because, nextEpoch],
  });
  return rowCount === 1;
}

export interface AdmittedKeys {
  readonly partition: number;
  readonly epoch: number;
  readonly token: string;
  readonly runId: string;
}

/** Says in whose keys and on which server the open epoch lives, once; false where others were admitted, or the epoch is closed. */
export async function admitEpoch(
  pool: Pool,
  { partition, epoch, token, runId }: AdmittedKeys,
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'admit_epoch',
    text: `UPDATE epochs SET token = $3, run_id = $4 WHERE partition = $1 AND epoch = $2 AND token IS NULL AND last_seq IS NULL`,
    values: [partition, epoch, token, runId],
  });
  return rowCount === 1;
}
