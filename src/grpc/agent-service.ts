import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { AgentCall, Agents, AgentView, CycleBegun, CycleDenied } from '../credits/agent-types.js';
import type { ActivateAgentRequest__Output } from '../gen/drawdown/v1/ActivateAgentRequest.js';
import type { ActivateAgentResponse } from '../gen/drawdown/v1/ActivateAgentResponse.js';
import type { Agent } from '../gen/drawdown/v1/Agent.js';
import type { GetAgentRequest__Output } from '../gen/drawdown/v1/GetAgentRequest.js';
import type { GetAgentResponse } from '../gen/drawdown/v1/GetAgentResponse.js';
import type { ListAgentsRequest__Output } from '../gen/drawdown/v1/ListAgentsRequest.js';
import type { ListAgentsResponse } from '../gen/drawdown/v1/ListAgentsResponse.js';
import type { RemoveAgentRequest__Output } from '../gen/drawdown/v1/RemoveAgentRequest.js';
import type { RemoveAgentResponse } from '../gen/drawdown/v1/RemoveAgentResponse.js';
import type { SuspendAgentRequest__Output } from '../gen/drawdown/v1/SuspendAgentRequest.js';
import type { SuspendAgentResponse } from '../gen/drawdown/v1/SuspendAgentResponse.js';
import type { UnlockAgentRequest__Output } from '../gen/drawdown/v1/UnlockAgentRequest.js';
import type { UnlockAgentResponse } from '../gen/drawdown/v1/UnlockAgentResponse.js';
import { type CallEnvironment, callOptions, unary } from './call.js';
import { enumName, reasonName } from './names.js';
import type { Outcomes } from './outcomes.js';
import { checkDurable, checkId, checkPage, checkTime } from './validate.js';

interface AgentEnvironment extends CallEnvironment {
  readonly agents: Agents;
  readonly outcomes: Outcomes;
}

export function agentService(environment: AgentEnvironment): UntypedServiceImplementation {
  return {
    unlockAgent: unlockAgent(environment),
    activateAgent: activateAgent(environment),
    suspendAgent: suspendAgent(environment),
    removeAgent: removeAgent(environment),
    getAgent: getAgent(environment),
    listAgents: listAgents(environment),
  };
}

const unlockAgent = (environment: AgentEnvironment) =>
  unary<UnlockAgentRequest__Output, UnlockAgentResponse>(
    'UnlockAgent',
    environment,
    async (request, call) => {
      const { agents, outcomes, settings } = environment;
      const unlockCall = { ...checkCall(request), tier: checkId(request.tier, 'tier') };
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('unlock_agent', agents.unlock(unlockCall, options));
      outcomes.begun('unlock_agent', result);
      return begun(result);
    },
  );

const activateAgent = (environment: AgentEnvironment) =>
  unary<ActivateAgentRequest__Output, ActivateAgentResponse>(
    'ActivateAgent',
    environment,
    async (request, call) => {
      const { agents, outcomes, settings } = environment;
      const activateCall = checkCall(request);
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('activate_agent', agents.activate(activateCall, options));
      outcomes.begun('activate_agent', result);
      return begun(result);
    },
  );

const suspendAgent = (environment: AgentEnvironment) =>
  unary<SuspendAgentRequest__Output, SuspendAgentResponse>(
    'SuspendAgent',
    environment,
    async (request, call) => {
      const { agents, outcomes, settings } = environment;
      const suspendCall = checkCall(request);
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('suspend_agent', agents.suspend(suspendCall, options));
      outcomes.corrected('suspend_agent', result);
      return { ...result, state: 'AGENT_STATE_SUSPENDED' as const };
    },
  );

const removeAgent = (environment: AgentEnvironment) =>
  unary<RemoveAgentRequest__Output, RemoveAgentResponse>(
    'RemoveAgent',
    environment,
    async (request, call) => {
      const { agents, outcomes, settings } = environment;
      const removeCall = checkCall(request);
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('remove_agent', agents.remove(removeCall, options));
      outcomes.corrected('remove_agent', result);
      return { ...result, state: 'AGENT_STATE_REMOVED' as const };
    },
  );

const getAgent = (environment: AgentEnvironment) =>
  unary<GetAgentRequest__Output, GetAgentResponse>('GetAgent', environment, async (request, call) => {
    const query = {
      accountId: checkId(request.accountId, 'account_id'),
      agentId: checkId(request.agentId, 'agent_id'),
    };
    const view = await environment.agents.get(query, callOptions(call, false, environment.settings));
    return { agent: agentOf(view) };
  });

const listAgents = (environment: AgentEnvironment) =>
  unary<ListAgentsRequest__Output, ListAgentsResponse>('ListAgents', environment, async (request, call) => {
    const query = { accountId: checkId(request.accountId, 'account_id'), ...checkPage(request) };
    const page = await environment.agents.list(query, callOptions(call, false, environment.settings));
    return { agents: page.items.map(agentOf), nextPageToken: page.nextPageToken };
  });

function checkCall(request: ActivateAgentRequest__Output): AgentCall {
  return {
    requestId: checkId(request.requestId, 'request_id'),
    accountId: checkId(request.accountId, 'account_id'),
    agentId: checkId(request.agentId, 'agent_id'),
    eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
  };
}

function begun(result: CycleBegun | CycleDenied) {
  const { verdict, ...rest } = result;
  if ('reason' in rest)
    return { ...rest, verdict: 'VERDICT_DENIED' as const, reason: reasonName(rest.reason) };
  return { ...rest, verdict: 'VERDICT_ALLOWED' as const, state: 'AGENT_STATE_ACTIVE' as const };
}

function agentOf(view: AgentView): Agent {
  return { ...view, state: enumName('AGENT_STATE', view.state) };
}
