import type { CallOptions } from '../usage/types.js';

/** What the transport hands to the plans of accounts and gets back. Units and times as in src/usage/types.ts. */

export interface Period {
  readonly plan: string;
  readonly startTimeMs: number;
  readonly endTimeMs: number;
}

/** The plan of an account, and what is to come of it. */
export interface PlanView {
  /** Empty: none. */
  readonly plan: string;
  /** The one that runs; null: none does. */
  readonly period: Period | null;
  readonly nextPeriod: Period | null;
  readonly scheduledChange: { readonly plan: string; readonly effectiveTimeMs: number } | null;
}

export interface StartPeriodCall {
  readonly requestId: string;
  readonly accountId: string;
  readonly plan: string;
  readonly startTimeMs: number;
  readonly endTimeMs: number;
  readonly eventTimeMs: number;
}

export interface ChangePlanCall {
  readonly requestId: string;
  readonly accountId: string;
  readonly plan: string;
  /** 0: not given. */
  readonly periodEndTimeMs: number;
  readonly eventTimeMs: number;
}

export interface CancelChangeCall {
  readonly requestId: string;
  readonly accountId: string;
  readonly eventTimeMs: number;
}

/** Amounts are micro-credits. */
export interface PlanResult {
  readonly accountId: string;
  readonly outcome: 'period_started' | 'period_stored' | 'changed' | 'scheduled';
  /** When it takes effect, where that is later; 0: now. */
  readonly effectiveTimeMs: number;
  readonly granted: number;
  readonly debtPaid: number;
  /** 0: none. */
  readonly lotId: number;
  /** After the grant; 0 where nothing was granted. */
  readonly available: number;
  readonly duplicate: boolean;
}

/** Plans and billing periods as the transport sees them; rejects with a DrawdownError (PLAN_UNKNOWN, PERIOD_OVERLAPS, ...). */
export interface Plans {
  startPeriod(call: StartPeriodCall, options: CallOptions): Promise<PlanResult>;
  changePlan(call: ChangePlanCall, options: CallOptions): Promise<PlanResult>;
  cancelChange(
    call: CancelChangeCall,
    options: CallOptions,
  ): Promise<{ readonly accountId: string; readonly duplicate: boolean }>;
}
