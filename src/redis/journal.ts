import { createHash } from 'node:crypto';
import { type Batch, readShortOpen, shortField, unpackBatch, usageAccount, usageAmount } from './batch.js';
import { BinaryReader } from './binary.js';
import type { RedisConnection } from './connection.js';
import {
  type AccountState,
  ENTRY,
  FLAG,
  FORMAT,
  type PackedSubscription,
  readAccount,
  unpack,
  unpackAll,
} from './format.js';
import { packBegunHold, readNextHold } from './hold-format.js';
import { splitScope } from './keys.js';
import { type Opaque, unpackOpaque } from './opaque.js';

/** One entry of the journal, as the script decided it. */
export interface JournalEntry {
  readonly seq: number;
  /** Index of its operation in the batch; -1: none called for it. */
  readonly operation: number;
  readonly kind: number;
  readonly account: number;
  /** Number within the account; 0: no ledger line. */
  readonly accountSeq: number;
  readonly unit: number;
  readonly amount: number;
  /** This and what follows to `lots` is nothing for a hold that begins: its account's state says it. */
  readonly debt: number;
  readonly remainingAfter: number;
  readonly heldAfter: number;
  readonly debtAfter: number;
  readonly flags: number;
  /** What a hold gave back when it ended. */
  readonly released: number;
  /** (lot, change of remaining), flat. */
  readonly lots: readonly number[];
  /** For release, hold_expired, session_expired and what is converted for the last: which hold ended. */
  readonly hold: {
    readonly holdId: string;
    readonly agent: string;
    readonly meter: string;
    readonly model: string;
    readonly catalogVersion: number;
    /** JSON: what a session was charged for; {} for all others. */
    readonly quantities: string;
  } | null;
  /** For settle: the agent that it was for, as its hold names it, or its caller where there was none; empty for none, and for all others. */
  readonly settledFor: string;
  /** Of a settle with the flag `difference`: what the session was charged by its deadline. */
  readonly before: ChargedBefore | null;
  /** For conversion_grant: the priority of its lot; 0 for all others. */
  readonly lotPriority: number;
  /** For what may happen by itself: when it was due; 0 for all else. */
  readonly dueMs: number;
  /** For plan_grant, plan_change and opening_lot, which names no plan. */
  readonly plan: PlanEntry | null;
  /** For those of agents. */
  readonly agent: AgentEntry | null;
}

export interface ChargedBefore {
  readonly charged: number;
  readonly overdrawn: number;
  readonly converted: number;
}

export interface PlanEntry {
  readonly name: string;
  /** For plan_change: what happened to the plan; 0 for plan_grant. */
  readonly event: number;
  /** For plan_grant and opening_lot: the lot. */
  readonly source: number;
  readonly priority: number;
  readonly expiresMs: number;
  /** The period, or when a change takes effect; 0: open. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface AgentEntry {
  readonly number: number;
  readonly id: string;
  readonly tier: string;
  readonly event: number;
  /** Its cycle. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the lots that are its own. */
  readonly priority: number;
}

/** A hold as a record leaves it. */
export interface JournalHold {
  readonly accountId: string;
  readonly holdId: string;
  /** Of the entry that began it; 0: it ended. */
  readonly beganSeq: number;
  /** As Redis keeps it; put together when it is asked for, because most holds end before anybody wants to know. Empty: it ended. */
  packed(): Buffer;
}

/** One record: a batch that changed something, with all that it changed. */
export interface JournalRecord {
  readonly epoch: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly bookedTimeMs: number;
  readonly batch: Batch;
  readonly opaque: Opaque;
  readonly entries: readonly JournalEntry[];
  /** Accounts after the record, by index. */
  readonly accounts: ReadonlyMap<number, AccountState>;
  /** Holds that began, changed or ended, by account and hold id. */
  readonly holds: readonly JournalHold[];
  /** Subscriptions after the record, by account. */
  readonly subscriptions: readonly { readonly accountId: string; readonly state: PackedSubscription }[];
  /** Bytes of the journal through this record, counted from the start of the epoch. */
  readonly bytes: number;
  /** sha-256 of the raw record. */
  readonly hash: Buffer;
}

/** A record as Redis returns it: its id, and names and values of its fields in turn. */
export type RawRecord = readonly [id: Buffer, fields: readonly Buffer[]];

