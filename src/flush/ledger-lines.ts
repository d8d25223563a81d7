import { monthOf } from '../ledger/month.js';
import type { EntryRow } from '../postgres/entry-row.js';
import { operationHash, operationId, operationKind, operationTimeMs } from '../redis/batch.js';
import { type AccountState, AGENT_EVENT, ENTRY, OP } from '../redis/format.js';
import type { JournalEntry, JournalRecord } from '../redis/journal.js';
import { opaqueCatalogVersion, opaqueQuantities, opaqueStart, opaqueText } from '../redis/opaque.js';
import { flagNames, kindName, unitName } from './names.js';
import { noteOf } from './notes.js';

/** Turns journal records into lines of the ledger: pure, no I/O. */

/** A line of the ledger and the entry that it comes from. */
export interface Line {
  readonly entry: JournalEntry;
  readonly row: EntryRow;
}

/** Appends the ledger lines of a record, in order of seq. */
export function appendLines(record: JournalRecord, partition: number, lines: Line[]): void {
  for (const entry of record.entries) {
    if (entry.kind < ENTRY.hold) lines.push({ entry, row: rowOf(record, entry, partition) });
  }
}

function rowOf(record: JournalRecord, entry: JournalEntry, partition: number): EntryRow {
  const { kind, amount, hold } = entry;
  const isConversion = kind === ENTRY.conversion || kind === ENTRY.conversion_grant;
  const { operation } = entry;
  const { opaque } = record;
  // What only the ledger knows of the operation; where it has nothing to say, the hold may.
  const told = opaqueStart(opaque, operation);
  const eventTimeMs =
    operation < 0 ? entry.dueMs || record.bookedTimeMs : operationTimeMs(record.batch, operation);
  return {
    accountKey: (record.accounts.get(entry.account) as AccountState).key,
    accountSeq: entry.accountSeq,
    partition,
    epoch: record.epoch,
    seq: entry.seq,
    kind: kindName(kind),
    id: idOf(record, entry),
    payloadHash: operation < 0 ? 0 : operationHash(record.batch, operation),
    eventMonth: monthOf(eventTimeMs),
    eventTimeMs,
    bookedTimeMs: record.bookedTimeMs,
    agent: agentOf(record, entry, told),
    meter: told < 0 ? (hold?.meter ?? '') : opaqueText(opaque, told, 1),
    model: told < 0 ? (hold?.model ?? '') : opaqueText(opaque, told, 2),
    // What a conversion was for has its quantities on its own line.
    quantities: isConversion ? '{}' : told < 0 ? (hold?.quantities ?? '{}') : opaqueQuantities(opaque, told),
    catalogVersion: told < 0 ? (hold?.catalogVersion ?? 0) : opaqueCatalogVersion(opaque, told),
    unit: unitName(entry.unit),
    granted: grantedBy(kind, amount),
    spent: spentBy(kind, amount),
    expired: expiredBy(kind, amount),
    converted: kind === ENTRY.conversion ? amount : 0,
    debt: entry.debt,
    released: entry.released,
    lots: lotsJson(entry.lots),
    remainingAfter: entry.remainingAfter,
    heldAfter: entry.heldAfter,
    debtAfter: entry.debtAfter,
    flags: flagNames(entry.flags),
    note: noteOf(entry, operation < 0 ? undefined : record.batch.rows[operation]),
  };
}

/** For whom it is: a settle, and what was converted for it, for the agent of the hold, whomever its call names. */
function agentOf(record: JournalRecord, entry: JournalEntry, told: number): string {
  const { kind, operation, hold, agent } = entry;
  if (kind === ENTRY.settle) return entry.settledFor;
  if (told < 0) return hold?.agent ?? agent?.id ?? '';
  if (kind === ENTRY.conversion || kind === ENTRY.conversion_grant) {
    const follows = record.entries.slice(entry.seq - record.firstSeq, entry.seq - record.firstSeq + 3);
    const settle = follows.find((one) => one.kind === ENTRY.settle && one.operation === operation);
    if (settle !== undefined) return settle.settledFor;
  }
  return opaqueText(record.opaque, told, 3);
}

