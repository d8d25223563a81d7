/** A record is missing from the journal: what stands before it is sound. */
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

it('a record that is deleted from the journal: those before it become durable, those behind it are set aside and sent again', async () => {
  const redis = await startRedis({ appendOnly: false });
  cleanups.push(() => redis.stop());
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  const sidecar = await startTestSidecar(places, { leaseMs: 1_000 });
  cleanups.push(() => sidecar.stop());
  const { client } = sidecar;
  const account = await client.account('gap', 1_000);
  // Nothing is flushed any more: a sidecar that stands still seems to have every lease.
  await sql(database.url, `UPDATE leases SET owner = 'one that stands still', until = 'infinity'`);
  await until('it has no lease', async () => (await metric(sidecar, 'drawdown_partitions_owned')) === 0);
  const stream = client.stream();
  const batches = ['before', 'deleted', 'behind'].map((id, i) => [usageEvent(account, id, 10 ** i)]);
  const numbers: number[] = [];
  // One by one, so that each is a record of its own.
  for (const batch of batches) {
    const number = stream.send(batch);
    await stream.results(number);
    numbers.push(number);
  }
  const direct = new Redis(redis.url);
  cleanups.push(async () => direct.disconnect());
  const journal = partitionKeys('drawdown', partitionOf(account, 4))[7];
  const ids = (await direct.xrevrange(journal, '+', '-', 'COUNT', 2)).map(([id]) => id);
  await direct.xdel(journal, ids[1] as string);
  await sql(database.url, `UPDATE leases SET owner = NULL, until = NULL`);
  await until('the stream names what is lost', () => stream.resend.length > 0);
  expect(stream.resend).toEqual(numbers.slice(1));
  expect(stream.durableThrough).toBe(numbers[0]);
  await until('it serves again', () => client.balance(account).catch(() => null));
  expect(await client.balance(account)).toMatchObject({ available: 999 });
  const aside = await sql(database.url, `SELECT epoch || '-' || first_seq AS id FROM set_aside_records`);
  expect(aside).toEqual([{ id: ids[0] }]);
  for (const i of [1, 2]) stream.sendAgain(numbers[i] as number, batches[i] as (typeof batches)[number]);
  await stream.durable(numbers[2] as number);
  await expectClean(sidecar.config, client, new Map([[account, 889]]));
});