/** Which records to read: those after the one that begins at `afterRecordSeq`, or those whose first seq is at least `fromSeq`. */
export interface JournalRange {
  readonly epoch: number;
  readonly from: { readonly seq: number } | { readonly afterRecordSeq: number };
  readonly recordsMax: number;
}

/** Reads records, oldest first, without unpacking them. */
export async function readRawJournal(
  connection: RedisConnection,
  journalKey: string,
  { epoch, from, recordsMax }: JournalRange,
): Promise<RawRecord[]> {
  const start = 'seq' in from ? `${epoch}-${from.seq}` : `(${epoch}-${from.afterRecordSeq}`;
  // An id without a sequence number means the last one of that epoch.
  return (await connection.client.callBuffer('XRANGE', [
    journalKey,
    start,
    `${epoch}`,
    'COUNT',
    recordsMax,
  ])) as RawRecord[];
}

/** A record of any epoch, and its fields: names and values in turn. */
export interface PlacedRecord {
  readonly epoch: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly fields: readonly Buffer[];
}

/** Records read at once where all are. */
const RECORDS_PER_READ_MAX = 100;

/** All that the journal holds, of whatever epoch, oldest first. Throws on a record that cannot be read. */
export async function* readAllRecords(
  connection: RedisConnection,
  journalKey: string,
): AsyncGenerator<PlacedRecord> {
  let start = '-';
  for (;;) {
    const records = (await connection.client.callBuffer('XRANGE', [
      journalKey,
      start,
      '+',
      'COUNT',
      RECORDS_PER_READ_MAX,
    ])) as RawRecord[];
    for (const record of records) {
      const { firstSeq, lastSeq } = recordHead(record);
      const epoch = Number(record[0].toString().split('-')[0]);
      yield { epoch, firstSeq, lastSeq, fields: record[1] };
    }
    const last = records.at(-1);
    if (last === undefined || records.length < RECORDS_PER_READ_MAX) return;
    start = `(${last[0].toString()}`;
  }
}

/** Reads records whose first seq is at least `fromSeq`, oldest first. */
export async function readJournal(
  connection: RedisConnection,
  journalKey: string,
  range: { readonly epoch: number; readonly fromSeq: number; readonly recordsMax: number },
): Promise<JournalRecord[]> {
  const { epoch, fromSeq, recordsMax } = range;
  const raw = await readRawJournal(connection, journalKey, { epoch, from: { seq: fromSeq }, recordsMax });
  return raw.map(decodeRecord);
}

/** Where a record stands and when it was booked, without unpacking the rest. */
export function recordHead([id, fields]: RawRecord): {
  firstSeq: number;
  lastSeq: number;
  bookedTimeMs: number;
} {
  const firstSeq = Number(id.toString().split('-')[1]);
  const place = fields.findIndex(
    (field, i) => i % 2 === 0 && field.length === 1 && field[0] === DECISIONS_NAME,
  );
  const decisions = fields[place + 1];
  if (place < 0 || decisions === undefined)
    throw new Error(`journal record ${id.toString()} has no decisions`);
  const reader = new BinaryReader(decisions, 1);
  const bookedTimeMs = reader.u56();
  return { firstSeq, lastSeq: firstSeq + reader.u32() - 1, bookedTimeMs };
}

const DECISIONS_NAME = 'd'.charCodeAt(0);

/** sha-256 of a record. */
export function hashOf([id, fields]: RawRecord): Buffer {
  const hash = createHash('sha256').update(id);
  for (const name of HASHED_NAMES) {
    const place = fields.findIndex((field, i) => i % 2 === 0 && field.toString() === name);
    const value = fields[place + 1];
    if (place < 0 || value === undefined) throw new Error(`journal record ${id.toString()} has no ${name}`);
    hash.update(value);
  }
  return hash.digest();
}

const HASHED_NAMES = ['b', 's', 'o', 'd', 'i', 'a', 'h', 'e', 'g'];

/** The record is of a format that this version does not know, or it is not whole. Waiting does not help, another version may. */
export class UnreadableRecord extends Error {
  override readonly name = 'UnreadableRecord';
}

