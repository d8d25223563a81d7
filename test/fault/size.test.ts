/** A million accounts of which ten thousand are hot: Redis holds the hot ones. */
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { FORMAT } from '../../src/redis/format.js';
import { partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';

const accountsInPostgres = 1_000_000;
const accountsHot = 10_000;
const partitionCount = 16;

/**
 * Measured: 3.5 MB for 10,000 hot accounts, each with one lot and the id of one event, and 1.9 MB of ids and journal once the accounts
 * were dropped. All of the million would be some 200 MB. The limits have room of about a half.
 */
const hotBytesMax = 5_500_000;
const evictedBytesMax = 3_000_000;

async function usedBytes(direct: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await direct.info('memory'))?.[1]);
}

it('ten thousand hot accounts of a million keep Redis small, and eviction makes it smaller again', {
  timeout: 120_000,
}, async () => {
  expect(FORMAT).toBe(1);
  const redis = await startRedis();
  const database = await createDatabase();
  const direct = new Redis(redis.url);
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  const settings = { partitionCount, journalTailMs: 0, accountIdleMs: 600_000 };
  // Makes the schema; the accounts come in by SQL while nobody serves.
  await (await startTestSidecar(places, settings)).stop();
  await direct.flushall();
  // crc32 is the partition's; Postgres 18 has the same one.
  await sql(
    database.url,
    `INSERT INTO accounts (account_key, account_id, partition, status, entries, seq, changed_ms, lots_made, open_holds, next_due_ms)
     SELECT n, 'account-' || n, crc32(convert_to('account-' || n, 'UTF8')) % $2, 1, 2, 0, 0, 1, 0, 0 FROM generate_series(1, $1::integer) AS n`,
    [accountsInPostgres, partitionCount],
  );
  await sql(
    database.url,
    `INSERT INTO wallets (account_key, unit, debt, granted, spent, expired, converted)
     SELECT n, 'credits', 0, 1000000, 0, 0, 0 FROM generate_series(1, $1::integer) AS n`,
    [accountsInPostgres],
  );
  await sql(
    database.url,
    `INSERT INTO lots (account_key, lot_id, unit, source, priority, expires_ms, remaining, held, owner)
     SELECT n, 1, 'credits', 'top_up', 20, 0, 1000000, 0, 0 FROM generate_series(1, $1::integer) AS n`,
    [accountsInPostgres],
  );
  await sql(database.url, `SELECT setval('account_keys', $1)`, [accountsInPostgres]);
  const [sample] = await sql(database.url, `SELECT partition FROM accounts WHERE account_id = 'account-77'`);
  expect(Number(sample?.partition)).toBe(partitionOf('account-77', partitionCount));

  let sidecar = await startTestSidecar(places, settings);
  const emptyBytes = await usedBytes(direct);
  const stream = sidecar.client.stream();
  const hot = Array.from({ length: accountsHot }, (_, i) => `account-${(i * 97) % accountsInPostgres || 1}`);
  let last = 0;
  for (let from = 0; from < accountsHot; from += 500) {
    last = stream.send(hot.slice(from, from + 500).map((account) => usageEvent(account, 'event', 100)));
    const results = await stream.results(last);
    for (const result of results)
      expect(result).toMatchObject({ outcome: 'EVENT_OUTCOME_RECORDED', available: '999900' });
  }
  await stream.durable(last);
  await until(
    'the hot accounts are counted',
    async () => (await metric(sidecar, 'drawdown_accounts_hot')) >= accountsHot - 10,
  );
  const hotBytes = (await usedBytes(direct)) - emptyBytes;
  await sidecar.stop();
  sidecar = await startTestSidecar(places, { ...settings, accountIdleMs: 100 });
  await until(
    'the idle accounts are dropped',
    async () => (await metric(sidecar, 'drawdown_accounts_evicted_total')) >= accountsHot - 10,
  );
  const evictedBytes = (await usedBytes(direct)) - emptyBytes;
  process.stdout.write(
    `Redis: ${emptyBytes} bytes empty, ${hotBytes} more with ${accountsHot} hot accounts, ${evictedBytes} once they were dropped\n`,
  );
  expect(hotBytes).toBeLessThan(hotBytesMax);
  expect(evictedBytes).toBeLessThan(evictedBytesMax);
  expect(evictedBytes).toBeLessThan(hotBytes);
  expect(await sidecar.client.balance(hot[5] as string)).toEqual({ available: 999_900, held: 0, debt: 0 });
  await sidecar.stop();
  direct.disconnect();
  await Promise.all([redis.stop(), database.drop()]);
});
