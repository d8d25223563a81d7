import type { Command } from 'commander';
import type { RerateUsageResponse__Output } from '../gen/drawdown/v1/RerateUsageResponse.js';
import { formatAmount, formatFields } from './format.js';
import { CommandFailure, type Io, printJson } from './io.js';
import { parseTime, parseWhole } from './parse.js';
import {
  addMutationOptions,
  addSidecarOptions,
  type MutationOptions,
  mutationOf,
  repeatWith,
  type SidecarOptions,
  withSidecar,
} from './sidecar-command.js';

interface ReasonOptions {
  readonly reasonCode?: string;
  readonly reason?: string;
}

/** The commands of `account` that put mistakes right and change its status. */
export function addCorrectionCommands(account: Command, io: Io): void {
  addReverse(account, io);
  addExpireLot(account, io);
  addRerate(account, io);
  addStatus(account, io, 'Freeze', 'stop new work; finished usage is still booked');
  addStatus(account, io, 'Unfreeze', 'let a frozen account work again');
  addStatus(account, io, 'Close', 'stop new work and top-ups for good; what it has stays');
  addStatus(account, io, 'Reopen', 'make a closed account active again');
}

function addReasonOptions(command: Command): Command {
  return command
    .option('--reason-code <code>', 'why, in one word of a-z 0-9 _')
    .option('--reason <text>', 'why, in a sentence of at most 200 characters');
}

function reasonOf({ reasonCode, reason }: ReasonOptions) {
  return { reasonCode: reasonCode ?? '', reasonText: reason ?? '' };
}

function addStatus(
  account: Command,
  io: Io,
  verb: 'Freeze' | 'Unfreeze' | 'Close' | 'Reopen',
  description: string,
): void {
  const name = verb.toLowerCase();
  const command = account.command(`${name} <account>`).description(description);
  addMutationOptions(addReasonOptions(command), 'id of this request')
    .addHelpText('after', `\nExample:\n  $ drawdown account ${name} acme --reason-code support_request`)
    .action(async (accountId: string, options: MutationOptions & ReasonOptions) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const request = { requestId: id, accountId, ...reasonOf(options), ...rest };
      const answer = await withSidecar(options, (client) =>
        client.call(`AccountService/${verb}Account`, request),
      );
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      const status = answer.status.replace('ACCOUNT_STATUS_', '').toLowerCase();
      io.out(
        formatFields([
          ['account', answer.accountId],
          ['status', `${status}${answer.duplicate ? ' (by this request, earlier)' : ''}`],
          ['repeat with', repeatWith(mutation)],
        ]),
      );
    });
}

function addReverse(account: Command, io: Io): void {
  const command = account
    .command('reverse <account>')
    .description('give one charge of ours back, in whole and once')
    .option('--event <id>', 'the usage event that was charged')
    .option('--hold <id>', 'the hold whose settle was charged');
  addMutationOptions(addReasonOptions(command), 'id of this request')
    .addHelpText(
      'after',
      '\nExample:\n  $ drawdown account reverse acme --event event-1 --reason-code wrong_price --reason "charged twice the price"',
    )
    .action(
      async (
        accountId: string,
        options: MutationOptions & ReasonOptions & { event?: string; hold?: string },
      ) => {
        const mutation = mutationOf(options);
        const { id, ...rest } = mutation;
        const request = { requestId: id, accountId, ...chargeOf(options), ...reasonOf(options), ...rest };
        const answer = await withSidecar(options, (client) =>
          client.call('AccountService/ReverseUsage', request),
        );
        if (options.json)
          return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
        io.out(
          formatFields([
            [
              'reversed',
              `${formatAmount(answer.unit, answer.reversed)}${answer.duplicate ? ' (earlier)' : ''}`,
            ],
            ['paid debt', formatAmount(answer.unit, answer.debtPaid)],
            ['available', formatAmount(answer.unit, answer.available)],
            ['repeat with', repeatWith(mutation)],
          ]),
        );
      },
    );
}