/** Throws UnreadableRecord. */
export function decodeRecord(raw: RawRecord): JournalRecord {
  try {
    return decodeFields(raw);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnreadableRecord(`journal record ${raw[0].toString()} cannot be read: ${reason}`, { cause });
  }
}

function decodeFields([id, fields]: RawRecord): JournalRecord {
  const byName = new Map<string, Buffer>();
  for (let i = 0; i < fields.length; i += 2)
    byName.set((fields[i] as Buffer).toString(), fields[i + 1] as Buffer);
  const field = (name: string): Buffer => {
    const value = byName.get(name);
    if (value === undefined) throw new Error(`it has no ${name}`);
    return value;
  };
  const [epoch, firstSeq] = id.toString().split('-').map(Number) as [number, number];
  const decisions = new BinaryReader(field('d'));
  const format = decisions.u8();
  if (format !== FORMAT) throw new Error(`it has format ${format}, this version knows ${FORMAT}`);
  const batch = unpackBatch({ batch: field('b'), shorts: field('s') });
  const bookedTimeMs = decisions.u56();
  const count = decisions.u32();
  const said: SaidHold[] = [];
  const entries = readEntries(decisions, firstSeq, batch, said);
  if (entries.length !== count) throw new Error(`it has ${entries.length} of ${count} entries`);

  const accounts = new Map<number, AccountState>();
  const accountReader = new BinaryReader(field('a'));
  for (const index of unpack<number[]>(field('i'))) accounts.set(index - 1, readAccount(accountReader));

  return {
    epoch,
    firstSeq,
    lastSeq: firstSeq + count - 1,
    bookedTimeMs,
    batch,
    opaque: unpackOpaque(field('o')),
    entries,
    accounts,
    holds: readHolds({ said, batch, accounts, bookedTimeMs, open: field('h'), ended: field('e') }),
    subscriptions: readSubscriptions(field('g')),
    bytes: Number(field('c').toString()),
    hash: hashOf([id, fields]),
  };
}

/** Appends to `said` the entries that say what became of their holds. */
function readEntries(reader: BinaryReader, firstSeq: number, batch: Batch, said: SaidHold[]): JournalEntry[] {
  const entries: JournalEntry[] = [];
  const counted = new Map<number, PaidFrom>();
  while (!reader.atEnd) {
    const operation = reader.u16() - 1;
    const kind = reader.u8();
    if (kind === ENTRY.paid_from) {
      counted.set(reader.u16() - 1, readPaidFrom(reader));
    } else if (kind === ENTRY.paid) {
      const end = operation + reader.u16();
      for (let i = operation; i < end; i++) {
        const account = usageAccount(batch, i);
        const from = counted.get(account);
        if (from === undefined) throw new Error(`operation ${i} of a journal record is paid from nowhere`);
        const amount = usageAmount(batch, i, from.unit);
        from.accountSeq += 1;
        from.remaining -= amount;
        const lots = [from.lot, -amount];
        entries.push(
          shortEntry(firstSeq + entries.length, i, ENTRY.usage, account, from.unit, amount, from, lots),
        );
      }
    } else if (kind === ENTRY.settle_paid) {
      const entry = settledEntry(reader, firstSeq + entries.length, operation);
      entries.push(entry);
      said.push({ entry, lot: 0 });
    } else if (kind === ENTRY.hold) {
      const seq = firstSeq + entries.length;
      const account = reader.u16() - 1;
      const unit = reader.u8();
      const entry = shortEntry(seq, operation, kind, account, unit, reader.u56(), untold, []);
      entries.push(entry);
      const lot = reader.u32();
      // Its seq and what was available then were the answer.
      reader.bytes(14);
      if (lot > 0) said.push({ entry, lot });
    } else {
      const entry = readEntry(reader, firstSeq + entries.length, operation, kind);
      if (kind === ENTRY.session_expired) tellConversions(entries, entry);
      entries.push(entry);
    }
  }
  return entries;
}

/** What was converted when a session ended by itself was for the entry that follows. */
function tellConversions(entries: JournalEntry[], { account, hold }: JournalEntry): void {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i] as JournalEntry;
    if (!CONVERSION_KINDS.has(entry.kind) || entry.operation >= 0 || entry.account !== account || entry.hold)
      return;
    entries[i] = { ...entry, hold };
  }
}

