import type { Pool } from 'pg';

/** Where the ledgers of some accounts stand. Accounts that are not there are left out. */
export async function readWatchedAccounts(
  pool: Pool,
  accountIds: readonly string[],
): Promise<{ accountId: string; accountKey: number; entries: number }[]> {
  const { rows } = await pool.query({
    name: 'watched_accounts',
    text: `SELECT account_id AS "accountId", account_key AS "accountKey", entries FROM accounts WHERE account_id = ANY($1::text[])`,
    values: [accountIds],
  });
  return rows;
}

/** Which accounts have more lines than is known. */
export async function readAdvanced(
  pool: Pool,
  known: ReadonlyMap<number, number>,
): Promise<{ accountKey: number; entries: number }[]> {
  const { rows } = await pool.query({
    name: 'watched_advanced',
    text: `SELECT account_key AS "accountKey", a.entries
           FROM unnest($1::bigint[], $2::bigint[]) AS known (account_key, entries) JOIN accounts a USING (account_key)
           WHERE a.entries > known.entries`,
    values: [[...known.keys()], [...known.values()]],
  });
  return rows;
}

/** A line, as far as it says what its wallet came to. */
export interface WatchedLine {
  readonly accountSeq: number;
  /** Empty: no wallet. */
  readonly unit: string;
  readonly remaining: number;
  readonly held: number;
  readonly debt: number;
  readonly bookedTimeMs: number;
}

export async function readLinesAfter(
  pool: Pool,
  accountKey: number,
  afterSeq: number,
  countMax: number,
): Promise<WatchedLine[]> {
  const { rows } = await pool.query<Omit<WatchedLine, 'bookedTimeMs'> & { bookedTime: Date }>({
    name: 'watched_lines',
    text: `SELECT account_seq AS "accountSeq", unit, remaining_after AS remaining, held_after AS held, debt_after AS debt,
             booked_time AS "bookedTime"
           FROM entries WHERE account_key = $1 AND account_seq > $2 ORDER BY account_seq LIMIT $3`,
    values: [accountKey, afterSeq, countMax],
  });
  return rows.map(({ bookedTime, ...line }) => ({ ...line, bookedTimeMs: bookedTime.getTime() }));
}
