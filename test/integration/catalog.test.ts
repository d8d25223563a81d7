/** Publishing a catalog, and sidecars that switch to it while they work. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { metric, readiness, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean, expectVerified } from '../helpers/verified.js';

const shipped = readFileSync(join(packageRoot, 'catalog.yaml'), 'utf8');
const example = 'prices: { input_tokens: 0.15, output_tokens: 0.60 }';

/** The shipped catalog with another price of example-small, in micro-credits per token. */
function priced(credits: string): string {
  expect(shipped.split(`    - name: example-small`)).toHaveLength(2);
  return shipped.replace(example, `prices: { input_tokens: ${credits}, output_tokens: ${credits} }`);
}

const model = { meter: 'llm', model: 'example-small' };
const million = { values: { input_tokens: 1_000_000, output_tokens: 0 } };

let redis: TestRedis;
let database: TestDatabase;
let first: TestSidecar;
let second: TestSidecar;

beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  first = await startTestSidecar(places);
  second = await startTestSidecar(places);
});
afterEach(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await Promise.all([redis.stop(), database.drop()]);
});

const publish = ({ client }: TestSidecar, requestId: string, text: string, publishedBy = 'ops@acme') =>
  client.call('CatalogService/PublishCatalog', { requestId, text, publishedBy });

const inForce = (sidecar: TestSidecar): Promise<number> => metric(sidecar, 'drawdown_catalog_version');

const switched = (sidecar: TestSidecar, version: number) =>
  until(`version ${version} is in force`, async () => (await inForce(sidecar)) === version);

/** What a million input tokens cost now, in micro-credits. */
async function estimate({ client }: TestSidecar): Promise<number> {
  const { costs } = await client.call('CatalogService/EstimateCost', {
    ...model,
    quantities: million.values,
  });
  return Number(costs.find(({ unit }) => unit === 'UNIT_CREDITS')?.value);
}

