/** Redis restarts, loses a reply, or is full. */
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import { reserveRequest, settleRequest, type TestClient, usageEvent } from '../helpers/client.js';
import { type StoreProxy, startProxy } from '../helpers/proxy.js';
import { readiness, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import {
  createDatabase,
  type RedisTestOptions,
  startRedis,
  type TestDatabase,
  type TestRedis,
} from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';
import { createAccounts, makeWorkload, sendUntilDurable } from '../helpers/workload.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

interface Scene {
  redis: TestRedis;
  database: TestDatabase;
  sidecar: TestSidecar;
  client: TestClient;
}

async function start(
  options: RedisTestOptions,
  overrides: Parameters<typeof startTestSidecar>[1] = {},
): Promise<Scene> {
  const redis = await startRedis(options);
  cleanups.push(() => redis.stop());
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, overrides);
  cleanups.push(() => sidecar.stop());
  return { redis, database, sidecar, client: sidecar.client };
}

const durableRedis: RedisTestOptions = { appendOnly: true, settings: { appendfsync: 'always' } };

/** Readiness is looked at once a second; this says it at once. */
async function serves(client: TestClient, account: string): Promise<void> {
  await until('it serves again', () =>
    client.balance(account).then(
      () => true,
      () => false,
    ),
  );
}

describe('a Redis that is restarted', () => {
  it('with its append-only file is verified under its new run_id and serves again: every event is charged once', async () => {
    const seed = seedOf('redis killed in mid-stream, with its file');
    const { redis, sidecar, client } = await start(durableRedis);
    const random = new SeededRandom(seed);
    const workload = makeWorkload(seed, { accounts: 20, batches: 120, eventsPerBatch: 50 });
    await createAccounts(client, workload);
    const holds = workload.accounts.slice(0, 5);
    for (const account of holds) await client.reserve(account, 'hold', 1_000, { holdTimeMs: 3_600_000 });
    const killAt = Array.from({ length: 3 }, () => random.between(1, 100)).sort((a, b) => a - b);
    let restarting: Promise<void> = Promise.resolve();
    let isRestarting = false;
    await sendUntilDurable(
      () => client,
      workload.batches,
      (durable) => {
        if (isRestarting || killAt[0] === undefined || durable < killAt[0]) return;
        killAt.shift();
        isRestarting = true;
        restarting = redis
          .kill9()
          .then(() => redis.restart())
          .finally(() => {
            isRestarting = false;
          });
      },
    );
    await restarting;
    for (const account of holds)
      await until('it serves again', () => client.balance(account).catch(() => null));
    for (const account of holds)
      expect(await client.release(account, 'hold')).toMatchObject({ released: '1000' });
    await expectClean(sidecar.config, client, workload.expected);
  });

  it('refuses at once while it is away, and says so; what is asked again afterwards is judged once', async () => {
    const { redis, sidecar, client } = await start(durableRedis);
    const account = await client.account('away', 10_000);
    await redis.kill9();
    const request = reserveRequest(account, 'hold', 100);
    const failure = await client.failure('UsageService/Reserve', request);
    expect(failure.status).toBe('UNAVAILABLE');
    await until('readiness says so', async () => !(await readiness(sidecar)).ready);
    expect((await readiness(sidecar)).reasons.join()).toContain('redis is not connected');
    await redis.restart();
    await until('it is ready', async () => (await readiness(sidecar)).ready);
    expect(await client.call('UsageService/Reserve', request)).toMatchObject({ verdict: 'VERDICT_ALLOWED' });
    await client.release(account, 'hold');
    await expectClean(sidecar.config, client, new Map([[account, 10_000]]));
  });
});