function chargeOf({ event, hold }: { event?: string; hold?: string }) {
  if (event !== undefined && hold === undefined) return { eventId: event };
  if (hold !== undefined && event === undefined) return { holdId: hold };
  throw new CommandFailure('Say what was charged: --event or --hold');
}

function addExpireLot(account: Command, io: Io): void {
  const command = account
    .command('expire-lot <account> <lot>')
    .description('expire a lot before its time; --reason-code is needed');
  addMutationOptions(addReasonOptions(command), 'id of this request')
    .addHelpText(
      'after',
      '\nExample:\n  $ drawdown account expire-lot acme 3 --reason-code granted_by_mistake',
    )
    .action(async (accountId: string, lot: string, options: MutationOptions & ReasonOptions) => {
      const mutation = mutationOf(options);
      const { id, ...rest } = mutation;
      const request = { requestId: id, accountId, lotId: parseWhole(lot), ...reasonOf(options), ...rest };
      const answer = await withSidecar(options, (client) => client.call('AccountService/ExpireLot', request));
      if (options.json) return printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
      io.out(
        formatFields([
          ['lot', answer.lotId],
          ['expired', `${formatAmount(answer.unit, answer.expired)}${answer.duplicate ? ' (earlier)' : ''}`],
          ['available', formatAmount(answer.unit, answer.available)],
          ['repeat with', repeatWith(mutation)],
        ]),
      );
    });
}

interface RerateOptions extends SidecarOptions {
  readonly meter?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
}

/** Lines looked at in one call; the command goes on until nothing is left. */
const linesPerCall = 1_000;

function addRerate(account: Command, io: Io): void {
  const command = account
    .command('rerate [account]')
    .description(
      'charge what was booked unrated with the prices in force; of all accounts where none is named',
    )
    .option('--meter <meter>', 'only this meter')
    .option('--model <model>', 'only this model')
    .option('--from <time>', 'events that happened at or after this time', parseTime)
    .option('--to <time>', 'events that happened before this time', parseTime);
  addSidecarOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown account rerate --model new-model')
    .action(async (accountId: string | undefined, options: RerateOptions) => {
      const wanted = {
        accountId: accountId ?? '',
        meter: options.meter ?? '',
        model: options.model ?? '',
        fromTimeMs: options.from ?? 0,
        toTimeMs: options.to ?? 0,
        limit: linesPerCall,
      };
      const total = new RerateTotal();
      await withSidecar(options, async (client) => {
        let cursor = '';
        do {
          const answer = await client.call('AccountService/RerateUsage', { ...wanted, cursor });
          total.add(answer);
          cursor = answer.nextCursor;
        } while (cursor !== '');
      });
      if (options.json) return printJson(io, total.fields());
      const { lookedAt, rerated, leftUnrated, charged, overdrawn } = total.fields();
      io.out(
        formatFields([
          ['looked at', String(lookedAt)],
          ['rerated', String(rerated)],
          ['left unrated', String(leftUnrated)],
          ...charged.map(({ unit, value }) => ['charged', formatAmount(unit, value)] as const),
          ...overdrawn.map(({ unit, value }) => ['into debt', formatAmount(unit, value)] as const),
        ]),
      );
    });
}

/** What several calls did together. */
class RerateTotal {
  readonly #counts = { lookedAt: 0, rerated: 0, leftUnrated: 0 };
  readonly #amounts = { charged: new Map<string, bigint>(), overdrawn: new Map<string, bigint>() };

  add(answer: RerateUsageResponse__Output): void {
    for (const name of ['lookedAt', 'rerated', 'leftUnrated'] as const) {
      this.#counts[name] += Number(answer[name]);
    }
    for (const name of ['charged', 'overdrawn'] as const) {
      const amounts = this.#amounts[name];
      for (const { unit, value } of answer[name])
        amounts.set(unit, (amounts.get(unit) ?? 0n) + BigInt(value));
    }
  }

  fields() {
    const list = (amounts: Map<string, bigint>) =>
      [...amounts].map(([unit, value]) => ({ unit, value: value.toString() }));
    return {
      ...this.#counts,
      charged: list(this.#amounts.charged),
      overdrawn: list(this.#amounts.overdrawn),
    };
  }
}
