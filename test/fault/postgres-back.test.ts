/** Postgres comes back with less than it had committed, as a standby does that was promoted without its last transactions. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { seedFromFile } from '../../src/credits/catalog-seed.js';
import { prepareInstallation } from '../../src/installation.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { openStores } from '../../src/stores.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { readiness, startTestSidecar, type TestSidecar, testConfig } from '../helpers/sidecar.js';
import { startPostgres, startRedis, type TestPostgres, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

interface Scene {
  readonly redis: TestRedis;
  readonly postgres: TestPostgres;
  readonly sidecar: TestSidecar;
  readonly client: TestClient;
}

async function start(overrides: Parameters<typeof startTestSidecar>[1] = {}): Promise<Scene> {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  cleanups.push(
    () => redis.stop(),
    () => postgres.stop(),
  );
  const sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: postgres.url }, overrides);
  cleanups.push(() => sidecar.stop());
  return { redis, postgres, sidecar, client: sidecar.client };
}

const cursors = (postgresUrl: string) =>
  sql(postgresUrl, 'SELECT partition, epoch, seq FROM partitions ORDER BY partition');

/**
 * What Postgres has now; the function that is returned takes it back there, after something has happened while it is away, and returns
 * the cursors that it had before.
 */
async function remember(
  postgres: TestPostgres,
): Promise<(whileAway?: () => Promise<unknown>) => Promise<Record<string, unknown>[]>> {
  const copy = `${postgres.dataDir}-copy`;
  await postgres.shutDown();
  execFileSync('cp', ['-a', postgres.dataDir, copy]);
  await postgres.restart();
  return async (whileAway) => {
    const before = await cursors(postgres.url);
    await postgres.shutDown();
    await whileAway?.();
    rmSync(postgres.dataDir, { recursive: true });
    execFileSync('mv', [copy, postgres.dataDir]);
    await postgres.restart();
    return before;
  };
}

/** Until then calls may be refused: that Postgres went back is noticed a moment after it answers. */
async function repaired({ postgres, sidecar }: Scene, before: Record<string, unknown>[]): Promise<void> {
  await until('Postgres has what it had', async () => {
    const now = await cursors(postgres.url).catch(() => null);
    return now?.every(
      ({ epoch, seq }, i) => epoch === before[i]?.epoch && Number(seq) >= Number(before[i]?.seq),
    );
  });
  await until('it is ready', async () => (await readiness(sidecar)).ready);
}

const durable = { ackLevel: 'ACK_LEVEL_DURABLE' as const };

it('the journal in Redis repairs it: what was durable is there again, once', async () => {
  const given = await start();
  const { postgres, sidecar, client } = given;
  const account = await client.account('early', 10_000);
  await client.reserve(account, 'ends', 100, durable);
  const goBack = await remember(postgres);
  await until('it is ready', async () => (await readiness(sidecar)).ready);
  const events = Array.from({ length: 20 }, (_, i) => usageEvent(account, `event-${i}`, 10));
  const stream = client.stream();
  await stream.durable(stream.send(events));
  await client.settle(account, 'ends', 60, durable);
  const late = await client.account('late', 500);
  await client.reserve(late, 'stays', 50, durable);
  await repaired(given, await goBack());
  const later = await client.account('later', 700);
  expect(await client.record(events.slice(0, 1))).toMatchObject([{ outcome: 'EVENT_OUTCOME_DUPLICATE' }]);
  await client.release(late, 'stays');
  await expectClean(
    sidecar.config,
    client,
    new Map([
      [account, 9_740],
      [late, 500],
      [later, 700],
    ]),
  );
});

it('it repairs one that was away for longer than the tail is kept, with nothing to flush meanwhile', async () => {
  const journalTailMs = 8_000;
  const given = await start({ journalTailMs, leaseMs: 500 });
  const { postgres, sidecar, client } = given;
  const account = await client.account('early', 10_000);
  const goBack = await remember(postgres);
  await until('it is ready', async () => (await readiness(sidecar)).ready);
  for (let i = 0; i < 2; i++) await client.record([usageEvent(account, `event-${i}`, 10)], durable.ackLevel);
  const endsAt = performance.now() + 1.5 * journalTailMs;
  await repaired(given, await goBack(() => until('the tail is over', () => performance.now() > endsAt)));
  await expectClean(sidecar.config, client, new Map([[account, 9_980]]));
});

