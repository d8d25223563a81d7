import type { StatusName } from '../redis/format.js';
import type { CallOptions, Unit } from '../usage/types.js';

/** What the transport hands to the corrections and gets back. Units and times as in src/usage/types.ts. */

/** Why a person or a program decided something; each may be empty. */
export interface Reasoned {
  readonly reasonCode: string;
  readonly reasonText: string;
}

export interface ReverseUsageCall extends Reasoned {
  readonly requestId: string;
  readonly accountId: string;
  /** The kind of ledger line that charged, and its id. */
  readonly charge: { readonly kind: 'usage' | 'settle'; readonly id: string };
  readonly eventTimeMs: number;
}

export interface UsageReversed {
  readonly unit: Unit;
  readonly reversed: number;
  readonly debtPaid: number;
  readonly available: number;
  readonly duplicate: boolean;
}

export interface ExpireLotCall extends Reasoned {
  readonly requestId: string;
  readonly accountId: string;
  readonly lotId: number;
  readonly eventTimeMs: number;
}

export interface LotExpired {
  readonly lotId: number;
  readonly unit: Unit;
  readonly expired: number;
  readonly available: number;
  readonly duplicate: boolean;
}

export type StatusChange = 'freeze' | 'unfreeze' | 'close' | 'reopen';

export interface SetStatusCall extends Reasoned {
  readonly requestId: string;
  readonly accountId: string;
  readonly change: StatusChange;
  readonly eventTimeMs: number;
}

export interface StatusSet {
  readonly accountId: string;
  readonly status: StatusName;
  readonly duplicate: boolean;
}

export interface RerateUsageCall {
  /** Empty: all. */
  readonly accountId: string;
  readonly meter: string;
  readonly model: string;
  /** Of the event's own time; 0: open. */
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  /** How many unrated lines to look at. */
  readonly limit: number;
  /** Empty: from the beginning. */
  readonly cursor: string;
}

/** One line that was charged now. */
export interface RatedCharge {
  readonly meter: string;
  readonly model: string;
  readonly unit: Unit;
  readonly charged: number;
  readonly overdrawn: number;
}

export interface UsageRerated {
  readonly lookedAt: number;
  readonly leftUnrated: number;
  readonly charges: readonly RatedCharge[];
  readonly catalogVersion: number;
  /** Empty: nothing is left to look at. */
  readonly nextCursor: string;
}

/** The corrections and the status of accounts as the transport sees them; rejects with a DrawdownError. */
export interface Corrections {
  reverseUsage(call: ReverseUsageCall, options: CallOptions): Promise<UsageReversed>;
  expireLot(call: ExpireLotCall, options: CallOptions): Promise<LotExpired>;
  setStatus(call: SetStatusCall, options: CallOptions): Promise<StatusSet>;
  rerateUsage(call: RerateUsageCall, options: CallOptions): Promise<UsageRerated>;
}
