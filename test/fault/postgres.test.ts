/** Postgres is killed, and the connection to it lost, while the journal is flushed. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditLedger } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { postgresSocket, type StoreProxy, startProxy } from '../helpers/proxy.js';
import {
  readiness,
  type SidecarProcess,
  spawnSidecar,
  startTestSidecar,
  type TestSidecar,
} from '../helpers/sidecar.js';
import {
  createDatabase,
  startPostgres,
  startRedis,
  type TestDatabase,
  type TestRedis,
  type TestStore,
} from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';
import { createAccounts, makeWorkload, sendUntilDurable } from '../helpers/workload.js';

let redis: TestRedis;
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await redis.stop();
});

describe('a Postgres that is killed', () => {
  let postgres: TestStore;
  let sidecar: SidecarProcess;
  beforeEach(async () => {
    postgres = await startPostgres();
    sidecar = await spawnSidecar({ redisUrl: redis.url, postgresUrl: postgres.url });
  });
  afterEach(async () => {
    await sidecar.stop();
    await postgres.stop();
  });

  it('in mid-flush doubles nothing and loses nothing, and the sidecar lives on', async () => {
    const seed = seedOf('postgres killed in mid-flush');
    const random = new SeededRandom(seed);
    const workload = makeWorkload(seed, { accounts: 20, batches: 200, eventsPerBatch: 100 });
    await createAccounts(sidecar.client, workload);
    const killAt = Array.from({ length: 3 }, () => random.between(1, 180)).sort((a, b) => a - b);
    let restarting: Promise<void> = Promise.resolve();
    let isRestarting = false;
    await sendUntilDurable(
      () => sidecar.client,
      workload.batches,
      (durable) => {
        if (isRestarting || killAt[0] === undefined || durable < killAt[0]) return;
        killAt.shift();
        isRestarting = true;
        restarting = postgres
          .kill9()
          .then(() => postgres.restart())
          .finally(() => {
            isRestarting = false;
          });
      },
    );
    await restarting;
    expect(sidecar.exited(), sidecar.output()).toBeUndefined();
    await expectClean(sidecar.config, sidecar.client, workload.expected);
  });

  it('is not missed by callers whose accounts are in Redis; readiness says it, liveness does not', async () => {
    const { client } = sidecar;
    const account = await client.account('hot', 10_000);
    await postgres.kill9();
    for (let i = 0; i < 50; i++) {
      expect(await client.record([usageEvent(account, `event-${i}`, 10)])).toMatchObject([
        { outcome: 'EVENT_OUTCOME_RECORDED' },
      ]);
      await client.reserve(account, `hold-${i}`, 10);
      await client.settle(account, `hold-${i}`, 5);
    }
    await until('readiness says so', async () => !(await readiness(sidecar)).ready);
    expect((await readiness(sidecar)).reasons).toEqual(['postgres does not answer']);
    expect((await fetch(`http://${sidecar.httpAddress}/healthz`)).status).toBe(200);
    expect(
      await client.failure('AccountService/CreateAccount', {
        requestId: 'r',
        accountId: 'new',
        eventTimeMs: Date.now(),
      }),
    ).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'UNAVAILABLE',
    });
    expect(
      await client.failure('UsageService/Reserve', {
        ...{ holdId: 'h', accountId: 'cold', meter: 'llm', model: 'm', startTimeMs: Date.now() },
        amount: { unit: 'UNIT_CREDITS', value: 1 },
      }),
    ).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'UNAVAILABLE',
    });
    expect(
      await client.failure('UsageService/GetUsage', { accountId: account, eventId: 'never' }),
    ).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'UNAVAILABLE',
    });
    await postgres.restart();
    await until('it is ready again', async () => (await readiness(sidecar)).ready);
    await expectClean(sidecar.config, client, new Map([[account, 10_000 - 50 * 15]]));
  });

  it('does not keep the units of holds whose deadline passes meanwhile', async () => {
    const { client } = sidecar;
    const account = await client.account('expiring', 1_000);
    await client.reserve(account, 'hold', 1_000, { holdTimeMs: 300 });
    await postgres.kill9();
    await until(
      'the units are back',
      async () => (await client.reserve(account, 'next', 1_000)).verdict === 'VERDICT_ALLOWED',
    );
    await postgres.restart();
    await client.release(account, 'next');
    await expectClean(sidecar.config, client, new Map([[account, 1_000]]));
  });
});

/** No journal begins before a seq: what was flushed is gone. */
async function trimmedBeyond(direct: Redis, seq: number): Promise<void> {
  await until('the journal is trimmed', async () => {
    const firsts = await Promise.all(
      [0, 1, 2, 3].map((p) => direct.xrange(`drawdown:{drawdown-${p}}:journal`, '-', '+', 'COUNT', 1)),
    );
    return firsts.flat().every(([id]) => Number(id.split('-')[1]) > seq);
  });
}

