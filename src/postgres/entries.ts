import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pool, PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { COPY_HEADER, COPY_TRAILER, ENTRY_COLUMNS } from './entry-row.js';

const COLUMNS = ENTRY_COLUMNS.join(', ');
const UNIQUE_VIOLATION = '23505';

/** Did the unique index on (account_key, kind, id, event_month) refuse a row? Then the batch goes through staging. */
export function isDuplicateEntry(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION;
}

/** Makes the ledger's partitions for some months (yyyymm) where they are missing. */
export async function ensureMonths(pool: Pool, months: readonly number[]): Promise<void> {
  for (const month of months) await pool.query(`SELECT ensure_entries_month($1)`, [month]);
}

/** Appends rows in the binary form of entry-row.ts. */
export async function copyEntries(client: PoolClient, rows: Buffer): Promise<void> {
  await copyInto(client, 'entries', rows);
}

/** Where a row stands that Postgres had already under the same account, kind, id and month. */
export interface DuplicateEntry {
  readonly partition: number;
  readonly seq: number;
  /** The payload differs: a conflict rather than a repetition. */
  readonly conflict: boolean;
}

/** Puts rows into a temporary table and tells which of them, by (partition, seq), the ledger has already. */
export async function stageEntries(client: PoolClient, rows: Buffer): Promise<DuplicateEntry[]> {
  await client.query(`CREATE TEMPORARY TABLE staged_entries (LIKE entries) ON COMMIT DROP`);
  await copyInto(client, 'staged_entries', rows);
  const { rows: found } = await client.query<{ partition: number; seq: number; conflict: boolean }>(
    `SELECT s.partition, s.seq, s.payload_hash <> coalesce(e.payload_hash, s.first_hash) AS conflict
     FROM (SELECT *, row_number() OVER same AS nth, first_value(payload_hash) OVER same AS first_hash FROM staged_entries
           WINDOW same AS (PARTITION BY account_key, kind, id, event_month ORDER BY seq)) s
     LEFT JOIN entries e USING (account_key, kind, id, event_month)
     WHERE e.seq IS NOT NULL OR s.nth > 1`,
  );
  return found;
}

async function copyInto(
  client: PoolClient,
  table: 'entries' | 'staged_entries',
  rows: Buffer,
): Promise<void> {
  const target = client.query(copyFrom(`COPY ${table} (${COLUMNS}) FROM STDIN (FORMAT binary)`));
  await pipeline(Readable.from([COPY_HEADER, rows, COPY_TRAILER]), target);
}

/** A line of the ledger as it is read for people. */
export interface EntryView {
  readonly account_seq: number;
  readonly kind: string;
  readonly id: string;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Record<string, number>;
  readonly catalog_version: number;
  readonly unit: string;
  readonly granted: number;
  readonly spent: number;
  readonly expired: number;
  readonly converted: number;
  readonly debt: number;
  readonly lots: [number, number][];
  readonly remaining_after: number;
  readonly held_after: number;
  readonly debt_after: number;
  readonly flags: string;
  readonly note: Readonly<Record<string, string | number>> | null;
  readonly event_time: Date;
  readonly booked_time: Date;
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
}

/** One page of an account's ledger. `beyond` is the account_seq after which (in the direction) the page begins. */
export async function readEntries(
  pool: Pool,
  query: {
    readonly accountKey: number;
    readonly newestFirst: boolean;
    readonly beyond: number | null;
    readonly fromTimeMs: number;
    readonly toTimeMs: number;
    readonly kinds: readonly string[];
    readonly agent: string;
    readonly countMax: number;
  },
): Promise<EntryView[]> {
  const { rows } = await pool.query<EntryView>(
    `SELECT account_seq, kind, id, agent, meter, model, quantities, catalog_version, unit, granted, spent, expired, converted, debt,
       lots, remaining_after, held_after, debt_after, flags, note, event_time, booked_time, partition, epoch, seq
     FROM entries
     WHERE account_key = $1
       AND ($2::bigint IS NULL OR CASE WHEN $3 THEN account_seq < $2 ELSE account_seq > $2 END)
       AND ($4::bigint = 0 OR booked_time >= to_timestamp($4::bigint / 1000.0))
       AND ($5::bigint = 0 OR booked_time < to_timestamp($5::bigint / 1000.0))
       AND (cardinality($6::text[]) = 0 OR kind = ANY($6::text[]))
       AND ($7 = '' OR agent = $7)
     ORDER BY CASE WHEN $3 THEN -account_seq ELSE account_seq END
     LIMIT $8`,
    [
      query.accountKey,
      query.beyond,
      query.newestFirst,
      query.fromTimeMs,
      query.toTimeMs,
      query.kinds,
      query.agent,
      query.countMax,
    ],
  );
  return rows;
}