const CONVERSION_KINDS: ReadonlySet<number> = new Set([ENTRY.conversion, ENTRY.conversion_grant]);

// One literal with every field in its place: objects that are put together by spreading would each get a shape of their own,
// and every later access to them would be a slow one.
function readEntry(reader: BinaryReader, seq: number, operation: number, kind: number): JournalEntry {
  const account = reader.u16() - 1;
  const accountSeq = reader.u56();
  const unit = reader.u8();
  const amount = reader.u56();
  const debt = reader.i56();
  const remainingAfter = reader.u56();
  const heldAfter = reader.u56();
  const debtAfter = reader.u56();
  const flags = reader.u16();
  const released = reader.u56();
  const lots: number[] = [];
  for (let pairs = reader.u16(); pairs > 0; pairs--) lots.push(reader.u32(), reader.i56());
  const hold = ENDING_KINDS.has(kind) ? readEndedHold(kind, reader) : null;
  const settledFor = kind === ENTRY.settle ? reader.text() : '';
  const before = (flags & FLAG.difference) === 0 ? null : readBefore(reader);
  const lotPriority = kind === ENTRY.conversion_grant ? reader.u32() : 0;
  const planned = kind === ENTRY.plan_grant || kind === ENTRY.plan_change;
  const ofAgent = AGENT_KINDS.has(kind);
  const dueMs = planned || ofAgent || hold !== null || kind === ENTRY.lot_expired ? reader.u56() : 0;
  return {
    seq,
    operation,
    kind,
    account,
    accountSeq,
    unit,
    amount,
    debt,
    remainingAfter,
    heldAfter,
    debtAfter,
    flags,
    released,
    lots,
    hold,
    settledFor,
    before,
    lotPriority,
    dueMs,
    plan: planned || kind === ENTRY.opening_lot ? readPlanEntry(kind, reader) : null,
    agent: ofAgent ? readAgentEntry(reader) : null,
  };
}

/** What a run of usage that was paid in full counts on, for one account: as after its entry before. */
interface PaidFrom {
  accountSeq: number;
  readonly unit: number;
  remaining: number;
  readonly held: number;
  readonly lot: number;
}

function readPaidFrom(reader: BinaryReader): PaidFrom {
  const accountSeq = reader.u56();
  const unit = reader.u8();
  const remaining = reader.u56();
  const held = reader.u56();
  return { accountSeq, unit, remaining, held, lot: reader.u32() };
}

/** What the entry of a hold that begins does not say. */
const untold = { accountSeq: 0, remaining: 0, held: 0 };

/** What a settle says beyond what every charge does. */
interface SettledEntry {
  readonly flags: number;
  readonly released: number;
  readonly settledFor: string;
}

const notSettled: SettledEntry = { flags: 0, released: 0, settledFor: '' };

/** A settle that one lot without debt paid. */
function settledEntry(reader: BinaryReader, seq: number, operation: number): JournalEntry {
  const account = reader.u16() - 1;
  const accountSeq = reader.u56();
  const unit = reader.u8();
  const amount = reader.u56();
  const after = { accountSeq, remaining: reader.u56(), held: reader.u56() };
  const flags = reader.u16();
  const released = reader.u56();
  const lots = [reader.u32(), -amount];
  const settled = { flags, released, settledFor: reader.text() };
  return shortEntry(seq, operation, ENTRY.settle, account, unit, amount, after, lots, settled);
}

/** An entry of which nothing more is to be said: one usage event of a run, a settle from one lot, or a hold that begins. */
function shortEntry(
  seq: number,
  operation: number,
  kind: number,
  account: number,
  unit: number,
  amount: number,
  after: { readonly accountSeq: number; readonly remaining: number; readonly held: number },
  lots: readonly number[],
  { flags, released, settledFor }: SettledEntry = notSettled,
): JournalEntry {
  return {
    seq,
    operation,
    kind,
    account,
    accountSeq: after.accountSeq,
    unit,
    amount,
    debt: 0,
    remainingAfter: after.remaining,
    heldAfter: after.held,
    debtAfter: 0,
    flags,
    released,
    lots,
    hold: null,
    settledFor,
    before: null,
    lotPriority: 0,
    dueMs: 0,
    plan: null,
    agent: null,
  };
}

