import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalCatalog } from '../../src/catalog/canonical.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { runCli } from '../../src/cli/program.js';
import type { Accounts, CreateAccountCall } from '../../src/credits/types.js';
import { DrawdownError } from '../../src/errors.js';
import { fakeAccounts, type Harness, startHarness } from './grpc-fakes.js';

const token = 'a-token-of-16-characters';
let harness: Harness;
let created: CreateAccountCall[];
let directory: string;
let catalogFile: string;
beforeEach(async () => {
  created = [];
  const create: Accounts['create'] = (call, options) => {
    created.push(call);
    return fakeAccounts.create(call, options);
  };
  harness = await startHarness({ flags: { authToken: token }, accounts: { create } });
  directory = mkdtempSync(join(tmpdir(), 'drawdown-cli-'));
  catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, 'good');
});
afterEach(() => {
  harness.stop();
  rmSync(directory, { recursive: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  const out: string[] = [];
  const error: string[] = [];
  const all = [...argv, '--address', harness.address, '--token', token];
  const code = await runCli(all, { out: (line) => out.push(line), error: (line) => error.push(line) });
  return { code, out: out.join('\n'), error: error.join('\n') };
}

const work = ['--account', 'acme', '--meter', 'llm', '--model', 'gpt-4o-mini'];

describe('commands that call a sidecar', () => {
  it('create, top up and show accounts', async () => {
    expect((await run('account', 'create', 'acme')).out).toMatch(/^account +acme\ncreated /);
    expect((await run('account', 'topup', 'acme', '--credits', '5')).out).toMatch(
      /granted +5\.000000 credits/,
    );
    const characters = await run('account', 'topup', 'acme', '--amount', '70', '--unit', 'tts_characters');
    expect(characters.out).toMatch(/granted +70 tts_characters/);
    const show = await run('account', 'show', 'acme');
    expect(show.out).toContain('acme is active; open holds: 2');
    expect(show.out).toMatch(/credits +0\.000005 credits/);
    expect(show.out).toContain('9007199254.740991 credits');
    expect(show.out).toMatch(
      /own credits of +available +held\nsupport +0\.000007 credits +0\.000001 credits/,
    );
  });

  it('create an account with what a file says it brings along, and name every mistake of such a file', async () => {
    const file = join(directory, 'acme.json');
    const create = () => run('account', 'create', 'acme', '--plan', 'pro', '--import', file);
    const lots = [
      { source: 'plan', credits: '812.5', expires_at: '2026-02-10' },
      { source: 'conversion', amount: 5000, unit: 'tts_characters' },
    ];
    writeFileSync(file, JSON.stringify({ lots, period: { start: '2025-01-10', end: '2026-02-10' } }));
    expect((await create()).out).toMatch(/^account +acme\ncreated /);
    const end = Date.UTC(2026, 1, 10);
    expect(created[0]).toMatchObject({
      plan: 'pro',
      imported: {
        lots: [
          { source: 'plan', unit: 1, amount: 812_500_000, expiresAtMs: end },
          { source: 'conversion', unit: 2, amount: 5_000, expiresAtMs: 0 },
        ],
        periodStartTimeMs: Date.UTC(2025, 0, 10),
        periodEndTimeMs: end,
      },
    });
    writeFileSync(file, JSON.stringify({ lots: [{ source: 'gift', credits: 'many' }, { source: 'free' }] }));
    const bad = await create();
    expect(bad.code).toBe(1);
    expect(bad.error).toContain('lots.0.source: ');
    expect(bad.error).toContain('lots.0.credits: Credits with at most 6 decimals are needed');
    expect(bad.error).toContain('lots.1: says how much: credits, or amount with unit');
    writeFileSync(file, JSON.stringify({ lot: [] }));
    expect((await create()).error).toMatch(/the file: .*lot/);
  });

  it('make ids and times where none are given, and say how to repeat', async () => {
    const { out } = await run('usage', 'record', ...work, '--input-tokens', '1000', '--output-tokens', '200');
    const [, id, time] = /repeat with +--id (cli-[0-9a-f-]{36}) --time (\d{13})/.exec(out) ?? [];
    expect(harness.meter.recorded[0]?.events).toEqual([
      {
        eventId: id,
        accountId: 'acme',
        agentId: '',
        meter: 'llm',
        model: 'gpt-4o-mini',
        quantities: [
          ['input_tokens', 1_000],
          ['output_tokens', 200],
        ],
        eventTimeMs: Number(time),
      },
    ]);
    expect(out).toMatch(/charged +0\.000007 credits/);
  });

  it('answer in JSON with large numbers as strings', async () => {
    const { out } = await run(
      'usage',
      'record',
      ...work,
      '--quantity',
      'input_tokens=5',
      '--id',
      'e1',
      '--json',
    );
    expect(JSON.parse(out)).toMatchObject({ eventId: 'e1', outcome: 'EVENT_OUTCOME_RECORDED', charged: '7' });
    const lots = JSON.parse((await run('account', 'show', 'acme', '--json')).out);
    expect(lots.lots[0].remaining).toBe('9007199254740991');
  });

  it('reserve, settle and release', async () => {
    const held = await run('reserve', ...work, '--credits', '0.5', '--hold-time', '10m', '--id', 'h1');
    expect(held.out).toMatch(/hold +h1 ALLOWED\nheld +0\.000100 credits/);
    expect((await run('settle', ...work, '--input-tokens', '5', '--id', 'h1')).out).toMatch(
      /charged +0\.000060 credits/,
    );
    expect((await run('release', '--account', 'acme', '--id', 'h1')).out).toMatch(
      /released +0\.000100 credits/,
    );
  });

  it('convert credits, and say what is missing', async () => {
    const converted = await run('account', 'convert', 'acme', '--unit', 'tts_characters', '--credits', '4');
    expect(converted.out).toMatch(
      /^converted +4\.000000 credits\ngranted +400 tts_characters\npaid debt +10 tts_characters\navailable +390 tts_characters\nlot +3\nrepeat with +--id cli-/,
    );
    const denied = await run('account', 'convert', 'acme', '--unit', 'llm_messages', '--units', '5');
    expect(denied).toMatchObject({
      code: 3,
      error:
        'DENIED INSUFFICIENT_BALANCE: missing 0.000020 credits (available 0.000005 credits). The same --id is judged afresh.',
    });
    const neither = await run('account', 'convert', 'acme', '--unit', 'llm_messages');
    expect(neither).toMatchObject({ code: 1, error: 'Say how much: --credits 5, or --units 500' });
  });

  it('unlock agents and show them, and say what is missing', async () => {
    const unlocked = await run('agent', 'unlock', 'acme', 'support', '--tier', 'standard');
    expect(unlocked.out).toMatch(
      /^agent +active\ncycle +1970-01-01T00:00:00.010Z to 1970-01-01T00:00:00.020Z\ncost +50\.000000 credits\navailable +0\.000007 credits\nrepeat with +--id cli-/,
    );
    expect((await run('agent', 'activate', 'acme', 'support')).out).toMatch(/^agent +active\n/);
    expect(await run('agent', 'activate', 'acme', 'poor')).toMatchObject({
      code: 3,
      error:
        'DENIED INSUFFICIENT_BALANCE: missing 2.000000 credits (available 1.000000 credits). The same --id is judged afresh.',
    });
    expect((await run('agent', 'suspend', 'acme', 'support')).out).toMatch(/^agent +suspended\n/);
    expect((await run('agent', 'remove', 'acme', 'support', '--id', 'r')).out).toMatch(
      /^agent +removed \(by this request, earlier\)\nrepeat with +--id r /,
    );
    expect((await run('agent', 'show', 'acme', 'support')).out).toMatch(
      /^agent +support\nstate +active\ntier +standard\ncycle .*\nrenewal +0\.000030 credits\ndraws on account +yes$/,
    );
    // Two pages: the command goes on until the token is empty.
    expect((await run('agent', 'list', 'acme')).out.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
      'agent',
      'support',
      'sales',
    ]);
    const json = JSON.parse((await run('agent', 'list', 'acme', '--json')).out);
    expect(json.agents).toHaveLength(2);
    expect(json.agents[0]).toMatchObject({ agentId: 'support', renewalCost: '30' });
  });

  it('put an account right: reverse, expire a lot, rate again, freeze and close', async () => {
    const why = ['--reason-code', 'a_test', '--reason', 'because'];
    const reversed = await run('account', 'reverse', 'acme', '--event', 'e1', ...why);
    expect(reversed.out).toMatch(/^reversed +0\.000150 credits\npaid debt +0\.000050 credits\navailable /);
    expect(reversed.out).toMatch(/repeat with +--id cli-/);
    const both = await run('account', 'reverse', 'acme', '--event', 'e1', '--hold', 'h1');
    expect(both).toMatchObject({ code: 1, error: 'Say what was charged: --event or --hold' });
    expect((await run('account', 'expire-lot', 'acme', '3', ...why)).out).toMatch(
      /^lot +3\nexpired +0\.000070 credits\n/,
    );
    expect((await run('account', 'expire-lot', 'acme', '3')).error).toMatch(/^FIELD_INVALID: reason_code/);
    // Two pages: the command goes on until the cursor is empty.
    expect((await run('account', 'rerate', '--model', 'gpt-4o-mini')).out).toBe(
      [
        'looked at     4',
        'rerated       2',
        'left unrated  2',
        'charged       0.000024 credits',
        'into debt     0.000004 credits',
      ].join('\n'),
    );
    expect(JSON.parse((await run('account', 'rerate', 'acme', '--json')).out)).toMatchObject({
      rerated: 2,
      charged: [{ unit: 'UNIT_CREDITS', value: '24' }],
    });
    for (const [name, status] of [
      ['freeze', 'frozen'],
      ['unfreeze', 'active'],
      ['close', 'closed'],
      ['reopen', 'active'],
    ] as const) {
      expect((await run('account', name, 'acme', ...why)).out).toMatch(
        new RegExp(`^account +acme\nstatus +${status}\n`),
      );
    }
  });

  it('start a period, change the plan, withdraw what is to come, and show all of it', async () => {
    const shown = (await run('account', 'show', 'acme')).out;
    expect(shown).toMatch(/^acme is active; open holds: 2\nplan +pro\nperiod +1970-\S+ to 1970-\S+\n/);
    expect(shown).toMatch(/\nnext period +pro, 1970-\S+ to 1970-\S+\nchanges to +free at 1970-/);
    const period = ['--plan', 'pro', '--start', '2026-01-10', '--end', '2026-02-10'];
    const stored = (await run('account', 'start-period', 'acme', ...period)).out;
    expect(stored).toMatch(/^plan +period stored\nrepeat with +--id /);
    const changed = (await run('account', 'change-plan', 'acme', '--plan', 'pro', '--end', '2026-02-10')).out;
    expect(changed).toMatch(
      /^plan +period started\ngranted +0\.000070 credits\npaid debt +0\.000020 credits\nlot +3\n/,
    );
    const withdrawn = (await run('account', 'cancel-change', 'acme', '--id', 'c1')).out;
    expect(withdrawn).toMatch(/^account +acme\nwithdrawn +now\nrepeat with +--id c1 --time \d+$/);
  });

  it('exit with 3 and say what is missing when DENIED', async () => {
    const denied = await run('reserve', ...work, '--credits', '1', '--id', 'too-much');
    expect(denied.code).toBe(3);
    expect(denied.error).toContain('DENIED INSUFFICIENT_BALANCE: missing 0.000095 credits');
    const asJson = await run('reserve', ...work, '--credits', '1', '--id', 'too-much', '--json');
    expect(asJson.code).toBe(3);
    expect(JSON.parse(asJson.out)).toMatchObject({ verdict: 'VERDICT_DENIED', missing: '95' });
  });

  it('show the ledger: quantities, catalog version, lot and balance on each line', async () => {
    const { out } = await run('ledger', 'acme', '--limit', '5');
    const [head, line] = out.split('\n');
    expect(head).toMatch(
      /^seq +booked +kind +id +model +quantities +catalog +lots +change +available +flags$/,
    );
    expect(line).toContain('input_tokens=1000');
    expect(line).toContain('#1 -0.000150');
    expect(line).toMatch(/-0\.000150 credits +0\.000005 credits +late$/);
    expect(out).toContain('More with --page newest_first/5');
  });

  it('end with one line that has code, message and field', async () => {
    const bad = await run('account', 'show', 'no such account');
    expect(bad.code).toBe(1);
    expect(bad.error).toMatch(/^FIELD_INVALID: account_id must be .*$/);
    harness.meter.failWith = new DrawdownError('UNAVAILABLE', 'Redis is away');
    const away = await run('reserve', ...work, '--credits', '1');
    expect(away).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^UNAVAILABLE: Redis is away\. Try again/),
    });
  });

  it('publish a catalog, and say what became of it', async () => {
    const published = await run('catalog', 'publish', catalogFile, '--by', 'ops@acme', '--id', 'p1');
    expect(published.out).toMatch(
      /^version +5\npublished +2023-11-14T22:13:20\.001Z by ops@acme\nhash +def\nrepeat with +--id p1$/,
    );
    const made = await run('catalog', 'publish', catalogFile, '--by', 'ops@acme');
    expect(made.out).toMatch(/repeat with +--id cli-[0-9a-f-]{36}$/);
    const again = await run('catalog', 'publish', catalogFile, '--by', 'ops@acme', '--id', 'again');
    expect(again.out).toContain('(by this request, earlier)');
    writeFileSync(catalogFile, 'same');
    const same = await run('catalog', 'publish', catalogFile, '--by', 'ops@acme');
    expect(same.out).toMatch(/^version +5 \(was in force with this content\)/);
    const json = JSON.parse(
      (await run('catalog', 'publish', catalogFile, '--by', 'ops', '--id', 'p2', '--json')).out,
    );
    expect(json).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_UNCHANGED',
      catalogVersion: { version: 5, publishedBy: 'ops' },
      requestId: 'p2',
    });
  });

  it('name every mistake of a catalog that is refused, by file, line and path', async () => {
    writeFileSync(catalogFile, 'bad');
    const refused = await run('catalog', 'publish', catalogFile, '--by', 'ops');
    expect(refused).toEqual({
      code: 1,
      out: '',
      error: `${catalogFile}:3:5 meters.llm: is missing\n${catalogFile} cannot be used`,
    });
    const asJson = await run('catalog', 'publish', catalogFile, '--by', 'ops', '--json');
    expect(asJson.code).toBe(1);
    expect(JSON.parse(asJson.out)).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_REFUSED',
      problems: [{ line: 3, column: 5, path: 'meters.llm', message: 'is missing' }],
    });
    const nobody = await run('catalog', 'publish', catalogFile);
    expect([nobody.code, nobody.error]).toEqual([1, expect.stringContaining("required option '--by")]);
    const nothing = await run('catalog', 'publish', join(directory, 'none.yaml'), '--by', 'ops');
    expect(nothing.error).toContain('cannot be read');
  });

  it('show a catalog as a file that can be published again', async () => {
    const { out } = await run('catalog', 'show');
    expect(out).toMatch(
      /^# version 4, published 2023-11-14T22:13:20\.000Z by ops@acme\n# sha-256 [0-9a-f]{64}\n/,
    );
    const parsed = parseCatalog(out, 'shown.yaml');
    expect('catalog' in parsed && canonicalCatalog(parsed.catalog).json).toBe(harness.catalogJson);
    expect((await run('catalog', 'show', '3')).out).toMatch(/^# version 3,/);
    expect(await run('catalog', 'show', '7')).toMatchObject({
      code: 1,
      error: expect.stringContaining('CATALOG_VERSION_UNKNOWN'),
    });
    const json = JSON.parse((await run('catalog', 'show', '--json')).out);
    expect(json).toMatchObject({ version: 4, catalog: { format: 1 } });
  });

  it('list versions, which one is in force, and where there are more', async () => {
    const { out } = await run('catalog', 'versions', '--limit', '1');
    expect(out).toMatch(
      /^version +published +by +hash\n +5 +2023-11-14T22:13:20\.001Z +ops@acme +def\nMore with --page 5$/,
    );
    const rest = await run('catalog', 'versions', '--page', '5');
    expect(rest.out).toMatch(/\n +4 .* +def +in force$/);
  });

  it('are refused without the token', async () => {
    const error: string[] = [];
    const argv = ['account', 'show', 'a', '--address', harness.address];
    const code = await runCli(argv, { out: () => {}, error: (line) => error.push(line) });
    expect([code, error.join()]).toEqual([1, expect.stringContaining('UNAUTHENTICATED')]);
  });

  it('refuse an event with its reason', async () => {
    const { code, error } = await run('usage', 'record', ...work, '--input-tokens', '1', '--id', 'a b');
    expect(code).toBe(1);
    expect(error).toContain('REFUSED FIELD_INVALID: events[0].event_id');
  });
});
