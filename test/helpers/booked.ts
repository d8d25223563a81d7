/** Moves an account's ledger to other times: what a statement of past months reads was booked in months that no test can wait for. */
import { sql } from './audit.js';

/** Gives each line of an account the booked time that `timeOf` says for its number. Lines keep their order, so times must not fall. */
export async function rebook(
  postgresUrl: string,
  accountId: string,
  timeOf: (accountSeq: number) => number,
): Promise<void> {
  const lines = await sql(
    postgresUrl,
    'SELECT account_seq FROM entries JOIN accounts USING (account_key) WHERE account_id = $1 ORDER BY account_seq',
    [accountId],
  );
  const numbers = lines.map((line) => Number(line.account_seq));
  await sql(
    postgresUrl,
    `UPDATE entries e SET booked_time = to_timestamp(t.ms / 1000.0)
     FROM unnest($2::bigint[], $3::bigint[]) AS t (account_seq, ms), accounts a
     WHERE a.account_id = $1 AND e.account_key = a.account_key AND e.account_seq = t.account_seq`,
    [accountId, numbers, numbers.map(timeOf)],
  );
}
