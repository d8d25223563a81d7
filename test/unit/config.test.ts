import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { ConfigError, loadConfig, parseFlags, printableConfig, settingRows } from '../../src/config.js';
import { parseAddress } from '../../src/settings.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) {
    rmSync(directory, { recursive: true, force: true });
  }
});

function yamlFile(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'drawdown-config-'));
  directories.push(directory);
  const file = join(directory, 'drawdown.yaml');
  writeFileSync(file, content);
  return file;
}

function problemsOf(sources: Parameters<typeof loadConfig>[0]): string {
  try {
    loadConfig({ environment: {}, ...sources });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('The configuration was accepted');
}

test('without any source every setting has its default, and these agree with each other', () => {
  const config = loadConfig({ environment: {} });
  expect(config).toMatchObject({ grpcAddress: '127.0.0.1:50051', partitionCount: 16, redisUrl: undefined });
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.keys(config).sort()).toEqual(
    settingRows()
      .map((row) => row.name)
      .sort(),
  );
});

test('a flag goes before the environment, that before the file, that before the default', () => {
  const configFile = yamlFile('partitionCount: 2\nleaseMs: 6000\nredisKeyPrefix: fromFile\n');
  const environment = { DRAWDOWN_PARTITION_COUNT: '3', DRAWDOWN_LEASE_MS: '7000' };
  const config = loadConfig({ configFile, environment, flags: { partitionCount: '4' } });
  expect(config).toMatchObject({
    partitionCount: 4,
    leaseMs: 7_000,
    redisKeyPrefix: 'fromFile',
    batchOpsMax: 500,
  });
});

test('DRAWDOWN_CONFIG names the file, and --config goes before it', () => {
  const DRAWDOWN_CONFIG = yamlFile('partitionCount: 2');
  expect(loadConfig({ environment: { DRAWDOWN_CONFIG } }).partitionCount).toBe(2);
  const configFile = yamlFile('partitionCount: 3');
  expect(loadConfig({ environment: { DRAWDOWN_CONFIG }, configFile }).partitionCount).toBe(3);
});

test('every setting can be given by its variable, its flag and its key, with the same result', () => {
  for (const row of settingRows()) {
    const sample: Record<string, string> = {
      redisUrl: 'redis://h',
      postgresUrl: 'postgres://h/d',
      authToken: 'x'.repeat(16),
    };
    const value = String(row.default ?? sample[row.name]);
    const written = row.kind === 'integer' ? value : JSON.stringify(value);
    const expected = row.kind === 'integer' ? Number(value) : value;
    expect(loadConfig({ environment: { [row.variable]: value } })[row.name], row.variable).toBe(expected);
    const { flags } = parseFlags([`--${row.flag}`, value]);
    expect(loadConfig({ environment: {}, flags })[row.name], row.flag).toBe(expected);
    const configFile = yamlFile(`${row.name}: ${written}`);
    expect(loadConfig({ environment: {}, configFile })[row.name], row.name).toBe(expected);
  }
});

test('an unknown key is refused with its name and its source, and all of them at once', () => {
  const configFile = yamlFile('partitonCount: 2\n');
  const message = problemsOf({ configFile, environment: { DRAWDOWN_LEASE: '1' }, flags: { nonsense: '1' } });
  expect(message).toContain(`partitonCount (${configFile})`);
  expect(message).toContain('DRAWDOWN_LEASE (environment)');
  expect(message).toContain('nonsense (command line)');
});

test('what is not a setting by name alone is refused too', () => {
  expect(problemsOf({ configFile: yamlFile('constructor: 2\n') })).toContain('constructor');
  expect(problemsOf({ configFile: yamlFile('- 1\n') })).toContain('expected a map');
  expect(problemsOf({ configFile: yamlFile('leaseMs: 1\nleaseMs: 2\n') })).toContain('cannot be read');
  expect(problemsOf({ configFile: '/nowhere/drawdown.yaml' })).toContain('/nowhere/drawdown.yaml');
});

test('variables of other programs and empty ones are let alone', () => {
  const environment = { PATH: '/bin', DRAWDOWN_REDIS_URL: '' };
  expect(loadConfig({ environment }).redisUrl).toBeUndefined();
});

test.each(['12abc', '1.5', '1e3', ' 5000', '0x10', '', 'NaN', '99999999999999999999'])(
  '%j is not a number, whatever source says so',
  (value) => {
    const environment = { DRAWDOWN_PARTITION_COUNT: value || 'x' };
    expect(problemsOf({ environment })).toContain('DRAWDOWN_PARTITION_COUNT (environment)');
    expect(problemsOf({ flags: { partitionCount: value } })).toContain('partitionCount (command line)');
  },
);

test('bounds hold on both sides', () => {
  fc.assert(
    fc.property(fc.integer({ min: -10, max: 2_000 }), (count) => {
      const environment = { DRAWDOWN_PARTITION_COUNT: String(count) };
      if (count >= 1 && count <= 1_024) {
        expect(loadConfig({ environment }).partitionCount).toBe(count);
      } else {
        expect(problemsOf({ environment })).toContain(`not "${count}"`);
      }
    }),
  );
});

