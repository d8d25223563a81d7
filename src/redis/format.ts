import { Packr } from 'msgpackr';
import { type BinaryReader, BinaryWriter } from './binary.js';

/**
 * The formats that scripts, journal and TypeScript share: the numbers, positions and layouts of lua/includes/formats.lua.
 * A test holds both files together. Whoever changes one raises FORMAT.
 */

export const FORMAT = 1;

export const OP = {
  usage: 1,
  reserve: 2,
  extend: 3,
  settle: 4,
  release: 5,
  expireHold: 6,
  touch: 7,
  create: 8,
  grant: 9,
  reverse: 10,
  lookup: 11,
  rerate: 12,
  expireLot: 13,
  setStatus: 14,
  convert: 15,
  startPeriod: 18,
  changePlan: 19,
  withdrawChange: 20,
  show: 21,
  unlockAgent: 22,
  activateAgent: 23,
  suspendAgent: 24,
  removeAgent: 25,
  openSession: 26,
  checkpoint: 27,
} as const;

/** How a pair (unit, amount) carries the terms of an automatic conversion: lua/includes/formats.lua says it. */
export const CONVERSION_PRIORITIES = 2 ** 20;

export const CODE = {
  miss: 0,
  ok: 1,
  duplicate: 2,
  conflict: 3,
  denied: 4,
  check: 5,
  reprice: 6,
  limit: 7,
  none: 8,
  stale: 9,
  /** More is due of the account than one call does: the operation is sent again. */
  behind: 10,
  /** The account contradicts its subscription: nothing was done. */
  broken: 11,
  /** What the session of the operation ended with. */
  ended: 12,
  /** A session was opened the short way. */
  opened: 13,
} as const;

export const REASON = {
  insufficientBalance: 1,
  accountFrozen: 3,
  accountClosed: 4,
  agentSuspended: 5,
  modelUnrated: 6,
  holdEnded: 8,
  holdUnknown: 9,
  eventTooOld: 10,
  fieldInvalid: 12,
  amountOutOfRange: 13,
  lotsMax: 15,
  agentsMax: 16,
  accountExists: 100,
  accountActive: 101,
  alreadyReversed: 102,
  lotUnknown: 103,
  lotEnded: 104,
  periodOverlaps: 110,
  periodEnded: 111,
  periodStored: 112,
  planUnchanged: 113,
  nothingScheduled: 114,
  agentUnknown: 120,
  agentExists: 121,
  agentActive: 122,
} as const;

export const STATE = {
  recorded: 1,
  held: 2,
  settled: 3,
  released: 4,
  expired: 5,
  extended: 6,
  created: 7,
  granted: 8,
  reversed: 9,
  rerated: 10,
  lotExpired: 11,
  statusSet: 12,
  converted: 13,
  periodStarted: 15,
  periodStored: 16,
  planChanged: 17,
  planScheduled: 18,
  planWithdrawn: 19,
  /** Usage that one lot paid in full: its outcome is short, and is read as `recorded`. */
  paid: 20,
  agentUnlocked: 21,
  agentActivated: 22,
  agentSuspended: 23,
  agentRemoved: 24,
} as const;

/** Kinds of journal entries; those from `hold` on are numbered but are no lines of the ledger. */
export const ENTRY = {
  account_created: 1,
  grant: 2,
  usage: 3,
  settle: 4,
  release: 5,
  hold_expired: 6,
  lot_expired: 7,
  duplicate: 8,
  reversal: 9,
  rerate: 10,
  expire_lot: 11,
  account_status: 12,
  /** Credits that left their wallet for an allowance, and what they bought there. */
  conversion: 13,
  conversion_grant: 14,
  plan_grant: 15,
  plan_change: 16,
  opening_lot: 17,
  agent_unlock: 18,
  /** A run of usage that one lot each paid in full, and before it from what each of its accounts counts on; they are read as `usage`. */
  paid: 19,
  paid_from: 23,
  agent_renewal: 20,
  /** An agent's own credits of a cycle. */
  agent_grant: 21,
  agent_status: 22,
  session_expired: 24,
  /** A settle that one lot without debt paid; it is read as `settle`. */
  settle_paid: 25,
  hold: 100,
  extend: 101,
  checkpoint: 102,
} as const;

