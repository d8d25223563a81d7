import type { Pool, PoolClient } from 'pg';

/** A charge to be given back, because only Postgres saw that it was made twice. */
export interface ReversalDue {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly accountKey: number;
  readonly reversalId: string;
  readonly unit: string;
  readonly amount: number;
  readonly eventTimeMs: number;
  /** What each lot gave: (lot, amount). */
  readonly lots: readonly (readonly [lot: number, amount: number])[];
}

export async function insertReversalsDue(client: PoolClient, rows: readonly ReversalDue[]): Promise<void> {
  await client.query({
    name: 'insert_reversals_due',
    text: `INSERT INTO reversals_due (partition, epoch, seq, account_key, reversal_id, unit, amount, event_time_ms, lots)
           SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::json[])`,
    values: [
      rows.map((r) => r.partition),
      rows.map((r) => r.epoch),
      rows.map((r) => r.seq),
      rows.map((r) => r.accountKey),
      rows.map((r) => r.reversalId),
      rows.map((r) => r.unit),
      rows.map((r) => r.amount),
      rows.map((r) => r.eventTimeMs),
      rows.map((r) => JSON.stringify(r.lots)),
    ],
  });
}

/** The reversal is booked in this transaction: nothing is due any more. */
export async function deleteReversalsDue(client: PoolClient, reversalIds: readonly string[]): Promise<void> {
  await client.query({
    name: 'delete_reversals_due',
    text: `DELETE FROM reversals_due WHERE reversal_id = ANY($1::text[])`,
    values: [reversalIds],
  });
}

/** Reversals that wait, with the account's id and what its lots look like. */
export async function readReversalsDue(
  pool: Pool,
  partitions: readonly number[],
  countMax: number,
): Promise<
  {
    accountId: string;
    reversalId: string;
    unit: string;
    amount: number;
    eventTimeMs: number;
    lots: {
      lot: number;
      amount: number;
      source: string;
      priority: number;
      expiresMs: number;
      owner: number;
    }[];
  }[]
> {
  const { rows } = await pool.query<{
    account_id: string;
    reversal_id: string;
    unit: string;
    amount: number;
    event_time_ms: number;
    lots:
      | { lot: number; amount: string; source: string; priority: number; expires: number; owner: number }[]
      | null;
  }>(
    `SELECT a.account_id, r.reversal_id, r.unit, r.amount, r.event_time_ms,
       (SELECT json_agg(json_build_object('lot', l.lot_id, 'amount', gave->>1, 'source', l.source, 'priority', l.priority, 'expires', l.expires_ms,
                                          'owner', l.owner)
                        ORDER BY nth)
        FROM json_array_elements(r.lots) WITH ORDINALITY AS g (gave, nth)
        JOIN lots l ON l.account_key = r.account_key AND l.lot_id = (gave->>0)::integer) AS lots
     FROM reversals_due r JOIN accounts a USING (account_key)
     WHERE r.partition = ANY($1::integer[]) AND a.account_id IS NOT NULL
     ORDER BY r.partition, r.seq LIMIT $2`,
    [partitions, countMax],
  );
  return rows.map((row) => ({
    accountId: row.account_id,
    reversalId: row.reversal_id,
    unit: row.unit,
    amount: row.amount,
    eventTimeMs: row.event_time_ms,
    lots: (row.lots ?? []).map((lot) => ({
      lot: lot.lot,
      amount: Number(lot.amount),
      source: lot.source,
      priority: lot.priority,
      expiresMs: lot.expires,
      owner: lot.owner,
    })),
  }));
}
