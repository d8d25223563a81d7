import type { Command } from 'commander';
import type { BillingPeriod__Output } from '../gen/drawdown/v1/BillingPeriod.js';
import type { GetBalanceResponse__Output } from '../gen/drawdown/v1/GetBalanceResponse.js';
import type { PlanOutcome__Output } from '../gen/drawdown/v1/PlanOutcome.js';
import { formatAmount, formatFields, formatTime } from './format.js';
import { type Io, printJson } from './io.js';
import { parseTime } from './parse.js';
import {
  addMutationOptions,
  type Mutation,
  type MutationOptions,
  mutationOf,
  repeatWith,
  withSidecar,
} from './sidecar-command.js';

/** The commands of `account` that change its plan and start billing periods. */
export function addPlanCommands(account: Command, io: Io): void {
  addStartPeriod(account, io);
  addChangePlan(account, io);
  addCancelChange(account, io);
}

/** What `account show` says of the plan; nothing where there never was one. */
export function planFields(balance: GetBalanceResponse__Output): [string, string][] {
  const { plan, period, nextPeriod, scheduledChange } = balance;
  const fields: [string, string][] = [];
  if (plan !== '') fields.push(['plan', plan]);
  if (period !== null) fields.push(['period', span(period)]);
  if (nextPeriod !== null) fields.push(['next period', `${nextPeriod.plan}, ${span(nextPeriod)}`]);
  if (scheduledChange !== null)
    fields.push(['changes to', `${scheduledChange.plan} at ${formatTime(scheduledChange.effectiveTimeMs)}`]);
  return fields;
}

function span({ startTimeMs, endTimeMs }: BillingPeriod__Output): string {
  return `${formatTime(startTimeMs)} to ${formatTime(endTimeMs)}`;
}

const OUTCOME_TEXTS: Readonly<Record<string, string>> = {
  PLAN_OUTCOME_PERIOD_STARTED: 'period started',
  PLAN_OUTCOME_PERIOD_STORED: 'period stored',
  PLAN_OUTCOME_CHANGED: 'changed',
  PLAN_OUTCOME_SCHEDULED: 'scheduled',
};

interface PlanAnswer {
  readonly outcome: PlanOutcome__Output;
  readonly effectiveTimeMs?: string;
  readonly granted: string;
  readonly debtPaid: string;
  readonly lotId: string;
  readonly available: string;
  readonly duplicate: boolean;
}

function printAnswer(io: Io, answer: PlanAnswer, mutation: Mutation): void {
  const { outcome, effectiveTimeMs = '0' } = answer;
  const lines: [string, string][] = [
    ['plan', `${OUTCOME_TEXTS[outcome] ?? outcome}${answer.duplicate ? ' (earlier)' : ''}`],
  ];
  if (effectiveTimeMs !== '0') lines.push(['takes effect', formatTime(effectiveTimeMs)]);
  if (answer.lotId !== '0') {
    lines.push(
      ['granted', formatAmount('UNIT_CREDITS', answer.granted)],
      ['paid debt', formatAmount('UNIT_CREDITS', answer.debtPaid)],
      ['lot', answer.lotId],
      ['available', formatAmount('UNIT_CREDITS', answer.available)],
    );
  }
  lines.push(['repeat with', repeatWith(mutation)]);
  io.out(formatFields(lines));
}

function addStartPeriod(account: Command, io: Io): void {
  const command = account
    .command('start-period <account>')
    .description("begin a billing period and grant its plan's credits; a start that lies ahead is stored")
    .requiredOption('--plan <plan>', 'a paid plan of the catalog')
    .requiredOption('--start <time>', 'when the period begins', parseTime)
    .requiredOption('--end <time>', 'when it ends', parseTime);
  addMutationOptions(command, 'id of this request')
    .addHelpText(
      'after',
      '\nExample:\n  $ drawdown account start-period acme --plan pro --start 2026-01-10 --end 2026-02-10',
    )
    .action(
      async (accountId: string, options: MutationOptions & { plan: string; start: string; end: string }) => {
        const mutation = mutationOf(options);
        const { id, ...rest } = mutation;
        const { plan, start: startTimeMs, end: endTimeMs } = options;
        const request = { requestId: id, accountId, plan, startTimeMs, endTimeMs, ...rest };
        const answer = await withSidecar(options, (client) =>
          client.call('AccountService/StartBillingPeriod', request),
        );
        if (options.json)
          return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
        printAnswer(io, answer, mutation);
      },
    );
}

function addChangePlan(account: Command, io: Io): void {
  const command = account
    .command('change-plan <account>')
    .description("change the plan: up or sideways now, down at the period's end")
    .requiredOption('--plan <plan>', 'a plan of the catalog')
    .option('--end <time>', 'when the period ends that begins now', parseTime);
  addMutationOptions(command, 'id of this request')
    .addHelpText('after', '\nExample:\n  $ drawdown account change-plan acme --plan pro --end 2026-02-20')
    .action(async (accountId: string, options: MutationOptions & { plan: string; end?: string }) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const { plan, end: periodEndTimeMs = 0 } = options;
      const request = { requestId: id, accountId, plan, periodEndTimeMs, ...rest };
      const answer = await withSidecar(options, (client) =>
        client.call('AccountService/ChangePlan', request),
      );
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      printAnswer(io, answer, mutation);
    });
}

function addCancelChange(account: Command, io: Io): void {
  const command = account
    .command('cancel-change <account>')
    .description("withdraw what is to come: the change at the period's end, and a stored period");
  addMutationOptions(command, 'id of this request')
    .addHelpText('after', '\nExample:\n  $ drawdown account cancel-change acme')
    .action(async (accountId: string, options: MutationOptions) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const answer = await withSidecar(options, (client) =>
        client.call('AccountService/CancelScheduledChange', { requestId: id, accountId, ...rest }),
      );
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      io.out(
        formatFields([
          ['account', answer.accountId],
          ['withdrawn', answer.duplicate ? 'earlier' : 'now'],
          ['repeat with', repeatWith(mutation)],
        ]),
      );
    });
}
