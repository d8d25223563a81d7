import type { Report } from './finding.js';
import type { AccountFold, AgentFold, WalletFold } from './fold.js';

/** An account as Postgres stores it beside the ledger. */
export interface StoredAccount {
  readonly accountKey: number;
  /** Null: the person was erased. */
  readonly accountId: string | null;
  readonly partition: number;
  readonly status: number;
  readonly entries: number;
  readonly seq: number;
  readonly changedMs: number;
  readonly lotsMade: number;
  readonly openHolds: number;
  readonly nextDueMs: number;
  readonly wallets: readonly StoredWallet[];
  /** Those with something remaining or held. */
  readonly lots: readonly StoredLot[];
  readonly holds: readonly StoredHold[];
  /** Null: it never had a plan. */
  readonly subscription: StoredSubscription | null;
}

/** A subscription: its columns, and what its packed state says of them. */
export interface StoredSubscription {
  readonly plan: string;
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  readonly dueMs: number;
  /** Null: not readable. */
  readonly state: SubscriptionState | null;
}

export interface SubscriptionState {
  readonly plan: string;
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  /** When its stored period begins, its scheduled change takes effect, or an agent is due; 0: never. */
  readonly dueMs: number;
  /** Those that are not removed. */
  readonly agents: readonly AgentFold[];
  /** All of it, to be compared as one. */
  readonly packed: unknown;
}

export interface StoredWallet {
  readonly unit: string;
  readonly debt: number;
  readonly granted: bigint;
  readonly spent: bigint;
  readonly expired: bigint;
  readonly converted: bigint;
}

export interface StoredLot {
  readonly lotId: number;
  readonly unit: string;
  readonly source: string;
  readonly priority: number;
  /** 0: never. */
  readonly expiresMs: number;
  readonly remaining: number;
  readonly held: number;
  /** Number of the agent whose own it is; 0: the account's. */
  readonly owner: number;
}

/** An open hold: its columns, and what its packed state says of them. */
export interface StoredHold {
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
  /** Null: not readable. */
  readonly state: HoldState | null;
}

export interface HoldState {
  readonly accountKey: number;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly unit: string;
  readonly amount: number;
  readonly startMs: number;
  readonly deadlineMs: number;
  readonly catalogVersion: number;
  /** Of a session: its generation (0: an ordinary hold), what its last checkpoint charges, and the quantities of that. */
  readonly generation: number;
  readonly charge: number;
  readonly details: string;
  /** (lot, amount), flat. */
  readonly parts: readonly number[];
}

const NO_WALLET: WalletFold = {
  remaining: 0,
  debt: 0,
  granted: 0n,
  spent: 0n,
  expired: 0n,
  converted: 0n,
  lots: new Map(),
};

/**
 * Compares what the lines of an account add up to with what Postgres stores of it. Returns by how many micro-credits the
 * balances (remaining less debt) differ.
 */
export function auditAccount(fold: AccountFold, account: StoredAccount, report: Report): bigint {
  const find = (message: string): void =>
    report({
      check: 'balances',
      message,
      accountKey: account.accountKey,
      partition: account.partition,
      accountSeq: account.entries,
      seq: account.seq,
      ...(account.accountId === null ? {} : { account: account.accountId }),
    });
  auditNumbers(fold, account, find);
  auditSubscription(fold, account, find);
  auditHolds(account, find);
  const units = new Set([
    ...fold.wallets.keys(),
    ...account.wallets.map((wallet) => wallet.unit),
    ...account.lots.map((lot) => lot.unit),
  ]);
  let drift = 0n;
  for (const unit of units) {
    const folded = fold.wallets.get(unit);
    const stored = account.wallets.find((wallet) => wallet.unit === unit);
    const lots = account.lots.filter((lot) => lot.unit === unit);
    const difference = auditWallet({ unit, folded, stored, lots }, find);
    if (unit === 'credits') drift += difference;
  }
  return drift;
}

