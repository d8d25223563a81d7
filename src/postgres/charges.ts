import type { Pool } from 'pg';

/** What a lot gave to a charge, and how it is described should it come back. */
export interface LotGave {
  readonly lot: number;
  readonly amount: number;
  readonly source: string;
  readonly priority: number;
  readonly expiresMs: number;
  /** Number of the agent whose own the lot is; 0: the account's. */
  readonly owner: number;
}

/** A line that charged, or that rerated what a line charged. */
export interface ChargeLine {
  readonly kind: string;
  readonly unit: string;
  readonly spent: number;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Readonly<Record<string, number>>;
  readonly catalogVersion: number;
  readonly lots: readonly LotGave[];
}

interface ChargeRow extends Omit<ChargeLine, 'lots'> {
  readonly lots: readonly (Omit<LotGave, 'amount'> & { readonly amount: string })[] | null;
}

/**
 * The lines of one charge: itself first, then what it was rerated to; of a session what was charged by its deadline, then what its late settle
 * booked. Empty where nothing of this name was charged.
 */
export async function readCharge(
  pool: Pool,
  charge: { readonly accountId: string; readonly kind: 'usage' | 'settle'; readonly id: string },
): Promise<ChargeLine[]> {
  const { rows } = await pool.query<ChargeRow>({
    name: 'read_charge',
    text: `SELECT e.kind, e.unit, e.spent, e.agent, e.meter, e.model, e.quantities, e.catalog_version AS "catalogVersion",
             (SELECT json_agg(json_build_object('lot', l.lot_id, 'amount', (-(gave->>1)::bigint)::text, 'source', l.source,
                                                'priority', l.priority, 'expiresMs', l.expires_ms, 'owner', l.owner) ORDER BY nth)
              FROM json_array_elements(e.lots) WITH ORDINALITY AS g (gave, nth)
              JOIN lots l ON l.account_key = e.account_key AND l.lot_id = (gave->>0)::integer) AS lots
           FROM accounts a JOIN entries e ON e.account_key = a.account_key
             AND ((e.kind = $2 OR e.kind = 'session_expired' AND $2 = 'settle') AND e.id = $3
               OR e.kind = 'rerate' AND e.id = $2 || '/' || $3)
           WHERE a.account_id = $1
           ORDER BY e.account_seq`,
    values: [charge.accountId, charge.kind, charge.id],
  });
  return rows.map((row) => ({
    ...row,
    lots: (row.lots ?? []).map((lot) => ({ ...lot, amount: Number(lot.amount) })),
  }));
}

/** A place in the order in which unrated lines are read: the last one that was looked at. */
export interface UnratedCursor {
  readonly accountKey: number;
  readonly accountSeq: number;
}

/** A line that was booked unrated and that nothing has corrected since. */
export interface UnratedLine extends UnratedCursor {
  readonly accountId: string;
  readonly kind: 'usage' | 'settle';
  readonly id: string;
  readonly eventTimeMs: number;
  readonly unit: string;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Readonly<Record<string, number>>;
}

/** Which unrated lines are wanted; an empty text or 0 means all. */
export interface UnratedQuery {
  readonly accountId: string;
  readonly meter: string;
  readonly model: string;
  /** Of the event's own time: from inclusive, to exclusive. */
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  readonly after: UnratedCursor;
  readonly countMax: number;
}

/** Lines of a person who was erased stay as they are: nobody could be charged. */
export async function readUnrated(pool: Pool, query: UnratedQuery): Promise<UnratedLine[]> {
  const { rows } = await pool.query<Omit<UnratedLine, 'eventTimeMs'> & { eventTime: Date }>({
    name: 'read_unrated',
    text: `SELECT e.account_key AS "accountKey", e.account_seq AS "accountSeq", a.account_id AS "accountId", e.kind, e.id,
             e.event_time AS "eventTime", e.unit, e.agent, e.meter, e.model, e.quantities
           FROM entries e JOIN accounts a USING (account_key)
           WHERE e.flags <> '' AND e.flags LIKE '%unrated%' AND e.kind IN ('usage', 'settle')
             AND (e.account_key, e.account_seq) > ($1::bigint, $2::bigint)
             AND a.account_id IS NOT NULL AND ($3 = '' OR a.account_id = $3)
             AND ($4 = '' OR e.meter = $4) AND ($5 = '' OR e.model = $5)
             AND ($6::bigint = 0 OR e.event_time >= to_timestamp($6::bigint / 1000.0))
             AND ($7::bigint = 0 OR e.event_time < to_timestamp($7::bigint / 1000.0))
             AND NOT EXISTS (SELECT FROM entries c WHERE c.account_key = e.account_key AND c.note IS NOT NULL
                               AND c.note->>'corrects' = e.kind || '/' || e.id)
           ORDER BY e.account_key, e.account_seq LIMIT $8`,
    values: [
      query.after.accountKey,
      query.after.accountSeq,
      query.accountId,
      query.meter,
      query.model,
      query.fromTimeMs,
      query.toTimeMs,
      query.countMax,
    ],
  });
  return rows.map(({ eventTime, ...row }) => ({ ...row, eventTimeMs: eventTime.getTime() }));
}
