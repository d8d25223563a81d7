import type { Pool } from '../postgres/pool.js';

/** What the whole ledger charged, by unit; numerics, so that no sum is too large. */
export async function readSpent(pool: Pool): Promise<ReadonlyMap<string, bigint>> {
  const { rows } = await pool.query<{ unit: string; spent: string }>(
    'SELECT unit, sum(spent)::text AS spent FROM entries WHERE spent <> 0 GROUP BY unit',
  );
  return new Map(rows.map(({ unit, spent }) => [unit, BigInt(spent)]));
}