/** What an entry of kind plan_change says of the plan. */
export const PLAN_EVENT = { changed: 1, scheduled: 2, period_stored: 3, withdrawn: 4 } as const;
export type PlanEventName = keyof typeof PLAN_EVENT;

/** What an entry says of an agent. */
export const AGENT_EVENT = {
  unlocked: 1,
  activated: 2,
  renewed: 3,
  unpaid: 4,
  suspended: 5,
  removed: 6,
} as const;
export type AgentEventName = keyof typeof AGENT_EVENT;

export const AGENT_STATE = { active: 1, suspended: 2, removed: 3 } as const;
export type AgentStateName = keyof typeof AGENT_STATE;

export const FLAG = {
  overdrawn: 1,
  unrated: 2,
  late: 4,
  hold_unknown: 8,
  over_hold: 16,
  conflict: 32,
  frozen: 64,
  closed: 128,
  /** Credits were converted for it, or had been held for that. */
  converted: 256,
  /** Finished usage of an agent that was suspended or removed. */
  agent_suspended: 512,
  /** Of a settle: what the session was not charged when it ended by its deadline. */
  difference: 1024,
} as const;

export const STATUS = { active: 1, frozen: 2, closed: 3 } as const;
export type StatusName = keyof typeof STATUS;

/** What the id of an operation that changed state is remembered with. */
export interface StoredOutcome {
  readonly hash: number;
  readonly seq: number;
  readonly state: number;
  readonly unit: number;
  readonly amount: number;
  readonly overdrawn: number;
  readonly available: number;
  readonly flags: number;
  /** By state: deadline (held, extended), released (settled, released, expired), time (created, scheduled, stored), end of the cycle (agents), lot (granted, converted, period started). */
  readonly extra: number;
  readonly catalogVersion: number;
  /** Micro-credits that were converted; there where the flag `converted` is. */
  readonly converted: number;
  /** Of an agent: when its cycle began; 0 for all others. */
  readonly cycleStartMs: number;
}

export interface Denial {
  readonly reason: number;
  readonly unit: number;
  readonly available: number;
  readonly missing: number;
}

export interface Lot {
  readonly id: number;
  readonly source: number;
  readonly priority: number;
  /** 0: never. */
  readonly expiresAtMs: number;
  readonly remaining: number;
  readonly held: number;
  /** Number of the agent whose own it is; 0: the account's. */
  readonly owner: number;
}

export interface Wallet {
  readonly unit: number;
  readonly debt: number;
  readonly lots: readonly Lot[];
}

/** An account as Redis keeps it. */
export interface AccountState {
  readonly key: number;
  readonly status: number;
  /** Ledger lines so far; the number of the last one. */
  readonly entries: number;
  /** Seq of the last change in the partition. */
  readonly seq: number;
  readonly changedAtMs: number;
  readonly lotsMade: number;
  readonly openHolds: number;
  /** When its subscription is due; 0: never. */
  readonly planDueMs: number;
  /** Has it agents that are not active or do not simply draw on it? */
  readonly special: boolean;
  /** When it is due: its subscription, or the next lot that expires; 0: never. */
  readonly dueAtMs: number;
  readonly wallets: readonly Wallet[];
  /** What scripts go by that do not look at the lots (when it is due, its flags, the sums of its wallets) follows from them. */
  readonly isConsistent: boolean;
}

/** An account to be packed: the rest follows from it. */
export type NewAccountState = Omit<AccountState, 'dueAtMs' | 'isConsistent'>;

/** A billing period as a subscription has it; what follows `keeps` is there once it has begun. */
export type PackedPeriod = [
  startMs: number,
  endMs: number,
  plan: string,
  rank: number,
  agentsMax: number,
  creditsMicros: number,
  priority: number,
  keeps: number,
  lot?: number,
  granted?: number,
  debtPaid?: number,
];

/** The plan that an account changes to when its period ends. */
export type PackedChange = [
  plan: string,
  rank: number,
  agentsMax: number,
  freeCreditsMicros: number,
  priority: number,
];

/** An agent as a subscription has it: lua/includes/formats.lua says what each place means. */
export type PackedAgent = [
  number: number,
  id: string,
  state: number,
  tier: string,
  calendar: number,
  count: number,
  renewalMicros: number,
  ownMicros: number,
  priority: number,
  draws: number,
  graceMs: number,
  anchorMs: number,
  cycles: number,
  startMs: number,
  endMs: number,
  dueMs: number,
];

