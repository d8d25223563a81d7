/** A clock that is wrong, the sidecar's or Redis': everything is refused, loudly, and nothing expires that should not. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConnection } from '../../src/redis/connection.js';
import { accountScope, partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { reserveRequest, usageEvent } from '../helpers/client.js';
import { freePort } from '../helpers/free-port.js';
import { metric, readiness, spawnSidecar, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const HOUR_MS = 3_600_000;
const refusal = { status: 'UNAVAILABLE', reason: 'CLOCK_SKEW' };

let redis: TestRedis;
let database: TestDatabase;
let direct: Redis;
beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  direct = new Redis(redis.url);
});
afterEach(async () => {
  direct.disconnect();
  await Promise.all([redis.stop(), database.drop()]);
});

const places = () => ({ redisUrl: redis.url, postgresUrl: database.url });

/** How many lines of these kinds the ledger has. */
async function lines(...kinds: string[]): Promise<number> {
  return (await sql(database.url, 'SELECT 1 FROM entries WHERE kind = ANY ($1)', [kinds])).length;
}

async function refuses(sidecar: TestSidecar, account: string): Promise<void> {
  const { client } = sidecar;
  await until('readiness says so', async () =>
    (await readiness(sidecar)).reasons.some((reason) => reason.includes('correct the clock')),
  );
  expect(await client.failure('UsageService/Reserve', reserveRequest(account, 'refused', 1))).toMatchObject(
    refusal,
  );
  expect(await client.failure('AccountService/GetBalance', { accountId: account })).toMatchObject(refusal);
}

describe('a sidecar whose clock is off', () => {
  /** Two hours ahead while SIGUSR2 was sent an odd number of times. */
  const shifting = `
    const real = Date;
    let shiftMs = 0;
    process.on('SIGUSR2', () => { shiftMs = shiftMs === 0 ? ${2 * HOUR_MS} : 0; });
    globalThis.Date = class extends real {
      constructor(...given) { super(...(given.length === 0 ? [real.now() + shiftMs] : given)); }
      static now() { return real.now() + shiftMs; }
    };`;
  const nodeOptions = `--import=data:text/javascript,${encodeURIComponent(shifting)}`;

  it('is refused and leaves its partitions to one whose clock is right; corrected, it serves again', async () => {
    const wrong = await spawnSidecar(places(), { leaseMs: 600 }, nodeOptions);
    const right = await startTestSidecar(places(), { leaseMs: 600 });
    try {
      const account = await wrong.client.account('skewed', 10_000);
      await wrong.client.reserve(account, 'long', 1_000, { holdTimeMs: HOUR_MS });
      await wrong.client.reserve(account, 'short', 100, { holdTimeMs: 1_000 });
      expect(await metric(wrong, 'drawdown_partitions_owned')).toBe(4);
      process.kill(wrong.pid, 'SIGUSR2');
      await refuses(wrong, account);
      expect(await metric(wrong, 'drawdown_clock_skew_seconds')).toBeLessThan(-7_000);
      await until('the other one has all partitions', async () => {
        return (await metric(right, 'drawdown_partitions_owned')) === 4;
      });
      expect(
        await right.client.record([usageEvent(account, 'event', 10)], 'ACK_LEVEL_DURABLE'),
      ).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
      await until('it sweeps', async () => (await lines('hold_expired')) === 1);
      process.kill(wrong.pid, 'SIGUSR2');
      await until('it is ready again', async () => (await readiness(wrong)).ready);
      expect(await wrong.client.release(account, 'long')).toMatchObject({ released: '1000' });
      await expectClean(right.config, wrong.client, new Map([[account, 9_990]]));
    } finally {
      await Promise.all([wrong.stop(), right.stop()]);
    }
  });
});