test.each(['0.0.0.0:50051', '10.0.0.7:50051', '[::]:50051', 'sidecar.internal:50051', '127.evil.example:1'])(
  'an address that others reach, %s, needs a token',
  (address) => {
    expect(problemsOf({ flags: { grpcAddress: address } })).toContain('authToken is required');
    expect(problemsOf({ flags: { httpAddress: address } })).toContain('authToken is required');
    const flags = { grpcAddress: address, authToken: 'sixteen-letters!' };
    expect(loadConfig({ environment: {}, flags }).grpcAddress).toBe(address);
  },
);

test.each(['127.0.0.1:0', 'localhost:1', '[::1]:50051', 'unix:/run/drawdown.sock', '127.9.9.9:1'])(
  'the local address %s needs none',
  (address) => {
    expect(loadConfig({ environment: {}, flags: { grpcAddress: address } }).grpcAddress).toBe(address);
  },
);

test.each([
  '50051',
  ':50051',
  'host',
  'host:',
  'host:65536',
  'unix:',
  '::1:5',
  '[localhost]:5',
  'a b:1',
  'u@h:1',
])('%j is no address', (address) => {
  expect(parseAddress(address)).toBeUndefined();
  expect(problemsOf({ flags: { grpcAddress: address } })).toContain('expected host:port');
});

test.each([
  ['holdTimeMaxMs', { holdTimeDefaultMs: '5000', holdTimeMaxMs: '4000' }],
  ['queueOpsMax', { queueOpsMax: '400', batchEventsMax: '100' }],
  ['queueOpsMax', { batchEventsMax: '5000', queueOpsMax: '4000' }],
  ['streamEventsInFlightMax', { streamEventsInFlightMax: '4000' }],
  ['messageBytesMax', { batchEventsMax: '20000', messageBytesMax: '1000000' }],
  ['eventAgeMaxMs', { idsWindowMs: '604800000', eventAgeMaxMs: '3600000' }],
  ['eventFutureMaxMs', { eventFutureMaxMs: '1000' }],
  ['idsWindowMs', { idsWindowMs: '60000', clockSkewMaxMs: '60000' }],
  ['leaseMs', { leaseMs: '900' }],
  ['redisCommandTimeoutMs', { redisCommandTimeoutMs: '1000' }],
  ['durableWaitMaxMs', { durableWaitMaxMs: '1000' }],
  ['journalAgeMaxMs', { journalAgeMaxMs: '5000' }],
  ['must differ', { grpcAddress: '127.0.0.1:9464' }],
])('settings that contradict each other are refused: %s', (says, flags) => {
  expect(problemsOf({ flags })).toContain(says);
});

test('a printed configuration holds no secret, and says everything else', () => {
  const flags = {
    redisUrl: 'rediss://user:red1s-pass@redis.example:6380/2',
    postgresUrl: 'postgres://user:p@ss/w0rd@db.example/app?sslmode=require&password=qu3ry-pass',
    authToken: 'a-token-of-32-letters-or-so-----',
  };
  const printed = printableConfig(loadConfig({ environment: {}, flags }));
  expect(printed.redisUrl).toBe('rediss://user:********@redis.example:6380/2');
  expect(printed.postgresUrl).toBe(
    'postgres://user:********@db.example/app?sslmode=require&password=********',
  );
  expect(printed.authToken).toBe('********');
  expect(printed.partitionCount).toBe(16);
  expect(Object.keys(printed)).toHaveLength(settingRows().length);
});

test('a refused secret is not repeated in the message', () => {
  expect(problemsOf({ flags: { authToken: 'short-secret' } })).not.toContain('short-secret');
  expect(problemsOf({ flags: { redisUrl: 'http://user:pass@host' } })).not.toContain('pass');
});

test('flags are read as name value and name=value, unknown ones refused', () => {
  expect(parseFlags(['--lease-ms', '6000', '--config=x.yaml', '--print-config'])).toEqual({
    flags: { leaseMs: '6000' },
    configFile: 'x.yaml',
    printConfig: true,
    help: false,
  });
  expect(() => parseFlags(['--leasems', '1'])).toThrow(ConfigError);
  expect(() => parseFlags(['stray'])).toThrow(ConfigError);
});

test('every setting says in a sentence what it is and why its default is what it is', () => {
  for (const row of settingRows()) {
    expect(row.description.length, row.name).toBeGreaterThan(40);
    expect(row.description, row.name).toMatch(/\.$/);
  }
});

test('names of variables and flags are spelled out once here, so that a rename is noticed', () => {
  const rows = settingRows().filter((row) => ['grpcAddress', 'idsPerGenerationMax'].includes(row.name));
  expect(rows.map((row) => [row.variable, row.flag])).toEqual([
    ['DRAWDOWN_GRPC_ADDRESS', 'grpc-address'],
    ['DRAWDOWN_IDS_PER_GENERATION_MAX', 'ids-per-generation-max'],
  ]);
});
