import type { Pool, PoolClient } from 'pg';

/** An account, its wallets, lots, subscription and open holds as of its partition's cursor. */
export interface AccountSnapshot {
  readonly accountId: string;
  readonly partition: number;
  readonly accountKey: number;
  readonly status: number;
  readonly entries: number;
  readonly seq: number;
  readonly changedMs: number;
  readonly lotsMade: number;
  readonly openHolds: number;
  readonly nextDueMs: number;
  readonly wallets: readonly { readonly unit: string; readonly debt: number }[];
  readonly lots: readonly {
    readonly lotId: number;
    readonly unit: string;
    readonly source: string;
    readonly priority: number;
    readonly expiresMs: number;
    readonly remaining: number;
    readonly held: number;
    readonly owner: number;
  }[];
  readonly holds: readonly { readonly holdId: string; readonly deadlineMs: number; readonly state: Buffer }[];
  readonly subscription: { readonly dueMs: number; readonly state: Buffer } | null;
}

interface SnapshotRow {
  account_id: string;
  partition: number;
  account_key: number;
  status: number;
  entries: number;
  seq: number;
  changed_ms: number;
  lots_made: number;
  open_holds: number;
  next_due_ms: number;
  cursor_seq: number;
  wallets: [string, string][] | null;
  lots: [number, string, string, number, number, string, string, number][] | null;
  holds: [string, number, string][] | null;
  subscription: [number, string] | null;
}

/**
 * Accounts by id, each with the seq of its partition's cursor in the same snapshot. Amounts travel as text, because JSON
 * numbers would be read as floats by whoever looks at them.
 */
export async function readSnapshots(
  pool: Pool,
  accountIds: readonly string[],
): Promise<{ snapshot: AccountSnapshot; cursorSeq: number }[]> {
  const { rows } = await pool.query<SnapshotRow>({
    name: 'read_snapshots',
    text: `SELECT a.account_id, a.partition, a.account_key, a.status, a.entries, a.seq, a.changed_ms, a.lots_made, a.open_holds,
             a.next_due_ms, p.seq AS cursor_seq,
             (SELECT json_agg(json_build_array(w.unit, w.debt::text)) FROM wallets w WHERE w.account_key = a.account_key) AS wallets,
             (SELECT json_agg(json_build_array(l.lot_id, l.unit, l.source, l.priority, l.expires_ms, l.remaining::text, l.held::text, l.owner))
                FROM lots l WHERE l.account_key = a.account_key AND l.remaining > 0) AS lots,
             (SELECT json_agg(json_build_array(h.hold_id, h.deadline_ms, encode(h.state, 'hex')))
                FROM holds h WHERE h.account_key = a.account_key) AS holds,
             (SELECT json_build_array(s.due_ms, encode(s.state, 'hex'))
                FROM subscriptions s WHERE s.account_key = a.account_key) AS subscription
           FROM accounts a JOIN partitions p ON p.partition = a.partition
           WHERE a.account_id = ANY($1::text[])`,
    values: [accountIds],
  });
  return rows.map((row) => ({ snapshot: snapshotOf(row), cursorSeq: row.cursor_seq }));
}

function snapshotOf(row: SnapshotRow): AccountSnapshot {
  return {
    accountId: row.account_id,
    partition: row.partition,
    accountKey: row.account_key,
    status: row.status,
    entries: row.entries,
    seq: row.seq,
    changedMs: row.changed_ms,
    lotsMade: row.lots_made,
    openHolds: row.open_holds,
    nextDueMs: row.next_due_ms,
    wallets: (row.wallets ?? []).map(([unit, debt]) => ({ unit, debt: Number(debt) })),
    lots: (row.lots ?? []).map(([lotId, unit, source, priority, expiresMs, remaining, held, owner]) => ({
      lotId,
      unit,
      source,
      priority,
      expiresMs,
      remaining: Number(remaining),
      held: Number(held),
      owner,
    })),
    holds: (row.holds ?? []).map(([holdId, deadlineMs, state]) => ({
      holdId,
      deadlineMs,
      state: Buffer.from(state, 'hex'),
    })),
    subscription:
      row.subscription === null
        ? null
        : { dueMs: row.subscription[0], state: Buffer.from(row.subscription[1], 'hex') },
  };
}

