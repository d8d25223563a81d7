/** What one sidecar knows of Redis, or has done to it, and another one does not: both come to agree by themselves. */
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { startProxy } from '../helpers/proxy.js';
import { metric, readiness, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

async function redisOf(): Promise<{ redis: TestRedis; direct: Redis }> {
  const redis = await startRedis({ appendOnly: false, settings: { 'repl-diskless-sync-delay': '0' } });
  cleanups.push(() => redis.stop());
  const direct = new Redis(redis.url);
  cleanups.push(async () => direct.disconnect());
  return { redis, direct };
}

async function databaseUrl(): Promise<string> {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  return database.url;
}

async function sidecarOn(redisUrl: string, postgresUrl: string): Promise<TestSidecar> {
  const sidecar = await startTestSidecar({ redisUrl, postgresUrl }, { leaseMs: 1_000 });
  cleanups.push(() => sidecar.stop());
  return sidecar;
}

/** A replica of the server from here on. Returns it. */
async function attachReplica(primary: { redis: TestRedis; direct: Redis }): Promise<Redis> {
  const { direct } = await redisOf();
  const link = await startProxy(() => primary.redis.socketPath);
  cleanups.push(() => link.stop());
  await direct.replicaof('127.0.0.1', link.port);
  await until('it is a replica', async () => /master_link_status:up/.test(await direct.info('replication')));
  return direct;
}

const epochs = async (postgresUrl: string): Promise<number> =>
  Number((await sql(postgresUrl, `SELECT max(epoch) AS epoch FROM epochs`))[0]?.epoch);

it('the first replica of a running Redis gives it another replication id: who connected before and who connects after agree', async () => {
  const primary = await redisOf();
  const postgresUrl = await databaseUrl();
  const one = await sidecarOn(primary.redis.url, postgresUrl);
  const account = await one.client.account('shared', 1_000);
  await attachReplica(primary);
  const two = await sidecarOn(primary.redis.url, postgresUrl);
  for (const { client } of [one, two])
    await until('it serves', () => client.balance(account).catch(() => null));
  const before = await epochs(postgresUrl);
  expect(before).toBeLessThanOrEqual(2);
  for (let i = 0; i < 20; i++) {
    const client = i % 2 === 0 ? one.client : two.client;
    expect(await client.record([usageEvent(account, `event-${i}`, 1)])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
  }
  expect(await epochs(postgresUrl)).toBe(before);
  await expectClean(one.config, one.client, new Map([[account, 980]]));
});

it('a replica that is promoted while a sidecar is connected to it serves without a new connection', async () => {
  const primary = await redisOf();
  const postgresUrl = await databaseUrl();
  const replica = await attachReplica(primary);
  let target = primary.redis.socketPath;
  const proxy = await startProxy(() => target);
  cleanups.push(() => proxy.stop());
  const sidecar = await sidecarOn(`redis://127.0.0.1:${proxy.port}`, postgresUrl);
  const account = await sidecar.client.account('early', 1_000);
  target = replica.options.path as string;
  proxy.setDown(true);
  proxy.setDown(false);
  await until('it is refused', async () =>
    (await readiness(sidecar)).reasons.some((reason) => reason.startsWith('Redis is a replica')),
  );
  await replica.replicaof('NO', 'ONE');
  await until('it is ready', async () => (await readiness(sidecar)).ready);
  await expectClean(sidecar.config, sidecar.client, new Map([[account, 1_000]]));
});

it('a sidecar that nobody calls tells its streams what was lost with an epoch that another one has closed', async () => {
  const { redis, direct } = await redisOf();
  const postgresUrl = await databaseUrl();
  const [one, two] = [await sidecarOn(redis.url, postgresUrl), await sidecarOn(redis.url, postgresUrl)];
  const account = await one.client.account('shared', 1_000);
  // Nothing is flushed any more: a sidecar that stands still seems to have every lease.
  await sql(postgresUrl, `UPDATE leases SET owner = 'one that stands still', until = 'infinity'`);
  for (const sidecar of [one, two])
    await until('it has no lease', async () => (await metric(sidecar, 'drawdown_partitions_owned')) === 0);
  const stream = two.client.stream();
  const events = [usageEvent(account, 'lost', 30)];
  const number = stream.send(events);
  expect(await stream.results(number)).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
  await direct.flushall();
  await until('the other one serves again', () => one.client.balance(account).catch(() => null));
  await until('the stream names it', () => stream.resend.length > 0);
  stream.sendAgain(number, events);
  expect(await stream.results(number)).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
  await sql(postgresUrl, `UPDATE leases SET owner = NULL, until = NULL`);
  await stream.durable(number);
  await expectClean(one.config, one.client, new Map([[account, 970]]));
});
