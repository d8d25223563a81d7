import type { PoolClient } from 'pg';

/** What a flush leaves an account's subscription at. */
export interface SubscriptionRow {
  readonly accountKey: number;
  /** Empty: none. */
  readonly plan: string;
  /** The last period that began; 0: none. */
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  readonly dueMs: number;
  readonly state: Buffer;
}

export async function upsertSubscriptions(
  client: PoolClient,
  rows: readonly SubscriptionRow[],
): Promise<void> {
  await client.query({
    name: 'upsert_subscriptions',
    text: `INSERT INTO subscriptions (account_key, plan, period_start_ms, period_end_ms, due_ms, state)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[])
           ON CONFLICT (account_key) DO UPDATE SET plan = excluded.plan, period_start_ms = excluded.period_start_ms,
             period_end_ms = excluded.period_end_ms, due_ms = excluded.due_ms, state = excluded.state`,
    values: [
      rows.map((r) => r.accountKey),
      rows.map((r) => r.plan),
      rows.map((r) => r.periodStartMs),
      rows.map((r) => r.periodEndMs),
      rows.map((r) => r.dueMs),
      rows.map((r) => r.state),
    ],
  });
}

/** A subscription as verification reads it. */
export interface VerifiedSubscription {
  readonly accountKey: number;
  readonly plan: string;
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  readonly dueMs: number;
  readonly state: Buffer;
}

export async function readSubscriptions(
  client: PoolClient,
  accountKeys: readonly number[],
): Promise<VerifiedSubscription[]> {
  const { rows } = await client.query<VerifiedSubscription>({
    name: 'verify_subscriptions',
    text: `SELECT account_key AS "accountKey", plan, period_start_ms AS "periodStartMs", period_end_ms AS "periodEndMs",
             due_ms AS "dueMs", state
           FROM subscriptions WHERE account_key = ANY($1::bigint[])`,
    values: [accountKeys],
  });
  return rows;
}