/** Where the milliseconds of account keys begin: 2020. 41 bits of them reach until 2089, and with the 12 of the number a key stays below 2^53. */
const KEYS_BEGIN_MS = 1_577_836_800_000;

/**
 * A fresh account key, and the cursor of the partition in the same snapshot in which the account was not there; null if it is. The key begins with
 * the time, because a standby that is promoted may have forgotten numbers that the sequence gave away.
 */
export async function prepareAccount(
  pool: Pool,
  accountId: string,
  partition: number,
): Promise<{ accountKey: number; cursorSeq: number } | null> {
  const { rows } = await pool.query<{ account_key: number; cursor_seq: number }>(
    `SELECT (((extract(epoch FROM clock_timestamp()) * 1000)::bigint - $3) << 12) + nextval('account_keys') % (1 << 12) AS account_key,
       seq AS cursor_seq
     FROM partitions WHERE partition = $2 AND NOT EXISTS (SELECT FROM accounts WHERE account_id = $1)`,
    [accountId, partition, KEYS_BEGIN_MS],
  );
  const row = rows[0];
  return row === undefined ? null : { accountKey: row.account_key, cursorSeq: row.cursor_seq };
}

/** Accounts with a lot, a subscription or a hold that is due and that Redis may not hold, soonest first. */
export async function readDueAccounts(
  pool: Pool,
  partitions: readonly number[],
  nowMs: number,
  countMax: number,
): Promise<string[]> {
  const { rows } = await pool.query<{ account_id: string }>(
    `(SELECT a.account_id FROM accounts a
      WHERE a.partition = ANY($1::integer[]) AND a.next_due_ms > 0 AND a.next_due_ms <= $2 AND a.account_id IS NOT NULL
      ORDER BY a.next_due_ms LIMIT $3)
     UNION
     (SELECT a.account_id FROM holds h JOIN accounts a USING (account_key)
      WHERE h.partition = ANY($1::integer[]) AND h.deadline_ms <= $2 AND a.account_id IS NOT NULL
      ORDER BY h.deadline_ms LIMIT $3)`,
    [partitions, nowMs, countMax],
  );
  return rows.map((row) => row.account_id);
}

/** What a flush leaves an account at. */
export interface AccountRow {
  readonly accountKey: number;
  readonly accountId: string;
  readonly partition: number;
  readonly status: number;
  readonly entries: number;
  readonly seq: number;
  readonly changedMs: number;
  readonly lotsMade: number;
  readonly openHolds: number;
  readonly nextDueMs: number;
}

export async function upsertAccounts(client: PoolClient, rows: readonly AccountRow[]): Promise<void> {
  await client.query({
    name: 'upsert_accounts',
    text: `INSERT INTO accounts AS a (account_key, account_id, partition, status, entries, seq, changed_ms, lots_made, open_holds, next_due_ms)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[],
             $8::integer[], $9::integer[], $10::bigint[])
           ON CONFLICT (account_key) DO UPDATE SET status = excluded.status, entries = excluded.entries, seq = excluded.seq,
             changed_ms = excluded.changed_ms, lots_made = excluded.lots_made, open_holds = excluded.open_holds,
             next_due_ms = excluded.next_due_ms`,
    values: [
      rows.map((r) => r.accountKey),
      rows.map((r) => r.accountId),
      rows.map((r) => r.partition),
      rows.map((r) => r.status),
      rows.map((r) => r.entries),
      rows.map((r) => r.seq),
      rows.map((r) => r.changedMs),
      rows.map((r) => r.lotsMade),
      rows.map((r) => r.openHolds),
      rows.map((r) => r.nextDueMs),
    ],
  });
}

/** A wallet's debt after a flush, and what the flush adds to its totals. */
export interface WalletRow {
  readonly accountKey: number;
  readonly unit: string;
  debt: number;
  granted: bigint;
  spent: bigint;
  expired: bigint;
  converted: bigint;
}

export async function upsertWallets(client: PoolClient, rows: readonly WalletRow[]): Promise<void> {
  await client.query({
    name: 'upsert_wallets',
    text: `INSERT INTO wallets AS w (account_key, unit, debt, granted, spent, expired, converted)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[])
           ON CONFLICT (account_key, unit) DO UPDATE SET debt = excluded.debt, granted = w.granted + excluded.granted,
             spent = w.spent + excluded.spent, expired = w.expired + excluded.expired, converted = w.converted + excluded.converted`,
    values: [
      rows.map((r) => r.accountKey),
      rows.map((r) => r.unit),
      rows.map((r) => r.debt),
      rows.map((r) => r.granted.toString()),
      rows.map((r) => r.spent.toString()),
      rows.map((r) => r.expired.toString()),
      rows.map((r) => r.converted.toString()),
    ],
  });
}