function auditNumbers(fold: AccountFold, account: StoredAccount, find: (message: string) => void): void {
  if (account.entries > fold.last) {
    fold.missing += account.entries - fold.last;
    find(`the ledger ends at line ${fold.last}, the account at ${account.entries}`);
  } else if (account.entries < fold.last) {
    find(`the ledger has ${fold.last} lines, the account ${account.entries}`);
  }
  if (fold.lines > 0 && fold.partition !== account.partition) {
    find(`the lines lie in partition ${fold.partition}, the account in ${account.partition}`);
  }
  if (account.seq < fold.lastSeq) find(`the last line has seq ${fold.lastSeq}, the account ${account.seq}`);
  if (account.lotsMade !== fold.lotsMade) {
    find(`the lines made ${fold.lotsMade} lots, the account says ${account.lotsMade}`);
  }
  if (fold.lines > 0 && account.status !== fold.status)
    find(`the lines leave status ${fold.status}, the account has ${account.status}`);
  const due = nextDueMs(account.lots, account.subscription?.dueMs ?? 0);
  if (due !== account.nextDueMs)
    find(`a lot expires or the plan changes at ${due}, the account says ${account.nextDueMs}`);
}

function auditSubscription(fold: AccountFold, account: StoredAccount, find: (message: string) => void): void {
  const { subscription } = account;
  const { plan = '', periodStartMs = 0, periodEndMs = 0 } = subscription ?? {};
  if (
    fold.lines > 0 &&
    (fold.plan !== plan || fold.periodStartMs !== periodStartMs || fold.periodEndMs !== periodEndMs)
  ) {
    find(
      `the lines leave plan '${fold.plan}', period ${fold.periodStartMs} to ${fold.periodEndMs}; the subscription says '${plan}', ${periodStartMs} to ${periodEndMs}`,
    );
  }
  if (subscription === null) {
    if (fold.agents.size > 0) find(`the lines leave ${fold.agents.size} agents, there is no subscription`);
    return;
  }
  const { state } = subscription;
  if (state !== null && fold.lines > 0) auditAgents(fold, state.agents, find);
  if (state === null) find('its subscription is not readable');
  else if (
    state.plan !== plan ||
    state.periodStartMs !== periodStartMs ||
    state.periodEndMs !== periodEndMs ||
    state.dueMs !== subscription.dueMs
  ) {
    find("the subscription's columns and its state differ");
  }
}

/** Every agent is in the state and in the cycle in which its lines leave it. */
function auditAgents(fold: AccountFold, agents: readonly AgentFold[], find: (message: string) => void): void {
  const text = ({ id, tier, state, fromMs, toMs }: AgentFold): string =>
    `${id} ${tier} ${state} ${fromMs} to ${toMs}`;
  const said = new Set(agents.map(text));
  for (const agent of fold.agents.values()) {
    if (!said.delete(text(agent))) find(`the lines leave agent ${text(agent)}, the subscription does not`);
  }
  for (const agent of said) find(`the subscription has agent ${agent}, the lines do not`);
}

/** When the plan is due or the next lot expires of which something is available; 0: never. */
export function nextDueMs(lots: readonly StoredLot[], planDueMs: number): number {
  let due = planDueMs;
  for (const { expiresMs, remaining, held } of lots) {
    if (expiresMs > 0 && remaining > held && (due === 0 || expiresMs < due)) due = expiresMs;
  }
  return due;
}

