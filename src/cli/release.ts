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

type ReleaseOptions = MutationOptions & { readonly id: string; readonly account: string };

export function addReleaseCommand(program: Command, io: Io): void {
  const command = program
    .command('release')
    .description('end a hold without a charge')
    .requiredOption('--id <id>', "the hold's id")
    .requiredOption('--account <account>', 'whose hold it is');
  addMutationOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown release --id request-1 --account acme')
    .action((options: ReleaseOptions) => release(options, io));
}

async function release(options: ReleaseOptions, io: Io): Promise<void> {
  const mutation = mutationOf(options);
  const { id, ...rest } = mutation;
  const request = { holdId: id, accountId: options.account, ...rest };
  const answer = await withSidecar(options, (client) => client.call('UsageService/Release', request));
  if (options.json) return printJson(io, { ...answer, holdId: id, eventTimeMs: mutation.eventTimeMs });
  io.out(
    formatFields([
      ['hold', `${id} released${answer.duplicate ? ' (earlier, or expired)' : ''}`],
      ['released', formatAmount(answer.unit, answer.released)],
      ['available', formatAmount(answer.unit, answer.available)],
      ['repeat with', repeatWith(mutation)],
    ]),
  );
}
