import type { Command } from 'commander';
import { formatAmount, formatFields, formatTime } from './format.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';
import { parseDuration } from './parse.js';
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

type ReserveOptions = WorkOptions & AmountOptions & MutationOptions & { readonly holdTime?: string };

export function addReserveCommand(program: Command, io: Io): void {
  const command = program
    .command('reserve')
    .description('set units aside for work that is about to begin; exit code 3 when DENIED');
  addMutationOptions(addAmountOptions(addWorkOptions(command)), "the hold's id, unique per account")
    .option(
      '--hold-time <duration>',
      'how long the hold lasts, such as 10m (default: holdTimeDefaultMs)',
      parseDuration,
    )
    .addHelpText(
      'after',
      '\nExample:\n  $ drawdown reserve --account acme --meter llm --model gpt-4o-mini --credits 0.5 --id request-1',
    )
    .action((options: ReserveOptions) => reserve(options, io));
}

async function reserve(options: ReserveOptions, io: Io): Promise<void> {
  const mutation = mutationOf(options);
  const { id, eventTimeMs, ...ack } = mutation;
  const request = {
    holdId: id,
    ...subjectOf(options),
    ...estimateOf(options),
    startTimeMs: eventTimeMs,
    holdTimeMs: options.holdTime ?? 0,
    ...ack,
  };
  const answer = await withSidecar(options, (client) => client.call('UsageService/Reserve', request));
  if (options.json) printJson(io, { ...answer, holdId: id, startTimeMs: eventTimeMs });
  const isDenied = answer.verdict !== 'VERDICT_ALLOWED';
  if (isDenied) {
    const reason = answer.reason.replace('REASON_', '');
    const missing = answer.missing === '0' ? '' : `: missing ${formatAmount(answer.unit, answer.missing)}`;
    const available =
      answer.unit === 'UNIT_UNSPECIFIED' ? '' : ` (available ${formatAmount(answer.unit, answer.available)})`;
    throw new CommandFailure(
      `DENIED ${reason}${missing}${available}. The same --id is judged afresh.`,
      EXIT.denied,
    );
  }
  if (options.json) return;
  io.out(
    formatFields([
      ['hold', `${id} ALLOWED${answer.duplicate ? ' (earlier)' : ''}`],
      ['held', formatAmount(answer.unit, answer.held)],
      ['available', formatAmount(answer.unit, answer.available)],
      ['ends', formatTime(answer.deadlineMs)],
      ['repeat with', repeatWith(mutation)],
    ]),
  );
}
