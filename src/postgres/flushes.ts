import type { PoolClient } from 'pg';

/** One flush of one partition. */
export interface FlushRow {
  readonly partition: number;
  readonly epoch: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly records: number;
  readonly lines: number;
  readonly format: number;
  readonly rawHash: Buffer;
  readonly rowsHash: Buffer;
  readonly chain: Buffer;
}

export async function insertFlushes(client: PoolClient, rows: readonly FlushRow[]): Promise<void> {
  await client.query({
    name: 'insert_flushes',
    text: `INSERT INTO flushes (partition, epoch, from_seq, to_seq, records, lines, format, raw_hash, rows_hash, chain)
           SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::smallint[],
             $8::bytea[], $9::bytea[], $10::bytea[])`,
    values: [
      rows.map((r) => r.partition),
      rows.map((r) => r.epoch),
      rows.map((r) => r.fromSeq),
      rows.map((r) => r.toSeq),
      rows.map((r) => r.records),
      rows.map((r) => r.lines),
      rows.map((r) => r.format),
      rows.map((r) => r.rawHash),
      rows.map((r) => r.rowsHash),
      rows.map((r) => r.chain),
    ],
  });
}
