/** What this version does not know, because another one wrote it: refused by name, and left as it is. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { postgresSocket, startProxy } from '../helpers/proxy.js';
import { metric, readiness, startTestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

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
const keysOf = (account: string) => partitionKeys('drawdown', partitionOf(account, 4));

/** All that is in Redis. */
async function contents(): Promise<unknown> {
  const keys = (await direct.keys('*')).sort();
  return Promise.all(keys.map(async (key) => [key, await direct.dumpBuffer(key)]));
}

it('a Postgres of another format is not served from, and Redis is not touched', async () => {
  await (await startTestSidecar(places())).stop();
  await sql(database.url, 'UPDATE installation SET format = 2');
  const before = await contents();
  await expect(startTestSidecar(places())).rejects.toThrow(
    'this installation has format 2; this version knows 1',
  );
  expect(await contents()).toEqual(before);
});

it('keys of another format stop their partition, in a sidecar that runs and in one that starts; they stay as they are', async () => {
  const first = await startTestSidecar(places());
  const [strange, known] = ['strange', 'known'];
  expect(keysOf(strange)).not.toEqual(keysOf(known));
  for (const account of [strange, known]) await first.client.account(account, 1_000);
  await until('all is durable', async () => (await metric(first, 'drawdown_journal_entries')) === 0);
  await direct.hset(keysOf(strange)[0], 'format', 2);
  const refusal = { status: 'UNAVAILABLE', reason: 'PARTITION_FENCED' };
  const before = await direct.hgetall(keysOf(strange)[0]);
  for (const sidecar of [first, await startTestSidecar(places())]) {
    const failure = await sidecar.client.failure('AccountService/GetBalance', { accountId: strange });
    expect(failure).toMatchObject(refusal);
    expect(failure.message).toContain('Redis holds data of format 2, which this version does not know');
    expect(await sidecar.client.record([usageEvent(known, `by-${sidecar.grpcAddress}`, 10)])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    await until('readiness names it', async () =>
      (await readiness(sidecar)).reasons.some((reason) => reason.includes('format 2')),
    );
    await sidecar.stop();
  }
  expect(await direct.hgetall(keysOf(strange)[0])).toEqual(before);
});

it('a journal record of another format is not flushed, not skipped and not lost; others go on; a version that knows it flushes it', async () => {
  const { socketPath, through } = postgresSocket(database.url);
  const proxy = await startProxy(socketPath);
  // One flush at a time, so that a failure says that none is under way that read the journal before.
  const throughProxy = { ...places(), postgresUrl: through(proxy.port) };
  const sidecar = await startTestSidecar(throughProxy, { flushConnections: 1 });
  const { client } = sidecar;
  const [strange, known] = ['strange', 'known'];
  try {
    for (const account of [strange, known]) {
      await client.account(account, 1_000);
      await client.record([usageEvent(account, 'first', 10)], 'ACK_LEVEL_DURABLE');
    }
    proxy.setDown(true);
    await client.record([usageEvent(strange, 'second', 10)]);
    const journal = keysOf(strange)[7];
    const [[id, fields]] = (await direct.xrevrangeBuffer(journal, '+', '-', 'COUNT', 1)) as [
      [Buffer, Buffer[]],
    ];
    const place = fields.findIndex((field) => field.toString() === 'd') + 1;
    const write = async (format: number): Promise<void> => {
      const decisions = Buffer.from(fields[place] as Buffer);
      decisions[0] = format;
      const [epoch, seq] = id.toString().split('-');
      await direct
        .multi()
        .xdel(journal, id)
        .call('XSETID', journal, `${epoch}-${Number(seq) - 1}`)
        .xadd(journal, id, ...fields.with(place, decisions))
        .exec();
    };
    await write(2);
    const retries = () => metric(sidecar, 'drawdown_flush_retries_total', 'reason="store"');
    const retriesBefore = await retries();
    await until('what was read before has failed', async () => (await retries()) > retriesBefore);
    proxy.setDown(false);
    const failures = () => metric(sidecar, 'drawdown_flush_failures_total', 'unreadable');
    await until('the flusher has met it again and again', async () => (await failures()) >= 2);
    await until('readiness warns', async () =>
      (await readiness(sidecar)).warnings.some((warning) => warning.includes('it has format 2')),
    );
    expect(await client.record([usageEvent(known, 'third', 10)], 'ACK_LEVEL_DURABLE')).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    expect(await client.record([usageEvent(strange, 'third', 10)])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    expect(await sql(database.url, `SELECT 1 FROM entries WHERE id = 'second'`)).toEqual([]);
    // As if the version that wrote it flushed it: later records are in the way of putting it back, so they come again.
    const later = (await direct.xrangeBuffer(journal, `(${id.toString()}`, '+')) as [Buffer, Buffer[]][];
    for (const [laterId] of later) await direct.xdel(journal, laterId);
    await write(1);
    for (const [laterId, laterFields] of later) await direct.xadd(journal, laterId, ...laterFields);
    await until('it warns no more', async () => (await readiness(sidecar)).warnings.length === 0);
    await expectClean(
      sidecar.config,
      client,
      new Map([
        [strange, 970],
        [known, 980],
      ]),
    );
  } finally {
    await sidecar.stop();
    await proxy.stop();
  }
});
