import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { type Io, printJson } from './io.js';
import { load, type MigratingModule } from './modules.js';
import { addConfigOptions, configSources } from './serve.js';

export function addMigrateCommand(program: Command, io: Io): void {
  const command = program
    .command('migrate')
    .description("bring Postgres to this version's schema; serve does it too");
  addConfigOptions(command)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  $ drawdown migrate --postgres-url postgres://localhost/drawdown')
    .action(async (options: Record<string, unknown>) => {
      const { migrateInstallation } = await load<MigratingModule>('../sidecar.js');
      const { applied } = await migrateInstallation(loadConfig(configSources(options)));
      if (options.json === true) return printJson(io, { applied });
      io.out(applied.length === 0 ? 'Postgres is up to date' : `Applied: ${applied.join(', ')}`);
    });
}
