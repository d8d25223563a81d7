import { LOT_SOURCES, type LotSource } from '../credits/types.js';
import type { AccountRow, HoldRow, LotRow, WalletRow } from '../postgres/accounts.js';
import type { EntryRow } from '../postgres/entry-row.js';
import {
  type AccountState,
  ENTRY,
  FLAG,
  OP,
  type PackedHold,
  type PackedOperation,
  pack,
} from '../redis/format.js';
import type { JournalEntry, JournalRecord } from '../redis/journal.js';
import { readDetails } from '../redis/opaque.js';
import { UNITS } from '../usage/types.js';

/** Turns journal records into what a flush writes: pure, no I/O. */

const UNIT_NAMES: Record<number, string> = Object.fromEntries(
  Object.entries(UNITS).map(([name, number]) => [number, name]),
);
const SOURCE_NAMES: Record<number, string> = Object.fromEntries(
  Object.entries(LOT_SOURCES).map(([name, number]) => [number, name]),
);
const KIND_NAMES: Record<number, string> = Object.fromEntries(
  Object.entries(ENTRY).map(([name, number]) => [number, name]),
);
const FLAG_NAMES = Object.keys(FLAG) as (keyof typeof FLAG)[];

/** Lots that a reversal made get these; all others are described by the grant that made them. */
const CORRECTION = { source: 'correction', priority: 20, expiresMs: 0 };

/** Kinds of entries that end a hold, where there is one. */
const HOLD_ENDINGS = new Set<number>([ENTRY.settle, ENTRY.release, ENTRY.hold_expired]);

export function unitName(unit: number): string {
  return UNIT_NAMES[unit] ?? '';
}

export function flagNames(flags: number): string {
  if (flags === 0) return '';
  return FLAG_NAMES.filter((name) => (flags & FLAG[name]) !== 0).join(',');
}

/** yyyymm, UTC. */
export function monthOf(timeMs: number): number {
  const time = new Date(timeMs);
  return time.getUTCFullYear() * 100 + time.getUTCMonth() + 1;
}

/** A line of the ledger and the entry that it comes from. */
export interface Line {
  readonly entry: JournalEntry;
  readonly accountId: string;
  readonly row: EntryRow;
}

/** The ledger lines of a record, in order of seq. */
export function linesOf(record: JournalRecord, partition: number): Line[] {
  const lines: Line[] = [];
  for (const entry of record.entries) {
    if (entry.kind >= ENTRY.hold) continue;
    lines.push({
      entry,
      accountId: record.accountIds[entry.account] as string,
      row: rowOf(record, entry, partition),
    });
  }
  return lines;
}

function rowOf(record: JournalRecord, entry: JournalEntry, partition: number): EntryRow {
  const operation = entry.operation < 0 ? undefined : record.operations[entry.operation];
  const details = entry.operation < 0 ? null : readDetails(record.opaque, entry.operation);
  const account = record.accounts.get(entry.account) as AccountState;
  const eventTimeMs = operation === undefined ? record.bookedTimeMs : (operation[4] as number);
  return {
    accountKey: account.key,
    accountSeq: entry.accountSeq,
    partition,
    epoch: record.epoch,
    seq: entry.seq,
    kind: KIND_NAMES[entry.kind] as string,
    id: idOf(entry, operation),
    payloadHash: operation === undefined ? 0 : (operation[3] as number),
    eventMonth: monthOf(eventTimeMs),
    eventTimeMs,
    bookedTimeMs: record.bookedTimeMs,
    agent: details?.agentId ?? entry.hold?.agent ?? '',
    meter: details?.meter ?? entry.hold?.meter ?? '',
    model: details?.model ?? entry.hold?.model ?? '',
    quantities: details === null ? '{}' : quantitiesJson(details.quantities),
    catalogVersion: details?.catalogVersion ?? entry.hold?.catalogVersion ?? 0,
    unit: unitName(entry.unit),
    ...amountsOf(entry),
    debt: entry.debt,
    released: entry.released,
    lots: lotsJson(entry.lots),
    remainingAfter: entry.remainingAfter,
    heldAfter: entry.heldAfter,
    debtAfter: entry.debtAfter,
    flags: flagNames(entry.flags),
  };
}