/** What a flush leaves a lot at. */
export interface LotRow {
  readonly accountKey: number;
  readonly lotId: number;
  readonly unit: string;
  readonly source: string;
  readonly priority: number;
  readonly expiresMs: number;
  readonly remaining: number;
  readonly held: number;
  /** Number of the agent whose own it is; 0: the account's. */
  readonly owner: number;
}

export async function upsertLots(client: PoolClient, rows: readonly LotRow[]): Promise<void> {
  await client.query({
    name: 'upsert_lots',
    text: `INSERT INTO lots (account_key, lot_id, unit, source, priority, expires_ms, remaining, held, owner)
           SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[],
             $9::integer[])
           ON CONFLICT (account_key, lot_id) DO UPDATE SET remaining = excluded.remaining, held = excluded.held`,
    values: [
      rows.map((r) => r.accountKey),
      rows.map((r) => r.lotId),
      rows.map((r) => r.unit),
      rows.map((r) => r.source),
      rows.map((r) => r.priority),
      rows.map((r) => r.expiresMs),
      rows.map((r) => r.remaining),
      rows.map((r) => r.held),
      rows.map((r) => r.owner),
    ],
  });
}

/** A lot whose expiry a call moved. */
export interface LotExpiry {
  readonly accountKey: number;
  readonly lotId: number;
  readonly expiresMs: number;
}

/** Also lots with nothing remaining: units that a reversal returns to one expire. */
export async function moveLotExpiries(client: PoolClient, rows: readonly LotExpiry[]): Promise<void> {
  await client.query({
    name: 'move_lot_expiries',
    text: `UPDATE lots l SET expires_ms = moved.expires_ms
           FROM unnest($1::bigint[], $2::integer[], $3::bigint[]) AS moved (account_key, lot_id, expires_ms)
           WHERE l.account_key = moved.account_key AND l.lot_id = moved.lot_id`,
    values: [rows.map((r) => r.accountKey), rows.map((r) => r.lotId), rows.map((r) => r.expiresMs)],
  });
}

/** An open hold as a flush leaves it. */
export interface HoldRow {
  readonly accountKey: number;
  readonly holdId: string;
  readonly partition: number;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly unit: string;
  readonly held: number;
  readonly startMs: number;
  readonly deadlineMs: number;
  readonly catalogVersion: number;
  readonly state: Buffer;
}

export async function upsertHolds(client: PoolClient, rows: readonly HoldRow[]): Promise<void> {
  await client.query({
    name: 'upsert_holds',
    text: `INSERT INTO holds (account_key, hold_id, partition, agent, meter, model, unit, held, start_ms, deadline_ms, catalog_version, state)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
             $9::bigint[], $10::bigint[], $11::integer[], $12::bytea[])
           ON CONFLICT (account_key, hold_id) DO UPDATE SET held = excluded.held, deadline_ms = excluded.deadline_ms, state = excluded.state`,
    values: [
      rows.map((r) => r.accountKey),
      rows.map((r) => r.holdId),
      rows.map((r) => r.partition),
      rows.map((r) => r.agent),
      rows.map((r) => r.meter),
      rows.map((r) => r.model),
      rows.map((r) => r.unit),
      rows.map((r) => r.held),
      rows.map((r) => r.startMs),
      rows.map((r) => r.deadlineMs),
      rows.map((r) => r.catalogVersion),
      rows.map((r) => r.state),
    ],
  });
}

export async function deleteHolds(
  client: PoolClient,
  rows: readonly { readonly accountKey: number; readonly holdId: string }[],
): Promise<void> {
  await client.query({
    name: 'delete_holds',
    text: `DELETE FROM holds h USING unnest($1::bigint[], $2::text[]) AS ended (account_key, hold_id)
           WHERE h.account_key = ended.account_key AND h.hold_id = ended.hold_id`,
    values: [rows.map((r) => r.accountKey), rows.map((r) => r.holdId)],
  });
}
