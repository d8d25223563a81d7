import type { Command } from 'commander';
import { formatAmount, formatFields } from './format.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';
import { parseCredits, parseUnit, parseWhole } from './parse.js';
import {
  addMutationOptions,
  type MutationOptions,
  mutationOf,
  repeatWith,
  withSidecar,
} from './sidecar-command.js';

interface ConvertOptions extends MutationOptions {
  readonly unit: ReturnType<typeof parseUnit>;
  readonly credits?: string;
  readonly units?: string;
}

export function addConvertCommand(account: Command, io: Io): void {
  const command = account
    .command('convert <account>')
    .description("turn credits into an allowance at the catalog's rate, for good; exit code 3 when DENIED")
    .requiredOption('--unit <unit>', 'tts_characters or llm_messages', parseUnit)
    .option('--credits <credits>', 'credits to spend at most, with up to 6 decimals', parseCredits)
    .option('--units <count>', 'whole units to buy', parseWhole);
  addMutationOptions(command, 'id of this request')
    .addHelpText(
      'after',
      '\nExamples:\n  $ drawdown account convert acme --unit tts_characters --credits 200\n  $ drawdown account convert acme --unit llm_messages --units 50',
    )
    .action((accountId: string, options: ConvertOptions) => convert(accountId, options, io));
}

async function convert(accountId: string, options: ConvertOptions, io: Io): Promise<void> {
  const mutation = mutationOf(options);
  const { id, ...rest } = mutation;
  const request = { requestId: id, accountId, unit: options.unit, ...wishOf(options), ...rest };
  const answer = await withSidecar(options, (client) =>
    client.call('AccountService/ConvertCredits', request),
  );
  if (options.json) printJson(io, { ...answer, requestId: id, eventTimeMs: mutation.eventTimeMs });
  if (answer.verdict !== 'VERDICT_ALLOWED') {
    const reason = answer.reason.replace('REASON_', '');
    const credits = (micros: string): string => formatAmount('UNIT_CREDITS', micros);
    const missing =
      answer.missingCredits === '0'
        ? ''
        : `: missing ${credits(answer.missingCredits)} (available ${credits(answer.availableCredits)})`;
    throw new CommandFailure(`DENIED ${reason}${missing}. The same --id is judged afresh.`, EXIT.denied);
  }
  if (options.json) return;
  io.out(
    formatFields([
      [
        'converted',
        `${formatAmount('UNIT_CREDITS', answer.converted)}${answer.duplicate ? ' (earlier)' : ''}`,
      ],
      ['granted', formatAmount(answer.unit, answer.granted)],
      ['paid debt', formatAmount(answer.unit, answer.debtPaid)],
      ['available', formatAmount(answer.unit, answer.available)],
      ['lot', answer.lotId],
      ['repeat with', repeatWith(mutation)],
    ]),
  );
}

function wishOf({ credits, units }: ConvertOptions) {
  if (credits !== undefined && units === undefined) return { credits };
  if (units !== undefined && credits === undefined) return { units };
  throw new CommandFailure('Say how much: --credits 5, or --units 500');
}
