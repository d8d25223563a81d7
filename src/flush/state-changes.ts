import type { AccountRow, HoldRow, LotExpiry, LotRow, WalletRow } from '../postgres/accounts.js';
import type { SubscriptionRow } from '../postgres/subscriptions.js';
import {
  type AccountState,
  ENTRY,
  type PackedOperation,
  type PackedSubscription,
  pack,
} from '../redis/format.js';
import { readHold } from '../redis/hold-format.js';
import type { AgentEntry, JournalEntry, JournalHold, JournalRecord, PlanEntry } from '../redis/journal.js';
import { expiredBy, isGrant, spentBy } from './ledger-lines.js';
import { sourceName, unitName } from './names.js';

/** How a lot is described that a grant or a conversion made, or, without one, a reversal. */
interface LotOrigin {
  readonly unit: number;
  readonly source: string;
  readonly priority: number;
  readonly expiresMs: number;
  /** Number of the agent whose own it is; absent: the account's. */
  readonly owner?: number;
}

interface TouchedAccount {
  readonly accountId: string;
  readonly partition: number;
  state: AccountState;
  readonly wallets: Map<number, WalletRow>;
  /** Lots whose remaining changed, with what is known of those that may have left the state since. */
  readonly lots: Map<number, LotOrigin>;
  /** Lots whose expiry a call moved, and where to. */
  readonly movedLots: Map<number, number>;
  /** A hold began, grew or ended: any lot of the state may hold more or less than before. */
  heldChanged: boolean;
  /** Null: as it was. */
  subscription: PackedSubscription | null;
}

/** The rows that a flush writes beside the ledger's lines. */
export interface StateRows {
  readonly accounts: readonly AccountRow[];
  readonly wallets: readonly WalletRow[];
  readonly lots: readonly LotRow[];
  readonly movedLots: readonly LotExpiry[];
  readonly holds: readonly HoldRow[];
  readonly ended: readonly { readonly accountKey: number; readonly holdId: string }[];
  readonly subscriptions: readonly SubscriptionRow[];
}

/** What several records leave accounts and holds at: each row once, whatever happened to it between. */
export class StateChanges {
  readonly #accounts = new Map<number, TouchedAccount>();
  readonly #holds = new Map<string, { readonly hold: JournalHold; readonly partition: number }>();
  /** Holds that these records began: Postgres does not know them. */
  readonly #begun = new Set<string>();
  readonly #keys = new Map<string, number>();

  add(record: JournalRecord, partition: number): void {
    const touched: TouchedAccount[] = [];
    for (const [index, state] of record.accounts) {
      touched[index] = this.#touch(record.batch.accountIds[index] as string, partition, state);
    }
    for (const entry of record.entries) addEntry(touched[entry.account] as TouchedAccount, record, entry);
    for (const hold of record.holds) {
      const name = `${hold.accountId} ${hold.holdId}`;
      if (hold.beganSeq >= record.firstSeq) this.#begun.add(name);
      this.#holds.set(name, { hold, partition });
    }
    for (const { accountId, state } of record.subscriptions) {
      const account = this.#accounts.get(this.#keys.get(accountId) as number) as TouchedAccount;
      account.subscription = state;
    }
  }

