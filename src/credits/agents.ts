import type { AgentTierSpec } from '../catalog/catalog.js';
import { DrawdownError, type ErrorCode } from '../errors.js';
import {
  type AccountState,
  AGENT_STATE,
  type AgentStateName,
  CODE,
  CYCLE,
  OP,
  type PackedAgent,
  type PackedOperation,
  REASON,
} from '../redis/format.js';
import type { Catalogs } from '../usage/catalogs.js';
import { type Executed, reasonOf } from '../usage/executor.js';
import { agentFingerprint } from '../usage/fingerprint.js';
import { shownOrThrow } from '../usage/meter.js';
import type { CallOptions, Reason } from '../usage/types.js';
import type { AccountCalls } from './account-calls.js';
import type {
  AgentCall,
  Agents,
  AgentView,
  CycleBegun,
  CycleDenied,
  UnlockAgentCall,
} from './agent-types.js';
import { pageOf, pageOffset } from './pages.js';
import type { Page } from './types.js';

/** An agent that is removed and unlocked again in another tier while it is activated is rare; again and again is not to be believed. */
const ACTIVATE_ATTEMPTS_MAX = 5;

/** Reasons that are answers; all others are errors. */
const VERDICTS: ReadonlySet<Reason> = new Set([
  'INSUFFICIENT_BALANCE',
  'AGENTS_MAX',
  'ACCOUNT_FROZEN',
  'ACCOUNT_CLOSED',
]);

const STATE_NAMES: Record<number, AgentStateName> = {
  [AGENT_STATE.active]: 'active',
  [AGENT_STATE.suspended]: 'suspended',
  [AGENT_STATE.removed]: 'removed',
};

/** Agents of accounts. The terms of their tier go along with the call and are kept with the agent, as they were promised. */
export class AgentControl implements Agents {
  constructor(
    private readonly calls: AccountCalls,
    private readonly catalogs: Catalogs,
  ) {}

  async unlock(call: UnlockAgentCall, options: CallOptions): Promise<CycleBegun | CycleDenied> {
    this.calls.checkTime(call.eventTimeMs);
    const tier = this.catalogs.current().catalog.agentTiers.find(({ name }) => name === call.tier);
    // What cannot be priced may repeat a call that could be, and then gets its outcome.
    const terms = tier === undefined ? [''] : [...this.#terms(tier), tier.unlockMicros];
    const executed = await this.#run(OP.unlockAgent, call, terms, options);
    if (executed.result.code === CODE.none) {
      throw new DrawdownError('TIER_UNKNOWN', `tier: no agent tier ${call.tier} is in the catalog`, {
        field: 'tier',
      });
    }
    return this.#begun(executed, call, options);
  }

  async activate(call: AgentCall, options: CallOptions): Promise<CycleBegun | CycleDenied> {
    this.calls.checkTime(call.eventTimeMs);
    for (let attempt = 1; attempt <= ACTIVATE_ATTEMPTS_MAX; attempt++) {
      const shown = await this.calls.run(call.accountId, [OP.show, 0], options, { ending: true });
      const agents = shown.result.code === 'account' ? (shown.result.subscription?.[9] ?? []) : [];
      const agent = agents.find(([, id]) => id === call.agentId);
      const name = agent?.[3] ?? '';
      const tier = this.catalogs.current().catalog.agentTiers.find((one) => one.name === name);
      // A tier that the catalog has lost: the agent goes on on the terms that it has.
      const terms = tier === undefined ? [name] : this.#terms(tier);
      const executed = await this.#run(OP.activateAgent, call, terms, options);
      // Unlocked anew in another tier since it was shown.
      if (executed.result.code === CODE.stale) continue;
      return this.#begun(executed, call, options);
    }
    throw new DrawdownError('UNAVAILABLE', 'the agent changed again and again while it was looked up', {
      retryAfterMs: 100,
    });
  }

  suspend(call: AgentCall, options: CallOptions) {
    return this.#end(OP.suspendAgent, call, options);
  }

  remove(call: AgentCall, options: CallOptions) {
    return this.#end(OP.removeAgent, call, options);
  }

  async get(
    query: { readonly accountId: string; readonly agentId: string },
    options: CallOptions,
  ): Promise<AgentView> {
    const views = await this.#views(query.accountId, options);
    const view = views.find(({ agentId }) => agentId === query.agentId);
    if (view === undefined) throw agentUnknown();
    return view;
  }

  async list(
    query: { readonly accountId: string; readonly pageSize: number; readonly pageToken: string },
    options: CallOptions,
  ): Promise<Page<AgentView>> {
    const offset = pageOffset(query.pageToken);
    const views = await this.#views(query.accountId, options);
    const items = views.slice(offset, offset + query.pageSize + 1);
    return pageOf(items, query.pageSize, () => String(offset + query.pageSize));
  }

  async #views(accountId: string, options: CallOptions): Promise<AgentView[]> {
    const executed = await this.calls.run(accountId, [OP.show, 0], options, { ending: true });
    const { account, subscription } = shownOrThrow(executed, accountId);
    return (subscription?.[9] ?? []).map((agent) => viewOf(agent, account));
  }

