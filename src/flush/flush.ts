import { createHash } from 'node:crypto';
import {
  deleteHolds,
  moveLotExpiries,
  upsertAccounts,
  upsertHolds,
  upsertLots,
  upsertWallets,
} from '../postgres/accounts.js';
import { copyEntries, ensureMonths, isDuplicateEntry, stageEntries } from '../postgres/entries.js';
import type { EntryEncoder } from '../postgres/entry-row.js';
import { type FlushRow, insertFlushes } from '../postgres/flushes.js';
import { type Cursor, lockCursors, moveCursors } from '../postgres/partitions.js';
import { breakConnection, type Pool, type PoolClient } from '../postgres/pool.js';
import { deleteReversalsDue, insertReversalsDue } from '../postgres/reversals.js';
import { upsertSubscriptions } from '../postgres/subscriptions.js';
import { FORMAT } from '../redis/format.js';
import { type FlushPart, type PreparedFlush, type PreparedPart, prepareFlush } from './flush-batch.js';

export interface FlushResult {
  readonly cursors: readonly Cursor[];
  readonly prepared: PreparedFlush;
  /** Charges that only Postgres saw were made before. */
  readonly duplicates: number;
}

/** The cursor is not where this flusher believed: another one has flushed. Nothing was written. */
export class CursorMoved extends Error {
  override readonly name = 'CursorMoved';

  constructor(readonly cursors: readonly Cursor[]) {
    super('the cursor of a partition moved');
  }
}

/**
 * Writes records of some partitions in one transaction: ledger lines, balances, holds, flushes, cursors. `knownMonths` are those
 * whose partitions of the ledger exist; this adds to it. After `timeoutMs` the connection is broken. Rejects CursorMoved where a cursor is elsewhere; any other rejection
 * may have committed or not, which reading the cursors tells.
 */
export async function flush(
  pool: Pool,
  parts: readonly FlushPart[],
  encoder: EntryEncoder,
  { knownMonths, timeoutMs }: { readonly knownMonths: Set<number>; readonly timeoutMs: number },
): Promise<FlushResult> {
  const prepared = await prepareFlush(parts, encoder);
  await makeMonths(pool, prepared.months, knownMonths);
  const client = await pool.connect();
  let broken: Error | undefined;
  const watchdog = setTimeout(
    () => breakConnection(client, `the flush took longer than ${timeoutMs} ms`),
    timeoutMs,
  );
  try {
    return await transaction(client, parts, prepared, encoder);
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    clearTimeout(watchdog);
    // A connection whose COMMIT may be under way must not be used again.
    client.release(broken !== undefined && !(broken instanceof CursorMoved));
  }
}

/** Before the transaction: making a partition of the table takes a lock for which sidecars wait for one another. */
async function makeMonths(pool: Pool, months: ReadonlySet<number>, knownMonths: Set<number>): Promise<void> {
  const missing = [...months].filter((month) => !knownMonths.has(month)).sort((a, b) => a - b);
  if (missing.length === 0) return;
  await ensureMonths(pool, missing);
  for (const month of missing) knownMonths.add(month);
}

async function transaction(
  client: PoolClient,
  parts: readonly FlushPart[],
  first: PreparedFlush,
  encoder: EntryEncoder,
): Promise<FlushResult> {
  await client.query('BEGIN');
  const cursors = await lockCursors(
    client,
    parts.map((part) => part.partition),
  );
  if (!parts.every((part) => cursors.some((cursor) => isAt(cursor, part)))) {
    await client.query('ROLLBACK');
    throw new CursorMoved(cursors);
  }
  const { prepared, duplicates } = await writeLines(client, parts, first, encoder);
  const { accounts, wallets, lots, movedLots, holds, ended, subscriptions } = prepared.changes;
  await upsertAccounts(client, accounts);
  if (wallets.length > 0) await upsertWallets(client, wallets);
  if (lots.length > 0) await upsertLots(client, lots);
  if (movedLots.length > 0) await moveLotExpiries(client, movedLots);
  if (holds.length > 0) await upsertHolds(client, holds);
  if (ended.length > 0) await deleteHolds(client, ended);
  if (subscriptions.length > 0) await upsertSubscriptions(client, subscriptions);
  if (prepared.reversed.length > 0) await deleteReversalsDue(client, prepared.reversed);
  if (prepared.reversalsDue.length > 0) await insertReversalsDue(client, prepared.reversalsDue);
  const flushes = prepared.parts.map((part) => flushRow(part, cursors));
  await insertFlushes(client, flushes);
  const moved = prepared.parts.map((part, i) => cursorAfter(part, flushes[i] as FlushRow));
  await moveCursors(client, moved);
  await client.query('COMMIT');
  return { cursors: moved, prepared, duplicates };
}

function isAt(cursor: Cursor, part: FlushPart): boolean {
  return cursor.partition === part.partition && cursor.epoch === part.epoch && cursor.seq === part.afterSeq;
}

/**
 * Copies the lines. Where the ledger has one of their ids already, the batch goes through a temporary table, the duplicates are
 * stored as such, and a row that cannot be forgotten asks for their reversal.
 */
async function writeLines(
  client: PoolClient,
  parts: readonly FlushPart[],
  prepared: PreparedFlush,
  encoder: EntryEncoder,
): Promise<{ prepared: PreparedFlush; duplicates: number }> {
  if (prepared.lines === 0) return { prepared, duplicates: 0 };
  await client.query('SAVEPOINT before_lines');
  try {
    await copyEntries(client, prepared.rows);
    return { prepared, duplicates: 0 };
  } catch (error) {
    if (!isDuplicateEntry(error)) throw error;
  }
  await client.query('ROLLBACK TO SAVEPOINT before_lines');
  const duplicates = await stageEntries(client, prepared.rows);
  const marked = await prepareFlush(parts, encoder, duplicates);
  await copyEntries(client, marked.rows);
  return { prepared: marked, duplicates: duplicates.length };
}

function flushRow(part: PreparedPart, cursors: readonly Cursor[]): FlushRow {
  const before = cursors.find((cursor) => cursor.partition === part.partition) as Cursor;
  return {
    partition: part.partition,
    epoch: part.epoch,
    fromSeq: part.afterSeq + 1,
    toSeq: part.lastSeq,
    records: part.records,
    lines: part.lines,
    format: FORMAT,
    rawHash: part.rawHash,
    rowsHash: part.rowsHash,
    // sha-256 of the flush before, the raw journal records and the lines.
    chain: createHash('sha256').update(before.chain).update(part.rawHash).update(part.rowsHash).digest(),
  };
}

function cursorAfter(part: PreparedPart, flushed: FlushRow): Cursor {
  return {
    partition: part.partition,
    epoch: part.epoch,
    seq: part.lastSeq,
    recordSeq: part.last.firstSeq,
    recordHash: part.last.hash,
    bytes: part.last.bytes,
    bookedMs: part.last.bookedTimeMs,
    chain: flushed.chain,
  };
}