describe('publishing a catalog', () => {
  it('puts the new version in force here at once and on the other sidecar without a restart', async () => {
    expect([await inForce(first), await estimate(first)]).toEqual([1, 150_000]);
    const answer = await publish(first, 'p1', priced('2'));
    expect(answer).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_PUBLISHED',
      catalogVersion: { version: 2, publishedBy: 'ops@acme' },
      problems: [],
      duplicate: false,
    });
    expect(await estimate(first)).toBe(2_000_000);
    await switched(second, 2);
    expect(await estimate(second)).toBe(2_000_000);

    const account = await second.client.account('customer', 10_000_000);
    await second.client.record([usageEvent(account, 'e', 0, { ...model, quantities: million.values })]);
    const [line] = (await second.client.ledger(account)).filter(({ kind }) => kind === 'ENTRY_KIND_USAGE');
    expect(line).toMatchObject({ catalogVersion: 2, spent: '2000000' });
    await expectClean(first.config, first.client, new Map([[account, 8_000_000]]));
  });

  it('lets holds finish at the version that they began with, on whichever sidecar they are settled', async () => {
    const account = await first.client.account('holder', 100_000_000);
    const startTimeMs = Date.now();
    const reserve = (sidecar: TestSidecar, holdId: string) =>
      sidecar.client.reserve(account, holdId, 0, {
        ...model,
        amount: null,
        quantities: million,
        startTimeMs,
      });
    const settle = (sidecar: TestSidecar, holdId: string) =>
      sidecar.client.settle(account, holdId, 0, { ...model, amount: null, quantities: million });
    for (const holdId of ['old-1', 'old-2', 'old-late']) {
      expect(await reserve(first, holdId)).toMatchObject({ held: '150000', catalogVersion: 1 });
    }
    await publish(first, 'p1', priced('2'));
    expect(await reserve(first, 'old-1')).toMatchObject({
      held: '150000',
      catalogVersion: 1,
      duplicate: true,
    });
    // The second may not have noticed yet: it is asked for a version that it does not hold.
    expect(await reserve(first, 'new-1')).toMatchObject({ held: '2000000', catalogVersion: 2 });
    expect(await settle(second, 'new-1')).toMatchObject({ charged: '2000000', catalogVersion: 2 });
    expect(await settle(first, 'old-1')).toMatchObject({ charged: '150000', catalogVersion: 1 });
    await switched(second, 2);
    expect(await settle(second, 'old-2')).toMatchObject({ charged: '150000', catalogVersion: 1 });
    await first.client.release(account, 'old-late');
    expect(await settle(second, 'old-late')).toMatchObject({ charged: '150000', late: true });
    await expectClean(first.config, first.client, new Map([[account, 100_000_000 - 2_000_000 - 450_000]]));
  });

  it('that drops a meter, a wallet and a quantity lets the holds that began with them settle', async () => {
    const account = await first.client.account('speaker', 100_000_000);
    await first.client.topUp(account, 100, { requestId: 'characters', unit: 'UNIT_TTS_CHARACTERS' });
    const speech = { meter: 'tts', model: 'tts-1', eventTimeMs: Date.now() };
    const characters = (value: number) => ({ unit: 'UNIT_TTS_CHARACTERS' as const, value });
    const audio = { values: { input_tokens: 1_000_000, input_audio_tokens: 1_000_000, output_tokens: 0 } };
    const hold = (holdId: string, more: object) =>
      first.client.reserve(account, holdId, 0, { amount: null, ...more });
    await hold('meter', { ...speech, quantities: { values: { characters: 60 } } });
    await hold('amount', { ...speech, amount: characters(30) });
    await hold('quantity', { ...model, model: 'gemini-2.5-flash', quantities: audio });

    const without = shipped
      .replace(/^ {2}tts:\n(?: {4}.*\n)*/m, '')
      .replace(/^ {4}- name: (?:tts|eleven|gpt-4o-mini-tts)(?:.*\n)(?: {6}.*\n)*/gm, '')
      .replace(/^ {2}tts_characters: .*\n/gm, '')
      .replace(/ +input_audio_tokens: \{.*\n/, '')
      .replaceAll(/ *input_audio_tokens: [\d.]+,?\n?/g, '');
    expect(await publish(first, 'fewer', without)).toMatchObject({
      problems: [],
      catalogVersion: { version: 2 },
    });
    await switched(second, 2);

    const settle = ({ client }: TestSidecar, holdId: string, more: object) =>
      client.call('UsageService/Settle', { accountId: account, holdId, ...speech, ...more });
    const spoken = { quantities: { values: { characters: 50 } } };
    for (const duplicate of [false, true]) {
      expect(await settle(second, 'meter', spoken)).toMatchObject({
        charged: '50',
        catalogVersion: 1,
        duplicate,
      });
    }
    expect(await settle(first, 'amount', { amount: characters(30) })).toMatchObject({ charged: '30' });
    const heard = { meter: 'llm', model: 'gemini-2.5-flash', quantities: audio };
    expect(await settle(first, 'quantity', heard)).toMatchObject({ charged: '1000000', catalogVersion: 1 });
    // What never began is judged by what is in force.
    await expect(settle(first, 'unheard-of', spoken)).rejects.toMatchObject({ reason: 'METER_UNKNOWN' });
    await expectClean(first.config, first.client, new Map([[account, 99_000_000]]));
  });

  it('happens once for a request id, whoever is asked, and is refused for the same id with something else', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => publish(i % 2 === 0 ? first : second, 'once', priced('2'))),
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({
        outcome: 'PUBLISH_OUTCOME_PUBLISHED',
        catalogVersion: { version: 2 },
      });
    }
    expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    // Comments and order are no other content.
    expect(await publish(second, 'once', `# again\n${priced('2.00')}`)).toMatchObject({ duplicate: true });
    for (const [text, by] of [
      [priced('3'), 'ops@acme'],
      [priced('2'), 'somebody-else'],
    ] as const) {
      const failure = await first.client.failure('CatalogService/PublishCatalog', {
        requestId: 'once',
        text,
        publishedBy: by,
      });
      expect(failure).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'ID_CONFLICT', field: 'request_id' });
    }
    expect(await sql(database.url, 'SELECT count(*) FROM catalog_versions')).toEqual([{ count: '2' }]);
  });

  it('makes no version of what is in force already, and a new one of what was in force before', async () => {
    expect(await publish(first, 'a', shipped)).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_UNCHANGED',
      catalogVersion: { version: 1, publishedBy: 'catalogFile' },
    });
    await publish(first, 'b', priced('2'));
    const back = await publish(second, 'c', shipped);
    expect(back).toMatchObject({ outcome: 'PUBLISH_OUTCOME_PUBLISHED', catalogVersion: { version: 3 } });
    expect(await estimate(second)).toBe(150_000);
    // What was answered before is answered again, and brings nothing back.
    expect(await publish(second, 'a', shipped)).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_UNCHANGED',
      catalogVersion: { version: 1 },
      duplicate: true,
    });
    expect(await publish(second, 'b', priced('2'))).toMatchObject({
      catalogVersion: { version: 2 },
      duplicate: true,
    });
    expect(await inForce(second)).toBe(3);
  });

  it('numbers versions without gaps when many publish at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        publish(i % 2 === 0 ? first : second, `p${i}`, priced(`${i + 2}`), `user-${i}`),
      ),
    );
    const versions = answers.map(({ catalogVersion }) => catalogVersion?.version ?? 0);
    expect([...versions].sort()).toEqual([2, 3, 4, 5, 6, 7]);
    await switched(first, 7);
    await switched(second, 7);
    const newest = versions.indexOf(7);
    expect(await estimate(first)).toBe((newest + 2) * 1_000_000);
    const page = await second.client.call('CatalogService/ListCatalogVersions', { pageSize: 4 });
    const rest = await second.client.call('CatalogService/ListCatalogVersions', {
      pageToken: page.nextPageToken,
    });
    expect([...page.versions, ...rest.versions].map(({ version }) => version)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(page).toMatchObject({ inForce: 7, versions: [{ publishedBy: `user-${newest}` }, {}, {}, {}] });
    expect(rest.nextPageToken).toBe('');
    const oldest = await second.client.call('CatalogService/GetCatalog', { version: 1 });
    expect(oldest).toMatchObject({ version: 1, publishedBy: 'catalogFile' });
  });

  it('is refused with every mistake, and then nothing is stored', async () => {
    const text = shipped
      .replace('granted: once', 'granted: never')
      .replace('renewal_grace: 24h', 'renewal_grace: 40d')
      .replace('unknown_models: unrated', 'unknown_models: { default: { llm: nobody } }');
    const line = (part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;
    const problems = [
      { line: line('plans:'), path: 'plans', message: 'has no free plan: one must be granted once' },
      {
        line: line('granted: never'),
        path: 'plans[0].granted',
        message: 'must be one of once, month, year',
      },
      {
        line: line('{ default:'),
        path: 'rate_card.unknown_models.default.llm',
        message: "names 'nobody', which is not a model of this meter",
      },
      {
        line: line('renewal_grace:'),
        path: 'agents.tiers[0].renewal_grace',
        message: 'is longer than the shortest cycle',
      },
    ];
    expect(await publish(first, 'bad', text)).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_REFUSED',
      catalogVersion: null,
      problems,
    });
    expect(await first.client.call('CatalogService/ValidateCatalog', { text })).toMatchObject({
      valid: false,
      problems,
      hash: '',
    });
    expect(await sql(database.url, 'SELECT count(*) FROM catalog_requests')).toEqual([{ count: '0' }]);
    // The id is still free.
    const { hash } = await first.client.call('CatalogService/ValidateCatalog', { text: priced('4') });
    expect(await publish(first, 'bad', priced('4'))).toMatchObject({ catalogVersion: { version: 2, hash } });
  });

  it('outlives a restart, whatever the file says', async () => {
    await publish(first, 'p1', priced('2'));
    await first.stop();
    first = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
    expect([await inForce(first), await estimate(first)]).toEqual([2, 2_000_000]);
  });
});