/** What the ledger knows of an id: the second line behind Redis' memory. */
export interface KnownEntry {
  readonly accountId: string;
  readonly kind: string;
  readonly id: string;
  readonly payloadHash: number;
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly unit: string;
  readonly granted: number;
  readonly spent: number;
  readonly expired: number;
  readonly debt: number;
  readonly released: number;
  readonly available: number;
  readonly flags: string;
  readonly catalogVersion: number;
  readonly lot: number;
  /** Micro-credits that were converted for this line. */
  readonly converted: number;
  readonly note: Readonly<Record<string, string | number>> | null;
  readonly bookedTimeMs: number;
}

type KnownEntryRow = Omit<KnownEntry, 'bookedTimeMs'> & { readonly bookedTime: Date };

const KNOWN_COLUMNS = `a.account_id AS "accountId", e.kind, e.id, e.payload_hash AS "payloadHash", e.partition, e.epoch, e.seq, e.unit,
  e.granted, e.spent, e.expired, e.debt, e.released + coalesce(c.released, 0) AS released, e.remaining_after - e.held_after AS available, e.flags,
  e.catalog_version AS "catalogVersion", coalesce((e.lots->0->>0)::integer, 0) AS lot, e.note, e.booked_time AS "bookedTime",
  coalesce(c.converted, 0) AS converted`;

/** The line of the credits that were converted for a line: it stands just before it, or before what they bought. */
const CONVERSION_OF_LINE = `LEFT JOIN entries c ON c.account_key = e.account_key AND c.kind = 'conversion'
  AND CASE e.kind WHEN 'conversion_grant' THEN c.account_seq = e.account_seq - 1 AND c.id = e.id
    ELSE e.unit = 'tts_characters' AND c.account_seq BETWEEN e.account_seq - 2 AND e.account_seq - 1
      AND c.id = e.kind || '/' || e.id || '#' || c.account_seq END`;

/**
 * Looks ids up by (account, kinds, id), newest first. A hold's id may stand under settle, release and hold_expired. Months are
 * not given: the calls of one hold may lie in different ones, and an account's ids are found through the unique index of each.
 */
export async function findEntries(
  pool: Pool,
  ids: readonly { readonly accountId: string; readonly kinds: readonly string[]; readonly id: string }[],
): Promise<KnownEntry[]> {
  const flat = ids.flatMap((item) =>
    item.kinds.map((kind) => ({ accountId: item.accountId, kind, id: item.id })),
  );
  const { rows } = await pool.query<KnownEntryRow>({
    name: 'find_entries',
    text: `SELECT ${KNOWN_COLUMNS}
           FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (account_id, kind, id)
           JOIN accounts a ON a.account_id = wanted.account_id
           JOIN entries e ON e.account_key = a.account_key AND e.kind = wanted.kind AND e.id = wanted.id
           ${CONVERSION_OF_LINE}
           ORDER BY e.account_seq DESC`,
    values: [flat.map((i) => i.accountId), flat.map((i) => i.kind), flat.map((i) => i.id)],
  });
  return rows.map(knownEntry);
}

/** Reversals by the charge (kind/id) that they give back. */
export async function findReversals(
  pool: Pool,
  charges: readonly { readonly accountId: string; readonly charge: string }[],
): Promise<(KnownEntry & { readonly charge: string })[]> {
  const { rows } = await pool.query<KnownEntryRow & { charge: string }>({
    name: 'find_reversals',
    text: `SELECT ${KNOWN_COLUMNS}, wanted.charge
           FROM unnest($1::text[], $2::text[]) AS wanted (account_id, charge)
           JOIN accounts a ON a.account_id = wanted.account_id
           JOIN entries e ON e.account_key = a.account_key AND e.note->>'corrects' = wanted.charge
             AND e.note IS NOT NULL AND e.kind = 'reversal'
           ${CONVERSION_OF_LINE}`,
    values: [charges.map((i) => i.accountId), charges.map((i) => i.charge)],
  });
  return rows.map((row) => ({ ...knownEntry(row), charge: row.charge }));
}

function knownEntry({ bookedTime, ...row }: KnownEntryRow): KnownEntry {
  return { ...row, bookedTimeMs: bookedTime.getTime() };
}
