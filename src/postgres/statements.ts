import type { Pool, PoolClient } from 'pg';

/** What statements read, inside one snapshot. Sums come as text: they may exceed 2^53. */

/** Begins a transaction in which every statement ends after a while, on the server too. */
export async function beginBounded(
  client: PoolClient,
  mode: 'READ COMMITTED' | 'REPEATABLE READ READ ONLY',
  timeoutMs: number,
): Promise<void> {
  const limit = `SET LOCAL statement_timeout = ${Math.max(1, Math.trunc(timeoutMs))}`;
  await client.query(`BEGIN ISOLATION LEVEL ${mode}; ${limit}`);
}

export async function commit(client: PoolClient): Promise<void> {
  await client.query('COMMIT');
}

const QUERY_CANCELED = '57014';

/** Did a statement end because its time was over? */
export function wasCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === QUERY_CANCELED;
}

/** Where an account's ledger stands. */
export interface LedgerEnd {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  /** The account's lines so far. */
  readonly entries: number;
}

export async function readLedgerEnd(client: PoolClient, accountKey: number): Promise<LedgerEnd> {
  const { rows } = await client.query<LedgerEnd>({
    name: 'statement_end',
    text: `SELECT p.partition, p.epoch, p.seq, a.entries FROM accounts a JOIN partitions p USING (partition) WHERE a.account_key = $1`,
    values: [accountKey],
  });
  return rows[0] as LedgerEnd;
}

/** How many of an account's lines were booked before a moment; null where a line is needed that is not there. */
export async function countLinesBefore(
  client: PoolClient,
  accountKey: number,
  momentMs: number,
): Promise<number | null> {
  const { rows } = await client.query<{ lines: number | null }>({
    name: 'statement_lines_before',
    text: `SELECT lines_before($1, to_timestamp($2::bigint / 1000.0)) AS lines`,
    values: [accountKey, momentMs],
  });
  return rows[0]?.lines ?? null;
}

export interface BalanceRow {
  readonly unit: string;
  readonly remaining: number;
  readonly held: number;
  readonly debt: number;
}

/** Every wallet after an account's first lines; null where one of them is needed that is not there. */
export async function readBalancesAfter(
  client: Pool | PoolClient,
  accountKey: number,
  throughSeq: number,
): Promise<BalanceRow[] | null> {
  const { rows: counted } = await (client as Pool).query<{ missing: number }>({
    name: 'statement_lines_missing',
    text: `SELECT lines_missing($1, $2) AS missing`,
    values: [accountKey, throughSeq],
  });
  if (counted[0]?.missing !== 0) return null;
  const { rows } = await (client as Pool).query<BalanceRow>({
    name: 'statement_balances_after',
    text: `SELECT unit, remaining, held, debt FROM balances_after($1, $2)`,
    values: [accountKey, throughSeq],
  });
  return rows;
}

/** Every wallet at the cursor, open holds included. */
export async function readBalancesNow(client: PoolClient, accountKey: number): Promise<BalanceRow[]> {
  const { rows } = await client.query<BalanceRow>({
    name: 'statement_balances_now',
    text: `SELECT w.unit, coalesce(sum(l.remaining), 0)::bigint AS remaining, coalesce(sum(l.held), 0)::bigint AS held, w.debt
           FROM wallets w LEFT JOIN lots l USING (account_key, unit) WHERE w.account_key = $1 GROUP BY w.unit, w.debt`,
    values: [accountKey],
  });
  return rows;
}

/** Some of an account's lines: after one number, through another. */
export interface LineRange {
  readonly accountKey: number;
  readonly afterSeq: number;
  readonly throughSeq: number;
}

/** What lines of one kind moved in one wallet; `source` is that of the lots that they granted. */
export interface MovementRow {
  /** Empty: none. */
  readonly unit: string;
  readonly kind: string;
  readonly source: string | null;
  readonly lines: string;
  readonly granted: string;
  readonly spent: string;
  readonly expired: string;
  readonly converted: string;
  readonly debtIncurred: string;
  readonly debtPaid: string;
}