  #touch(accountId: string, partition: number, state: AccountState): TouchedAccount {
    let account = this.#accounts.get(state.key);
    if (account === undefined) {
      account = {
        accountId,
        partition,
        state,
        wallets: new Map(),
        lots: new Map(),
        movedLots: new Map(),
        heldChanged: false,
        subscription: null,
      };
      this.#accounts.set(state.key, account);
      this.#keys.set(accountId, state.key);
    }
    account.state = state;
    return account;
  }

  /** Rows in the order of their keys, so that no two transactions lock them crosswise. */
  rows(): StateRows {
    const touched = [...this.#accounts.values()].sort((a, b) => a.state.key - b.state.key);
    const holds: HoldRow[] = [];
    const ended: { accountKey: number; holdId: string }[] = [];
    for (const [name, { hold, partition }] of this.#holds) {
      const { accountId, holdId, beganSeq } = hold;
      const accountKey = this.#keys.get(accountId) as number;
      if (beganSeq > 0) holds.push(holdRow({ accountKey, holdId, partition }, hold.packed()));
      else if (!this.#begun.has(name)) ended.push({ accountKey, holdId });
    }
    return {
      accounts: touched.map(accountRow),
      wallets: touched.flatMap(walletRows),
      lots: touched.flatMap(lotRows),
      movedLots: touched.flatMap(({ state, movedLots }) =>
        [...movedLots].map(([lotId, expiresMs]) => ({ accountKey: state.key, lotId, expiresMs })),
      ),
      holds: holds.sort(byHold),
      ended: ended.sort(byHold),
      subscriptions: touched.flatMap(subscriptionRows),
    };
  }
}

function addEntry(account: TouchedAccount, record: JournalRecord, entry: JournalEntry): void {
  const { kind, unit, amount, lots } = entry;
  if (unit === 0) return;
  if (kind === ENTRY.grant) {
    account.lots.set(
      lots[0] as number,
      grantedLot(unit, record.batch.rows[entry.operation] as PackedOperation),
    );
  } else if (kind === ENTRY.conversion_grant) {
    const { lotPriority: priority } = entry;
    account.lots.set(lots[0] as number, { unit, source: 'conversion', priority, expiresMs: 0 });
  } else if (kind === ENTRY.plan_grant || kind === ENTRY.opening_lot) {
    addPlanLots(account, entry, entry.plan as PlanEntry);
  } else if (kind === ENTRY.agent_grant) {
    const { number: owner, priority, toMs: expiresMs } = entry.agent as AgentEntry;
    account.lots.set(lots[0] as number, { unit, source: 'agent_cycle', priority, expiresMs, owner });
  } else {
    for (let i = 0; i < lots.length; i += 2) touchLot(account, lots[i] as number, unit);
  }
  if (kind === ENTRY.expire_lot) account.movedLots.set(lots[0] as number, record.bookedTimeMs);
  account.heldChanged ||= kind >= ENTRY.hold || ENDING_KINDS.has(kind);
  if (kind >= ENTRY.hold) return;
  let wallet = account.wallets.get(unit);
  if (wallet === undefined) {
    wallet = newWallet(account.state.key, unit);
    account.wallets.set(unit, wallet);
  }
  wallet.debt = entry.debtAfter;
  // Sums of a flush may exceed 2^53 where single amounts do not.
  if (isGrant(kind)) wallet.granted += BigInt(amount);
  else if (kind === ENTRY.conversion) wallet.converted += BigInt(amount);
  else if (expiredBy(kind, amount) > 0) wallet.expired += BigInt(amount);
  else wallet.spent += BigInt(spentBy(kind, amount));
}

/** Kinds of lines that end a hold. */
const ENDING_KINDS: ReadonlySet<number> = new Set([
  ENTRY.settle,
  ENTRY.release,
  ENTRY.hold_expired,
  ENTRY.session_expired,
]);

function newWallet(accountKey: number, unit: number): WalletRow {
  return { accountKey, unit: unitName(unit), debt: 0, granted: 0n, spent: 0n, expired: 0n, converted: 0n };
}

function grantedLot(unit: number, operation: PackedOperation): LotOrigin {
  return {
    unit,
    source: sourceName(operation[8] as number),
    priority: operation[9] as number,
    expiresMs: operation[10] as number,
  };
}

/** The lot that a plan or an import brought, and those after it that take its expiry. */
function addPlanLots(account: TouchedAccount, { unit, lots }: JournalEntry, plan: PlanEntry): void {
  const { source, priority, expiresMs } = plan;
  account.lots.set(lots[0] as number, { unit, source: sourceName(source), priority, expiresMs });
  for (let i = 2; i < lots.length; i += 2) {
    touchLot(account, lots[i] as number, unit);
    account.movedLots.set(lots[i] as number, expiresMs);
  }
}

/** A lot that no grant of these records made is in Postgres already, or was made by a reversal: then it is described like this. */
function touchLot(account: TouchedAccount, lotId: number, unit: number): void {
  if (account.lots.has(lotId)) return;
  account.lots.set(lotId, { unit, source: 'correction', priority: 20, expiresMs: 0 });
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

function subscriptionRows({ state, subscription }: TouchedAccount): SubscriptionRow[] {
  if (subscription === null) return [];
  const [, plan, , , period] = subscription;
  return [
    {
      accountKey: state.key,
      plan,
      periodStartMs: period === false ? 0 : period[0],
      periodEndMs: period === false ? 0 : period[1],
      dueMs: state.planDueMs,
      state: pack(subscription),
    },
  ];
}

function walletRows({ wallets }: TouchedAccount): WalletRow[] {
  if (wallets.size === 1) return [...wallets.values()];
  return [...wallets].sort(([a], [b]) => a - b).map(([, wallet]) => wallet);
}

/** Lots that changed; one that left the state has nothing remaining. */
function lotRows({ state, lots, heldChanged }: TouchedAccount): LotRow[] {
  const rows: LotRow[] = [];
  const present = new Set<number>();
  for (const wallet of state.wallets) {
    for (const lot of wallet.lots) {
      present.add(lot.id);
      if (!heldChanged && !lots.has(lot.id)) continue;
      rows.push({
        accountKey: state.key,
        lotId: lot.id,
        unit: unitName(wallet.unit),
        source: sourceName(lot.source),
        priority: lot.priority,
        expiresMs: lot.expiresAtMs,
        remaining: lot.remaining,
        held: lot.held,
        owner: lot.owner,
      });
    }
  }
  for (const [lotId, { unit, source, priority, expiresMs, owner = 0 }] of lots) {
    if (present.has(lotId)) continue;
    rows.push({
      accountKey: state.key,
      lotId,
      unit: unitName(unit),
      source,
      priority,
      expiresMs,
      remaining: 0,
      held: 0,
      owner,
    });
  }
  return rows.sort((a, b) => a.lotId - b.lotId);
}

function holdRow(place: Pick<HoldRow, 'accountKey' | 'holdId' | 'partition'>, packed: Buffer): HoldRow {
  const hold = readHold(packed);
  return {
    ...place,
    agent: hold.agentId,
    meter: hold.meter,
    model: hold.model,
    unit: unitName(hold.unit),
    held: hold.amount,
    startMs: hold.startTimeMs,
    deadlineMs: hold.deadlineMs,
    catalogVersion: hold.catalogVersion,
    state: packed,
  };
}