/** Whether the cycles of an agent count days or months. */
export const CYCLE = { day: 1, month: 2 } as const;

/** A subscription as Redis keeps it in the hash of agents: a msgpack array, which Postgres stores unchanged. */
export type PackedSubscription = [
  format: number,
  plan: string,
  rank: number,
  agentsMax: number,
  period: PackedPeriod | false,
  freeGranted: number,
  next: PackedPeriod | false,
  change: PackedChange | false,
  agentsMade: number,
  agents: PackedAgent[],
];

/** One operation as the script reads it: kind, account index (set when the batch is built), id, hash, time, checked, ... */
export type PackedOperation = (number | string)[];

// Arrays only: records would be unreadable for cmsgpack. Lua's numbers are doubles, so a 64-bit integer is a number here too.
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

export function pack(value: unknown): Buffer {
  return packr.pack(value);
}

export function unpack<T>(data: Buffer): T {
  return packr.unpack(data) as T;
}

/** Unpacks values that were packed one after the other. */
export function unpackAll<T>(data: Buffer): T[] {
  if (data.length === 0) return [];
  return packr.unpackMultiple(data) as T[];
}

export function readOutcome(reader: BinaryReader): StoredOutcome {
  const hash = reader.u48();
  const seq = reader.u56();
  const state = reader.u8();
  const unit = reader.u8();
  const amount = reader.u56();
  if (state === STATE.paid) return paidOutcome(hash, seq, unit, amount, reader.u56());
  const overdrawn = reader.u56();
  const available = reader.u56();
  const flags = reader.u16();
  const extra = reader.u56();
  const catalogVersion = reader.u32();
  const hasConverted = (flags & FLAG.converted) !== 0;
  const ofAgent = isOfAgent(state);
  return {
    hash,
    seq,
    state,
    unit,
    amount,
    overdrawn,
    available,
    flags,
    extra,
    catalogVersion,
    converted: hasConverted ? reader.u56() : 0,
    cycleStartMs: ofAgent ? reader.u56() : 0,
  };
}

function isOfAgent(state: number): boolean {
  return state >= STATE.agentUnlocked && state <= STATE.agentRemoved;
}

function paidOutcome(
  hash: number,
  seq: number,
  unit: number,
  amount: number,
  available: number,
): StoredOutcome {
  return {
    hash,
    seq,
    state: STATE.recorded,
    unit,
    amount,
    overdrawn: 0,
    available,
    flags: 0,
    extra: 0,
    catalogVersion: 0,
    converted: 0,
    cycleStartMs: 0,
  };
}

export function writeOutcome(outcome: StoredOutcome): Buffer {
  const writer = new BinaryWriter(49);
  writer.u48(outcome.hash);
  writer.u56(outcome.seq);
  writer.u8(outcome.state);
  writer.u8(outcome.unit);
  writer.u56(outcome.amount);
  writer.u56(outcome.overdrawn);
  writer.u56(outcome.available);
  writer.u16(outcome.flags);
  writer.u56(outcome.extra);
  writer.u32(outcome.catalogVersion);
  if ((outcome.flags & FLAG.converted) !== 0) writer.u56(outcome.converted);
  if (isOfAgent(outcome.state)) writer.u56(outcome.cycleStartMs);
  return writer.take();
}

export function readDenial(reader: BinaryReader): Denial {
  return { reason: reader.u8(), unit: reader.u8(), available: reader.u56(), missing: reader.u56() };
}

/** Added to the count of wallets where an account has special agents, and where some agent must be looked at (special, or with lots of its own). */
const WALLETS_SPECIAL = 128;
const WALLETS_NOTED = 64;
/** The source of lots that are an agent's own. */
const AGENT_CYCLE = 5;

/** Must work for an agent be looked at: is it not active, or does it not simply draw on the account? */
export function isSpecial(agent: PackedAgent): boolean {
  return agent[2] !== AGENT_STATE.active || agent[9] === 0 || agent[7] > 0;
}

/** When a subscription is due; 0: never. */
export function subscriptionDueMs([, , , , period, , next, change, , agents]: PackedSubscription): number {
  const dues = agents.map((agent) => agent[15]);
  if (next !== false) dues.push(next[0]);
  if (change !== false && period !== false) dues.push(period[1]);
  return dues.reduce((soonest, due) => (due > 0 && (soonest === 0 || due < soonest) ? due : soonest), 0);
}