function auditWallet(
  wallet: {
    readonly unit: string;
    readonly folded: WalletFold | undefined;
    readonly stored: StoredWallet | undefined;
    readonly lots: readonly StoredLot[];
  },
  find: (message: string) => void,
): bigint {
  const { unit, lots } = wallet;
  const folded = wallet.folded ?? NO_WALLET;
  if (wallet.folded === undefined) find(`a wallet of ${unit} without a line`);
  if (wallet.stored === undefined) find(`the wallet of ${unit} is missing`);
  const stored = wallet.stored ?? { unit, ...NO_WALLET };
  for (const column of ['granted', 'spent', 'expired', 'converted'] as const) {
    if (folded[column] !== stored[column]) {
      find(`${unit}: the lines add up to ${column} ${folded[column]}, the wallet says ${stored[column]}`);
    }
  }
  if (folded.debt !== stored.debt)
    find(`${unit}: debt is ${folded.debt} in the ledger, ${stored.debt} in the wallet`);

  auditLots(unit, folded, lots, find);
  const remaining = lots.reduce((sum, lot) => sum + BigInt(lot.remaining), 0n);
  const held = lots.reduce((sum, lot) => sum + BigInt(lot.held), 0n);
  const used = stored.spent + stored.expired + stored.converted;
  if (stored.granted + BigInt(stored.debt) !== remaining + used) {
    find(
      `${unit}: granted ${stored.granted} + debt ${stored.debt} is not available ${remaining - held} + held ${held} + spent ${stored.spent} + expired ${stored.expired} + converted ${stored.converted}`,
    );
  }
  const balance = folded.granted - folded.spent - folded.expired - folded.converted;
  const difference = balance - (remaining - BigInt(stored.debt));
  return difference < 0n ? -difference : difference;
}

function auditLots(
  unit: string,
  folded: WalletFold,
  lots: readonly StoredLot[],
  find: (message: string) => void,
): void {
  const seen = new Set<number>();
  for (const { lotId, remaining, held } of lots) {
    seen.add(lotId);
    const expected = folded.lots.get(lotId) ?? 0;
    if (remaining !== expected)
      find(`${unit}: lot ${lotId} has ${remaining} remaining, the ledger says ${expected}`);
    if (held < 0 || held > remaining) find(`${unit}: lot ${lotId} holds ${held} of ${remaining}`);
  }
  for (const [lotId, remaining] of folded.lots) {
    if (!seen.has(lotId)) find(`${unit}: lot ${lotId} has nothing remaining, the ledger says ${remaining}`);
  }
}

function auditHolds(account: StoredAccount, find: (message: string) => void): void {
  if (account.openHolds !== account.holds.length) {
    find(`${account.holds.length} open holds, the account says ${account.openHolds}`);
  }
  const held = new Map<number, { amount: number; unit: string }>();
  for (const hold of account.holds) {
    const { state } = hold;
    if (state === null) {
      find(`hold ${hold.holdId}: its state is not readable`);
      continue;
    }
    if (!agrees(hold, state, account)) find(`hold ${hold.holdId}: its columns and its state differ`);
    let sum = 0;
    for (let i = 0; i < state.parts.length; i += 2) {
      const lot = state.parts[i] as number;
      const part = state.parts[i + 1] as number;
      sum += part;
      held.set(lot, { amount: (held.get(lot)?.amount ?? 0) + part, unit: state.unit });
    }
    if (sum !== state.amount) find(`hold ${hold.holdId}: its parts are ${sum}, its amount ${state.amount}`);
  }
  for (const lot of account.lots) {
    const expected = held.get(lot.lotId);
    held.delete(lot.lotId);
    const amount = expected?.amount ?? 0;
    if (amount !== lot.held)
      find(`${lot.unit}: lot ${lot.lotId} holds ${lot.held}, the open holds ${amount}`);
    if (expected !== undefined && expected.unit !== lot.unit) {
      find(`a hold of ${expected.unit} on lot ${lot.lotId} of ${lot.unit}`);
    }
  }
  for (const [lot, { amount }] of held) {
    if (amount > 0) find(`the open holds hold ${amount} of lot ${lot}, which has nothing`);
  }
}

function agrees(hold: StoredHold, state: HoldState, account: StoredAccount): boolean {
  return (
    hold.partition === account.partition &&
    state.accountKey === account.accountKey &&
    hold.agent === state.agent &&
    hold.meter === state.meter &&
    hold.model === state.model &&
    hold.unit === state.unit &&
    hold.held === state.amount &&
    hold.startMs === state.startMs &&
    hold.deadlineMs === state.deadlineMs &&
    hold.catalogVersion === state.catalogVersion
  );
}
