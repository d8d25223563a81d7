/** Sums over the ledger in Postgres that share no code with the product. */
import pg from 'pg';

/** Runs one statement; numbers come as text. */
export async function sql(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Record<string, string | null>[]> {
  const types = { getTypeParser: () => (value: string) => value };
  const client = new pg.Client({ connectionString: url, types });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Each finds rows that must not be there. */
const AUDITS: Readonly<Record<string, string>> = {
  'a wallet is not conserved': `
    SELECT w.* FROM wallets w
    WHERE granted + debt <> spent + expired + converted + coalesce(
      (SELECT sum(remaining) FROM lots l WHERE l.account_key = w.account_key AND l.unit = w.unit), 0)`,
  'a wallet is not the sum of its lines': `
    SELECT w.*, e.* FROM wallets w FULL JOIN (
      SELECT account_key, unit, sum(granted) AS granted, sum(spent) AS spent, sum(expired) AS expired,
        sum(converted) AS converted, sum(debt) AS debt
      FROM entries WHERE unit <> '' GROUP BY account_key, unit) e USING (account_key, unit)
    WHERE (w.granted, w.spent, w.expired, w.converted, w.debt) IS DISTINCT FROM (e.granted, e.spent, e.expired, e.converted, e.debt)`,
  'a lot is not the sum of its changes': `
    SELECT l.*, c.change FROM lots l FULL JOIN (
      SELECT account_key, (pair->>0)::integer AS lot_id, sum((pair->>1)::bigint) AS change
      FROM entries, json_array_elements(lots) AS pair GROUP BY 1, 2) c USING (account_key, lot_id)
    WHERE l.remaining IS DISTINCT FROM c.change OR l.held > l.remaining OR l.held < 0`,
  'a line does not balance': `
    SELECT * FROM entries
    WHERE granted + debt <> spent + expired + converted + (SELECT coalesce(sum((pair->>1)::bigint), 0) FROM json_array_elements(lots) AS pair)`,
  "an account's lines have a gap": `
    SELECT a.account_id, a.entries, e.count, e.last FROM accounts a LEFT JOIN (
      SELECT account_key, count(*), max(account_seq) AS last, min(account_seq) AS first FROM entries GROUP BY account_key) e USING (account_key)
    WHERE a.entries <> coalesce(e.count, 0) OR a.entries <> coalesce(e.last, 0)`,
  'an id is charged twice': `
    SELECT account_key, kind, id, count(*) FROM entries GROUP BY account_key, kind, id HAVING count(*) > 1`,
  'a line has a wrong balance after it': `
    SELECT * FROM (
      SELECT account_key, account_seq, unit, remaining_after, debt_after,
        sum((SELECT coalesce(sum((pair->>1)::bigint), 0) FROM json_array_elements(lots) AS pair)) OVER earlier AS remaining,
        sum(debt) OVER earlier AS owed
      FROM entries WHERE unit <> '' WINDOW earlier AS (PARTITION BY account_key, unit ORDER BY account_seq)) e
    WHERE remaining_after <> remaining OR debt_after <> owed`,
  'held is not the sum of the open holds': `
    SELECT l.*, h.held AS of_holds FROM (SELECT account_key, unit, sum(held) AS held FROM lots GROUP BY 1, 2) l
    FULL JOIN (SELECT account_key, unit, sum(held) AS held FROM holds GROUP BY 1, 2) h USING (account_key, unit)
    WHERE coalesce(l.held, 0) <> coalesce(h.held, 0)`,
  'open holds are miscounted': `
    SELECT a.account_id, a.open_holds FROM accounts a
    WHERE a.open_holds <> (SELECT count(*) FROM holds h WHERE h.account_key = a.account_key)`,
  'flushes are not contiguous': `
    SELECT f.* FROM (
      SELECT partition, epoch, from_seq, to_seq, lag(to_seq, 1, 0::bigint) OVER (PARTITION BY partition ORDER BY from_seq) AS before FROM flushes) f
    WHERE from_seq <> before + 1`,
  'a cursor is not at its last flush': `
    SELECT p.partition, p.seq FROM partitions p
    WHERE p.seq <> (SELECT coalesce(max(to_seq), 0) FROM flushes f WHERE f.partition = p.partition)`,
  'a reversal is still due': 'SELECT * FROM reversals_due',
};

/** What is wrong with the ledger, in words with a few rows each; empty when it is clean. Wait for the journal to drain first. */
export async function auditLedger(postgresUrl: string): Promise<string[]> {
  const problems: string[] = [];
  for (const [problem, text] of Object.entries(AUDITS)) {
    const rows = await sql(postgresUrl, `${text} LIMIT 5`);
    if (rows.length > 0) problems.push(`${problem}: ${JSON.stringify(rows)}`);
  }
  return problems;
}

/** What Postgres says an account has of a unit. */
export async function postgresBalance(
  postgresUrl: string,
  accountId: string,
  unit = 'credits',
): Promise<{ available: number; held: number; debt: number }> {
  const [row] = await sql(
    postgresUrl,
    `SELECT coalesce((SELECT sum(remaining - held) FROM lots l WHERE l.account_key = a.account_key AND l.unit = $2), 0) AS available,
       coalesce((SELECT sum(held) FROM lots l WHERE l.account_key = a.account_key AND l.unit = $2), 0) AS held,
       coalesce((SELECT debt FROM wallets w WHERE w.account_key = a.account_key AND w.unit = $2), 0) AS debt
     FROM accounts a WHERE account_id = $1`,
    [accountId, unit],
  );
  if (row === undefined) throw new Error(`Postgres has no account ${accountId}`);
  return { available: Number(row.available), held: Number(row.held), debt: Number(row.debt) };
}
