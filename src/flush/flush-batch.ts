import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { DuplicateEntry } from '../postgres/entries.js';
import type { EntryEncoder } from '../postgres/entry-row.js';
import type { ReversalDue } from '../postgres/reversals.js';
import { decodeRecord, type JournalRecord, type RawRecord, recordHead } from '../redis/journal.js';
import { appendLines, type Line, renewalOutcomeOf, reversalIdOf } from './ledger-lines.js';
import { StateChanges, type StateRows } from './state-changes.js';

/** What one partition brings to a flush: records from exactly the seq after its cursor, without a gap, still packed. */
export interface FlushPart {
  readonly partition: number;
  readonly epoch: number;
  readonly afterSeq: number;
  readonly records: readonly RawRecord[];
}

/** One partition's part of a flush, as the cursor and the `flushes` table will have it. */
export interface PreparedPart {
  readonly partition: number;
  readonly epoch: number;
  readonly afterSeq: number;
  readonly lastSeq: number;
  readonly records: number;
  readonly lines: number;
  /** First seq, hash and bytes of the last record. */
  readonly last: Pick<JournalRecord, 'firstSeq' | 'hash' | 'bytes' | 'bookedTimeMs'>;
  readonly firstBookedMs: number;
  /** sha-256 of the raw records, and of the lines' binary rows. */
  readonly rawHash: Buffer;
  readonly rowsHash: Buffer;
}

/** All that a flush writes, encoded. */
export interface PreparedFlush {
  readonly parts: readonly PreparedPart[];
  /** The lines' binary rows in the order of accounts, valid until the encoder is used again. */
  readonly rows: Buffer;
  readonly lines: number;
  readonly months: ReadonlySet<number>;
  readonly changes: StateRows;
  /** Reversals that are booked here: nothing is due for them any more. */
  readonly reversed: readonly string[];
  readonly reversalsDue: readonly ReversalDue[];
  /** What lots lost because their time came, by unit. */
  readonly expiredUnits: Readonly<Record<string, number>>;
  /** Renewals of agents that were due, by what became of them. */
  readonly renewals: Readonly<Record<string, number>>;
}

/**
 * Decodes and encodes the records of a flush, one record at a time: what is unpacked is garbage before the next one, and only
 * bytes live on while Postgres works. Between records callers get their turn. `duplicates` are the places of charges that the ledger has already: they
 * become lines of their own kind, and a reversal is due for each.
 */
export async function prepareFlush(
  parts: readonly FlushPart[],
  encoder: EntryEncoder,
  duplicates: readonly DuplicateEntry[] = [],
): Promise<PreparedFlush> {
  encoder.reset();
  const changes = new StateChanges();
  const gathered = {
    months: new Set<number>(),
    reversed: [] as string[],
    reversalsDue: [] as ReversalDue[],
    expiredUnits: {} as Record<string, number>,
    renewals: {} as Record<string, number>,
    conflicts: new Map(duplicates.map(({ partition, seq, conflict }) => [`${partition} ${seq}`, conflict])),
  };
  const prepared: PreparedPart[] = [];
  for (const part of parts) {
    prepared.push(await preparePart(part, encoder, changes, gathered));
  }
  return {
    parts: prepared,
    rows: encoder.bytesByAccount(),
    lines: encoder.rows,
    changes: changes.rows(),
    months: gathered.months,
    reversed: gathered.reversed,
    reversalsDue: gathered.reversalsDue,
    expiredUnits: gathered.expiredUnits,
    renewals: gathered.renewals,
  };
}

interface Gathered {
  readonly months: Set<number>;
  readonly reversed: string[];
  readonly reversalsDue: ReversalDue[];
  readonly expiredUnits: Record<string, number>;
  readonly renewals: Record<string, number>;
  readonly conflicts: ReadonlyMap<string, boolean>;
}

async function preparePart(
  part: FlushPart,
  encoder: EntryEncoder,
  changes: StateChanges,
  gathered: Gathered,
): Promise<PreparedPart> {
  const start = encoder.length;
  const linesBefore = encoder.rows;
  const raw = createHash('sha256');
  let last: JournalRecord | undefined;
  for (const packed of part.records) {
    const record = decodeRecord(packed);
    raw.update(record.hash);
    changes.add(record, part.partition);
    const lines: Line[] = [];
    appendLines(record, part.partition, lines);
    for (const line of lines) gatherLine(line, record, encoder, gathered);
    last = record;
    await setImmediate();
  }
  if (last === undefined) throw new Error('a flush without records');
  const rowsHash = createHash('sha256').update(encoder.bytes().subarray(start)).digest();
  return {
    partition: part.partition,
    epoch: part.epoch,
    afterSeq: part.afterSeq,
    lastSeq: last.lastSeq,
    records: part.records.length,
    lines: encoder.rows - linesBefore,
    last: { firstSeq: last.firstSeq, hash: last.hash, bytes: last.bytes, bookedTimeMs: last.bookedTimeMs },
    firstBookedMs: recordHead(part.records[0] as RawRecord).bookedTimeMs,
    rawHash: raw.digest(),
    rowsHash,
  };
}

function gatherLine(line: Line, record: JournalRecord, encoder: EntryEncoder, gathered: Gathered): void {
  const { row, entry } = line;
  if (gathered.conflicts.size > 0) {
    const conflict = gathered.conflicts.get(`${row.partition} ${row.seq}`);
    if (conflict !== undefined) {
      const due = markDuplicate(line, conflict);
      if (due !== null) gathered.reversalsDue.push(due);
    }
  }
  gathered.months.add(row.eventMonth);
  if (row.expired > 0) gathered.expiredUnits[row.unit] = (gathered.expiredUnits[row.unit] ?? 0) + row.expired;
  const renewal = renewalOutcomeOf(entry);
  if (renewal !== null) gathered.renewals[renewal] = (gathered.renewals[renewal] ?? 0) + 1;
  const reversed = reversalIdOf(entry, record);
  if (reversed !== null) gathered.reversed.push(reversed);
  encoder.add(row);
}

/** Turns a line into a duplicate under an id of its own, and says what is to be given back; null where it charged nothing. */
function markDuplicate({ row, entry }: Line, conflict: boolean): ReversalDue | null {
  const place = `${row.partition}/${row.epoch}/${row.seq}`;
  const { lots } = entry;
  const given: [number, number][] = [];
  for (let i = 0; i < lots.length; i += 2) given.push([lots[i] as number, -(lots[i + 1] as number)]);
  row.kind = 'duplicate';
  row.id = `${row.id}#${place}`;
  if (conflict) row.flags = row.flags === '' ? 'conflict' : `${row.flags},conflict`;
  if (row.spent <= 0) return null;
  return {
    partition: row.partition,
    epoch: row.epoch,
    seq: row.seq,
    accountKey: row.accountKey,
    reversalId: `duplicate#${place}`,
    unit: row.unit,
    amount: row.spent,
    eventTimeMs: row.bookedTimeMs,
    lots: given,
  };
}
