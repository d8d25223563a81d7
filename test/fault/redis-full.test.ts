/** Redis is out of memory: new work is refused; ending work, and all that makes room again, goes on. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { reserveRequest, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let direct: Redis;
let sidecar: TestSidecar;
beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  direct = new Redis(redis.url);
  sidecar = await start();
});
afterEach(async () => {
  await sidecar.stop();
  direct.disconnect();
  await Promise.all([redis.stop(), database.drop()]);
});

const durable = { ackLevel: 'ACK_LEVEL_DURABLE' as const };
const refusal = { status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED' };

function start(): Promise<TestSidecar> {
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  return startTestSidecar(places, { journalTailMs: 0, accountIdleMs: 1_000 });
}

const keysOf = (account: string) => partitionKeys('drawdown', partitionOf(account, 4));
const isHot = async (account: string) => (await direct.hexists(keysOf(account)[1], account)) === 1;

async function evicted(account: string): Promise<void> {
  await until(`${account} is dropped`, async () => !(await isHot(account)));
}

async function isRefused({ client }: TestSidecar, account: string): Promise<void> {
  const failure = await client.failure('UsageService/Reserve', reserveRequest(account, 'new', 1));
  expect(failure).toMatchObject(refusal);
  expect(failure.message).toContain('maxmemory');
  expect(failure.retryAfterMs).toBeGreaterThan(0);
}

it('flushes, trims, drops and loads accounts, opens partitions and begins epochs go on; new work waits for room', async () => {
  const { client } = sidecar;
  const holds = Array.from({ length: 20 }, (_, i) => `hold-${i}`);
  const account = await client.account('full', 1_000_000);
  for (const hold of holds) await client.reserve(account, hold, 1_000, { holdTimeMs: 3_600_000 });
  const cold = await client.account('cold', 1_000);
  await evicted(cold);
  const idle = await client.account('idle', 1_000);
  await client.record([usageEvent(idle, 'event', 10)]);
  // Less than an empty Redis takes.
  await direct.config('SET', 'maxmemory', '1kb');
  const before = Number(await direct.hget(keysOf(account)[0], 'seq'));
  await isRefused(sidecar, account);

  // A flush: what it was told is in Postgres.
  expect(await client.settle(account, 'hold-0', 400, durable)).toMatchObject({ charged: '400' });
  // A load: the settle of usage that was never announced, on an account that Redis does not hold.
  expect(await client.settle(cold, 'late', 7, durable)).toMatchObject({ charged: '7', holdUnknown: true });
  for (const hold of holds.slice(1, 10)) await client.release(account, hold, durable);
  await until('what was there before is trimmed', async () => {
    const [first] = await direct.xrange(keysOf(account)[7], '-', '+', 'COUNT', 1);
    return Number(first?.[0].split('-')[1]) > before;
  });
  expect(await metric(sidecar, 'drawdown_journal_trimmed_records_total')).toBeGreaterThan(0);
  await evicted(idle);

  // Another sidecar opens the partitions as they are.
  const second = await start();
  try {
    expect(await second.client.release(account, 'hold-10')).toMatchObject({ released: '1000' });
    await isRefused(second, account);
  } finally {
    await second.stop();
  }
  await until('all is durable', async () => (await metric(sidecar, 'drawdown_journal_entries')) === 0);

  // Redis forgets, and the next epoch begins with as little room.
  await direct.flushall();
  for (const hold of holds.slice(11)) {
    const answer = await until('ending work is taken again', () =>
      client.release(account, hold, durable).catch((error: unknown) => {
        expect(error).toMatchObject({ status: 'UNAVAILABLE' });
        return null;
      }),
    );
    expect(answer).toMatchObject({ released: '1000' });
  }
  await isRefused(sidecar, account);
  expect(await metric(sidecar, 'drawdown_queue_refused_operations_total', 'maxmemory')).toBe(2);

  for (const one of [cold, idle]) {
    await until('its partition has a new epoch, too', () =>
      client.balance(one).then(
        () => true,
        () => false,
      ),
    );
  }

  await direct.config('SET', 'maxmemory', '0');
  expect(await client.record([usageEvent(account, 'event', 1)], 'ACK_LEVEL_DURABLE')).toMatchObject([
    { outcome: 'EVENT_OUTCOME_RECORDED' },
  ]);
  const left = new Map([
    [account, 1_000_000 - 400 - 1],
    [cold, 993],
    [idle, 990],
  ]);
  await expectClean(sidecar.config, client, left);
});
