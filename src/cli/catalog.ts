import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { type CatalogProblem, formatProblem } from '../catalog/document.js';
import { parseCatalog } from '../catalog/schema.js';
import { loadConfig } from '../config.js';
import { formatFields, formatTable, formatTime } from './format.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';
import { parseWhole } from './parse.js';
import { addSidecarOptions, type SidecarOptions, withSidecar } from './sidecar-command.js';

export function addCatalogCommand(program: Command, io: Io): void {
  const catalog = program.command('catalog').description('the credit policy: check, publish and show it');
  addCheck(catalog, io);
  addPublish(catalog, io);
  addShow(catalog, io);
  addVersions(catalog, io);
}

function addCheck(catalog: Command, io: Io): void {
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
      if ('problems' in parsed) throw unusable(name);
      if (options.json) return;
      const { meters, models, plans } = parsed.catalog;
      io.out(`${name} is valid: ${meters.length} meters, ${models.length} models, ${plans.length} plans`);
    });
}

function addPublish(catalog: Command, io: Io): void {
  const command = catalog
    .command('publish <file>')
    .description('make a catalog file the version in force, on every sidecar within a second')
    .requiredOption('--by <who>', 'who publishes it: a user or a pipeline, kept with the version')
    .option('--id <id>', 'id of this request (default: a new one)');
  addSidecarOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown catalog publish catalog.yaml --by ops@acme.example')
    .action(async (file: string, options: SidecarOptions & { by: string; id?: string }) => {
      const request = {
        requestId: options.id ?? `cli-${randomUUID()}`,
        text: readText(file),
        publishedBy: options.by,
      };
      const answer = await withSidecar(options, (client) =>
        client.call('CatalogService/PublishCatalog', request),
      );
      if (options.json) printJson(io, { ...answer, requestId: request.requestId });
      const { catalogVersion: published, problems, outcome } = answer;
      if (published === null) {
        if (!options.json) for (const problem of problems) io.error(problemLine(file, problem));
        throw unusable(file);
      }
      if (options.json) return;
      const unchanged = outcome === 'PUBLISH_OUTCOME_UNCHANGED';
      io.out(
        formatFields([
          ['version', `${published.version}${unchanged ? ' (was in force with this content)' : ''}`],
          [
            'published',
            `${formatTime(published.publishedTimeMs)} by ${published.publishedBy}${answer.duplicate ? ' (by this request, earlier)' : ''}`,
          ],
          ['hash', published.hash],
          ['repeat with', `--id ${request.requestId}`],
        ]),
      );
    });
}

function addShow(catalog: Command, io: Io): void {
  const command = catalog
    .command('show [version]')
    .description('the catalog in force, or an older version of it, as a file that can be published again');
  addSidecarOptions(command)
    .addHelpText('after', '\nExamples:\n  $ drawdown catalog show\n  $ drawdown catalog show 3 > old.yaml')
    .action(async (version: string | undefined, options: SidecarOptions) => {
      const wanted = Number(version === undefined ? 0 : parseWhole(version));
      const answer = await withSidecar(options, (client) =>
        client.call('CatalogService/GetCatalog', { version: wanted }),
      );
      const { json, ...rest } = answer;
      if (options.json) return printJson(io, { ...rest, catalog: JSON.parse(json) });
      io.out(
        `# version ${answer.version}, published ${formatTime(answer.publishedTimeMs)} by ${answer.publishedBy}`,
      );
      io.out(`# sha-256 ${answer.hash}`);
      io.out(yamlOf(json));
    });
}

function addVersions(catalog: Command, io: Io): void {
  const command = catalog
    .command('versions')
    .description('every version, newest first: who published it and when')
    .option('--limit <count>', 'versions of one page, at most 1000', parseWhole, '20')
    .option('--page <token>', 'the page that the end of another names');
  addSidecarOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown catalog versions')
    .action(async (options: SidecarOptions & { limit: string; page?: string }) => {
      const page = { pageSize: Number(options.limit), pageToken: options.page ?? '' };
      const answer = await withSidecar(options, (client) =>
        client.call('CatalogService/ListCatalogVersions', page),
      );
      if (options.json) return printJson(io, answer);
      io.out(
        formatTable(
          [
            { title: 'version', right: true },
            { title: 'published' },
            { title: 'by' },
            { title: 'hash' },
            { title: '' },
          ],
          answer.versions.map(({ version, publishedTimeMs, publishedBy, hash }) => [
            String(version),
            formatTime(publishedTimeMs),
            publishedBy,
            hash.slice(0, 12),
            version === answer.inForce ? 'in force' : '',
          ]),
        ),
      );
      if (answer.nextPageToken !== '') io.out(`More with --page ${answer.nextPageToken}`);
    });
}

/** As the catalog's reader takes it: every scalar is text, so prices need no quotes. */
function yamlOf(json: string): string {
  const content: unknown = JSON.parse(json, (_key, value: unknown) =>
    typeof value === 'object' ? value : String(value),
  );
  return stringify(content, { schema: 'failsafe' }).trimEnd();
}

function problemLine(file: string, problem: Omit<CatalogProblem, 'file'>): string {
  return formatProblem({ file, ...problem });
}

function unusable(file: string): CommandFailure {
  return new CommandFailure(`${file} cannot be used`, EXIT.failed);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${(error as Error).message}`);
  }
}