const AGENT_KINDS: ReadonlySet<number> = new Set([
  ENTRY.agent_unlock,
  ENTRY.agent_renewal,
  ENTRY.agent_grant,
  ENTRY.agent_status,
]);

function readAgentEntry(reader: BinaryReader): AgentEntry {
  return {
    number: reader.u32(),
    id: reader.text(),
    tier: reader.text(),
    event: reader.u8(),
    fromMs: reader.u56(),
    toMs: reader.u56(),
    priority: reader.u32(),
  };
}

function readPlanEntry(kind: number, reader: BinaryReader): PlanEntry {
  const granted = kind === ENTRY.plan_grant || kind === ENTRY.opening_lot;
  const planned = kind !== ENTRY.opening_lot;
  const name = planned ? reader.text() : '';
  return {
    name,
    event: granted ? 0 : reader.u8(),
    source: granted ? reader.u8() : 0,
    priority: granted ? reader.u32() : 0,
    expiresMs: granted ? reader.u56() : 0,
    fromMs: planned ? reader.u56() : 0,
    toMs: planned ? reader.u56() : 0,
  };
}

const ENDING_KINDS: ReadonlySet<number> = new Set([ENTRY.release, ENTRY.hold_expired, ENTRY.session_expired]);

function readBefore(reader: BinaryReader): ChargedBefore {
  return { charged: reader.u56(), overdrawn: reader.u56(), converted: reader.u56() };
}

function readEndedHold(kind: number, reader: BinaryReader): NonNullable<JournalEntry['hold']> {
  return {
    holdId: reader.text(),
    agent: reader.text(),
    meter: reader.text(),
    model: reader.text(),
    catalogVersion: reader.u32(),
    quantities: kind === ENTRY.session_expired ? reader.text() : '{}',
  };
}

/** An entry of an operation in short that says what became of its hold: it began, in this lot, or ended (0). */
interface SaidHold {
  readonly entry: JournalEntry;
  readonly lot: number;
}

/**
 * The holds that a record says: what its entries say, the later before the earlier; then where that is not all, fields and holds in turn, ended
 * each by a zero byte, and the fields of those that ended.
 */
function readHolds(record: {
  readonly said: readonly SaidHold[];
  readonly batch: Batch;
  readonly accounts: ReadonlyMap<number, AccountState>;
  readonly bookedTimeMs: number;
  readonly open: Buffer;
  readonly ended: Buffer;
}): JournalHold[] {
  const holds = new Map<string, JournalHold>();
  const add = (field: string, beganSeq: number, packed: () => Buffer): void => {
    const { accountId, id: holdId } = splitScope(field.slice(1));
    holds.set(field, { accountId, holdId, beganSeq, packed });
  };
  const { said, batch, accounts, bookedTimeMs, open, ended } = record;
  for (const { entry, lot } of said) {
    const { seq, operation, account, unit, amount } = entry;
    const field = shortField(batch, operation);
    if (lot === 0) add(field, 0, () => noBytes);
    else
      add(field, seq, () => {
        const { key: accountKey } = accounts.get(account) as AccountState;
        const opened = readShortOpen(batch, operation, unit);
        return packBegunHold(opened, { seq, accountKey, unit, amount, lot, nowMs: bookedTimeMs });
      });
  }
  const reader = new BinaryReader(open);
  while (!reader.atEnd) {
    const field = reader.text();
    const start = reader.place;
    const { seq } = readNextHold(reader);
    const packed = open.subarray(start, reader.place);
    add(field, seq, () => packed);
    if (!reader.atEnd && reader.u8() !== 0) throw new Error('more follows a hold than belongs to it');
  }
  if (ended.length > 0) for (const field of ended.toString().split('\0')) add(field, 0, () => noBytes);
  return [...holds.values()];
}

const noBytes = Buffer.alloc(0);

function readSubscriptions(data: Buffer): { accountId: string; state: PackedSubscription }[] {
  const values = unpackAll<string | PackedSubscription>(data);
  const subscriptions: { accountId: string; state: PackedSubscription }[] = [];
  for (let i = 0; i < values.length; i += 2) {
    const { accountId } = splitScope(values[i] as string);
    subscriptions.push({ accountId, state: values[i + 1] as PackedSubscription });
  }
  return subscriptions;
}
