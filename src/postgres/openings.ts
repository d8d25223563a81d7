import type { Pool, PoolClient } from 'pg';

/** Writes the openings of a month (yyyymm, UTC) for one account. Everything booked before it must be in the ledger. Repeats change nothing. */
export async function writeOpening(client: PoolClient, accountKey: number, month: number): Promise<void> {
  await client.query({
    name: 'write_opening',
    text: `SELECT write_opening($1, $2)`,
    values: [accountKey, month],
  });
}

/** The same for the next accounts of some partitions, in order of their keys. */
export async function writeOpenings(
  pool: Pool,
  page: {
    readonly partitions: readonly number[];
    readonly month: number;
    readonly afterKey: number;
    readonly countMax: number;
  },
): Promise<{ readonly accounts: number; readonly lastKey: number; readonly written: number }> {
  const { rows } = await pool.query<{ accounts: number; last_key: number | null; written: string | null }>({
    name: 'write_openings',
    text: `SELECT count(*)::integer AS accounts, max(account_key) AS last_key, sum(write_opening(account_key, $2)) AS written
           FROM (SELECT account_key FROM accounts WHERE partition = ANY($1::integer[]) AND account_key > $3
                 ORDER BY account_key LIMIT $4) page`,
    values: [page.partitions, page.month, page.afterKey, page.countMax],
  });
  const row = rows[0] as (typeof rows)[number];
  return {
    accounts: row.accounts,
    lastKey: row.last_key ?? page.afterKey,
    written: Number(row.written ?? 0),
  };
}

/** Which partitions have the openings of a month, for all their accounts. */
export async function readOpenedPartitions(pool: Pool, month: number): Promise<number[]> {
  const { rows } = await pool.query<{ partition: number }>(
    `SELECT partition FROM opened_months WHERE month = $1`,
    [month],
  );
  return rows.map((row) => row.partition);
}

export async function markOpened(pool: Pool, partitions: readonly number[], month: number): Promise<void> {
  await pool.query(
    `INSERT INTO opened_months (partition, month) SELECT unnest($1::integer[]), $2 ON CONFLICT (partition, month) DO NOTHING`,
    [partitions, month],
  );
}
