import type { Command } from 'commander';
import { addConvertCommand } from './convert.js';
import { addCorrectionCommands } from './corrections.js';
import { formatAmount, formatFields, formatTable, formatTime, unitLabel } from './format.js';
import { readImportFile } from './import-file.js';
import { CommandFailure, type Io, printJson } from './io.js';
import { parseTime } from './parse.js';
import { addPlanCommands, planFields } from './plans.js';
import {
  addMutationOptions,
  addSidecarOptions,
  type MutationOptions,
  mutationOf,
  repeatWith,
  type SidecarOptions,
  withSidecar,
} from './sidecar-command.js';
import { addStatementCommand } from './statement.js';
import { type AmountOptions, addAmountOptions, amountOf } from './work-options.js';

/** Lots and holds shown at once; `ledger` and the API have pages. */
const listedMax = 100;

export function addAccountCommand(program: Command, io: Io): void {
  const account = program
    .command('account')
    .description('create accounts, top them up, show them, put them right');
  addCreate(account, io);
  addTopUp(account, io);
  addConvertCommand(account, io);
  addShow(account, io);
  addStatementCommand(account, io);
  addPlanCommands(account, io);
  addCorrectionCommands(account, io);
}

function addCreate(account: Command, io: Io): void {
  const command = account
    .command('create <account>')
    .description('create an account with empty wallets')
    .option('--plan <plan>', 'the plan that it begins with (default: none); the free plan grants its credits')
    .option(
      '--import <file>',
      'JSON: the lots that it brings from elsewhere, and the billing period that runs',
    );
  addMutationOptions(command, 'id of this request')
    .addHelpText(
      'after',
      '\nExamples:\n  $ drawdown account create acme --plan free\n  $ drawdown account create acme --plan pro --import acme.json',
    )
    .action(async (accountId: string, options: MutationOptions & { plan?: string; import?: string }) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const imported = options.import === undefined ? null : readImportFile(options.import);
      const request = { requestId: id, accountId, plan: options.plan ?? '', imported, ...rest };
      const answer = await withSidecar(options, (client) =>
        client.call('AccountService/CreateAccount', request),
      );
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      io.out(
        formatFields([
          ['account', answer.accountId],
          [
            'created',
            `${formatTime(answer.createdTimeMs)}${answer.duplicate ? ' (by this request, earlier)' : ''}`,
          ],
          ['repeat with', repeatWith(mutation)],
        ]),
      );
    });
}

function addTopUp(account: Command, io: Io): void {
  const command = account
    .command('topup <account>')
    .description('grant credits or units; debt is paid first');
  addMutationOptions(addAmountOptions(command), 'id of this request')
    .option('--expires-at <time>', 'when the lot expires (default: never)', parseTime)
    .addHelpText(
      'after',
      '\nExamples:\n  $ drawdown account topup acme --credits 5\n  $ drawdown account topup acme --amount 10000 --unit tts_characters',
    )
    .action(async (accountId: string, options: MutationOptions & AmountOptions & { expiresAt?: string }) => {
      const amount = amountOf(options);
      if (amount === null) throw new CommandFailure('Say how much: --credits 5, or --amount with --unit');
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const request = { requestId: id, accountId, amount, expiresAtMs: options.expiresAt ?? 0, ...rest };
      const answer = await withSidecar(options, (client) => client.call('AccountService/TopUp', request));
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      io.out(
        formatFields([
          ['granted', `${formatAmount(answer.unit, answer.granted)}${answer.duplicate ? ' (earlier)' : ''}`],
          ['paid debt', formatAmount(answer.unit, answer.debtPaid)],
          ['available', formatAmount(answer.unit, answer.available)],
          ['lot', answer.lotId],
          ['repeat with', repeatWith(mutation)],
        ]),
      );
    });
}

function addShow(account: Command, io: Io): void {
  const command = account.command('show <account>').description('wallets, lots and open holds of an account');
  addSidecarOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown account show acme')
    .action(async (accountId: string, options: SidecarOptions) => {
      const page = { accountId, pageSize: listedMax };
      const [balance, lots, holds] = await withSidecar(options, (client) =>
        Promise.all([
          client.call('AccountService/GetBalance', { accountId }),
          client.call('AccountService/ListLots', page),
          client.call('AccountService/ListHolds', page),
        ]),
      );
      if (options.json) return printJson(io, { ...balance, lots: lots.lots, holds: holds.holds });
      const status = balance.status.replace('ACCOUNT_STATUS_', '').toLowerCase();
      io.out(`${balance.accountId} is ${status}; open holds: ${balance.openHolds}`);
      const plan = planFields(balance);
      if (plan.length > 0) io.out(formatFields(plan));
      printTable(
        io,
        ['wallet', 'available', 'held', 'debt'],
        balance.balances.map(({ unit, available, held, debt }) => [
          unitLabel(unit),
          ...[available, held, debt].map((value) => formatAmount(unit, value)),
        ]),
      );
      printTable(
        io,
        ['own credits of', 'available', 'held'],
        balance.agentCredits.map(({ agentId, available, held }) => [
          agentId,
          ...[available, held].map((value) => formatAmount('UNIT_CREDITS', value)),
        ]),
      );
      printTable(
        io,
        ['lot', 'remaining', 'held', 'source', 'expires'],
        lots.lots.map((lot) => [
          lot.lotId,
          formatAmount(lot.unit, lot.remaining),
          formatAmount(lot.unit, lot.held),
          [lot.source.replace('LOT_SOURCE_', '').toLowerCase(), lot.agentId].join(' ').trimEnd(),
          formatTime(lot.expiresAtMs),
        ]),
      );
      printTable(
        io,
        ['hold', 'held', 'model', 'ends'],
        holds.holds.map((hold) => [
          hold.holdId,
          formatAmount(hold.unit, hold.held),
          hold.model,
          formatTime(hold.deadlineMs),
        ]),
      );
    });
}

/** Nothing for an empty table: its absence says the same. */
function printTable(io: Io, titles: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  io.out('');
  io.out(
    formatTable(
      titles.map((title, index) => ({
        title,
        right: index > 0 && rows.every((row) => /^-?\d/.test(row[index] ?? '')),
      })),
      rows,
    ),
  );
}
