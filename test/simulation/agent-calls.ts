/** Agents of accounts. */
import type { Core } from '../../src/core.js';
import type { AgentCall, UnlockAgentCall } from '../../src/credits/agent-types.js';
import type { OfferedTier } from '../oracle/model.js';
import { type Call, unless } from './calls.js';
import type { Tariff } from './tariffs.js';

type CycleAnswer = Awaited<ReturnType<Core['agents']['unlock']>>;

function offeredTier({ tiers }: Tariff, name: string): OfferedTier {
  return tiers.find((one) => one.name === name) ?? { name, kind: 'unknown' };
}

function toldCycle(answer: CycleAnswer): string {
  if (answer.verdict === 'denied') return answer.reason;
  const { cost, cycleStartTimeMs, cycleEndTimeMs, available, duplicate } = answer;
  return unless(duplicate, cost, cycleStartTimeMs, cycleEndTimeMs, available);
}

export function unlock(call: UnlockAgentCall): Call {
  const { accountId: account, requestId: id, agentId: agent } = call;
  return {
    account,
    what: `unlocks ${agent} in ${call.tier}`,
    ops: ({ tariff }) => [
      {
        kind: 'unlockAgent',
        account,
        id,
        payload: JSON.stringify(call),
        agent,
        tier: offeredTier(tariff, call.tier),
      },
    ],
    async send({ agents }, options) {
      return toldCycle(await agents.unlock(call, options));
    },
  };
}

export function activate(call: AgentCall): Call {
  const { accountId: account, requestId: id, agentId: agent } = call;
  return {
    account,
    what: `activates ${agent}`,
    ops: ({ state, tariff }) => {
      const known = state.subscription?.agents.find((one) => one.id === agent);
      const tier = offeredTier(tariff, known?.tier.name ?? '');
      return [
        { kind: 'activateAgent', account, id, payload: `activate ${JSON.stringify(call)}`, agent, tier },
      ];
    },
    async send({ agents }, options) {
      return toldCycle(await agents.activate(call, options));
    },
  };
}

export function end(how: 'suspend' | 'remove', call: AgentCall): Call {
  const { accountId: account, requestId: id, agentId: agent } = call;
  return {
    account,
    what: `${how}s ${agent}`,
    ops: () => [{ kind: `${how}Agent`, account, id, payload: `${how} ${JSON.stringify(call)}`, agent }],
    async send({ agents }, options) {
      return unless((await agents[how](call, options)).duplicate);
    },
  };
}
