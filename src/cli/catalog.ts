import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { formatProblem } from '../catalog/document.js';
import { parseCatalog } from '../catalog/schema.js';
import { loadConfig } from '../config.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';

export function addCatalogCommand(program: Command, io: Io): void {
  const catalog = program.command('catalog').description('meters, wallets and prices');
  catalog
    .command('check [file]')
    .description('check a catalog file (default: catalogFile of the configuration)')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  $ drawdown catalog check catalog.yaml')
    .action((file: string | undefined, options: { json?: boolean }) => {
      const name = file ?? loadConfig().catalogFile;
      const parsed = parseCatalog(readText(name), name);
      const problems = 'problems' in parsed ? parsed.problems : [];
      if (options.json) printJson(io, { file: name, valid: problems.length === 0, problems });
      else for (const problem of problems) io.error(formatProblem(problem));
      if ('problems' in parsed) throw new CommandFailure(`${name} cannot be used`, EXIT.failed);
      if (options.json) return;
      const { meters, models } = parsed.catalog;
      io.out(`${name} is valid: ${meters.length} meters, ${models.length} models`);
    });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${(error as Error).message}`);
  }
}