describe('a reply of Redis that is lost', () => {
  async function throughProxy(): Promise<Scene & { proxy: StoreProxy }> {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const proxy = await startProxy(redis.socketPath);
    cleanups.push(() => proxy.stop());
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const places = { redisUrl: `redis://127.0.0.1:${proxy.port}`, postgresUrl: database.url };
    const sidecar = await startTestSidecar(places, { sweepIntervalMs: 3_600_000 });
    cleanups.push(() => sidecar.stop());
    return { redis, proxy, database, sidecar, client: sidecar.client };
  }

  /** Loses the answer to the next piece that names the id. */
  function loseNext(proxy: StoreProxy, id: string): void {
    proxy.onRequest = (piece) => {
      if (!piece.includes(id)) return 'pass';
      proxy.onRequest = () => 'pass';
      return 'cut-before-answer';
    };
  }

  it('after the script ran: the outcome is unknown, and the same id gives the stored one', async () => {
    const { proxy, client, sidecar } = await throughProxy();
    const account = await client.account('lost', 10_000);
    // So that Redis has every script: what answers the first call of one is "no such script".
    await client.reserve(account, 'warm', 1);
    await client.release(account, 'warm');
    const request = reserveRequest(account, 'lost-hold', 700);
    loseNext(proxy, 'lost-hold');
    expect(await client.failure('UsageService/Reserve', request)).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'OUTCOME_UNKNOWN',
    });
    await serves(client, account);
    expect(await client.call('UsageService/Reserve', request)).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      duplicate: true,
      held: '700',
    });
    const settle = settleRequest(account, 'lost-hold', 300);
    loseNext(proxy, 'lost-hold');
    expect((await client.failure('UsageService/Settle', settle)).reason).toBe('OUTCOME_UNKNOWN');
    await serves(client, account);
    expect(await client.call('UsageService/Settle', settle)).toMatchObject({
      charged: '300',
      duplicate: true,
    });
    const event = usageEvent(account, 'lost-event', 50);
    loseNext(proxy, 'lost-event');
    expect(await client.record([event])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_REFUSED', reason: 'REASON_UNAVAILABLE' },
    ]);
    await serves(client, account);
    expect(await client.record([event])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_DUPLICATE', charged: '50' },
    ]);
    await expectClean(sidecar.config, client, new Map([[account, 9_650]]));
  });

  it('now and then, under load: nothing doubled, nothing lost', async () => {
    const seed = seedOf('replies of redis lost');
    const { proxy, client, sidecar } = await throughProxy();
    const random = new SeededRandom(seed);
    const workload = makeWorkload(seed, { accounts: 20, batches: 80, eventsPerBatch: 50 });
    await createAccounts(client, workload);
    proxy.onRequest = () => {
      const chance = random.next();
      return chance < 0.02 ? 'cut-before-answer' : chance < 0.03 ? 'cut' : 'pass';
    };
    await sendUntilDurable(() => client, workload.batches);
    proxy.onRequest = () => 'pass';
    await serves(client, workload.accounts[0] as string);
    await expectClean(sidecar.config, client, workload.expected);
  });
});

describe('a Redis whose memory is full', () => {
  it('takes no new work but ends what is open; with room again everything goes on', async () => {
    const { redis, database, client, sidecar } = await start({ appendOnly: false });
    const account = await client.account('full', 1_000_000);
    for (let i = 0; i < 20; i++)
      await client.reserve(account, `hold-${i}`, 1_000, { ackLevel: 'ACK_LEVEL_DURABLE' });
    await client.reserve(account, 'expires', 1_000, { holdTimeMs: 500 });
    const direct = new Redis(redis.url);
    await direct.config('SET', 'maxmemory', '1mb');
    expect(await client.failure('UsageService/Reserve', reserveRequest(account, 'new', 1))).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      reason: 'LIMIT_REACHED',
    });
    expect(await client.record([usageEvent(account, 'event', 1)])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_REFUSED', reason: 'REASON_LIMIT_REACHED' },
    ]);
    // All at once, so that new and ending work meet in one batch.
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => [
        client.reserve(account, `new-${i}`, 1),
        i % 2 === 0 ? client.settle(account, `hold-${i}`, 400) : client.release(account, `hold-${i}`),
      ]).flat(),
    );
    expect(answers.map((answer) => answer.status)).toEqual(
      Array.from({ length: 20 }, () => ['rejected', 'fulfilled']).flat(),
    );
    await until('the hold expires', async () => {
      const rows = await sql(database.url, `SELECT 1 FROM entries WHERE kind = 'hold_expired'`);
      return rows.length === 1;
    });
    await direct.config('SET', 'maxmemory', '0');
    direct.disconnect();
    expect(await client.record([usageEvent(account, 'event', 1)])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    await expectClean(sidecar.config, client, new Map([[account, 1_000_000 - 10 * 400 - 1]]));
  });

  it('still answers who asks', async () => {
    const { redis, client } = await start({ appendOnly: false });
    const account = await client.account('asked', 1_000);
    const direct = new Redis(redis.url);
    await direct.config('SET', 'maxmemory', '1mb');
    direct.disconnect();
    expect(await client.balance(account)).toMatchObject({ available: 1_000 });
  });
});
