/** The rules "who may import whom" live in biome.json; this shows that they catch what they are meant to catch. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/paths.js';

const refused: Readonly<Record<string, readonly string[]>> = {
  'src/ledger/fold.ts': ['ioredis', 'node:fs', '../redis/keys.js', '../config.js'],
  'src/ledger/deep/fold.ts': ['../../usage/queue.js'],
  'src/catalog/price.ts': ['pg', '../embedded/index.js'],
  'src/errors.ts': ['@grpc/grpc-js', './postgres/pool.js'],
  'src/clock.ts': ['./config.js'],
  'src/redis/scripts.ts': ['../postgres/entries.js', 'pg', '../usage/queue.js'],
  'src/postgres/entries.ts': ['../redis/keys.js', 'ioredis', '../flush/flusher.js'],
  'src/usage/queue.ts': ['../grpc/server.js', '../sidecar.js'],
  'src/credits/plans.ts': ['@grpc/grpc-js'],
  'src/flush/flusher.ts': ['../sidecar.js', '../core.js'],
  'src/grpc/usage.ts': ['ioredis', '../redis/scripts.js'],
  'src/http/metrics.ts': ['../postgres/entries.js'],
  'src/cli/doctor.ts': ['pg'],
  'src/embedded/redis.ts': ['../redis/connection.js'],
  'src/verify/pass.ts': [
    'pg',
    'ioredis',
    '../flush/flush.js',
    '../embedded/index.js',
    '../cli/io.js',
    '../stores.js',
  ],
  'src/usage/meter.ts': ['../verify/index.js'],
  'src/http/console.ts': ['../verify/index.js'],
  'src/client/count.ts': [
    'node:buffer',
    'protobufjs',
    'pg',
    'ioredis',
    '../config.js',
    '../catalog/micros.js',
    '../usage/types.js',
    '../grpc/server.js',
    '../grpc/errors.js',
    '../sidecar.js',
  ],
  'test/oracle/account.ts': ['../../src/ledger/fold.js'],
};

const allowed: Readonly<Record<string, readonly string[]>> = {
  'src/ledger/fold.ts': ['node:crypto', './amount.js', '../errors.js'],
  'src/redis/scripts.ts': ['ioredis', '../ledger/fold.js', './keys.js'],
  'src/postgres/entries.ts': ['pg', '../ledger/fold.js'],
  'src/usage/queue.ts': ['../redis/scripts.js', '../postgres/entries.js', '../catalog/price.js'],
  'src/flush/flusher.ts': ['../redis/journal.js', '../postgres/entries.js'],
  'src/grpc/usage.ts': ['@grpc/grpc-js', '../usage/queue.js', '../credits/plans.js'],
  'src/verify/pass.ts': [
    '../ledger/fold.js',
    '../catalog/price.js',
    '../postgres/verify.js',
    '../redis/verify.js',
    '../usage/types.js',
  ],
  'src/cli/verify.ts': ['../verify/index.js', '../stores.js'],
  'src/sidecar.ts': ['./postgres/pool.js', './redis/connection.js', './embedded/index.js'],
  'src/main.ts': ['./sidecar.js', './config.js'],
  'src/client/count.ts': [
    './characters.js',
    '@grpc/grpc-js',
    '@grpc/proto-loader',
    '../errors.js',
    '../wire/protobuf.js',
    '../grpc/error-details.js',
  ],
};

const environment = "export const home = process.env['HOME'];\n";
const circle = {
  'src/usage/circleA.ts': "import { b } from './circleB.js';\nexport const a = () => b;\n",
  'src/usage/circleB.ts': "import { a } from './circleA.js';\nexport const b = () => a;\n",
};

let root: string;
/** What Biome found. */
let found: readonly { file: string; rule: string; line: number }[];

/** All cases lie in one tree beside a copy of the real configuration, so Biome runs once. */
beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'drawdown-imports-')));
  const config = JSON.parse(readFileSync(join(packageRoot, 'biome.json'), 'utf8'));
  config.vcs.enabled = false;
  write('biome.json', JSON.stringify(config));
  for (const file of new Set([...Object.keys(refused), ...Object.keys(allowed)])) {
    const imports = [...(refused[file] ?? []), ...(allowed[file] ?? [])];
    write(file, imports.map((from) => `import '${from}';\n`).join(''));
  }
  write('src/usage/environment.ts', environment);
  write('src/cli/environment.ts', environment);
  write('src/config.ts', environment);
  for (const [file, content] of Object.entries(circle)) {
    write(file, content);
  }
  const parameters = ['lint', '--reporter=github', '--max-diagnostics=none', '.'];
  const biome = join(packageRoot, 'node_modules/.bin/biome');
  const { stdout } = spawnSync(biome, parameters, { cwd: root, encoding: 'utf8' });
  // ::error title=lint/style/noProcessEnv,file=src/x.ts,line=1,...
  found = [...stdout.matchAll(/^::\w+ title=lint\/\w+\/(\w+),file=([^,]+),line=(\d+)/gm)].map((match) => ({
    rule: match[1] ?? '',
    file: relative(root, match[2] ?? ''),
    line: Number(match[3]),
  }));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, content: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), content);
}

function linesFound(file: string, rule: string): number[] {
  return found.filter((one) => one.file === file && one.rule === rule).map((one) => one.line);
}

test.each(Object.entries(refused))('%s may not import %j', (file, imports) => {
  const lines = linesFound(file, 'noRestrictedImports');
  expect(lines).toEqual(expect.arrayContaining(imports.map((_, index) => index + 1)));
});

test.each(Object.entries(allowed))('%s may import %j', (file, imports) => {
  const before = refused[file]?.length ?? 0;
  const lines = linesFound(file, 'noRestrictedImports');
  expect(lines.filter((line) => line > before && line <= before + imports.length)).toEqual([]);
});

/** The sources that a file pulls in, itself included, types excepted. */
function importTree(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(join(packageRoot, file), 'utf8');
  for (const [, from] of text.matchAll(/^(?:import|export) (?!type )[^;]*?from '(\.[^']+)\.js';/gms)) {
    importTree(join(dirname(file), `${from}.ts`), found);
  }
  return found;
}

test('the client pulls in no code of the server', () => {
  const foreign = [...importTree('src/client/index.ts')].filter((file) => !file.startsWith('src/client/'));
  expect(foreign.sort()).toEqual([
    'src/errors.ts',
    'src/grpc/error-details.ts',
    'src/paths.ts',
    'src/wire/protobuf.ts',
  ]);
});

test('what serves cannot reach a clock that can be set', () => {
  const clock = 'src/demo/simulated-clock.ts';
  expect(importTree('src/demo/policy.ts')).toContain(clock);
  for (const file of ['src/main.ts', 'src/sidecar.ts']) expect(importTree(file)).not.toContain(clock);
});

test('only config.ts reads the environment', () => {
  expect(linesFound('src/usage/environment.ts', 'noProcessEnv')).toEqual([1]);
  expect(linesFound('src/cli/environment.ts', 'noProcessEnv')).toEqual([1]);
  expect(linesFound('src/config.ts', 'noProcessEnv')).toEqual([]);
});

test('imports in a circle are refused', () => {
  for (const file of Object.keys(circle)) {
    expect(linesFound(file, 'noImportCycles')).toEqual([1]);
  }
  expect(linesFound('src/usage/environment.ts', 'noImportCycles')).toEqual([]);
});
