import { createHash } from 'node:crypto';
import type { Pool } from 'pg';

export interface SetAsideRecord {
  readonly partition: number;
  readonly epoch: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly fields: readonly Buffer[];
}

/** Keeps a record for people; one that is kept already stays. Returns whether it is new. */
export async function setAside(pool: Pool, record: SetAsideRecord): Promise<boolean> {
  const hash = createHash('sha256');
  for (const field of record.fields) hash.update(field);
  const { rowCount } = await pool.query({
    name: 'set_aside_record',
    text: `INSERT INTO set_aside_records (partition, epoch, first_seq, last_seq, hash, fields) VALUES ($1, $2, $3, $4, $5, $6::bytea[])
           ON CONFLICT (partition, epoch, first_seq, hash) DO NOTHING`,
    values: [
      record.partition,
      record.epoch,
      record.firstSeq,
      record.lastSeq,
      hash.digest(),
      record.fields as Buffer[],
    ],
  });
  return rowCount === 1;
}

/** Where a record that was set aside stands among them, in the order in which they are read. */
export interface SetAsidePlace {
  readonly partition: number;
  readonly epoch: number;
  readonly firstSeq: number;
  readonly hash: Buffer;
}

export interface StoredSetAsideRecord extends SetAsidePlace {
  readonly fields: readonly Buffer[];
  readonly setAsideTimeMs: number;
}

/** Records that were set aside, in order of partition, epoch and seq, after a place (null: the first). */
export async function readSetAside(
  pool: Pool,
  after: SetAsidePlace | null,
  recordsMax: number,
): Promise<StoredSetAsideRecord[]> {
  const { rows } = await pool.query<StoredSetAsideRecord>(
    `SELECT partition, epoch, first_seq AS "firstSeq", hash, fields,
       (extract(epoch FROM set_aside_at) * 1000)::bigint AS "setAsideTimeMs"
     FROM set_aside_records WHERE (partition, epoch, first_seq, hash) > ($1::integer, $2::bigint, $3::bigint, $4::bytea)
     ORDER BY partition, epoch, first_seq, hash LIMIT $5`,
    [
      after?.partition ?? -1,
      after?.epoch ?? 0,
      after?.firstSeq ?? 0,
      after?.hash ?? Buffer.alloc(0),
      recordsMax,
    ],
  );
  return rows;
}

/** Which of some lines the ledger has, by account, id and kind: their places in the list. */
export async function readBooked(
  pool: Pool,
  lines: readonly { readonly account: string; readonly id: string; readonly kind: string }[],
): Promise<Set<number>> {
  const { rows } = await pool.query<{ place: number }>(
    `SELECT l.place::integer AS place
     FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS l (account_id, id, kind, place)
     JOIN accounts a USING (account_id)
     WHERE EXISTS (SELECT FROM entries e WHERE e.account_key = a.account_key AND e.id = l.id AND e.kind = l.kind)`,
    [lines.map(({ account }) => account), lines.map(({ id }) => id), lines.map(({ kind }) => kind)],
  );
  return new Set(rows.map(({ place }) => place - 1));
}
