import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/io.js';
import { createProgram } from '../../src/cli/program.js';
import { settingRows } from '../../src/config.js';
import { ERROR_CODES } from '../../src/errors.js';
import { REASON_NUMBERS } from '../../src/grpc/record-codec.js';
import { createMetrics } from '../../src/metrics.js';
import { packageRoot } from '../../src/paths.js';

/** The documents list what the code has, all of it and nothing else. */

function page(name: string): string {
  return readFileSync(join(packageRoot, 'docs', name), 'utf8');
}

/** The rows of every table below a heading (or of the whole page), as cells without their backquotes. */
function rows(text: string, heading?: string): string[][] {
  const part = heading === undefined ? text : (text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '');
  return part
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort();
}

describe('docs/metrics.md', () => {
  it('lists every metric with its type and labels', async () => {
    const declared = await createMetrics({ processMetrics: false }).registry.getMetricsAsJSON();
    const documented = rows(page('metrics.md')).map(([name, type, labels]) => `${name} ${type} ${labels}`);
    const { registry } = createMetrics({ processMetrics: false });
    const inCode = declared.map(({ name, type }) => {
      // prom-client keeps the names of labels, but has no type for them.
      const { labelNames } = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
      return `${name} ${type} ${labelNames.join(', ')}`;
    });
    expect(sorted(documented)).toEqual(sorted(inCode));
  });

  it("follows Prometheus' conventions", async () => {
    for (const { name, type, help } of await createMetrics().registry.getMetricsAsJSON()) {
      expect(help).not.toBe('');
      // As JSON prom-client gives the type's name, in its types a number.
      expect([name, name.endsWith('_total')]).toEqual([name, String(type) === 'counter']);
    }
  });

  it('names labels of which none can hold an account or an id', () => {
    const labels = new Set(rows(page('metrics.md')).flatMap(([, , cell]) => (cell ? cell.split(', ') : [])));
    for (const label of labels) expect(label).not.toMatch(/account|agent|id$/);
  });
});

describe('docs/errors.md', () => {
  it('lists every error code with its status and whether waiting helps', () => {
    const documented = rows(page('errors.md'), 'Error codes').map((cells) => cells.slice(0, 3).join(' '));
    const inCode = Object.entries(ERROR_CODES).map(
      ([code, { status: name, retry }]) => `${code} ${name} ${retry ? 'yes' : 'no'}`,
    );
    expect(documented).toEqual(inCode);
    for (const { status: name } of Object.values(ERROR_CODES)) expect(status[name]).toBeTypeOf('number');
  });

  it('lists every reason', () => {
    expect(rows(page('errors.md'), 'Reasons').map(([reason]) => reason)).toEqual(Object.keys(REASON_NUMBERS));
  });

  it('lists every flag that the proto names', () => {
    const proto = readFileSync(join(packageRoot, 'proto/drawdown/v1/account_service.proto'), 'utf8');
    const flags = /Any of: ([a-z_, ]+)\./.exec(proto)?.[1]?.split(', ') ?? [];
    expect(rows(page('errors.md'), 'Flags of ledger lines').map(([flag]) => flag)).toEqual(flags);
  });
});

describe('docs/cli.md', () => {
  it('lists every command', async () => {
    const program = await createProgram([], { out: () => {}, error: () => {} });
    const names = program.commands.flatMap((command) =>
      command.commands.length === 0
        ? [command.name()]
        : command.commands.map((inner) => `${command.name()} ${inner.name()}`),
    );
    // Loaded only when it is called, as the rest of `demo` is.
    names.push('demo policy');
    const listed = page('cli.md').split('| exit code')[0] ?? '';
    expect(sorted(rows(listed).map(([name]) => name ?? ''))).toEqual(sorted(names));
  });

  it('lists every exit code', () => {
    const codes = page('cli.md').split('| exit code')[1] ?? '';
    expect(rows(codes).map(([code]) => Number(code))).toEqual([0, ...Object.values(EXIT)]);
  });
});

describe('docs/configuration.md', () => {
  it('lists every setting with its flag, variable, default and reason', () => {
    const inCode = settingRows().map(({ name, flag, variable, default: value, description }) => {
      // The shipped file lies wherever the package does.
      const preset = name === 'catalogFile' ? 'catalog.yaml of the package' : String(value ?? '-');
      return [name, `--${flag}`, variable, preset, description];
    });
    expect(rows(page('configuration.md'))).toEqual(inCode);
  });
});

