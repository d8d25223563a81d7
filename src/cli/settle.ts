import type { Command } from 'commander';
import { formatAmount, formatFields } from './format.js';
import { type Io, printJson } from './io.js';
import {
  addMutationOptions,
  type MutationOptions,
  mutationOf,
  repeatWith,
  withSidecar,
} from './sidecar-command.js';
import {
  type AmountOptions,
  addAmountOptions,
  addWorkOptions,
  estimateOf,
  subjectOf,
  type WorkOptions,
} from './work-options.js';

type SettleOptions = WorkOptions & AmountOptions & MutationOptions & { readonly id: string };

export function addSettleCommand(program: Command, io: Io): void {
  const command = program.command('settle').description('end a hold with what was really used');
  command.requiredOption('--id <id>', "the hold's id");
  addMutationOptions(addAmountOptions(addWorkOptions(command)))
    .addHelpText(
      'after',
      '\nExample:\n  $ drawdown settle --id request-1 --account acme --meter llm --model gpt-4o-mini --input-tokens 800 --output-tokens 200',
    )
    .action((options: SettleOptions) => settle(options, io));
}

async function settle(options: SettleOptions, io: Io): Promise<void> {
  const mutation = mutationOf(options);
  const { id, ...rest } = mutation;
  const request = { holdId: id, ...subjectOf(options), ...estimateOf(options), ...rest };
  const answer = await withSidecar(options, (client) => client.call('UsageService/Settle', request));
  if (options.json) return printJson(io, { ...answer, holdId: id, eventTimeMs: mutation.eventTimeMs });
  const notes = [
    ...(answer.duplicate ? ['earlier'] : []),
    ...(answer.late ? ['late'] : []),
    ...(answer.holdUnknown ? ['no such hold: booked as usage'] : []),
    ...(answer.unrated ? ['unrated: the rate card has no price'] : []),
  ];
  io.out(
    formatFields([
      ['hold', `${id} settled${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`],
      ['charged', formatAmount(answer.unit, answer.charged)],
      ...(answer.overdrawn === '0'
        ? []
        : [['of it debt', formatAmount(answer.unit, answer.overdrawn)] as const]),
      ...(answer.converted === '0'
        ? []
        : [['converted', formatAmount('UNIT_CREDITS', answer.converted)] as const]),
      ['released', formatAmount(answer.releasedUnit, answer.released)],
      ['available', formatAmount(answer.unit, answer.available)],
      ['repeat with', repeatWith(mutation)],
    ]),
  );
}
