import type { Pool, PoolClient } from 'pg';
import { BIGINT_MAX, BIGINT_MIN, type KeyRange } from './verify.js';

/** What verification reads of accounts beside the ledger. Amounts come as text: a row that somebody changed by hand may hold any of 64 bits. */

export interface VerifiedAccount {
  readonly accountKey: number;
  readonly accountId: string | null;
  readonly partition: number;
  readonly status: number;
  readonly entries: number;
  readonly seq: number;
  readonly changedMs: number;
  readonly lotsMade: number;
  readonly openHolds: number;
  readonly nextDueMs: number;
}

const ACCOUNT_COLUMNS = `account_key AS "accountKey", account_id AS "accountId", partition, status, entries, seq, changed_ms AS "changedMs",
  lots_made AS "lotsMade", open_holds AS "openHolds", next_due_ms AS "nextDueMs"`;

export async function readAccountsWithin(
  client: PoolClient,
  { afterKey, throughKey }: KeyRange,
  countMax: number,
): Promise<VerifiedAccount[]> {
  const { rows } = await client.query<VerifiedAccount>({
    name: 'verify_accounts_within',
    text: `SELECT ${ACCOUNT_COLUMNS} FROM accounts
           WHERE account_key > $1 AND account_key <= $2 ORDER BY account_key LIMIT $3`,
    values: [afterKey ?? BIGINT_MIN, throughKey ?? BIGINT_MAX, countMax],
  });
  return rows;
}

/** The same, only those of some partitions. */
export async function readAccountsOfPartitionsAfter(
  client: PoolClient,
  page: { readonly partitions: readonly number[]; readonly afterKey: number; readonly countMax: number },
): Promise<VerifiedAccount[]> {
  const { rows } = await client.query<VerifiedAccount>({
    name: 'verify_accounts_of_partitions_after',
    text: `SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE account_key > $1 AND partition = ANY($2::integer[]) ORDER BY account_key LIMIT $3`,
    values: [page.afterKey, page.partitions, page.countMax],
  });
  return rows;
}

export async function readAccountsById(
  client: PoolClient,
  accountIds: readonly string[],
): Promise<VerifiedAccount[]> {
  const { rows } = await client.query<VerifiedAccount>({
    name: 'verify_accounts_by_id',
    text: `SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE account_id = ANY($1::text[])`,
    values: [accountIds],
  });
  return rows;
}

/** External ids of account keys, for naming what was found. */
export async function readAccountIds(
  pool: Pool,
  accountKeys: readonly number[],
): Promise<{ accountKey: number; accountId: string | null }[]> {
  const { rows } = await pool.query<{ accountKey: number; accountId: string | null }>(
    `SELECT account_key AS "accountKey", account_id AS "accountId" FROM accounts WHERE account_key = ANY($1::bigint[])`,
    [accountKeys],
  );
  return rows;
}

export interface VerifiedWallet {
  readonly accountKey: number;
  readonly unit: string;
  readonly debt: string;
  readonly granted: string;
  readonly spent: string;
  readonly expired: string;
  readonly converted: string;
}

export async function readWallets(
  client: PoolClient,
  accountKeys: readonly number[],
): Promise<VerifiedWallet[]> {
  const { rows } = await client.query<VerifiedWallet>({
    name: 'verify_wallets',
    text: `SELECT account_key AS "accountKey", unit, debt::text, granted::text, spent::text, expired::text, converted::text
           FROM wallets WHERE account_key = ANY($1::bigint[])`,
    values: [accountKeys],
  });
  return rows;
}

export interface VerifiedLot {
  readonly accountKey: number;
  readonly lotId: number;
  readonly unit: string;
  readonly source: string;
  readonly priority: number;
  readonly expiresMs: string;
  readonly remaining: string;
  readonly held: string;
  readonly owner: number;
}

/** Lots with something remaining or held. */
export async function readLiveLots(
  client: PoolClient,
  accountKeys: readonly number[],
): Promise<VerifiedLot[]> {
  const { rows } = await client.query<VerifiedLot>({
    name: 'verify_lots',
    text: `SELECT account_key AS "accountKey", lot_id AS "lotId", unit, source, priority, expires_ms::text AS "expiresMs",
             remaining::text, held::text, owner
           FROM lots WHERE account_key = ANY($1::bigint[]) AND (remaining <> 0 OR held <> 0)`,
    values: [accountKeys],
  });
  return rows;
}

export interface VerifiedHold {
  readonly accountKey: number;
  readonly holdId: string;
  readonly partition: number;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly unit: string;
  readonly held: string;
  readonly startMs: string;
  readonly deadlineMs: string;
  readonly catalogVersion: number;
  readonly state: Buffer;
}

export async function readOpenHolds(
  client: PoolClient,
  accountKeys: readonly number[],
): Promise<VerifiedHold[]> {
  const { rows } = await client.query<VerifiedHold>({
    name: 'verify_holds',
    text: `SELECT account_key AS "accountKey", hold_id AS "holdId", partition, agent, meter, model, unit, held::text,
             start_ms::text AS "startMs", deadline_ms::text AS "deadlineMs", catalog_version AS "catalogVersion", state
           FROM holds WHERE account_key = ANY($1::bigint[])`,
    values: [accountKeys],
  });
  return rows;
}

export interface VerifiedOpening {
  readonly accountKey: number;
  readonly month: number;
  readonly unit: string;
  readonly accountSeq: string;
  readonly remaining: string;
  readonly held: string;
  readonly debt: string;
}

export async function readOpenings(
  client: PoolClient,
  accountKeys: readonly number[],
): Promise<VerifiedOpening[]> {
  const { rows } = await client.query<VerifiedOpening>({
    name: 'verify_openings',
    text: `SELECT account_key AS "accountKey", month, unit, account_seq::text AS "accountSeq", remaining::text, held::text, debt::text
           FROM opening_balances WHERE account_key = ANY($1::bigint[]) ORDER BY month`,
    values: [accountKeys],
  });
  return rows;
}

/** Months whose openings all accounts of a partition must have. */
export async function readOpenedMonths(client: PoolClient): Promise<{ partition: number; month: number }[]> {
  const { rows } = await client.query(`SELECT partition, month FROM opened_months ORDER BY partition, month`);
  return rows;
}

/** Which of the holds (account id, hold id) Postgres has, and where their accounts stand. */
export async function readHoldPlaces(
  client: PoolClient,
  holds: readonly { readonly accountId: string; readonly holdId: string }[],
): Promise<{ accountId: string; holdId: string; seq: number; open: boolean }[]> {
  const { rows } = await client.query({
    name: 'verify_hold_places',
    text: `SELECT a.account_id AS "accountId", wanted.hold_id AS "holdId", a.seq, h.hold_id IS NOT NULL AS open
           FROM unnest($1::text[], $2::text[]) AS wanted (account_id, hold_id)
           JOIN accounts a ON a.account_id = wanted.account_id
           LEFT JOIN holds h ON h.account_key = a.account_key AND h.hold_id = wanted.hold_id`,
    values: [holds.map((hold) => hold.accountId), holds.map((hold) => hold.holdId)],
  });
  return rows;
}
