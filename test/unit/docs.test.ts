import { readFileSync } from 'node:fs';
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

describe('the pages of the documentation', () => {
  it('name no setting that does not exist', () => {
    const known = new Set<string>(settingRows().map(({ name }) => name));
    const looksLikeSetting = /\b[a-z]+(?:[A-Z][a-z]+)*(?:Max|MaxMs|DefaultMs|IdleMs|WindowMs|TimeoutMs)\b/g;
    for (const name of ['metrics.md', 'errors.md']) {
      for (const [setting] of page(name).matchAll(looksLikeSetting)) expect([...known]).toContain(setting);
    }
  });
});
