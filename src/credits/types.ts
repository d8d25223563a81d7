import type { PrioritySource } from '../catalog/catalog.js';
import type { AgentEventName, PlanEventName, StatusName } from '../redis/format.js';
import type { CallOptions, Quantities, Unit, WalletBalance } from '../usage/types.js';
import type { PlanView } from './plan-types.js';

/** What the transport hands to the control plane and gets back. Units and times as in src/usage/types.ts. */

export interface CreateAccountCall {
  readonly requestId: string;
  readonly accountId: string;
  /** Empty: none. */
  readonly plan: string;
  /** Null: it begins here. */
  readonly imported: AccountImport | null;
  readonly eventTimeMs: number;
}

/** What an account brings from elsewhere. */
export interface AccountImport {
  readonly lots: readonly {
    readonly unit: Unit;
    readonly amount: number;
    readonly source: PrioritySource;
    /** 0: never. */
    readonly expiresAtMs: number;
  }[];
  /** The period that runs; 0: none does. */
  readonly periodStartTimeMs: number;
  readonly periodEndTimeMs: number;
}

export interface AccountCreated {
  readonly accountId: string;
  readonly createdTimeMs: number;
  readonly duplicate: boolean;
}

export interface TopUpCall {
  readonly requestId: string;
  readonly accountId: string;
  readonly unit: Unit;
  readonly amount: number;
  /** 0: never. */
  readonly expiresAtMs: number;
  readonly eventTimeMs: number;
}

export interface ToppedUp {
  readonly lotId: number;
  readonly unit: Unit;
  readonly granted: number;
  readonly debtPaid: number;
  readonly available: number;
  readonly duplicate: boolean;
}

export interface AccountBalance {
  readonly accountId: string;
  readonly status: StatusName;
  readonly balances: readonly WalletBalance[];
  readonly openHolds: number;
  readonly plan: PlanView;
  readonly agentCredits: readonly AgentCredits[];
}

/** Micro-credits that are an agent's own. */
export interface AgentCredits {
  readonly agentId: string;
  readonly available: number;
  readonly held: number;
}

/** Numbers as in the proto's LotSource. */
export const LOT_SOURCES = {
  free: 1,
  plan: 2,
  top_up: 3,
  conversion: 4,
  agent_cycle: 5,
  correction: 6,
} as const;
export type LotSource = keyof typeof LOT_SOURCES;

export interface LotView {
  readonly lotId: number;
  readonly unit: Unit;
  readonly source: LotSource;
  readonly priority: number;
  readonly expiresAtMs: number;
  readonly remaining: number;
  readonly held: number;
  /** The agent whose own it is; empty: the account's. */
  readonly agentId: string;
}

export interface HoldView {
  readonly holdId: string;
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly unit: Unit;
  readonly held: number;
  readonly startTimeMs: number;
  readonly deadlineMs: number;
  readonly catalogVersion: number;
}

/** The names of the proto's EntryKind in lower case; what `entries.kind` holds in Postgres. */
export const ENTRY_KINDS = [
  'account_created',
  'grant',
  'usage',
  'settle',
  'release',
  'hold_expired',
  'lot_expired',
  'duplicate',
  'reversal',
  'rerate',
  'expire_lot',
  'account_status',
  'conversion',
  'conversion_grant',
  'plan_grant',
  'plan_change',
  'opening_lot',
  'agent_unlock',
  'agent_renewal',
  'agent_grant',
  'agent_status',
  'session_expired',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

export interface LedgerLine {
  readonly accountSeq: number;
  readonly kind: EntryKind;
  readonly id: string;
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Quantities;
  readonly catalogVersion: number;
  readonly unit: Unit | 0;
  readonly granted: number;
  readonly spent: number;
  readonly expired: number;
  readonly converted: number;
  readonly debt: number;
  readonly lots: readonly { readonly lotId: number; readonly remainingDelta: number }[];
  readonly balanceAfter: WalletBalance | null;
  readonly flags: readonly string[];
  /** The charge (kind/id) that the line corrects, and why; empty for most. */
  readonly corrects: string;
  readonly reasonCode: string;
  readonly reasonText: string;
  /** What the line made of the account; null for all that changed nothing of it. */
  readonly status: StatusName | null;
  /** What the line says of the account's plan; times of 0 are open. */
  readonly plan: string;
  readonly planEvent: PlanEventName | null;
  readonly planFromTimeMs: number;
  readonly planToTimeMs: number;
  /** What the line says of its agent, and the cycle that the agent is in. */
  readonly agentEvent: AgentEventName | null;
  readonly agentTier: string;
  readonly agentFromTimeMs: number;
  readonly agentToTimeMs: number;
  readonly eventTimeMs: number;
  readonly bookedTimeMs: number;
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
}

export interface LedgerQuery {
  readonly accountId: string;
  readonly order: 'newest_first' | 'oldest_first';
  /** Booked time; 0: open. */
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  /** Empty: all. */
  readonly kinds: readonly EntryKind[];
  /** Empty: all. */
  readonly agentId: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** The control plane as the transport sees it; rejects with a DrawdownError (ACCOUNT_UNKNOWN, ACCOUNT_EXISTS, ID_CONFLICT, ...). */
export interface Accounts {
  create(call: CreateAccountCall, options: CallOptions): Promise<AccountCreated>;
  topUp(call: TopUpCall, options: CallOptions): Promise<ToppedUp>;
  balance(accountId: string, options: CallOptions): Promise<AccountBalance>;
  lots(
    query: { accountId: string; includeEmpty: boolean; pageSize: number; pageToken: string },
    options: CallOptions,
  ): Promise<Page<LotView>>;
  holds(
    query: { accountId: string; pageSize: number; pageToken: string },
    options: CallOptions,
  ): Promise<Page<HoldView>>;
  ledger(query: LedgerQuery, options: CallOptions): Promise<Page<LedgerLine>>;
}
