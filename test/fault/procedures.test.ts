/** Planned work, step by step as docs/runbook.md says. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { metric, readiness, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean, expectVerified } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

const durable = { ackLevel: 'ACK_LEVEL_DURABLE' as const };
const [first, second] = ['first', 'second'].map((id) => usageEvent('account', id, 10)) as [
  ReturnType<typeof usageEvent>,
  ReturnType<typeof usageEvent>,
];

let redis: TestRedis;
let production: TestDatabase;
/** As it was after the first event; the second is durable, too. */
let backup: TestDatabase;

async function newRedis(): Promise<TestRedis> {
  const started = await startRedis({ appendOnly: true });
  cleanups.push(() => started.stop());
  return started;
}

async function kept(database: TestDatabase): Promise<TestDatabase> {
  cleanups.push(() => database.drop());
  return database;
}

/** Stops once, as with SIGTERM. */
async function sidecarOn(redisUrl: string, postgresUrl: string): Promise<TestSidecar> {
  const sidecar = await startTestSidecar({ redisUrl, postgresUrl });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= sidecar.stop();
    return stopping;
  };
  cleanups.push(stop);
  return { ...sidecar, stop };
}

async function deleteKeys(url: string): Promise<void> {
  const direct = new Redis(url);
  await direct.del(await direct.keys('drawdown:*'));
  direct.disconnect();
}

beforeEach(async () => {
  [redis, production] = [await newRedis(), await kept(await createDatabase())];
  const before = await sidecarOn(redis.url, production.url);
  await before.client.account('account', 1_000);
  await before.client.reserve('account', 'hold', 100, { ...durable, holdTimeMs: 3_600_000 });
  await before.client.record([first], durable.ackLevel);
  await before.stop();
  backup = await kept(await production.copy());
  const after = await sidecarOn(redis.url, production.url);
  await after.client.record([second], durable.ackLevel);
  await after.stop();
});

it('Postgres is restored beside the Redis as it is: the journal brings what the copy lacks', async () => {
  const sidecar = await sidecarOn(redis.url, backup.url);
  const { client } = sidecar;
  await until('it is repaired', async () => {
    return (await sql(backup.url, `SELECT 1 FROM entries WHERE id = 'second'`)).length === 1;
  });
  expect(await client.record([first, second])).toMatchObject([
    { outcome: 'EVENT_OUTCOME_DUPLICATE' },
    { outcome: 'EVENT_OUTCOME_DUPLICATE' },
  ]);
  expect(await client.release('account', 'hold')).toMatchObject({ released: '100' });
  await expectClean(sidecar.config, client, new Map([['account', 980]]));
});

it('Postgres is restored to go back on purpose, the keys of Redis are deleted: what came after never was', async () => {
  await deleteKeys(redis.url);
  const sidecar = await sidecarOn(redis.url, backup.url);
  const { client } = sidecar;
  expect(await client.balance('account')).toEqual({ available: 890, held: 100, debt: 0 });
  expect(await client.record([first, second])).toMatchObject([
    { outcome: 'EVENT_OUTCOME_DUPLICATE' },
    { outcome: 'EVENT_OUTCOME_RECORDED' },
  ]);
  expect(await client.release('account', 'hold')).toMatchObject({ released: '100' });
  await expectClean(sidecar.config, client, new Map([['account', 980]]));
});

it('a copy of the database for another environment leaves the Redis of production alone', async () => {
  await sql(backup.url, 'UPDATE installation SET installation_id = gen_random_uuid()');
  const copy = await sidecarOn(redis.url, backup.url);
  await until('it is refused', async () =>
    (await readiness(copy)).reasons.some((reason) => reason.includes("another installation's data")),
  );
  const sidecar = await sidecarOn(redis.url, production.url);
  expect(await sidecar.client.balance('account')).toEqual({ available: 880, held: 100, debt: 0 });
  await expectVerified(sidecar.config);
});

it('Redis is moved to another machine, which begins empty: nothing is lost', async () => {
  const moved = await newRedis();
  const sidecar = await sidecarOn(moved.url, production.url);
  const { client } = sidecar;
  expect(await metric(sidecar, 'drawdown_epochs_closed_total', 'because="lost"')).toBe(4);
  expect(await metric(sidecar, 'drawdown_entries_lost_total')).toBe(0);
  expect(await client.record([first, second])).toMatchObject([
    { outcome: 'EVENT_OUTCOME_DUPLICATE' },
    { outcome: 'EVENT_OUTCOME_DUPLICATE' },
  ]);
  expect(await client.settle('account', 'hold', 40)).toMatchObject({ charged: '40', late: false });
  await expectClean(sidecar.config, client, new Map([['account', 940]]));
});