export function grantedBy(kind: number, amount: number): number {
  return isGrant(kind) ? amount : 0;
}

/** Does a line of this kind grant a lot, the first that it names? */
export function isGrant(kind: number): boolean {
  return (
    kind === ENTRY.grant ||
    kind === ENTRY.conversion_grant ||
    kind === ENTRY.plan_grant ||
    kind === ENTRY.opening_lot ||
    kind === ENTRY.agent_grant
  );
}

export function spentBy(kind: number, amount: number): number {
  switch (kind) {
    case ENTRY.usage:
    case ENTRY.settle:
    case ENTRY.session_expired:
    case ENTRY.rerate:
    case ENTRY.agent_unlock:
    case ENTRY.agent_renewal:
      return amount;
    case ENTRY.reversal:
      return -amount;
    default:
      return 0;
  }
}

export function expiredBy(kind: number, amount: number): number {
  return kind === ENTRY.lot_expired || kind === ENTRY.expire_lot ? amount : 0;
}

/**
 * The caller's id; for what nobody called for, one made from its cause and its number within the account. A plan that an account begins with has a line
 * of its own: no other call may have that id, and callers' ids have no #.
 */
function idOf(record: JournalRecord, entry: JournalEntry): string {
  const { hold } = entry;
  if (hold !== null) {
    // Both lines have the number of the first.
    if (entry.kind === ENTRY.conversion)
      return conversionId('session_expired', hold.holdId, entry.accountSeq);
    if (entry.kind === ENTRY.conversion_grant)
      return conversionId('session_expired', hold.holdId, entry.accountSeq - 1);
    return hold.holdId;
  }
  if (entry.kind === ENTRY.lot_expired) return `lot/${entry.lots[0]}/${entry.accountSeq}`;
  if (entry.operation < 0 && entry.plan !== null) return `plan#${entry.accountSeq}`;
  if (entry.operation < 0 && entry.agent !== null) return `agent#${entry.accountSeq}`;
  if (entry.operation < 0) throw new Error(`entry ${entry.seq} of kind ${entry.kind} without an operation`);
  const id = operationId(record.batch, entry.operation);
  if (entry.kind === ENTRY.opening_lot) return `${id}#${entry.lots[0]}`;
  const operation = operationKind(record.batch, entry.operation);
  if (entry.plan !== null && operation === OP.create) return `${id}#create`;
  if (operation === OP.convert) return id;
  // Credits that were converted for a charge; both lines have the number of the first.
  const charge = operation === OP.settle ? 'settle' : 'usage';
  if (entry.kind === ENTRY.conversion) return conversionId(charge, id, entry.accountSeq);
  if (entry.kind === ENTRY.conversion_grant) return conversionId(charge, id, entry.accountSeq - 1);
  return id;
}

/** Unlike all ids of callers, and never the same twice. */
function conversionId(charge: string, id: string, accountSeq: number): string {
  return `${charge}/${id}#${accountSeq}`;
}

function lotsJson(lots: readonly number[]): string {
  if (lots.length === 2) return `[[${lots[0]},${lots[1]}]]`;
  const pairs: string[] = [];
  for (let i = 0; i < lots.length; i += 2) pairs.push(`[${lots[i]},${lots[i + 1]}]`);
  return `[${pairs.join(',')}]`;
}

/** The id of the reversal that an operation booked; null for all others. */
export function reversalIdOf(entry: JournalEntry, record: JournalRecord): string | null {
  if (entry.kind !== ENTRY.reversal) return null;
  return operationId(record.batch, entry.operation);
}

/** What became of a renewal that was due; null for a line that says nothing of one. */
export function renewalOutcomeOf({ kind, operation, agent }: JournalEntry): string | null {
  if (operation >= 0 || agent === null || kind === ENTRY.agent_grant) return null;
  return RENEWAL_OUTCOMES[agent.event] ?? null;
}

const RENEWAL_OUTCOMES: Readonly<Record<number, string>> = {
  [AGENT_EVENT.renewed]: 'paid',
  [AGENT_EVENT.unpaid]: 'unpaid',
  [AGENT_EVENT.suspended]: 'suspended',
};
