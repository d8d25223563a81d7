import type { AgentStateName } from '../redis/format.js';
import type { CallOptions, Reason } from '../usage/types.js';
import type { Page } from './types.js';

/** What the transport hands to the agents of accounts and gets back. Units and times as in src/usage/types.ts, amounts in micro-credits. */

export interface AgentCall {
  readonly requestId: string;
  readonly accountId: string;
  readonly agentId: string;
  readonly eventTimeMs: number;
}

export interface UnlockAgentCall extends AgentCall {
  readonly tier: string;
}

/** A cycle began. */
export interface CycleBegun {
  readonly verdict: 'allowed';
  readonly cycleStartTimeMs: number;
  readonly cycleEndTimeMs: number;
  readonly cost: number;
  readonly available: number;
  readonly duplicate: boolean;
}

/** Nothing was changed and nothing was stored. */
export interface CycleDenied {
  readonly verdict: 'denied';
  readonly reason: Reason;
  readonly available: number;
  readonly missing: number;
}

export interface AgentView {
  readonly agentId: string;
  readonly state: AgentStateName;
  readonly tier: string;
  readonly cycleStartTimeMs: number;
  readonly cycleEndTimeMs: number;
  /** While its renewal is unpaid; else 0. */
  readonly graceEndTimeMs: number;
  readonly renewalCost: number;
  readonly cycleCredits: number;
  readonly ownAvailable: number;
  readonly ownHeld: number;
  readonly drawsOnAccount: boolean;
}

/** Agents as the transport sees them; rejects with a DrawdownError (TIER_UNKNOWN, AGENT_UNKNOWN, AGENT_EXISTS, ...). */
export interface Agents {
  unlock(call: UnlockAgentCall, options: CallOptions): Promise<CycleBegun | CycleDenied>;
  activate(call: AgentCall, options: CallOptions): Promise<CycleBegun | CycleDenied>;
  suspend(call: AgentCall, options: CallOptions): Promise<{ readonly duplicate: boolean }>;
  remove(call: AgentCall, options: CallOptions): Promise<{ readonly duplicate: boolean }>;
  get(
    query: { readonly accountId: string; readonly agentId: string },
    options: CallOptions,
  ): Promise<AgentView>;
  list(
    query: { readonly accountId: string; readonly pageSize: number; readonly pageToken: string },
    options: CallOptions,
  ): Promise<Page<AgentView>>;
}
