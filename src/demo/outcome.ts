import { formatCredits, formatTable } from '../cli/format.js';
import { REASON_NUMBERS } from '../grpc/record-codec.js';
import { problemText, type VerifyReport } from '../verify/index.js';
import type { Population } from './population.js';
import type { Tally } from './tally.js';
import type { Workload } from './workload.js';

/** A finished demo. */
export interface Outcome {
  readonly workload: Workload;
  readonly population: Population;
  readonly tally: Tally;
  /** Whole passes over the usage events of the workload. */
  readonly passes: number;
  /** From the start until callers had all their answers. */
  readonly loadSeconds: number;
  /** From the start until the last usage event was applied, and until it was known to be durable. */
  readonly appliedSeconds: number;
  readonly durableSeconds: number;
  /** What the ledger charged, by unit. */
  readonly spent: ReadonlyMap<string, bigint>;
  readonly report: VerifyReport;
}

/** What does not add up; empty when all is well. */
export function problemsOf({ tally, population, spent, report }: Outcome): string[] {
  const { events, reservations, charged } = tally;
  const problems: string[] = report.problems.map((problem) => `verify: ${problemText(problem)}`);
  const differ = (what: string, one: number | bigint, other: number | bigint): void => {
    if (BigInt(one) !== BigInt(other)) problems.push(`${what}: ${one} and ${other} should be the same`);
  };
  if (!report.clean && problems.length === 0) problems.push('verify: not clean');
  if (report.moving > 0) problems.push(`verify: ${report.moving} accounts were still ahead of Postgres`);
  differ('events sent, and answered', events.sent, events.applied + events.denied + events.duplicate);
  differ('events applied, and durable', events.applied, tally.durableEvents);
  differ('reservations allowed, and ended', reservations.made, reservations.settled + reservations.released);
  differ('lines of the ledger, and what callers did', report.lines, expectedLines(tally, population));
  for (const [unit, told] of Object.entries(charged)) {
    differ(`${unit} charged as callers were told, and in the ledger`, told, spent.get(unit) ?? 0n);
  }
  return problems;
}

function expectedLines(tally: Tally, { accountIds, grants }: Population): number {
  const { events, reservations, conversionLines } = tally;
  const ended = reservations.settled + reservations.released;
  return accountIds.length + grants + events.applied + ended + conversionLines;
}

/** The JSON file. Amounts that may pass 2^53 are strings. */
export function outcomeJson(outcome: Outcome): object {
  const { workload, population, tally, report } = outcome;
  return {
    workload: workload.source,
    seconds: round(outcome.loadSeconds),
    passes: outcome.passes,
    accounts: population.accountIds.length,
    events: { ...tally.events, repeatedOnPurpose: tally.repeated },
    refused: Object.fromEntries(refusedByName(tally)),
    reservations: { ...tally.reservations, settledShort: tally.settledShort },
    charged: Object.fromEntries(Object.entries(tally.charged).map(([unit, value]) => [unit, String(value)])),
    ledger: { entries: report.lines },
    verify: {
      accounts: report.accounts,
      driftMicros: String(report.driftMicros),
      missing: String(report.missing),
      doubled: String(report.doubled),
      clean: report.clean,
    },
    rates: {
      appliedPerSecond: round(tally.events.applied / outcome.appliedSeconds),
      durablePerSecond: round(tally.durableEvents / outcome.durableSeconds),
    },
    durableLagMs: tally.durableLagMs(),
    problems: problemsOf(outcome),
  };
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

function refusedByName({ refusedBecause }: Tally): [reason: string, events: number][] {
  const names = new Map(Object.entries(REASON_NUMBERS).map(([name, number]) => [number as number, name]));
  return [...refusedBecause].map(([number, events]) => [names.get(number) ?? `reason ${number}`, events]);
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** The table that a person reads at the end. */
export function outcomeLines(outcome: Outcome): string[] {
  const { workload, population, tally, report, spent } = outcome;
  const { events, reservations } = tally;
  const lag = tally.durableLagMs();
  const refused = refusedByName(tally).map(([name, number]) => `${name} ${count(number)}`);
  const credits = String(spent.get('credits') ?? 0n);
  const characters = Number(spent.get('tts_characters') ?? 0n);
  const rows: [what: string, number: string, meaning: string][] = [
    ['usage events sent', count(events.sent), `${count(tally.repeated)} of them a second time, on purpose`],
    ['  applied', count(events.applied), `${count(events.applied / outcome.appliedSeconds)}/s`],
    ['  duplicate', count(events.duplicate), 'recognized and not charged again'],
    ['  refused', count(events.denied), refused.join(', ') || '-'],
    ['  overdrawn', count(events.overdrawn), 'applied though the balance was gone: booked as debt'],
    ['reservations allowed', count(reservations.made), 'LLM requests and texts to be spoken'],
    ['  settled', count(reservations.settled), `${count(tally.settledShort)} of them cut short`],
    ['  released', count(reservations.released), 'nothing charged'],
    ['reservations denied', count(reservations.denied), 'no balance: nothing changed'],
    ['charged', `${formatCredits(credits)} credits`, `and ${count(characters)} characters of allowances`],
    ['durable after', `${count(lag.p50)} ms`, `p50 after it was applied; p99 ${count(lag.p99)} ms`],
    [
      'durable per second',
      count(tally.durableEvents / outcome.durableSeconds),
      'until the last one was in Postgres',
    ],
    ['ledger', `${count(report.lines)} lines`, `of ${count(report.accounts)} accounts`],
    ['drift', String(report.driftMicros), 'micro-credits between ledger, Postgres and Redis'],
    ['missing, doubled', `${report.missing}, ${report.doubled}`, 'lines of the ledger'],
  ];
  const problems = problemsOf(outcome);
  return [
    '',
    `Drawdown demo: ${outcome.loadSeconds.toFixed(1)} s, ${population.accountIds.length} accounts, ${population.scarceIds.length} with too little; ${workload.source}`,
    '',
    formatTable([{ title: 'what' }, { title: 'how much', right: true }, { title: 'of which' }], rows),
    '',
    ...(problems.length === 0
      ? ['Verified: every unit is accounted for exactly once.']
      : problems.map((problem) => `PROBLEM  ${problem}`)),
  ];
}
