import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config.js';
import { packageRoot } from '../paths.js';
import { addAccountCommand } from './account.js';
import { addAgentCommand } from './agent.js';
import { addCatalogCommand } from './catalog.js';
import { CommandFailure, EXIT, type Io } from './io.js';
import { addLedgerCommand } from './ledger.js';
import { addMigrateCommand } from './migrate.js';
import { type CommandModule, load } from './modules.js';
import { addReleaseCommand } from './release.js';
import { addReserveCommand } from './reserve.js';
import { addServeCommand } from './serve.js';
import { addSettleCommand } from './settle.js';
import { addUsageCommand } from './usage.js';

/** Commands whose code, stores included, is loaded only when they are called. */
const lazyCommands = {
  verify: 'audit an installation: ledger, balances, journal; exit code 0 when clean',
  rebuild: 'say what keeps partitions from serving that only people can settle, and settle it',
  'set-aside': 'list what records of journals would have booked that were set aside',
  demo: 'replay real traffic on an installation of its own, then verify it',
} as const;

export async function createProgram(argv: readonly string[], io: Io): Promise<Command> {
  const program = new Command('drawdown')
    .description(
      'A metering sidecar: draws prepaid balances down over gRPC, exactly once, and explains every unit.',
    )
    .version(version())
    // An option belongs to the command that it stands behind: `demo policy --json` is not `demo --json FILE`.
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.error(text.trimEnd()),
    })
    .exitOverride();
  addServeCommand(program, io);
  addMigrateCommand(program, io);
  for (const [name, summary] of Object.entries(lazyCommands)) {
    if (argv[0] === name) (await load<CommandModule>(`./${name}.js`)).addCommand(program, io);
    else program.command(name).description(summary);
  }
  addCatalogCommand(program, io);
  addAccountCommand(program, io);
  addAgentCommand(program, io);
  addUsageCommand(program, io);
  addReserveCommand(program, io);
  addSettleCommand(program, io);
  addReleaseCommand(program, io);
  addLedgerCommand(program, io);
  return program;
}

function version(): string {
  return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
}

/** Runs one command line and returns its exit code; whatever goes wrong is said in one line. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  try {
    const program = await createProgram(argv, io);
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof CommandFailure) {
      io.error(error.message);
      return error.exitCode;
    }
    io.error(error instanceof ConfigError ? error.message : `Unexpected: ${describe(error)}`);
    return EXIT.failed;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