/** The caller's id; for what nobody called for, one made from its cause and its number within the account. */
function idOf(entry: JournalEntry, operation: PackedOperation | undefined): string {
  if (entry.hold !== null) return entry.hold.holdId;
  if (entry.kind === ENTRY.lot_expired) return `lot/${entry.lots[0]}/${entry.accountSeq}`;
  if (operation === undefined)
    throw new Error(`entry ${entry.seq} of kind ${entry.kind} without an operation`);
  return operation[2] as string;
}

function amountsOf({
  kind,
  amount,
}: JournalEntry): Pick<EntryRow, 'granted' | 'spent' | 'expired' | 'converted'> {
  const none = { granted: 0, spent: 0, expired: 0, converted: 0 };
  switch (kind) {
    case ENTRY.grant:
      return { ...none, granted: amount };
    case ENTRY.lot_expired:
      return { ...none, expired: amount };
    case ENTRY.reversal:
      return { ...none, spent: -amount };
    default:
      return { ...none, spent: amount };
  }
}

// Names of quantities come from the catalog (a-z 0-9 _), so they need no escaping.
function quantitiesJson(quantities: readonly (readonly [string, number])[]): string {
  let json = '';
  for (const [name, count] of quantities) json += `${json === '' ? '' : ','}"${name}":${count}`;
  return `{${json}}`;
}

function lotsJson(lots: readonly number[]): string {
  if (lots.length === 2) return `[[${lots[0]},${lots[1]}]]`;
  const pairs: string[] = [];
  for (let i = 0; i < lots.length; i += 2) pairs.push(`[${lots[i]},${lots[i + 1]}]`);
  return `[${pairs.join(',')}]`;
}

interface TouchedAccount {
  readonly accountId: string;
  readonly partition: number;
  state: AccountState;
  readonly wallets: Map<number, WalletRow>;
  /** Lots that changed, with what is known of those that may have left the state since. */
  readonly lots: Map<number, { unit: number; source: string; priority: number; expiresMs: number }>;
}

/** What several records leave accounts and holds at: each row once, whatever happened to it between. */
export class StateChanges {
  readonly #accounts = new Map<number, TouchedAccount>();
  readonly #holds = new Map<
    string,
    { accountId: string; holdId: string; partition: number; state: PackedHold | null }
  >();
  readonly #keys = new Map<string, number>();

  add(record: JournalRecord, partition: number): void {
    for (const [index, state] of record.accounts) {
      const accountId = record.accountIds[index] as string;
      this.#keys.set(accountId, state.key);
      const touched = this.#accounts.get(state.key);
      if (touched === undefined) {
        this.#accounts.set(state.key, { accountId, partition, state, wallets: new Map(), lots: new Map() });
      } else {
        touched.state = state;
      }
    }
    for (const entry of record.entries) this.#addEntry(record, entry);
    for (const hold of record.holds) {
      this.#holds.set(`${hold.accountId} ${hold.holdId}`, { ...hold, partition });
      if (hold.state !== null) this.#touchLots(hold.accountId, hold.state[16], hold.state[1]);
    }
  }