describe('a Redis whose clock jumps', () => {
  const SKEW_KEY = 'test:skew';
  const skewed = new Map([
    [
      'clock',
      `local function clock_ms()
        local time = redis.call('TIME')
        return time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(redis.call('GET', '${SKEW_KEY}') or 0)
      end\n`,
    ],
  ]);
  let skewMs = 0;

  /** What the sidecar asks Redis for by itself is off, too. */
  async function onRedis({ client }: RedisConnection): Promise<void> {
    const time = async () => {
      const nowMs = Date.now() + skewMs;
      return [Math.floor(nowMs / 1000), (nowMs % 1000) * 1000];
    };
    Object.assign(client, { time });
  }

  async function jump(byMs: number): Promise<void> {
    skewMs = byMs;
    await direct.set(SKEW_KEY, String(byMs));
  }

  it('keeps a sidecar from starting, which says why, and starts once it is right', async () => {
    await jump(HOUR_MS);
    const httpAddress = `127.0.0.1:${await freePort()}`;
    const starting = startTestSidecar(places(), { httpAddress }, { replacedIncludes: skewed, onRedis });
    const reasons = await until('readiness says so', async () => {
      const answer = await readiness({ httpAddress }).catch(() => null);
      return answer?.reasons.some((reason) => reason.includes('correct the clock')) && answer.reasons;
    });
    expect(reasons).toContain('starting');
    await jump(0);
    const sidecar = await starting;
    try {
      await until('it is ready', async () => (await readiness(sidecar)).ready);
    } finally {
      await sidecar.stop();
    }
  });

  it('expires nothing, forgets nothing, and what it says is refused until it is right again', async () => {
    await jump(0);
    const overrides = { accountIdleMs: 100, idsWindowMs: HOUR_MS };
    const sidecar = await startTestSidecar(places(), overrides, { replacedIncludes: skewed, onRedis });
    try {
      const { client } = sidecar;
      // One account in Redis with a hold, one that only Postgres has: both with a lot that ends in an hour.
      const hot = await client.account('hot', 1_000);
      const cold = await client.account('cold', 1_000);
      for (const account of [hot, cold])
        await client.topUp(account, 500, { requestId: 'ends', expiresAtMs: Date.now() + HOUR_MS });
      const event = usageEvent(hot, 'event', 10);
      await client.record([event]);
      await client.reserve(hot, 'hold', 100, { holdTimeMs: HOUR_MS / 2 });
      const keys = partitionKeys('drawdown', partitionOf(hot, 4));
      const coldKeys = partitionKeys('drawdown', partitionOf(cold, 4));
      await until('the idle account is dropped', async () => (await direct.hexists(coldKeys[1], cold)) === 0);

      for (const byMs of [6 * HOUR_MS, -6 * HOUR_MS]) {
        const [before, sweepsFailed] = await Promise.all([
          direct.hmget(keys[0], 'seq', 'time', 'ids_current'),
          metric(sidecar, 'drawdown_sweep_failures_total'),
        ]);
        await jump(byMs);
        await refuses(sidecar, hot);
        // What works by itself has tried, too: ahead of its time it finds everything due, and is refused.
        if (byMs > 0) {
          await until('the sweeper was refused', async () => {
            return (await metric(sidecar, 'drawdown_sweep_failures_total')) >= sweepsFailed + 3;
          });
        }
        expect(await direct.hmget(keys[0], 'seq', 'time', 'ids_current')).toEqual(before);
        expect(await direct.hexists(coldKeys[1], cold)).toBe(0);
        await jump(0);
        await until('it is ready again', async () => (await readiness(sidecar)).ready);
        expect(await client.balance(hot)).toEqual({ available: 1_390, held: 100, debt: 0 });
        expect(await client.balance(cold)).toEqual({ available: 1_500, held: 0, debt: 0 });
        await until('it is dropped again', async () => (await direct.hexists(coldKeys[1], cold)) === 0);
      }
      expect(await lines('hold_expired', 'lot_expired')).toBe(0);
      expect(await client.record([event])).toMatchObject([{ outcome: 'EVENT_OUTCOME_DUPLICATE' }]);
      expect(await direct.hexists(keys[4], `u${accountScope(hot)}event`)).toBe(1);
      expect(await client.settle(hot, 'hold', 40)).toMatchObject({ charged: '40', late: false });
      await expectClean(
        sidecar.config,
        client,
        new Map([
          [hot, 1_450],
          [cold, 1_500],
        ]),
      );
    } finally {
      await sidecar.stop();
    }
  });

  it('while it also forgets: no epoch begins with that clock, which it would go on with for hours', async () => {
    await jump(0);
    const sidecar = await startTestSidecar(places(), {}, { replacedIncludes: skewed, onRedis });
    try {
      const { client } = sidecar;
      const account = await client.account('forgotten', 1_000);
      const more = { holdTimeMs: HOUR_MS / 2, ackLevel: 'ACK_LEVEL_DURABLE' as const };
      await client.reserve(account, 'hold', 100, more);
      skewMs = 6 * HOUR_MS;
      await direct.multi().flushall().set(SKEW_KEY, String(skewMs)).exec();
      await until('the epochs that were lost are closed', async () => {
        return (await sql(database.url, 'SELECT 1 FROM epochs WHERE closed_at IS NOT NULL')).length === 4;
      });
      await until('readiness says so', async () =>
        (await readiness(sidecar)).reasons.some((reason) => reason.includes('correct the clock')),
      );
      expect(await client.failure('AccountService/GetBalance', { accountId: account })).toMatchObject({
        status: 'UNAVAILABLE',
      });
      await jump(0);
      await until('it is ready again', async () => (await readiness(sidecar)).ready);
      expect(await client.balance(account)).toEqual({ available: 900, held: 100, debt: 0 });
      expect(await client.release(account, 'hold')).toMatchObject({ released: '100' });
      await expectClean(sidecar.config, client, new Map([[account, 1_000]]));
    } finally {
      await sidecar.stop();
    }
  });
});
