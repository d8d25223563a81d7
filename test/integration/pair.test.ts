/** Two sidecars side by side on the same stores. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import { settleRequest, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

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

describe('two sidecars on one installation', () => {
  it('charge an event that comes through both once', async () => {
    const accounts = await Promise.all(
      Array.from({ length: 8 }, (_, i) => first.client.account(`both-${i}`, 1_000_000)),
    );
    const batches = Array.from({ length: 20 }, (_, batch) =>
      Array.from({ length: 100 }, (_, i) => usageEvent(accounts[i % 8] as string, `event-${batch}-${i}`, 10)),
    );
    const results = await Promise.all(
      [first, second].map(async ({ client }) => {
        const stream = client.stream();
        const answers = [];
        for (const batch of batches) answers.push(await stream.results(stream.send(batch)));
        // Durable on the one that does not flush, too.
        await stream.durable(batches.length);
        expect(await stream.end()).toBe('OK');
        return answers.flat();
      }),
    );
    const outcomes = results.flat().map((result) => result.outcome);
    expect(outcomes.filter((outcome) => outcome === 'EVENT_OUTCOME_RECORDED')).toHaveLength(2_000);
    expect(outcomes.filter((outcome) => outcome === 'EVENT_OUTCOME_DUPLICATE')).toHaveLength(2_000);
    const expected = new Map(
      accounts.map((account, i) => [account, 1_000_000 - 10 * 20 * (i < 4 ? 13 : 12)] as const),
    );
    await expectClean(first.config, second.client, expected);
  });

  it('share holds: reserved on one, extended and settled on the other, swept once', async () => {
    const account = await second.client.account('shared', 10_000);
    await first.client.reserve(account, 'hold', 1_000);
    expect(
      await second.client.call('UsageService/Extend', {
        extendId: 'extend',
        accountId: account,
        holdId: 'hold',
        addAmount: 500,
        eventTimeMs: Date.now(),
      }),
    ).toMatchObject({ verdict: 'VERDICT_ALLOWED', held: '1500' });
    const settle = settleRequest(account, 'hold', 1_200);
    const answers = await Promise.all(
      [first, second].map(({ client }) => client.call('UsageService/Settle', settle)),
    );
    expect(answers.map((answer) => answer.duplicate).sort()).toEqual([false, true]);
    for (let i = 0; i < 20; i++) await second.client.reserve(account, `short-${i}`, 10, { holdTimeMs: 100 });
    await until('the holds are swept', async () => (await first.client.balance(account)).held === 0);
    await expectClean(first.config, first.client, new Map([[account, 8_800]]));
    const rows = await sql(database.url, `SELECT count(*) FROM entries WHERE kind = 'hold_expired'`);
    expect(rows).toEqual([{ count: '20' }]);
  });

  it('hold each partition once; a DURABLE answer comes from the one that does not flush', async () => {
    const owned = async (): Promise<number[]> =>
      Promise.all([first, second].map((sidecar) => metric(sidecar, 'drawdown_partitions_owned')));
    expect((await owned()).reduce((a, b) => a + b)).toBe(4);
    for (const sidecar of [first, second]) {
      const account = await sidecar.client.account(`durable-${sidecar.grpcAddress}`, 1_000);
      for (let i = 0; i < 10; i++) {
        const id = `${account}-${i}`;
        await sidecar.client.record([usageEvent(account, id, 10)], 'ACK_LEVEL_DURABLE');
        expect(await sql(database.url, 'SELECT 1 FROM entries WHERE id = $1', [id])).toHaveLength(1);
      }
    }
  });

  it('go on when the one that flushes is stopped, and when it is back', async () => {
    const account = await first.client.account('takeover', 10_000);
    await first.stop();
    await until(
      'the second has all partitions',
      async () => (await metric(second, 'drawdown_partitions_owned')) === 4,
    );
    await second.client.record([usageEvent(account, 'alone', 10)], 'ACK_LEVEL_DURABLE');
    first = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
    await first.client.record([usageEvent(account, 'again', 10)], 'ACK_LEVEL_DURABLE');
    await expectClean(first.config, first.client, new Map([[account, 9_980]]));
  });
});
