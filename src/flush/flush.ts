import { createHash } from 'node:crypto';
import { deleteHolds, upsertAccounts, upsertHolds, upsertLots, upsertWallets } from '../postgres/accounts.js';
import {
  copyEntries,
  type DuplicateEntry,
  ensureMonths,
  isDuplicateEntry,
  stageEntries,
} from '../postgres/entries.js';
import { EntryEncoder } from '../postgres/entry-row.js';
import { type FlushRow, insertFlushes } from '../postgres/flushes.js';
import { type Cursor, lockCursors, moveCursors } from '../postgres/partitions.js';
import type { Pool, PoolClient } from '../postgres/pool.js';
import { deleteReversalsDue, insertReversalsDue, type ReversalDue } from '../postgres/reversals.js';
import { FORMAT } from '../redis/format.js';
import type { JournalRecord } from '../redis/journal.js';
import { appendLines, type Line, reversalIdOf } from './ledger-lines.js';
import { StateChanges, type StateRows } from './state-changes.js';

/** What one partition brings to a flush: records from exactly the seq after its cursor, without a gap. */
export interface FlushPart {
  readonly partition: number;
  readonly epoch: number;
  readonly afterSeq: number;
  readonly records: readonly JournalRecord[];
}

export interface FlushResult {
  readonly cursors: readonly Cursor[];
  readonly lines: number;
  /** Charges that only Postgres saw were made before. */
  readonly duplicates: number;
  readonly rows: Readonly<Record<string, number>>;
  /** What lots lost because their time came. */
  readonly expiredUnits: Readonly<Record<string, number>>;
}

/** The cursor is not where this flusher believed: another one has flushed. Nothing was written. */
export class CursorMoved extends Error {
  override readonly name = 'CursorMoved';

  constructor(readonly cursors: readonly Cursor[]) {
    super('the cursor of a partition moved');
  }
}

/**
 * Writes records of some partitions in one transaction: ledger lines, balances, holds, flushes, cursors. Rejects CursorMoved
 * where a cursor is elsewhere. `knownMonths` are those whose partitions of the ledger exist; this adds to it. Any other rejection may have committed or not, which reading the cursors tells.
 */
export async function flush(
  pool: Pool,
  parts: readonly FlushPart[],
  knownMonths: Set<number>,
): Promise<FlushResult> {
  const prepared = prepare(parts);
  await makeMonths(pool, prepared.lines, knownMonths);
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    return await transaction(client, parts, prepared);
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    // A connection whose COMMIT may be under way must not be used again.
    client.release(broken !== undefined && !(broken instanceof CursorMoved));
  }
}

interface Prepared {
  readonly lines: readonly Line[];
  readonly changes: StateRows;
  readonly reversed: readonly string[];
}

function prepare(parts: readonly FlushPart[]): Prepared {
  const changes = new StateChanges();
  const lines: Line[] = [];
  const reversed: string[] = [];
  for (const part of parts) {
    for (const record of part.records) {
      appendLines(record, part.partition, lines);
      changes.add(record, part.partition);
      for (const entry of record.entries) {
        const id = reversalIdOf(entry, record);
        if (id !== null) reversed.push(id);
      }
    }
  }
  return { lines, changes: changes.rows(), reversed };
}

/** Before the transaction: making a partition of the table takes a lock that flushes must not wait for each time. */
async function makeMonths(pool: Pool, lines: Prepared['lines'], months: Set<number>): Promise<void> {
  const missing = new Set<number>();
  for (const line of lines) if (!months.has(line.row.eventMonth)) missing.add(line.row.eventMonth);
  if (missing.size === 0) return;
  await ensureMonths(
    pool,
    [...missing].sort((a, b) => a - b),
  );
  for (const month of missing) months.add(month);
}

async function transaction(
  client: PoolClient,
  parts: readonly FlushPart[],
  prepared: Prepared,
): Promise<FlushResult> {
  await client.query('BEGIN');
  const cursors = await lockCursors(
    client,
    parts.map((part) => part.partition),
  );
  if (
    !parts.every((part) =>
      cursors.some(
        (c) => c.partition === part.partition && c.epoch === part.epoch && c.seq === part.afterSeq,
      ),
    )
  ) {
    await client.query('ROLLBACK');
    throw new CursorMoved(cursors);
  }
  const { encoded, duplicates } = await writeLines(client, prepared);
  const { accounts, wallets, lots, holds, ended } = prepared.changes;
  await upsertAccounts(client, accounts);
  if (wallets.length > 0) await upsertWallets(client, wallets);
  if (lots.length > 0) await upsertLots(client, lots);
  if (holds.length > 0) await upsertHolds(client, holds);
  if (ended.length > 0) await deleteHolds(client, ended);
  if (prepared.reversed.length > 0) await deleteReversalsDue(client, prepared.reversed);
  const flushes = parts.map((part) => flushRow(part, cursors, encoded));
  await insertFlushes(client, flushes);
  const moved = parts.map((part, i) => cursorAfter(part, flushes[i] as FlushRow));
  await moveCursors(client, moved);
  await client.query('COMMIT');
  return {
    cursors: moved,
    lines: prepared.lines.length,
    duplicates,
    expiredUnits: expiredUnits(prepared.lines),
    rows: {
      entries: prepared.lines.length,
      accounts: accounts.length,
      wallets: wallets.length,
      lots: lots.length,
      holds: holds.length + ended.length,
    },
  };
}

