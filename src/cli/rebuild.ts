import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { rebuildInstallation } from '../rebuild.js';
import { CommandFailure, type Io, printJson } from './io.js';
import { addConfigOptions, configSources } from './serve.js';

export function addCommand(program: Command, io: Io): void {
  const command = program
    .command('rebuild')
    .description('say what keeps partitions from serving that only people can settle, and settle it');
  addConfigOptions(command)
    .option(
      '--accept-loss',
      'go on with what Postgres has; what only Redis has is set aside in set_aside_records',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nSidecars rebuild partitions by themselves; this is for those that they fence (docs/runbook.md). They look again every five seconds.\n' +
        'Before --accept-loss: is there a Postgres that has what is missing? What it lacks is gone for its callers, who were told that it is durable.\n' +
        'Exit codes: 0 a sidecar can open every partition, 1 it cannot.\n\nExample:\n  $ drawdown rebuild',
    )
    .action((options: Record<string, unknown>) => rebuild(options, io));
}

async function rebuild(options: Readonly<Record<string, unknown>>, io: Io): Promise<void> {
  const acceptLoss = options.acceptLoss === true;
  const partitions = await rebuildInstallation(loadConfig(configSources(options)), { acceptLoss });
  const fenced = partitions.filter((one) => one.fenced !== null);
  if (options.json === true) printJson(io, { partitions });
  else for (const { partition, fenced: why } of fenced) io.out(`partition ${partition}: ${why}`);
  if (fenced.length > 0) {
    const hint = acceptLoss ? '' : ': see docs/runbook.md; --accept-loss goes on without what is missing';
    throw new CommandFailure(`${fenced.length} of ${partitions.length} partitions wait for people${hint}`);
  }
  if (options.json !== true) io.out(`a sidecar can open all ${partitions.length} partitions`);
}