describe('a connection to Postgres', () => {
  let database: TestDatabase;
  let proxy: StoreProxy;
  let sidecar: TestSidecar;
  beforeEach(async () => {
    database = await createDatabase();
    const { socketPath, through } = postgresSocket(database.url);
    proxy = await startProxy(socketPath);
    sidecar = await startTestSidecar(
      { redisUrl: redis.url, postgresUrl: through(proxy.port) },
      { postgresStatementTimeoutMs: 2_000 },
    );
  });
  afterEach(async () => {
    proxy.onRequest = () => 'pass';
    await sidecar.stop();
    await proxy.stop();
    expect(await auditLedger(database.url)).toEqual([]);
    await database.drop();
  });

  /** A simple query: 'Q', length, text. */
  const isCommit = (piece: Buffer): boolean => piece.includes('COMMIT\0');

  it('that is cut at COMMIT, before the answer: nothing doubled, nothing lost', async () => {
    const seed = seedOf('connection cut at COMMIT');
    const random = new SeededRandom(seed);
    const workload = makeWorkload(seed, { accounts: 20, batches: 150, eventsPerBatch: 100 });
    await createAccounts(sidecar.client, workload);
    let commits = 0;
    proxy.onRequest = (piece) => {
      if (!isCommit(piece)) return 'pass';
      commits += 1;
      const chance = random.next();
      // Some commits arrive and their answer is lost; some never arrive.
      return chance < 0.25 ? 'cut-before-answer' : chance < 0.4 ? 'cut' : 'pass';
    };
    await sendUntilDurable(() => sidecar.client, workload.batches);
    proxy.onRequest = () => 'pass';
    expect(commits).toBeGreaterThan(3);
    expect(proxy.lostAnswers()).toBeGreaterThan(0);
    await expectClean(sidecar.config, sidecar.client, workload.expected);
  });

  it('that is cut at any statement: nothing doubled, nothing lost', async () => {
    const seed = seedOf('connection cut anywhere');
    const random = new SeededRandom(seed);
    const workload = makeWorkload(seed, { accounts: 20, batches: 100, eventsPerBatch: 100 });
    await createAccounts(sidecar.client, workload);
    proxy.onRequest = () => {
      const chance = random.next();
      return chance < 0.02 ? 'cut-before-answer' : chance < 0.04 ? 'cut' : 'pass';
    };
    await sendUntilDurable(() => sidecar.client, workload.batches);
    proxy.onRequest = () => 'pass';
    await expectClean(sidecar.config, sidecar.client, workload.expected);
  });

  it('that falls silent at COMMIT does not stop the flusher for ever', async () => {
    const account = await sidecar.client.account('silent', 1_000);
    let silenced = 0;
    proxy.onRequest = (piece) => {
      if (!isCommit(piece) || silenced > 0) return 'pass';
      silenced += 1;
      return 'silence-answer';
    };
    await sidecar.client.record([usageEvent(account, 'event', 10)]);
    await until('a COMMIT is not answered', () => silenced > 0);
    await until(
      'the flusher has gone on',
      async () =>
        (await sidecar.client.call('UsageService/GetUsage', { accountId: account, eventId: 'event' }))
          .durable,
    );
  });

  it('is not needed to see that another sidecar has gone on while this one stood still', async () => {
    const seen = await spawnSidecar({ redisUrl: redis.url, postgresUrl: database.url }, { leaseMs: 500 });
    // It holds no lease until the one in this process has gone.
    await sidecar.stop();
    const { client } = seen;
    const account = await client.account('stood-still', 10_000);
    process.kill(seen.pid, 'SIGSTOP');
    const other = await startTestSidecar(
      { redisUrl: redis.url, postgresUrl: database.url },
      { journalTailMs: 0, leaseMs: 500 },
    );
    const direct = new Redis(redis.url);
    try {
      for (let i = 0; i < 20; i++) {
        await other.client.record([usageEvent(account, `event-${i}`, 10)], 'ACK_LEVEL_DURABLE');
      }
      await trimmedBeyond(direct, 4);
      process.kill(seen.pid, 'SIGCONT');
      for (let i = 20; i < 60; i++) {
        expect(
          await client.record([usageEvent(account, `event-${i}`, 10)], 'ACK_LEVEL_DURABLE'),
        ).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
      }
      expect(await readiness(seen)).toMatchObject({ ready: true, reasons: [] });
      await expectClean(other.config, client, new Map([[account, 10_000 - 600]]));
    } finally {
      direct.disconnect();
      await other.stop();
      await seen.stop();
    }
  });

  it('that is away for long: the sidecar that lost its lease meanwhile goes on and fences nothing', async () => {
    const { client } = sidecar;
    const account = await client.account('two', 10_000);
    const other = await startTestSidecar(
      { redisUrl: redis.url, postgresUrl: database.url },
      { journalTailMs: 0, leaseMs: 500 },
    );
    try {
      proxy.setDown(true);
      // The other one takes the leases over, flushes, and trims the journal behind itself.
      const direct = new Redis(redis.url);
      for (let i = 0; i < 20; i++) {
        await other.client.record([usageEvent(account, `event-${i}`, 10)], 'ACK_LEVEL_DURABLE');
      }
      await trimmedBeyond(direct, 4);
      direct.disconnect();
      for (let i = 20; i < 40; i++) await client.record([usageEvent(account, `event-${i}`, 10)]);
      proxy.setDown(false);
      await until('it is ready', async () => (await readiness(sidecar)).ready);
      expect(await client.record([usageEvent(account, 'last', 10)], 'ACK_LEVEL_DURABLE')).toMatchObject([
        { outcome: 'EVENT_OUTCOME_RECORDED' },
      ]);
      await expectClean(other.config, client, new Map([[account, 10_000 - 410]]));
    } finally {
      await other.stop();
    }
  });
});