/** Every file below a folder of the package, as one text. */
function sources(folder: string, ending: string): string {
  return readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => readFileSync(join(packageRoot, folder, file), 'utf8'))
    .join('\n');
}

describe('docs/runbook.md', () => {
  const symptoms = (page('runbook.md').split('\n# Planned work\n')[0] ?? '').split('\n## ').slice(1);
  const seen = symptoms.flatMap((symptom) =>
    [...(symptom.split('\n\n')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, quoted = '']) => quoted),
  );

  it.each(symptoms.map((symptom) => [symptom.split('\n')[0] ?? '', symptom]))(
    'says of "%s" all there is to say',
    (_, symptom) => {
      const parts = [...symptom.matchAll(/(?:^|\n|, )(?:- )?\*\*(\w[\w ]+)\*\*/gi)].map(([, part]) =>
        part?.toLowerCase(),
      );
      expect(parts).toEqual(['seen as', 'means', 'callers see', 'look at', 'do', 'over when']);
    },
  );

  it('quotes what the code says', () => {
    const code = sources('src', '.ts');
    // What stands between the parts that differ. Metrics and their labels are looked at below.
    const pieces = seen
      .filter((quoted) => !quoted.startsWith('drawdown') && !quoted.includes('="'))
      .flatMap((quoted) => quoted.split(/<[^>]*>/))
      .map((piece) => piece.trim().replace(/:$/, ''));
    expect(pieces.length).toBeGreaterThan(30);
    expect(pieces.filter((piece) => !code.includes(piece))).toEqual([]);
  });

  it('names values of labels that the code has', () => {
    const code = sources('src', '.ts');
    const values = [...page('runbook.md').matchAll(/(?:\{|`)\w+="(\w+)"/g)].map(([, value]) => value);
    expect(values.length).toBeGreaterThan(5);
    const scripts = sources('lua', '.lua');
    expect(values.filter((value) => !`${code}${scripts}`.includes(`'${value}'`))).toEqual([]);
  });

  it('names tables that the schema has', () => {
    const schema = sources('src/postgres/migrations', '.sql');
    const named = [...page('runbook.md').matchAll(/(?:FROM|UPDATE) ([a-z_]+)/g)].map(([, table]) => table);
    expect(named).toContain('set_aside_records');
    for (const table of new Set(named))
      if (table !== 'pg_stat_activity') expect(schema).toContain(`CREATE TABLE ${table} (`);
  });
});

describe('the pages of the documentation', () => {
  it('name no metric that does not exist', async () => {
    const { registry } = createMetrics({ processMetrics: false });
    const known = (await registry.getMetricsAsJSON()).map(({ name }) => name);
    for (const name of readdirSync(join(packageRoot, 'docs'))) {
      for (const [metric] of page(name).matchAll(/\bdrawdown_[a-z_]*[a-z]\b(?!\*)/g))
        expect(known, name).toContain(metric);
    }
  });

  it('link to pages and headings that exist', () => {
    const anchor = (heading: string): string =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-');
    const pages = ['../README.md', ...readdirSync(join(packageRoot, 'docs'))];
    const broken = pages.flatMap((name) =>
      [...page(name).matchAll(/\]\(([\w./-]*)(?:#([\w-]+))?\)/g)].flatMap(([link, target = '', heading]) => {
        const file = target === '' ? join('docs', name) : join('docs', name, '..', target);
        if (!existsSync(join(packageRoot, file))) return [`${name} ${link}`];
        if (heading === undefined) return [];
        const text = readFileSync(join(packageRoot, file), 'utf8');
        const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, words = '']) => anchor(words));
        return headings.includes(heading) ? [] : [`${name} ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  it('name no setting that does not exist', () => {
    const known = new Set<string>(settingRows().map(({ name }) => name));
    const looksLikeSetting = /\b[a-z]+(?:[A-Z][a-z]+)*(?:Max|MaxMs|DefaultMs|IdleMs|WindowMs|TimeoutMs)\b/g;
    for (const name of ['metrics.md', 'errors.md']) {
      for (const [setting] of page(name).matchAll(looksLikeSetting)) expect([...known]).toContain(setting);
    }
  });
});
