import type { Readable } from 'node:stream';
import type { Pool, PoolClient } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { ENTRY_COLUMNS } from './entry-row.js';

/** What verification reads. Amounts come as text: a row that somebody changed by hand may hold any of 64 bits. */

const COLUMNS = ENTRY_COLUMNS.join(', ');

/** Opens a read-only snapshot on a connection. */
export async function beginOwnSnapshot(client: PoolClient): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
}

/** Opens a read-only snapshot on a connection; returns when, and the name under which others can join it. */
export async function beginSnapshot(client: PoolClient): Promise<{ name: string; asOf: Date }> {
  await beginOwnSnapshot(client);
  const { rows } = await client.query<{ name: string; asOf: Date }>(
    'SELECT pg_export_snapshot() AS name, now() AS "asOf"',
  );
  return rows[0] as { name: string; asOf: Date };
}

/** Opens the same snapshot on another connection. */
export async function joinSnapshot(client: PoolClient, name: string): Promise<void> {
  await beginOwnSnapshot(client);
  await client.query(`SET TRANSACTION SNAPSHOT '${name.replaceAll("'", '')}'`);
}

export async function endSnapshot(client: PoolClient): Promise<void> {
  await client.query('ROLLBACK');
}

/** Where an entry stands: partitions in order, and their entries in order of seq. */
export interface Place {
  readonly partition: number;
  readonly seq: number;
}

/** A part of the accounts, in order of their keys; null: without an end on this side. */
export interface KeyRange {
  readonly afterKey: number | null;
  readonly throughKey: number | null;
}

const INTEGER_MAX = 2_147_483_647;
export const BIGINT_MIN = '-9223372036854775808';
export const BIGINT_MAX = '9223372036854775807';

/**
 * The output of a COPY. Its end is told to the driver, which waits for every statement with a timer as long as postgresStatementTimeoutMs: what
 * would be left of it holds up the end of the process.
 */
function copied(client: PoolClient, text: string): Readable {
  const stream: Readable & { callback?: () => void } = client.query(copyTo(text));
  return stream.once('close', () => stream.callback?.());
}

/** COPY takes no parameters, so the bounds stand in its text: numbers only. */
function keysWithin({ afterKey, throughKey }: KeyRange, column = 'account_key'): string {
  const after = afterKey === null ? 'true' : `${column} > ${Number(afterKey)}`;
  return throughKey === null ? after : `${after} AND ${column} <= ${Number(throughKey)}`;
}

/** The ledger between two places in the order of the partitions' entries, in the binary form of entry-row.ts. Null: without an end. */
export function copyEntriesByPlace(
  client: PoolClient,
  { after, through }: { readonly after: Place | null; readonly through: Place | null },
): Readable {
  const at = ({ partition, seq }: Place): string => `(${Number(partition)}, ${Number(seq)})`;
  const where = [
    'true',
    ...(after === null ? [] : [`(partition, seq) > ${at(after)}`]),
    ...(through === null ? [] : [`(partition, seq) <= ${at(through)}`]),
  ].join(' AND ');
  return copied(
    client,
    `COPY (SELECT ${COLUMNS} FROM entries WHERE ${where} ORDER BY partition, seq) TO STDOUT (FORMAT binary)`,
  );
}

/** The ledger of some accounts in the order of accounts and their lines, in the binary form of entry-row.ts. */
export function copyEntriesByAccount(client: PoolClient, range: KeyRange): Readable {
  return copied(
    client,
    `COPY (SELECT ${COLUMNS} FROM entries WHERE ${keysWithin(range)} ORDER BY account_key, account_seq, seq) TO STDOUT (FORMAT binary)`,
  );
}

/** The last account of those that have so many lines in all, behind a key; null: all that are left have fewer. */
export async function readKeyAfterLines(
  client: PoolClient,
  afterKey: number | null,
  lines: number,
): Promise<number | null> {
  const { rows } = await client.query<{ key: number }>(
    `SELECT account_key AS key FROM (
       SELECT account_key, sum(entries) OVER (ORDER BY account_key) AS through FROM accounts WHERE account_key > $1
     ) counted WHERE through >= $2 ORDER BY account_key LIMIT 1`,
    [afterKey ?? BIGINT_MIN, lines],
  );
  return rows[0]?.key ?? null;
}

