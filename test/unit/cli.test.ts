import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmount, formatCredits, formatTable } from '../../src/cli/format.js';
import {
  collectQuantity,
  parseCredits,
  parseDuration,
  parseTime,
  parseUnit,
  parseWhole,
} from '../../src/cli/parse.js';
import { runCli } from '../../src/cli/program.js';

async function run(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  const out: string[] = [];
  const error: string[] = [];
  const code = await runCli(argv, { out: (line) => out.push(line), error: (line) => error.push(line) });
  return { code, out: out.join('\n'), error: error.join('\n') };
}

describe('amounts on the command line', () => {
  it('are exact between decimal credits and micro-credits', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (micros) => {
        expect(parseCredits(formatCredits(String(micros)))).toBe(String(micros));
      }),
    );
    expect(parseCredits('5')).toBe('5000000');
    expect(parseCredits('0.25')).toBe('250000');
    expect(parseCredits('0.000001')).toBe('1');
    expect(parseCredits('9007199254.740991')).toBe('9007199254740991');
    expect(formatCredits('-1500000')).toBe('-1.500000');
    expect(formatAmount('UNIT_CREDITS', '150')).toBe('0.000150 credits');
    expect(formatAmount('UNIT_TTS_CHARACTERS', '150')).toBe('150 tts_characters');
  });

  it.each(['', '5x', '-1', '1.0000001', '1e3', '.5', '5.', '9007199254.740992', ' 5'])(
    'refuses %j as credits',
    (text) => {
      expect(() => parseCredits(text)).toThrow();
    },
  );

  it.each(['', '12abc', '1.5', '-1', '1e3', '9007199254740992', '0x10'])(
    'refuses %j as a whole number',
    (text) => {
      expect(() => parseWhole(text)).toThrow();
    },
  );

  it('take units, times, durations and quantities in the forms that people write', () => {
    expect(parseUnit('tts_characters')).toBe('UNIT_TTS_CHARACTERS');
    expect(() => parseUnit('dollars')).toThrow('credits, tts_characters, llm_messages');
    expect(parseTime('1700000000000')).toBe('1700000000000');
    expect(parseTime('2023-11-14T22:13:20Z')).toBe('1700000000000');
    expect(() => parseTime('yesterday')).toThrow();
    expect(parseDuration('10m')).toBe('600000');
    expect(parseDuration('1500')).toBe('1500');
    expect(() => parseDuration('10 minutes')).toThrow();
    expect(collectQuantity('b=2', collectQuantity('a=1'))).toEqual({ a: '1', b: '2' });
    expect(() => collectQuantity('a=1', { a: '1' })).toThrow('twice');
    expect(() => collectQuantity('a=x')).toThrow();
  });
});

describe('tables', () => {
  it('align what is compared', () => {
    const columns = [{ title: 'name' }, { title: 'count', right: true }];
    expect(
      formatTable(columns, [
        ['a', '1'],
        ['longer', '1000'],
      ]),
    ).toBe(['name    count', 'a           1', 'longer   1000'].join('\n'));
  });
});

describe('the command line', () => {
  it('helps, with an example for every command', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    for (const name of [
      'serve',
      'migrate',
      'verify',
      'demo',
      'catalog',
      'account',
      'usage',
      'reserve',
      'ledger',
    ]) {
      expect(out).toContain(`  ${name} `);
    }
    for (const argv of [
      ['serve'],
      ['migrate'],
      ['catalog', 'check'],
      ['catalog', 'publish'],
      ['catalog', 'show'],
      ['catalog', 'versions'],
      ['account', 'create'],
      ['account', 'topup'],
      ['account', 'show'],
      ['usage', 'record'],
      ['reserve'],
      ['settle'],
      ['release'],
      ['ledger'],
    ]) {
      const help = await run(...argv, '--help');
      expect([argv, help.code]).toEqual([argv, 0]);
      expect(help.out).toMatch(/Examples?:\n +\$ drawdown /);
      expect(help.out).toContain('--json');
    }
  });

  it('prints its version', async () => {
    expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    [['nonsense'], 'unknown command'],
    [['account', 'topup', 'a', '--credits', '5x'], 'Credits with at most 6 decimals'],
    [['account', 'topup', 'a'], 'Say how much'],
    [['account', 'topup', 'a', '--amount', '5'], '--amount and --unit belong together'],
    [
      ['account', 'topup', 'a', '--credits', '5', '--amount', '5', '--unit', 'credits'],
      'either --credits or --amount',
    ],
    [['usage', 'record', '--account', 'a', '--meter', 'llm', '--model', 'm'], 'Say what was used'],
    [['usage', 'record', '--meter', 'llm', '--model', 'm'], "required option '--account"],
    [['reserve', '--account', 'a', '--meter', 'llm', '--model', 'm'], 'Say how much'],
    [
      [
        'reserve',
        '--account',
        'a',
        '--meter',
        'llm',
        '--model',
        'm',
        '--credits',
        '1',
        '--input-tokens',
        '5',
      ],
      'Say how much',
    ],
    [['release', '--account', 'a'], "required option '--id"],
    [['ledger', 'a', '--kind', 'gift'], 'One of account_created'],
    [['serve', '--grpc-address', 'nonsense'], 'expected host:port'],
  ])('says in clear words what is wrong with %j', async (argv, words) => {
    const { code, out, error } = await run(...argv);
    expect(code).toBe(1);
    expect(error).toContain(words);
    expect(out).toBe('');
  });

  it('says how to start a sidecar where none answers', async () => {
    const { code, error } = await run('account', 'show', 'a', '--address', 'unix:/nonexistent/socket');
    expect(code).toBe(1);
    expect(error).toContain('Start one with');
    expect(error.split('\n')).toHaveLength(1);
  });

  it('prints the configuration without secrets', async () => {
    const { code, out } = await run('serve', '--print-config', '--auth-token', 'a-token-of-16-characters');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ grpcAddress: '127.0.0.1:50051', authToken: '********' });
  });

  it('checks catalogs and names the place of every mistake', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'drawdown-cli-'));
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, 'format: 1\nmeters: {}\nsurprise: yes\n');
    const bad = await run('catalog', 'check', file);
    expect(bad.code).toBe(1);
    expect(bad.error).toContain(`${file}:3:`);
    const asJson = await run('catalog', 'check', file, '--json');
    expect(JSON.parse(asJson.out)).toMatchObject({ valid: false, file });
    expect((await run('catalog', 'check', join(directory, 'none.yaml'))).error).toContain('cannot be read');
    const good = await run('catalog', 'check');
    expect(good.code).toBe(0);
    expect(good.out).toMatch(/is valid: \d+ meters, \d+ models, \d+ plans/);
    rmSync(directory, { recursive: true });
  });
});