/** Throws on a format that this version does not know. */
export function readAccount(reader: BinaryReader): AccountState {
  const format = reader.u8();
  if (format !== FORMAT) throw new Error(`account state of format ${format}`);
  const seq = reader.u56();
  const changedAtMs = reader.u56();
  const entries = reader.u56();
  const openHolds = reader.u32();
  const key = reader.u56();
  const lotsMade = reader.u32();
  const planDueMs = reader.u56();
  const packedDueMs = reader.u56();
  const status = reader.u8();
  const count = reader.u8();
  const special = count >= WALLETS_SPECIAL;
  const wallets: Wallet[] = [];
  let isConsistent = true;
  for (let walletsLeft = count % WALLETS_NOTED; walletsLeft > 0; walletsLeft--) {
    const unit = reader.u8();
    const debt = reader.u56();
    const restRemaining = reader.u56();
    const restHeld = reader.u56();
    const lots: Lot[] = [];
    for (let lotsLeft = reader.u16(); lotsLeft > 0; lotsLeft--) lots.push(readLot(reader));
    const rest = sumOfRest(lots);
    isConsistent &&= rest.remaining === restRemaining && rest.held === restHeld;
    wallets.push({ unit, debt, lots });
  }
  const dueAtMs = soonestDue(planDueMs, wallets);
  isConsistent &&= dueAtMs === packedDueMs && count === flaggedCount(wallets, special);
  return {
    key,
    status,
    entries,
    seq,
    changedAtMs,
    lotsMade,
    openHolds,
    planDueMs,
    special,
    dueAtMs,
    wallets,
    isConsistent,
  };
}

/** Of all lots but the first. */
function sumOfRest(lots: readonly Lot[]): Pick<Lot, 'remaining' | 'held'> {
  let remaining = 0;
  let held = 0;
  for (let i = 1; i < lots.length; i++) {
    remaining += (lots[i] as Lot).remaining;
    held += (lots[i] as Lot).held;
  }
  return { remaining, held };
}

/** When an account is due: its subscription, or the soonest expiry of a lot of which something could still expire; 0: never. */
function soonestDue(planDueMs: number, wallets: readonly Wallet[]): number {
  let due = planDueMs;
  for (const { lots } of wallets) {
    for (const { expiresAtMs, remaining, held } of lots)
      if (expiresAtMs > 0 && remaining > held && (due === 0 || expiresAtMs < due)) due = expiresAtMs;
  }
  return due;
}

/** The count of wallets, with what is added to it. */
function flaggedCount(wallets: readonly Wallet[], special: boolean): number {
  const hasOwn = wallets.some(({ lots }) => lots.some(({ owner }) => owner > 0));
  return wallets.length + (special ? WALLETS_SPECIAL : 0) + (special || hasOwn ? WALLETS_NOTED : 0);
}

function readLot(reader: BinaryReader): Lot {
  const id = reader.u32();
  const source = reader.u8();
  return {
    id,
    source,
    priority: reader.u32(),
    expiresAtMs: reader.u56(),
    remaining: reader.u56(),
    held: reader.u56(),
    owner: source === AGENT_CYCLE ? reader.u32() : 0,
  };
}

export function writeAccount(state: NewAccountState): Buffer {
  const writer = new BinaryWriter(64);
  writer.u8(FORMAT);
  writer.u56(state.seq);
  writer.u56(state.changedAtMs);
  writer.u56(state.entries);
  writer.u32(state.openHolds);
  writer.u56(state.key);
  writer.u32(state.lotsMade);
  writer.u56(state.planDueMs);
  writer.u56(soonestDue(state.planDueMs, state.wallets));
  writer.u8(state.status);
  writer.u8(flaggedCount(state.wallets, state.special));
  for (const wallet of state.wallets) {
    const rest = sumOfRest(wallet.lots);
    writer.u8(wallet.unit);
    writer.u56(wallet.debt);
    writer.u56(rest.remaining);
    writer.u56(rest.held);
    writer.u16(wallet.lots.length);
    for (const lot of wallet.lots) {
      writer.u32(lot.id);
      writer.u8(lot.source);
      writer.u32(lot.priority);
      writer.u56(lot.expiresAtMs);
      writer.u56(lot.remaining);
      writer.u56(lot.held);
      if (lot.source === AGENT_CYCLE) writer.u32(lot.owner);
    }
  }
  return writer.take();
}