it('it repairs one that went back to before its first epoch was admitted', async () => {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  cleanups.push(
    () => redis.stop(),
    () => postgres.stop(),
  );
  const places = { redisUrl: redis.url, postgresUrl: postgres.url };
  const config = testConfig(places);
  const stores = await openStores(config);
  await prepareInstallation(stores.pool, config);
  await seedFromFile(stores.pool, config.catalogFile);
  await stores.close();
  const goBack = await remember(postgres);
  const sidecar = await startTestSidecar(places);
  cleanups.push(() => sidecar.stop());
  const { client } = sidecar;
  const account = await client.account('account', 10_000);
  await client.record([usageEvent(account, 'event', 10)], durable.ackLevel);
  await goBack();
  await until(
    'it is known again',
    async () => (await sql(postgres.url, 'SELECT 1 FROM accounts')).length === 1,
  );
  const admitted = `SELECT count(*) AS epochs FROM epochs WHERE epoch = 1 AND token IS NOT NULL AND last_seq IS NULL`;
  await until(
    'its keys are admitted again',
    async () => (await sql(postgres.url, admitted))[0]?.epochs !== '0',
  );
  await until('it is ready', async () => (await readiness(sidecar)).ready);
  await expectClean(sidecar.config, client, new Map([[account, 9_990]]));
});

it('where the journal is trimmed already its partition stops, loudly, until people decide; the others go on', async () => {
  const { redis, postgres, sidecar, client } = await start({ journalTailMs: 0 });
  const account = await client.account('early', 10_000);
  const other = await client.account('other', 10_000);
  expect(partitionOf(other, 4)).not.toBe(partitionOf(account, 4));
  const goBack = await remember(postgres);
  await until('it is ready', async () => (await readiness(sidecar)).ready);
  const [before] = await sql(
    postgres.url,
    `SELECT seq FROM partitions WHERE partition = ${partitionOf(account, 4)}`,
  );
  for (let i = 0; i < 5; i++) {
    const stream = client.stream();
    await stream.durable(stream.send([usageEvent(account, `event-${i}`, 10)]));
  }
  const journal = partitionKeys('drawdown', partitionOf(account, 4))[7];
  const direct = new Redis(redis.url);
  cleanups.push(async () => direct.disconnect());
  await until('the journal is trimmed', async () => {
    const [[id]] = (await direct.xrange(journal, '-', '+', 'COUNT', 1)) as [[string, string[]]];
    return Number(id.split('-')[1]) > Number(before?.seq) + 1;
  });
  await goBack();
  await until('readiness names the fence', async () =>
    (await readiness(sidecar)).reasons.some((reason) => / is fenced: Postgres went back/.test(reason)),
  );
  const failure = await client.failure('UsageService/CheckBalance', { accountId: account });
  expect(failure).toMatchObject({ status: 'UNAVAILABLE', reason: 'PARTITION_FENCED' });
  expect(await client.record([usageEvent(other, 'event', 1)])).toMatchObject([
    { outcome: 'EVENT_OUTCOME_RECORDED' },
  ]);
  const places = ['--redis-url', redis.url, '--postgres-url', postgres.url, '--partition-count', '4'];
  const said: string[] = [];
  const io = { out: (line: string) => void said.push(line), error: (line: string) => void said.push(line) };
  expect(await runCli(['rebuild', ...places], io)).toBe(1);
  expect(said.join()).toMatch(/Postgres went back.*1 of 4 partitions wait for people.*--accept-loss/);
  expect(await runCli(['rebuild', '--accept-loss', ...places], io)).toBe(0);
  await until('it serves again', () => client.balance(account).catch(() => null), 30_000);
  await expectClean(
    sidecar.config,
    client,
    new Map([
      [account, 10_000],
      [other, 9_999],
    ]),
  );
});