function expiredUnits(lines: Prepared['lines']): Record<string, number> {
  const units: Record<string, number> = {};
  for (const line of lines) {
    if (line.row.expired > 0) units[line.row.unit] = (units[line.row.unit] ?? 0) + line.row.expired;
  }
  return units;
}

/** The lines' binary rows, and the bytes of each partition's part of them for its hash. */
interface Encoded {
  readonly hashes: ReadonlyMap<number, { readonly hash: Buffer; readonly lines: number }>;
  readonly bytes: Buffer;
}

function encode(lines: Prepared['lines']): Encoded {
  const encoder = new EntryEncoder();
  const ranges = new Map<number, { start: number; end: number; lines: number }>();
  for (const { row } of lines) {
    const start = encoder.add(row);
    const end = encoder.bytes().length;
    const range = ranges.get(row.partition);
    if (range === undefined) {
      ranges.set(row.partition, { start, end, lines: 1 });
    } else {
      range.end = end;
      range.lines += 1;
    }
  }
  const bytes = encoder.bytes();
  const hashes = new Map(
    [...ranges].map(([partition, range]) => [
      partition,
      {
        hash: createHash('sha256').update(bytes.subarray(range.start, range.end)).digest(),
        lines: range.lines,
      },
    ]),
  );
  return { hashes, bytes };
}

/**
 * Copies the lines. Where the ledger has one of their ids already, the batch goes through a temporary table, the duplicates are
 * stored as such, and a row that cannot be forgotten asks for their reversal.
 */
async function writeLines(
  client: PoolClient,
  prepared: Prepared,
): Promise<{ encoded: Encoded; duplicates: number }> {
  const encoded = encode(prepared.lines);
  if (prepared.lines.length === 0) return { encoded, duplicates: 0 };
  await client.query('SAVEPOINT before_lines');
  try {
    await copyEntries(client, encoded.bytes);
    return { encoded, duplicates: 0 };
  } catch (error) {
    if (!isDuplicateEntry(error)) throw error;
  }
  await client.query('ROLLBACK TO SAVEPOINT before_lines');
  const duplicates = await stageEntries(client, encoded.bytes);
  const due = markDuplicates(prepared.lines, duplicates);
  const marked = encode(prepared.lines);
  await copyEntries(client, marked.bytes);
  if (due.length > 0) await insertReversalsDue(client, due);
  return { encoded: marked, duplicates: duplicates.length };
}

/** Turns the lines at the given places into duplicates under ids of their own, and says what is to be given back. */
function markDuplicates(lines: Prepared['lines'], duplicates: readonly DuplicateEntry[]): ReversalDue[] {
  const conflicts = new Map(
    duplicates.map(({ partition, seq, conflict }) => [`${partition} ${seq}`, conflict]),
  );
  const due: ReversalDue[] = [];
  for (const line of lines) {
    const { row } = line;
    const conflict = conflicts.get(`${row.partition} ${row.seq}`);
    if (conflict === undefined) continue;
    const place = `${row.partition}/${row.epoch}/${row.seq}`;
    if (row.spent > 0) {
      due.push({
        partition: row.partition,
        epoch: row.epoch,
        seq: row.seq,
        accountKey: row.accountKey,
        reversalId: `duplicate/${place}`,
        unit: row.unit,
        amount: row.spent,
        eventTimeMs: row.bookedTimeMs,
        lots: lotsGiven(line),
      });
    }
    row.kind = 'duplicate';
    row.id = `${row.id}#${place}`;
    if (conflict) row.flags = row.flags === '' ? 'conflict' : `${row.flags},conflict`;
  }
  return due;
}

function lotsGiven({ entry }: Line): [number, number][] {
  const given: [number, number][] = [];
  for (let i = 0; i < entry.lots.length; i += 2)
    given.push([entry.lots[i] as number, -(entry.lots[i + 1] as number)]);
  return given;
}

function flushRow(part: FlushPart, cursors: readonly Cursor[], encoded: Encoded): FlushRow {
  const before = cursors.find((cursor) => cursor.partition === part.partition) as Cursor;
  const raw = createHash('sha256');
  for (const record of part.records) raw.update(record.hash);
  const rawHash = raw.digest();
  const rows = encoded.hashes.get(part.partition);
  const rowsHash = rows?.hash ?? createHash('sha256').digest();
  return {
    partition: part.partition,
    epoch: part.epoch,
    fromSeq: part.afterSeq + 1,
    toSeq: lastRecord(part).lastSeq,
    records: part.records.length,
    lines: rows?.lines ?? 0,
    format: FORMAT,
    rawHash,
    rowsHash,
    chain: chainHash(before.chain, rawHash, rowsHash),
  };
}

/** sha-256 of the flush before, the raw journal records and the lines. */
export function chainHash(before: Buffer, rawHash: Buffer, rowsHash: Buffer): Buffer {
  return createHash('sha256').update(before).update(rawHash).update(rowsHash).digest();
}

function cursorAfter(part: FlushPart, flushed: FlushRow): Cursor {
  const record = lastRecord(part);
  return {
    partition: part.partition,
    epoch: part.epoch,
    seq: record.lastSeq,
    recordSeq: record.firstSeq,
    recordHash: record.hash,
    bytes: record.bytes,
    chain: flushed.chain,
  };
}

function lastRecord(part: FlushPart): JournalRecord {
  const record = part.records[part.records.length - 1];
  if (record === undefined) throw new Error('a flush without records');
  return record;
}
