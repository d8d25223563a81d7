import type { Pool } from 'pg';

/** Lots of an account in burn-down order, wallet by wallet, as of the last flush. */
export async function readLots(
  pool: Pool,
  query: {
    readonly accountKey: number;
    readonly includeEmpty: boolean;
    readonly offset: number;
    readonly countMax: number;
  },
): Promise<
  {
    lot_id: number;
    unit: string;
    source: string;
    priority: number;
    expires_ms: number;
    remaining: number;
    held: number;
    owner: number;
  }[]
> {
  const { rows } = await pool.query(
    `SELECT lot_id, unit, source, priority, expires_ms, remaining, held, owner FROM lots
     WHERE account_key = $1 AND ($2 OR remaining > 0)
     ORDER BY unit, owner, priority, expires_ms = 0, expires_ms, lot_id OFFSET $3 LIMIT $4`,
    [query.accountKey, query.includeEmpty, query.offset, query.countMax],
  );
  return rows;
}

/** Open holds of an account, soonest deadline first, as of the last flush. */
export async function readHolds(
  pool: Pool,
  query: { readonly accountKey: number; readonly offset: number; readonly countMax: number },
): Promise<
  {
    hold_id: string;
    agent: string;
    meter: string;
    model: string;
    unit: string;
    held: number;
    start_ms: number;
    deadline_ms: number;
    catalog_version: number;
  }[]
> {
  const { rows } = await pool.query(
    `SELECT hold_id, agent, meter, model, unit, held, start_ms, deadline_ms, catalog_version FROM holds
     WHERE account_key = $1 ORDER BY deadline_ms, hold_id OFFSET $2 LIMIT $3`,
    [query.accountKey, query.offset, query.countMax],
  );
  return rows;
}

/** When the oldest open hold of some partitions began; null where none is open. */
export async function readOldestHold(pool: Pool, partitions: readonly number[]): Promise<number | null> {
  const { rows } = await pool.query<{ start_ms: number | null }>(
    `SELECT min(start_ms) AS start_ms FROM holds WHERE partition = ANY($1::integer[])`,
    [partitions],
  );
  return rows[0]?.start_ms ?? null;
}