describe('a version that this sidecar cannot read', () => {
  const future = `{"format":2,"everything":"else"}`;
  const insert = (): Promise<unknown> =>
    sql(
      database.url,
      `INSERT INTO catalog_versions (version, hash, content, published_by) VALUES (2, 'x', $1, 'the next release')`,
      [future],
    );
  const why = 'catalog version 2 cannot be read by this sidecar: stored catalog:1:1 format: must be 1';

  it('leaves the one in force, is said in metric and readiness, and does not end the service', async () => {
    await insert();
    await until(
      'the newest version is seen',
      async () => (await metric(first, 'drawdown_catalog_newest_version')) === 2,
    );
    expect(await inForce(first)).toBe(1);
    const state = await until('the warning is shown', async () => {
      const found = await readiness(first);
      return found.warnings.length > 0 && found;
    });
    expect(state).toMatchObject({ ready: true, reasons: [] });
    expect(state.warnings[0]).toContain(why);
    expect(state.warnings[0]).toContain('version 1 stays in force');
    expect(await estimate(first)).toBe(150_000);
    expect(await first.client.failure('CatalogService/GetCatalog', { version: 2 })).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'UNAVAILABLE',
    });

    // One that can be read again ends it.
    await publish(second, 'p3', priced('2'));
    await switched(first, 3);
    await until('the warning is gone', async () => (await readiness(first)).warnings.length === 0);
  });

  it('does not keep a sidecar from starting', async () => {
    await publish(first, 'p', shipped);
    await insert();
    await second.stop();
    second = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
    expect(await inForce(second)).toBe(1);
    expect((await readiness(second)).ready).toBe(true);
  });
});