  #addEntry(record: JournalRecord, entry: JournalEntry): void {
    if (entry.unit === 0) return;
    const account = this.#accounts.get(
      (record.accounts.get(entry.account) as AccountState).key,
    ) as TouchedAccount;
    for (let i = 0; i < entry.lots.length; i += 2) {
      const lot = entry.lots[i] as number;
      if (!account.lots.has(lot)) account.lots.set(lot, { unit: entry.unit, ...CORRECTION });
    }
    if (entry.kind === ENTRY.grant) {
      const operation = record.operations[entry.operation] as PackedOperation;
      account.lots.set(entry.lots[0] as number, {
        unit: entry.unit,
        source: SOURCE_NAMES[operation[8] as number] as string,
        priority: operation[9] as number,
        expiresMs: operation[10] as number,
      });
    }
    if (entry.kind >= ENTRY.hold) return;
    if (HOLD_ENDINGS.has(entry.kind)) this.#touchWallet(account, entry.unit);
    let wallet = account.wallets.get(entry.unit);
    if (wallet === undefined) {
      wallet = {
        accountKey: account.state.key,
        unit: unitName(entry.unit),
        debt: 0,
        granted: 0,
        spent: 0,
        expired: 0,
        converted: 0,
      };
      account.wallets.set(entry.unit, wallet);
    }
    const amounts = amountsOf(entry);
    wallet.debt = entry.debtAfter;
    wallet.granted += amounts.granted;
    wallet.spent += amounts.spent;
    wallet.expired += amounts.expired;
    wallet.converted += amounts.converted;
  }

  /** A hold that ended gave its parts back, also to lots of which it drew nothing; which ones, only the hold knew. */
  #touchWallet(account: TouchedAccount, unit: number): void {
    for (const wallet of account.state.wallets) {
      if (wallet.unit !== unit) continue;
      for (const lot of wallet.lots) {
        if (!account.lots.has(lot.id)) account.lots.set(lot.id, { unit, ...CORRECTION });
      }
    }
  }

  /** A hold that was made or extended changed what its lots hold. */
  #touchLots(accountId: string, parts: readonly number[], unit: number): void {
    const account = this.#accounts.get(this.#keys.get(accountId) as number) as TouchedAccount;
    for (let i = 0; i < parts.length; i += 2) {
      const lot = parts[i] as number;
      if (!account.lots.has(lot)) account.lots.set(lot, { unit, ...CORRECTION });
    }
  }

  /** Rows in the order of their keys, so that no two transactions lock them crosswise. */
  rows(): {
    accounts: AccountRow[];
    wallets: WalletRow[];
    lots: LotRow[];
    holds: HoldRow[];
    ended: { accountKey: number; holdId: string }[];
  } {
    const touched = [...this.#accounts.values()].sort((a, b) => a.state.key - b.state.key);
    const holds: HoldRow[] = [];
    const ended: { accountKey: number; holdId: string }[] = [];
    for (const { accountId, holdId, partition, state } of this.#holds.values()) {
      const accountKey = this.#keys.get(accountId) as number;
      if (state === null) ended.push({ accountKey, holdId });
      else holds.push(holdRow(accountKey, holdId, partition, state));
    }
    return {
      accounts: touched.map(accountRow),
      wallets: touched.flatMap((account) =>
        [...account.wallets].sort(([a], [b]) => a - b).map(([, wallet]) => wallet),
      ),
      lots: touched.flatMap(lotRows),
      holds: holds.sort(byHold),
      ended: ended.sort(byHold),
    };
  }
}

function byHold(
  a: { accountKey: number; holdId: string },
  b: { accountKey: number; holdId: string },
): number {
  return a.accountKey - b.accountKey || (a.holdId < b.holdId ? -1 : 1);
}

function accountRow({ accountId, partition, state }: TouchedAccount): AccountRow {
  return {
    accountKey: state.key,
    accountId,
    partition,
    status: state.status,
    entries: state.entries,
    seq: state.seq,
    changedMs: state.changedAtMs,
    lotsMade: state.lotsMade,
    openHolds: state.openHolds,
    nextDueMs: state.dueAtMs,
  };
}

/** Lots that changed; one that left the state has nothing remaining. */
function lotRows({ state, lots }: TouchedAccount): LotRow[] {
  const current = new Map(
    state.wallets.flatMap((wallet) => wallet.lots.map((lot) => [lot.id, lot] as const)),
  );
  return [...lots]
    .sort(([a], [b]) => a - b)
    .map(([lotId, { unit, source, priority, expiresMs }]) => {
      const lot = current.get(lotId);
      const shared = { accountKey: state.key, lotId, unit: unitName(unit) };
      if (lot === undefined) return { ...shared, source, priority, expiresMs, remaining: 0, held: 0 };
      return {
        ...shared,
        source: SOURCE_NAMES[lot.source] as LotSource,
        priority: lot.priority,
        expiresMs: lot.expiresAtMs,
        remaining: lot.remaining,
        held: lot.held,
      };
    });
}

function holdRow(accountKey: number, holdId: string, partition: number, state: PackedHold): HoldRow {
  return {
    accountKey,
    holdId,
    partition,
    agent: state[12],
    meter: state[13],
    model: state[14],
    unit: unitName(state[1]),
    held: state[2],
    startMs: state[11],
    deadlineMs: state[3],
    catalogVersion: state[4],
    state: pack(state),
  };
}

/** The reversal of a usage or settle that Postgres had already under the same id. */
export function reversalIdOf(operation: PackedOperation): string | null {
  return operation[0] === OP.reverse ? (operation[2] as string) : null;
}