/** The last flush of those that wrote so many lines in all, behind one; null: all that are left wrote fewer. */
export async function readFlushAfterLines(
  client: PoolClient,
  after: { readonly partition: number; readonly fromSeq: number },
  lines: number,
): Promise<{ partition: number; fromSeq: number; toSeq: number } | null> {
  const { rows } = await client.query(
    `SELECT partition, from_seq AS "fromSeq", to_seq AS "toSeq" FROM (
       SELECT partition, from_seq, to_seq, sum(lines) OVER (ORDER BY partition, from_seq) AS through FROM flushes
       WHERE (partition, from_seq) > ($1::integer, $2::bigint)
     ) counted WHERE through >= $3 ORDER BY partition, from_seq LIMIT 1`,
    [after.partition, after.fromSeq, lines],
  );
  return rows[0] ?? null;
}

/**
 * Lines of some accounts after a place, in order, at most so many. With one account the index gives them in that order; with more, all
 * their lines may be read and sorted first.
 */
export function copyEntriesOfAccounts(
  client: PoolClient,
  wanted: {
    readonly accountKeys: readonly number[];
    readonly afterAccountSeq: number;
    readonly afterSeq: number;
    readonly linesMax: number;
  },
): Readable {
  // COPY takes no parameters: numbers only.
  const { accountKeys, afterAccountSeq, afterSeq, linesMax } = wanted;
  return copied(
    client,
    `COPY (SELECT ${COLUMNS} FROM entries WHERE account_key IN (${accountKeys.map(Number).join(', ')})
         AND account_seq >= ${Number(afterAccountSeq)} AND (account_seq, seq) > (${Number(afterAccountSeq)}, ${Number(afterSeq)})
         ORDER BY account_key, account_seq, seq LIMIT ${Number(linesMax)}) TO STDOUT (FORMAT binary)`,
  );
}

export interface VerifiedInstallation {
  readonly id: string;
  readonly partitionCount: number;
  readonly format: number;
}