describe('what a catalog decides', () => {
  it('messages pay whole messages of a model call, or credits pay all of it', async () => {
    const account = await first.client.account('talker', 10_000_000);
    await first.client.topUp(account, 3, { requestId: 'messages', unit: 'UNIT_LLM_MESSAGES' });
    // 20,000 weighted tokens a message, output at 4: 24,000 are two messages.
    const record = async (eventId: string, output: number) =>
      (
        await first.client.record([
          usageEvent(account, eventId, 0, {
            ...model,
            quantities: { input_tokens: 4_000, output_tokens: output },
          }),
        ])
      )[0];
    expect(await record('two', 5_000)).toMatchObject({ unit: 'UNIT_LLM_MESSAGES', charged: '2' });
    // Three more do not fit into the one that is left.
    expect(await record('long', 12_000)).toMatchObject({ unit: 'UNIT_CREDITS', charged: '7800' });
    expect(await record('one', 1)).toMatchObject({ unit: 'UNIT_LLM_MESSAGES', charged: '1', available: '0' });
    expect(await record('none-left', 1)).toMatchObject({ unit: 'UNIT_CREDITS', charged: '601' });
    await expectVerified(first.config);
  });

  it('unknown models cost what the default says, once one is named', async () => {
    const account = await first.client.account('pioneer', 10_000_000);
    const usage = { model: 'unheard-of', quantities: { input_tokens: 10_000 }, eventTimeMs: Date.now() };
    const record = async (sidecar: TestSidecar, eventId: string) =>
      (await sidecar.client.record([usageEvent(account, eventId, 0, usage)]))[0];
    expect(await record(first, 'before')).toMatchObject({ unrated: true, charged: '0' });
    await publish(
      first,
      'default',
      shipped.replace('unknown_models: unrated', 'unknown_models: { default: { llm: gpt-5.4 } }'),
    );
    expect(await record(first, 'after')).toMatchObject({ unrated: false, charged: '25000' });
    // What was booked stays booked as it was: the repeat of an event is no second judgement.
    expect(await record(first, 'before')).toMatchObject({ unrated: true, charged: '0' });
    await expectClean(first.config, first.client, new Map([[account, 9_975_000]]));
  });

  it('lots of top-ups have the priority in force when they were made', async () => {
    const account = await first.client.account('buyer', 5);
    await publish(first, 'priority', shipped.replace('top_up: 20', 'top_up: 7'));
    await first.client.topUp(account, 6, { requestId: 'later' });
    const { lots } = await first.client.call('AccountService/ListLots', { accountId: account });
    // In the order in which they will be used.
    expect(lots.map(({ remaining, priority }) => [remaining, priority])).toEqual([
      ['6', 7],
      ['5', 20],
    ]);
  });
});