  /** Tier, cycle, renewal, own credits and their priority, whether it draws on the account, grace: as the script keeps them. */
  #terms(tier: AgentTierSpec): PackedOperation {
    const { count, unit } = tier.cycle;
    return [
      tier.name,
      unit === 'day' ? CYCLE.day : CYCLE.month,
      unit === 'year' ? 12 * count : count,
      tier.renewalMicros,
      tier.cycleCreditsMicros,
      this.catalogs.current().catalog.lotPriorities.agent_cycle,
      tier.drawsOnAccount ? 1 : 0,
      tier.renewalGraceMs,
    ];
  }

  #run(
    kind: number,
    call: AgentCall & { readonly tier?: string },
    terms: PackedOperation,
    options: CallOptions,
  ): Promise<Executed> {
    const catalogVersion = this.catalogs.current().version;
    const { requestId, accountId, agentId, eventTimeMs } = call;
    const packed: PackedOperation = [
      kind,
      0,
      requestId,
      agentFingerprint(kind, call),
      eventTimeMs,
      -1,
      agentId,
      ...terms,
    ];
    const details = { meter: '', model: '', agentId, quantities: [] };
    return this.calls.run(accountId, packed, options, { details, catalogVersion });
  }

  async #begun(
    executed: Executed,
    { accountId }: AgentCall,
    options: CallOptions,
  ): Promise<CycleBegun | CycleDenied> {
    const { result } = executed;
    const denied = { verdict: 'denied', available: 0, missing: 0 } as const;
    if (result.code === 'unknown account') return { ...denied, reason: 'ACCOUNT_UNKNOWN' };
    if (result.code === CODE.denied && !(result.denial.reason in REFUSALS)) {
      const reason = reasonOf(result.denial);
      const { available, missing } = result.denial;
      if (VERDICTS.has(reason)) return { ...denied, reason, available, missing };
    }
    const outcome = await this.#outcome(executed, accountId, options);
    return {
      verdict: 'allowed',
      cycleStartTimeMs: outcome.cycleStartMs,
      cycleEndTimeMs: outcome.extra,
      cost: outcome.amount,
      available: outcome.available,
      duplicate: result.code === CODE.duplicate,
    };
  }

  async #end(kind: number, call: AgentCall, options: CallOptions) {
    this.calls.checkTime(call.eventTimeMs);
    const { requestId, accountId, agentId, eventTimeMs } = call;
    const packed = [kind, 0, requestId, agentFingerprint(kind, call), eventTimeMs, -1, agentId];
    const details = { meter: '', model: '', agentId, quantities: [] };
    const executed = await this.calls.run(accountId, packed, options, { ending: true, details });
    await this.#outcome(executed, accountId, options);
    return { duplicate: executed.result.code === CODE.duplicate };
  }

  #outcome(executed: Executed, accountId: string, options: CallOptions) {
    const { result } = executed;
    const refusal = result.code === CODE.denied ? REFUSALS[result.denial.reason] : undefined;
    if (refusal !== undefined) throw new DrawdownError(refusal.code, refusal.message, { field: 'agent_id' });
    return this.calls.outcome(executed, accountId, options);
  }
}

function agentUnknown(): DrawdownError {
  return new DrawdownError('AGENT_UNKNOWN', 'no agent of this id was unlocked', { field: 'agent_id' });
}

function viewOf(agent: PackedAgent, account: AccountState): AgentView {
  const [number, agentId, state, tier, , , renewalCost, cycleCredits, , draws] = agent;
  const [cycleStartTimeMs, cycleEndTimeMs, dueMs] = agent.slice(13) as [number, number, number];
  const own = account.wallets.flatMap(({ lots }) => lots.filter((lot) => lot.owner === number));
  const ownHeld = own.reduce((sum, { held }) => sum + held, 0);
  return {
    agentId,
    state: STATE_NAMES[state] as AgentStateName,
    tier,
    cycleStartTimeMs,
    cycleEndTimeMs,
    graceEndTimeMs: dueMs > cycleEndTimeMs ? dueMs : 0,
    renewalCost,
    cycleCredits,
    ownAvailable: own.reduce((sum, { remaining }) => sum + remaining, 0) - ownHeld,
    ownHeld,
    drawsOnAccount: draws === 1,
  };
}

const REFUSALS: Readonly<Record<number, { readonly code: ErrorCode; readonly message: string }>> = {
  [REASON.agentUnknown]: { code: 'AGENT_UNKNOWN', message: 'no agent of this id was unlocked' },
  [REASON.agentExists]: { code: 'AGENT_EXISTS', message: 'an agent of this id is unlocked' },
  [REASON.agentActive]: { code: 'AGENT_ACTIVE', message: 'the agent is active' },
  [REASON.agentSuspended]: { code: 'AGENT_SUSPENDED', message: 'the agent is suspended' },
};