/** Null: this database belongs to no installation yet. */
export async function readInstallation(
  client: Pick<PoolClient, 'query'>,
): Promise<VerifiedInstallation | null> {
  const { rows: found } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('installation') IS NOT NULL AS there`,
  );
  if (found[0]?.there !== true) return null;
  const { rows } = await client.query<{ installation_id: string; partition_count: number; format: number }>(
    `SELECT installation_id, partition_count, format FROM installation`,
  );
  const row = rows[0];
  if (row === undefined) return null;
  return { id: row.installation_id, partitionCount: row.partition_count, format: row.format };
}

export interface VerifiedCursor {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly recordSeq: number | null;
  readonly recordHash: Buffer | null;
  readonly chain: Buffer;
}

export async function readVerifiedCursors(client: Pool | PoolClient): Promise<VerifiedCursor[]> {
  const { rows } = await (client as Pool).query<VerifiedCursor>(
    `SELECT partition, epoch, seq, record_seq AS "recordSeq", record_hash AS "recordHash", chain FROM partitions ORDER BY partition`,
  );
  return rows;
}

export interface VerifiedEpoch {
  readonly partition: number;
  readonly epoch: number;
  readonly afterSeq: number;
  readonly lastSeq: number | null;
  readonly isClosed: boolean;
  /** Of the keys in Redis that were admitted; null: none yet. */
  readonly token: string | null;
}

export async function readEpochs(client: Pool | PoolClient): Promise<VerifiedEpoch[]> {
  const { rows } = await (client as Pool).query<VerifiedEpoch>(
    `SELECT partition, epoch, after_seq AS "afterSeq", last_seq AS "lastSeq", closed_at IS NOT NULL AS "isClosed", token
     FROM epochs ORDER BY partition, epoch`,
  );
  return rows;
}

/** How many records of journals were set aside. */
export async function countSetAside(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ records: number }>(
    `SELECT count(*)::integer AS records FROM set_aside_records`,
  );
  return rows[0]?.records ?? 0;
}

/** How many lines all flushes wrote: what lies before a verification. */
export async function countFlushedLines(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ lines: number }>(
    `SELECT coalesce(sum(lines), 0)::float8 AS lines FROM flushes`,
  );
  return rows[0]?.lines ?? 0;
}

export interface VerifiedFlush {
  readonly partition: number;
  readonly epoch: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly lines: number;
  readonly format: number;
  readonly rawHash: Buffer;
  readonly rowsHash: Buffer;
  readonly chain: Buffer;
}

/** Flushes in order of partition and seq, after a place. */
export async function readFlushesAfter(
  client: PoolClient,
  after: { readonly partition: number; readonly fromSeq: number },
  /** Null: to the end. */
  through: { readonly partition: number; readonly fromSeq: number } | null,
  countMax: number,
): Promise<VerifiedFlush[]> {
  const { rows } = await client.query<VerifiedFlush>({
    name: 'verify_flushes',
    text: `SELECT partition, epoch, from_seq AS "fromSeq", to_seq AS "toSeq", lines, format, raw_hash AS "rawHash",
             rows_hash AS "rowsHash", chain
           FROM flushes WHERE (partition, from_seq) > ($1::integer, $2::bigint)
             AND (partition, from_seq) <= ($3::integer, $4::bigint)
           ORDER BY partition, from_seq LIMIT $5`,
    values: [
      after.partition,
      after.fromSeq,
      through?.partition ?? INTEGER_MAX,
      through?.fromSeq ?? BIGINT_MAX,
      countMax,
    ],
  });
  return rows;
}

/** Rows that name an account which is not there. */
export async function readStrays(
  client: PoolClient,
  range: KeyRange,
  countMax: number,
): Promise<{ table: string; accountKey: number }[]> {
  const stray = (table: string): string =>
    `(SELECT DISTINCT '${table}' AS "table", account_key AS "accountKey" FROM ${table} t
      WHERE ${keysWithin(range, 't.account_key')} AND NOT EXISTS (SELECT FROM accounts a WHERE a.account_key = t.account_key) LIMIT $1)`;
  const { rows } = await client.query(
    `${stray('wallets')} UNION ALL ${stray('lots')} UNION ALL ${stray('holds')} UNION ALL ${stray('subscriptions')} UNION ALL ${stray('opening_balances')}`,
    [countMax],
  );
  return rows;
}

/** Ids that stand more than once under their account and kind, over all months. */
export async function readRepeatedIds(
  client: PoolClient,
  range: KeyRange,
  countMax: number,
): Promise<
  { accountKey: number; kind: string; id: string; times: number; accountSeq: number; seq: number }[]
> {
  const { rows } = await client.query(
    `SELECT account_key AS "accountKey", kind, id, count(*)::integer AS times, max(account_seq) AS "accountSeq", max(seq) AS seq
     FROM entries WHERE ${keysWithin(range)} GROUP BY account_key, kind, id HAVING count(*) > 1 LIMIT $1`,
    [countMax],
  );
  return rows;
}

/** Corrections that do not fit the charge that they name; the charge's columns are null where it is not there. */
export interface OddCorrection {
  readonly accountKey: number;
  readonly accountSeq: number;
  readonly seq: number;
  readonly kind: string;
  readonly charge: string;
  /** How many lines of this kind name this charge. */
  readonly times: number;
  readonly spent: string;
  /** What the charge took, and what it was rerated to before this line. */
  readonly taken: string | null;
  readonly fits: boolean | null;
}

export async function readOddCorrections(
  client: PoolClient,
  range: KeyRange,
  countMax: number,
): Promise<OddCorrection[]> {
  const { rows } = await client.query<OddCorrection>(
    `SELECT * FROM (
       SELECT c.account_key AS "accountKey", c.account_seq AS "accountSeq", c.seq, c.kind, c.note->>'corrects' AS charge,
         (count(*) OVER (PARTITION BY c.account_key, c.kind, c.note->>'corrects'))::integer AS times, c.spent::text,
         (o.spent + coalesce(r.spent, 0))::text AS taken,
         o.unit = c.unit AND CASE c.kind WHEN 'reversal' THEN o.spent + coalesce(r.spent, 0) = -c.spent ELSE o.flags LIKE '%unrated%' END AS fits
       FROM entries c
       LEFT JOIN LATERAL (
         -- A session that nobody settled in time was charged by its deadline, and the rest by its settle.
         SELECT sum(spent)::bigint AS spent, min(unit) AS unit, string_agg(flags, ',') AS flags FROM entries o WHERE o.account_key = c.account_key
           AND o.id = substr(c.note->>'corrects', strpos(c.note->>'corrects', '/') + 1) AND o.account_seq < c.account_seq
           AND (o.kind = split_part(c.note->>'corrects', '/', 1)
             OR o.kind = 'session_expired' AND split_part(c.note->>'corrects', '/', 1) = 'settle')
         HAVING count(*) > 0) o ON true
       LEFT JOIN LATERAL (
         SELECT spent FROM entries r WHERE r.account_key = c.account_key AND r.kind = 'rerate' AND r.id = c.note->>'corrects'
           AND r.account_seq < c.account_seq
         LIMIT 1) r ON true
       WHERE ${keysWithin(range, 'c.account_key')} AND c.note IS NOT NULL AND c.note->>'corrects' IS NOT NULL) judged
     WHERE times > 1 OR fits IS DISTINCT FROM true LIMIT $1`,
    [countMax],
  );
  return rows;
}

export async function readStoredCatalogs(
  client: PoolClient,
): Promise<{ version: number; hash: string; json: string }[]> {
  const { rows } = await client.query(
    `SELECT version, hash, content::text AS json FROM catalog_versions ORDER BY version`,
  );
  return rows;
}
