/** What sweeps do while a store does not answer. */
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import { holdField, partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { startTestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis } from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

it('holds end in time while what sweeps ask of Postgres is not answered', async () => {
  const [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  cleanups.push(
    () => redis.stop(),
    () => database.drop(),
  );
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  const sidecar = await startTestSidecar(places, { postgresStatementTimeoutMs: 120_000 });
  cleanups.push(() => sidecar.stop());
  const { client, config } = sidecar;
  const direct = new Redis(redis.url);
  cleanups.push(async () => direct.disconnect());
  const account = await client.account('account', 1_000);
  const blocker = new pg.Client({ connectionString: database.url });
  await blocker.connect();
  cleanups.push(() => blocker.end());
  await blocker.query('BEGIN; LOCK TABLE reversals_due IN ACCESS EXCLUSIVE MODE');
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%reversals_due%'`;
  await until('a sweep waits', async () => (await sql(database.url, waiting)).length === 1);
  await client.reserve(account, 'hold', 10, { holdTimeMs: SOON_MS });
  const keys = partitionKeys('drawdown', partitionOf(account, config.partitionCount));
  const field = holdField(account, 'hold');
  expect(await direct.hexists(keys[3], field)).toBe(1);
  // Nobody uses the account, which would end it, too.
  await until('it is ended', async () => (await direct.hexists(keys[3], field)) === 0);
  expect(await sql(database.url, waiting)).toHaveLength(1);
  await blocker.query('ROLLBACK');
  await expectClean(config, client, new Map([[account, 1_000]]));
});