export async function readMovements(client: PoolClient, range: LineRange): Promise<MovementRow[]> {
  const { rows } = await client.query<MovementRow>({
    name: 'statement_movements',
    text: `SELECT e.unit, e.kind, l.source, count(*)::text AS lines, sum(e.granted)::text AS granted, sum(e.spent)::text AS spent,
             sum(e.expired)::text AS expired, sum(e.converted)::text AS converted,
             sum(greatest(e.debt, 0))::text AS "debtIncurred", sum(greatest(-e.debt, 0))::text AS "debtPaid"
           FROM entries e LEFT JOIN lots l ON e.granted <> 0 AND l.account_key = e.account_key AND l.lot_id = (e.lots->0->>0)::integer
           WHERE e.account_key = $1 AND e.account_seq > $2 AND e.account_seq <= $3
           GROUP BY e.unit, e.kind, l.source ORDER BY e.unit, e.kind, l.source`,
    values: [range.accountKey, range.afterSeq, range.throughSeq],
  });
  return rows;
}

/** What was used of one wallet with one meter, model and agent. */
export interface UseRow {
  readonly unit: string;
  readonly meter: string;
  readonly model: string;
  readonly agent: string;
  readonly lines: string;
  readonly spent: string;
  readonly debt: string;
  readonly unrated: string;
}

/** Groups in order of unit, meter, model and agent. */
export async function readUses(
  client: PoolClient,
  range: LineRange & {
    readonly kinds: readonly string[];
    readonly offset: number;
    readonly countMax: number;
  },
): Promise<UseRow[]> {
  const { rows } = await client.query<UseRow>({
    name: 'statement_uses',
    text: `SELECT unit, meter, model, agent, count(*)::text AS lines, sum(spent)::text AS spent, sum(greatest(debt, 0))::text AS debt,
             (count(*) FILTER (WHERE 'unrated' = ANY(string_to_array(flags, ','))))::text AS unrated
           FROM entries WHERE account_key = $1 AND account_seq > $2 AND account_seq <= $3 AND kind = ANY($4::text[])
           GROUP BY unit, meter, model, agent ORDER BY unit, meter, model, agent OFFSET $5 LIMIT $6`,
    values: [range.accountKey, range.afterSeq, range.throughSeq, range.kinds, range.offset, range.countMax],
  });
  return rows;
}

/** The quantities of some groups, added up by name. `group` is the place in `uses`. */
export async function readUsedQuantities(
  client: PoolClient,
  range: LineRange & { readonly kinds: readonly string[] },
  uses: readonly UseRow[],
): Promise<{ group: number; name: string; count: string }[]> {
  const { rows } = await client.query<{ group: number; name: string; count: string }>({
    name: 'statement_quantities',
    // A late settle carries all quantities of its session, also those that it was charged for by its deadline: these are taken off.
    text: `SELECT (g.place - 1)::integer AS "group", q.key AS name, sum(q.count)::text AS count
           FROM unnest($5::text[], $6::text[], $7::text[], $8::text[]) WITH ORDINALITY AS g (unit, meter, model, agent, place)
           JOIN entries e USING (unit, meter, model, agent)
           LEFT JOIN entries x ON e.note IS NOT NULL AND e.note->>'charged_before' IS NOT NULL AND x.account_key = e.account_key
             AND x.id = e.id AND x.kind = 'session_expired'
           CROSS JOIN LATERAL (
             SELECT key, value::numeric AS count FROM json_each_text(e.quantities)
             UNION ALL SELECT key, -value::numeric FROM json_each_text(x.quantities)) q
           WHERE e.account_key = $1 AND e.account_seq > $2 AND e.account_seq <= $3 AND e.kind = ANY($4::text[])
           GROUP BY g.place, q.key ORDER BY g.place, q.key`,
    values: [
      range.accountKey,
      range.afterSeq,
      range.throughSeq,
      range.kinds,
      uses.map((use) => use.unit),
      uses.map((use) => use.meter),
      uses.map((use) => use.model),
      uses.map((use) => use.agent),
    ],
  });
  return rows;
}
