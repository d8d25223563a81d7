import type { Command } from 'commander';
import type { Agent__Output } from '../gen/drawdown/v1/Agent.js';
import type { UnlockAgentResponse__Output } from '../gen/drawdown/v1/UnlockAgentResponse.js';
import type { SidecarClient } from './client.js';
import { formatAmount, formatFields, formatTable, formatTime } from './format.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';
import {
  addMutationOptions,
  addSidecarOptions,
  type Mutation,
  type MutationOptions,
  mutationOf,
  repeatWith,
  type SidecarOptions,
  withSidecar,
} from './sidecar-command.js';

/** Agents asked for at once. */
const pageMax = 1_000;

export function addAgentCommand(program: Command, io: Io): void {
  const agent = program.command('agent').description("unlock an account's agents, suspend them, show them");
  addUnlock(agent, io);
  addActivate(agent, io);
  addEnding(agent, io, 'suspend', 'SuspendAgent', 'stop an agent: no new work, no renewal');
  addEnding(agent, io, 'remove', 'RemoveAgent', 'remove an agent: it does not count any more');
  addShow(agent, io);
  addList(agent, io);
}

function addUnlock(agent: Command, io: Io): void {
  const command = agent
    .command('unlock <account> <agent>')
    .description('unlock an agent; its first cycle begins now; exit code 3 when DENIED')
    .requiredOption('--tier <tier>', 'an agent tier of the catalog');
  addMutationOptions(command, 'id of this request')
    .addHelpText('after', '\nExample:\n  $ drawdown agent unlock acme support-bot --tier standard')
    .action(async (accountId: string, agentId: string, options: MutationOptions & { tier: string }) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const request = { requestId: id, accountId, agentId, tier: options.tier, ...rest };
      const answer = await withSidecar(options, (client) => client.call('AgentService/UnlockAgent', request));
      printBegun(io, answer, mutation, options);
    });
}

function addActivate(agent: Command, io: Io): void {
  const command = agent
    .command('activate <account> <agent>')
    .description('activate a suspended agent for the price of a renewal; exit code 3 when DENIED');
  addMutationOptions(command, 'id of this request')
    .addHelpText('after', '\nExample:\n  $ drawdown agent activate acme support-bot')
    .action(async (accountId: string, agentId: string, options: MutationOptions) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const request = { requestId: id, accountId, agentId, ...rest };
      const answer = await withSidecar(options, (client) =>
        client.call('AgentService/ActivateAgent', request),
      );
      printBegun(io, answer, mutation, options);
    });
}

function printBegun(
  io: Io,
  answer: UnlockAgentResponse__Output,
  mutation: Mutation,
  { json }: SidecarOptions,
): void {
  if (json) printJson(io, { ...answer, requestId: mutation.id, eventTimeMs: mutation.eventTimeMs });
  const credits = (micros: string): string => formatAmount('UNIT_CREDITS', micros);
  if (answer.verdict !== 'VERDICT_ALLOWED') {
    const reason = answer.reason.replace('REASON_', '');
    const missing =
      answer.missing === '0'
        ? ''
        : `: missing ${credits(answer.missing)} (available ${credits(answer.available)})`;
    throw new CommandFailure(`DENIED ${reason}${missing}. The same --id is judged afresh.`, EXIT.denied);
  }
  if (json) return;
  io.out(
    formatFields([
      ['agent', `active${answer.duplicate ? ' (by this request, earlier)' : ''}`],
      ['cycle', `${formatTime(answer.cycleStartTimeMs)} to ${formatTime(answer.cycleEndTimeMs)}`],
      ['cost', credits(answer.cost)],
      ['available', credits(answer.available)],
      ['repeat with', repeatWith(mutation)],
    ]),
  );
}

function addEnding(
  agent: Command,
  io: Io,
  name: 'suspend' | 'remove',
  call: 'SuspendAgent' | 'RemoveAgent',
  description: string,
): void {
  const command = agent.command(`${name} <account> <agent>`).description(description);
  addMutationOptions(command, 'id of this request')
    .addHelpText('after', `\nExample:\n  $ drawdown agent ${name} acme support-bot`)
    .action(async (accountId: string, agentId: string, options: MutationOptions) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const answer = await withSidecar(options, (client) =>
        client.call(`AgentService/${call}`, { requestId: id, accountId, agentId, ...rest }),
      );
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      const earlier = answer.duplicate ? ' (by this request, earlier)' : '';
      io.out(
        formatFields([
          ['agent', `${stateOf(answer)}${earlier}`],
          ['repeat with', repeatWith(mutation)],
        ]),
      );
    });
}

function addShow(agent: Command, io: Io): void {
  addSidecarOptions(
    agent.command('show <account> <agent>').description('one agent: its state, cycle and own credits'),
  )
    .addHelpText('after', '\nExample:\n  $ drawdown agent show acme support-bot')
    .action(async (accountId: string, agentId: string, options: SidecarOptions) => {
      const answer = await withSidecar(options, (client) =>
        client.call('AgentService/GetAgent', { accountId, agentId }),
      );
      if (options.json) return printJson(io, answer);
      io.out(formatFields(fieldsOf(answer.agent as Agent__Output)));
    });
}

function fieldsOf(agent: Agent__Output): [string, string][] {
  const credits = (micros: string): string => formatAmount('UNIT_CREDITS', micros);
  const fields: [string, string][] = [
    ['agent', agent.agentId],
    ['state', stateOf(agent)],
    ['tier', agent.tier],
    ['cycle', `${formatTime(agent.cycleStartTimeMs)} to ${formatTime(agent.cycleEndTimeMs)}`],
    ['renewal', credits(agent.renewalCost)],
  ];
  if (agent.graceEndTimeMs !== '0') fields.push(['unpaid, grace to', formatTime(agent.graceEndTimeMs)]);
  if (agent.cycleCredits !== '0')
    fields.push(
      ['own credits', `${credits(agent.ownAvailable)} of ${credits(agent.cycleCredits)} a cycle`],
      ['of them held', credits(agent.ownHeld)],
    );
  fields.push(['draws on account', agent.drawsOnAccount ? 'yes' : 'no']);
  return fields;
}

function addList(agent: Command, io: Io): void {
  addSidecarOptions(agent.command('list <account>').description('all agents of an account'))
    .addHelpText('after', '\nExample:\n  $ drawdown agent list acme')
    .action(async (accountId: string, options: SidecarOptions) => {
      const agents = await withSidecar(options, (client) => readAgents(client, accountId));
      if (options.json) return printJson(io, { agents });
      io.out(agentsText(agents));
    });
}

/** All agents of an account. */
export async function readAgents(client: SidecarClient, accountId: string): Promise<Agent__Output[]> {
  const all: Agent__Output[] = [];
  let pageToken = '';
  do {
    const request = { accountId, pageSize: pageMax, pageToken };
    const page = await client.call('AgentService/ListAgents', request);
    all.push(...page.agents);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
}

/** As people read them. */
export function agentsText(agents: readonly Agent__Output[]): string {
  const columns = ['agent', 'state', 'tier', 'cycle from', 'to'].map((title) => ({ title }));
  const rows = agents.map((one) => [
    one.agentId,
    stateOf(one),
    one.tier,
    formatTime(one.cycleStartTimeMs),
    formatTime(one.cycleEndTimeMs),
  ]);
  return formatTable(columns, rows);
}

/** AGENT_STATE_ACTIVE -> active */
export function stateOf({ state }: Pick<Agent__Output, 'state'>): string {
  return state.replace('AGENT_STATE_', '').toLowerCase();
}
