import type { Command } from 'commander';
import { formatAmount, formatFields } from './format.js';
import { CommandFailure, type Io, printJson } from './io.js';
import {
  addMutationOptions,
  type MutationOptions,
  mutationOf,
  repeatWith,
  withSidecar,
} from './sidecar-command.js';
import { addWorkOptions, quantitiesOf, subjectOf, type WorkOptions } from './work-options.js';

export function addUsageCommand(program: Command, io: Io): void {
  const usage = program.command('usage').description('record finished usage');
  const command = usage.command('record').description('book one finished usage event');
  addMutationOptions(addWorkOptions(command), "the event's id, unique per account")
    .addHelpText(
      'after',
      '\nExample:\n  $ drawdown usage record --account acme --meter llm --model gpt-4o-mini --input-tokens 800 --output-tokens 200',
    )
    .action((options: WorkOptions & MutationOptions) => record(options, io));
}

async function record(options: WorkOptions & MutationOptions, io: Io): Promise<void> {
  const quantities = quantitiesOf(options);
  if (Object.keys(quantities).length === 0) {
    throw new CommandFailure('Say what was used: --input-tokens 1000, or --quantity name=count');
  }
  const mutation = mutationOf(options);
  const { id, eventTimeMs, ...ack } = mutation;
  const event = { eventId: id, ...subjectOf(options), quantities, eventTimeMs };
  const answer = await withSidecar(options, (client) =>
    client.call('UsageService/RecordUsageBatch', { events: [event], ...ack }),
  );
  const result = answer.results[0];
  if (result === undefined) throw new CommandFailure('The sidecar answered without a result');
  if (options.json) printJson(io, { ...result, eventId: id, eventTimeMs });
  if (result.outcome === 'EVENT_OUTCOME_REFUSED') {
    throw new CommandFailure(`REFUSED ${result.reason.replace('REASON_', '')}: ${result.message}`);
  }
  if (options.json) return;
  const outcome = result.outcome.replace('EVENT_OUTCOME_', '').toLowerCase();
  io.out(
    formatFields([
      ['event', `${id} ${outcome}${result.unrated ? ', unrated: the rate card has no price' : ''}`],
      ['charged', formatAmount(result.unit, result.charged)],
      ...(result.overdrawn === '0'
        ? []
        : [['of it debt', formatAmount(result.unit, result.overdrawn)] as const]),
      ...(result.converted === '0'
        ? []
        : [['converted', formatAmount('UNIT_CREDITS', result.converted)] as const]),
      ['available', formatAmount(result.unit, result.available)],
      ['repeat with', repeatWith(mutation)],
    ]),
  );
}
