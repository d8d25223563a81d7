import { isDeepStrictEqual } from 'node:util';
import { agentsText, stateOf } from '../cli/agent.js';
import { formatTable } from '../cli/format.js';
import { statementText } from '../cli/statement.js';
import type { LedgerEntry__Output } from '../gen/drawdown/v1/LedgerEntry.js';
import { problemText, reportJson } from '../verify/index.js';
import type { PlayedPolicy, PlayedStep, Seen } from './policy.js';
import { exampleFigures, type Figures } from './policy-example.js';

const microsPerCredit = 1_000_000;

/** Of the example all amounts are far below 2^53. */
const credits = (micros: string | bigint): number => Number(micros) / microsPerCredit;

type Moved = 'granted' | 'spent' | 'expired' | 'converted';

/** What the customer has, and how it came to that by the statement. */
export function figuresOf({ statement, ...seen }: PlayedPolicy): Figures {
  const wallet = statement.wallets.find(({ unit }) => unit === 'UNIT_CREDITS');
  const moved = (what: Moved): number => credits(wallet?.[what] ?? '0');
  const { available, ttsCharacters } = availableTo(seen);
  return {
    granted: moved('granted'),
    available,
    spent: moved('spent'),
    expired: moved('expired'),
    converted: moved('converted'),
    ttsCharacters,
    agents: agentsOf(seen),
  };
}

function availableTo({ balances }: Seen): { available: number; ttsCharacters: number } {
  const of = (wallet: string): string => balances.find(({ unit }) => unit === wallet)?.available ?? '0';
  return { available: credits(of('UNIT_CREDITS')), ttsCharacters: Number(of('UNIT_TTS_CHARACTERS')) };
}

function agentsOf({ agents }: Seen): { active: number; suspended: number } {
  const count = (state: string): number => agents.filter((agent) => stateOf(agent) === state).length;
  return { active: count('active'), suspended: count('suspended') };
}

/** What is not as the example says; empty when all is well. */
export function policyProblems(played: PlayedPolicy): string[] {
  const figures = figuresOf(played);
  const problems = Object.entries(exampleFigures).flatMap(([name, expected]) => {
    const found = figures[name as keyof Figures];
    if (isDeepStrictEqual(found, expected)) return [];
    return [`${name}: ${JSON.stringify(found)}, by the example ${JSON.stringify(expected)}`];
  });
  return [...problems, ...played.report.problems.map((problem) => `verify: ${problemText(problem)}`)];
}

/** One document for programs: credits are numbers, the statement and agents are the protocol's. */
export function policyJson(played: PlayedPolicy): object {
  return {
    ...figuresOf(played),
    steps: played.steps.map(stepJson),
    statement: played.statement,
    agentList: played.agents,
    verify: reportJson(played.report),
    problems: policyProblems(played),
  };
}

function stepJson(step: PlayedStep): object {
  const { day, by, what, lines } = step;
  return {
    day,
    by,
    what,
    ...movedBy(step),
    ...availableTo(step),
    agents: agentsOf(step),
    lines: groups(lines),
  };
}

/** Credits that a step's lines moved. */
function movedBy({ lines }: PlayedStep): Record<Moved, number> {
  const sum = (what: Moved): number =>
    credits(
      lines.reduce((total, line) => total + (line.unit === 'UNIT_CREDITS' ? BigInt(line[what]) : 0n), 0n),
    );
  return {
    granted: sum('granted'),
    spent: sum('spent'),
    expired: sum('expired'),
    converted: sum('converted'),
  };
}

/** Lines of one kind and agent that follow each other, as one. */
function groups(lines: readonly LedgerEntry__Output[]): object[] {
  const found: { kind: string; event: string; agent: string; count: number; change: bigint; unit: string }[] =
    [];
  for (const { kind, agentId: agent, agentEvent, planEvent, unit, ...line } of lines) {
    const event = [agentEvent, planEvent].find((name) => !name.endsWith('_UNSPECIFIED')) ?? '';
    const change = BigInt(line.granted) - BigInt(line.spent) - BigInt(line.expired) - BigInt(line.converted);
    const last = found.at(-1);
    if (last?.kind === kind && last.event === event && last.agent === agent) {
      last.count++;
      last.change += change;
    } else found.push({ kind, event, agent, unit, count: 1, change });
  }
  const lower = (name: string): string =>
    name.replace(/^(ENTRY_KIND|UNIT|PLAN_EVENT|AGENT_EVENT)_/, '').toLowerCase();
  return found.map(({ kind, event, agent, unit, count, change }) => ({
    kind: lower(kind),
    event: lower(event),
    agent,
    count,
    unit: unit === 'UNIT_UNSPECIFIED' ? '' : lower(unit),
    change: unit === 'UNIT_CREDITS' ? credits(change) : Number(change),
  }));
}

/** What a person reads: the steps, the statement, the agents. */
export function policyText(played: PlayedPolicy): string {
  const { active, suspended } = agentsOf(played);
  return [
    stepsTable(played.steps),
    'The statement on 15 March:',
    statementText(played.statement),
    `The agents: ${active} active, ${suspended} suspended.`,
    agentsText(played.agents),
    `verify: ${played.report.clean ? 'clean' : 'not clean'}, ${played.report.lines} lines of the ledger.`,
  ].join('\n\n');
}

function stepsTable(steps: readonly PlayedStep[]): string {
  const numbers = ['granted', 'spent', 'expired', 'converted', 'available'] as const;
  const columns = [
    { title: 'day' },
    { title: 'by' },
    ...numbers.map((title) => ({ title, right: true })),
    { title: 'what happened' },
  ];
  const rows = steps.map((step) => {
    const figures = { ...movedBy(step), ...availableTo(step) };
    const cells = numbers.map((name) =>
      figures[name] === 0 && name !== 'available' ? '' : String(figures[name]),
    );
    return [step.day, step.by, ...cells, step.what];
  });
  return formatTable(columns, rows);
}
