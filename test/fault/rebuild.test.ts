/** Redis forgets or goes back: the epoch is closed, the next one begins from Postgres, and what was lost is sent again. */
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { meterOf, usage } from '../helpers/meter.js';
import { startProxy } from '../helpers/proxy.js';
import { metric, readiness, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, type RedisTestOptions, startRedis, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

async function redisOf(options: RedisTestOptions): Promise<TestRedis> {
  const redis = await startRedis(options);
  cleanups.push(() => redis.stop());
  return redis;
}

async function databaseUrl(): Promise<string> {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  return database.url;
}

async function sidecarOn(
  redisUrl: string,
  postgresUrl: string,
  overrides: Parameters<typeof startTestSidecar>[1] = {},
): Promise<TestSidecar> {
  const sidecar = await startTestSidecar({ redisUrl, postgresUrl }, overrides);
  cleanups.push(() => sidecar.stop());
  return sidecar;
}

async function directTo(url: string): Promise<Redis> {
  const direct = new Redis(url);
  cleanups.push(async () => direct.disconnect());
  return direct;
}

/** From here on nothing is flushed: a sidecar that stands still seems to have every lease. */
async function stopFlushes(sidecar: TestSidecar, postgresUrl: string): Promise<void> {
  await sql(postgresUrl, `UPDATE leases SET owner = 'one that stands still', until = 'infinity'`);
  await until('it has no lease', async () => (await metric(sidecar, 'drawdown_partitions_owned')) === 0);
}

async function letFlush(postgresUrl: string): Promise<void> {
  await sql(postgresUrl, `UPDATE leases SET owner = NULL, until = NULL`);
}

const shortLeases = { leaseMs: 1_000 };

const serves = (client: TestClient, account: string) =>
  until('it serves again', () => client.balance(account).catch(() => null));

const epochsOf = (url: string, account: string) =>
  sql(
    url,
    `SELECT epoch, closed_because AS because FROM epochs WHERE partition = ${partitionOf(account, 4)} ORDER BY epoch`,
  );

/** Everything that Redis holds, and how to put it back. */
async function copyOf(direct: Redis): Promise<() => Promise<void>> {
  const keys = await direct.keys('*');
  const values = await Promise.all(keys.map((key) => direct.dumpBuffer(key)));
  return async () => {
    await direct.flushall();
    for (const [i, key] of keys.entries()) await direct.restore(key, 0, values[i] as Buffer);
  };
}

describe('entries that are applied and not durable when Redis loses them', () => {
  it('are named to their stream, and charged once when they are sent again', async () => {
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl, shortLeases);
    const { client } = sidecar;
    const account = await client.account('lost', 1_000);
    const stream = client.stream();
    const kept = [usageEvent(account, 'kept', 100)];
    await stream.durable(stream.send(kept));
    await stopFlushes(sidecar, postgresUrl);
    const lost = [usageEvent(account, 'lost', 30), usageEvent(account, 'lost-too', 3)];
    const number = stream.send(lost);
    expect(await stream.results(number)).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }, {}]);
    await redis.kill9();
    await redis.restart();
    await letFlush(postgresUrl);
    await until('the stream names it', () => stream.resend.length > 0);
    expect(stream.resend).toEqual([number]);
    expect(stream.durableThrough).toBe(1);
    expect(await client.balance(account)).toMatchObject({ available: 900 });
    stream.sendAgain(number, lost);
    expect(await stream.results(number)).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    expect(await stream.results(stream.send(kept))).toMatchObject([{ outcome: 'EVENT_OUTCOME_DUPLICATE' }]);
    await stream.durable(number + 1);
    expect(await metric(sidecar, 'drawdown_entries_lost_total')).toBeGreaterThanOrEqual(2);
    await expectClean(sidecar.config, client, new Map([[account, 867]]));
  });

  it('fail a call that waits for them with RESEND, and the same call again succeeds', async () => {
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl, shortLeases);
    const { client } = sidecar;
    const account = await client.account('waits', 1_000);
    await stopFlushes(sidecar, postgresUrl);
    const grant = {
      requestId: 'grant',
      accountId: account,
      amount: { unit: 'UNIT_CREDITS' as const, value: 50 },
    };
    const request = { ...grant, eventTimeMs: Date.now() };
    const failed = client.failure('AccountService/TopUp', request);
    await until('it is applied', async () => (await client.balance(account)).available === 1_050);
    await redis.kill9();
    await redis.restart();
    await letFlush(postgresUrl);
    expect(await failed).toMatchObject({ reason: 'RESEND' });
    expect(await client.call('AccountService/TopUp', request)).toMatchObject({ duplicate: false });
    await expectClean(sidecar.config, client, new Map([[account, 1_050]]));
  });
});

describe('a Redis that lost its keys', () => {
  it.each([
    ['by FLUSHALL under load', async (redis: TestRedis) => (await directTo(redis.url)).flushall()],
    [
      'by a restart without its file',
      async (redis: TestRedis) => {
        await redis.kill9();
        await redis.restart();
      },
    ],
  ])('%s: no wrong balance is served, and every event is charged once', async (_, lose) => {
    const seed = seedOf('redis lost its keys');
    const random = new SeededRandom(seed);
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl);
    const { client } = sidecar;
    const granted = 1_000_000;
    const accounts = await Promise.all(
      Array.from({ length: 8 }, (_, i) => client.account(`account-${i}`, granted)),
    );
    // Usage of these only; the quiet ones must be seen with their whole balance all the time.
    const busy = accounts.slice(0, 4);
    const left = new Map(accounts.map((account) => [account, granted]));
    const meter = meterOf(sidecar);
    cleanups.push(() => meter.close({ timeoutMs: 0 }));
    const losses = new Set(Array.from({ length: 2 }, () => random.between(50, 350)));
    const recorded: Promise<unknown>[] = [];
    for (let i = 0; i < 400; i++) {
      const account = random.pick(busy);
      left.set(account, (left.get(account) as number) - 7);
      recorded.push(meter.record([usage(account, `event-${i}`, 7)]));
      if (losses.has(i)) await lose(redis);
      if (i % 10 === 0) {
        const quiet = await client.balance(random.pick(accounts.slice(4))).catch(() => null);
        if (quiet !== null) expect(quiet.available).toBe(granted);
      }
    }
    await Promise.all(recorded);
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    await expectClean(sidecar.config, client, left);
    expect(await metric(sidecar, 'drawdown_epochs_closed_total', 'because="lost"')).toBeGreaterThanOrEqual(4);
  });

  it('is noticed also by a sidecar that nobody calls', async () => {
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl);
    const account = await sidecar.client.account('quiet', 1_000);
    await (await directTo(redis.url)).flushall();
    await until('a new epoch is open', async () => (await epochsOf(postgresUrl, account)).length === 2);
    expect(await epochsOf(postgresUrl, account)).toEqual([
      { epoch: '1', because: 'lost' },
      { epoch: '2', because: null },
    ]);
    // The epoch stands in Postgres before the partition serves, and readiness is looked at once a second: it may be an older one.
    await serves(sidecar.client, account);
    await until('it is ready', async () => (await readiness(sidecar)).ready);
    await expectClean(sidecar.config, sidecar.client, new Map([[account, 1_000]]));
  });

  it('keeps open holds with their deadlines, and what is due comes to pass', async () => {
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl);
    const { client } = sidecar;
    const account = await client.account('holds', 1_000);
    await client.reserve(account, 'stays', 100, { holdTimeMs: 3_600_000, ackLevel: 'ACK_LEVEL_DURABLE' });
    await client.reserve(account, 'expires', 20, { holdTimeMs: 1_500, ackLevel: 'ACK_LEVEL_DURABLE' });
    await (await directTo(redis.url)).flushall();
    await until('the hold expires', async () => {
      const rows = await sql(postgresUrl, `SELECT 1 FROM entries WHERE kind = 'hold_expired'`);
      return rows.length === 1;
    });
    expect(await client.balance(account)).toMatchObject({ available: 900, held: 100 });
    expect(await client.settle(account, 'stays', 40)).toMatchObject({ charged: '40' });
    await expectClean(sidecar.config, client, new Map([[account, 960]]));
  });

  it('is rebuilt once by two sidecars, and both go on', async () => {
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const [one, two] = [await sidecarOn(redis.url, postgresUrl), await sidecarOn(redis.url, postgresUrl)];
    const account = await one.client.account('shared', 1_000);
    expect(await two.client.balance(account)).toMatchObject({ available: 1_000 });
    await (await directTo(redis.url)).flushall();
    await Promise.all([serves(one.client, account), serves(two.client, account)]);
    expect(await epochsOf(postgresUrl, account)).toHaveLength(2);
    const event = usageEvent(account, 'a', 1);
    expect(await one.client.record([event])).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
    expect(await two.client.record([event, usageEvent(account, 'b', 1)])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_DUPLICATE' },
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    await expectClean(one.config, one.client, new Map([[account, 998]]));
  });
});

describe('a Redis that went back', () => {
  it('under the same run_id is emptied: what it lacks is sent again', async () => {
    const redis = await redisOf({ appendOnly: false });
    const sidecar = await sidecarOn(redis.url, await databaseUrl());
    const { client } = sidecar;
    const account = await client.account('back', 1_000);
    const putBack = await copyOf(await directTo(redis.url));
    const stream = client.stream();
    const event = usageEvent(account, 'event', 100);
    await stream.durable(stream.send([event]));
    await putBack();
    await serves(client, account);
    expect(await client.balance(account)).toMatchObject({ available: 900 });
    expect(await client.record([event])).toMatchObject([{ outcome: 'EVENT_OUTCOME_DUPLICATE' }]);
    await expectClean(sidecar.config, client, new Map([[account, 900]]));
  });

  it('with a truncated append-only file: what is missing is named to its stream, what is there is kept', async () => {
    const redis = await redisOf({
      appendOnly: true,
      settings: { appendfsync: 'always', 'aof-load-truncated': 'yes' },
    });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl, shortLeases);
    const { client } = sidecar;
    const account = await client.account('cut', 10_000);
    const stream = client.stream();
    await stream.durable(stream.send([usageEvent(account, 'durable', 1_000)]));
    await stopFlushes(sidecar, postgresUrl);
    const [survives, goes] = [usageEvent(account, 'survives', 200), usageEvent(account, 'goes', 30)];
    await stream.results(stream.send([survives]));
    const directory = join(dirname(redis.socketPath), 'appendonlydir');
    const file = join(directory, readdirSync(directory).find((name) => name.endsWith('.incr.aof')) as string);
    const lost = stream.send([goes]);
    await stream.results(lost);
    await redis.kill9();
    // The last transaction is not whole any more.
    truncateSync(file, statSync(file).size - 10);
    await redis.restart();
    await letFlush(postgresUrl);
    await until('the stream names it', () => stream.resend.length > 0);
    expect(stream.resend).toEqual([lost]);
    expect(await client.balance(account)).toMatchObject({ available: 8_800 });
    stream.sendAgain(lost, [goes]);
    expect(await stream.results(stream.send([survives]))).toMatchObject([
      { outcome: 'EVENT_OUTCOME_DUPLICATE' },
    ]);
    await stream.durable(lost + 1);
    await expectClean(sidecar.config, client, new Map([[account, 8_770]]));
  });

  it('because a replica was promoted that lagged: nothing durable is lost, the rest is sent again', async () => {
    const [primary, replica] = [
      await redisOf({ appendOnly: false, settings: { 'repl-diskless-sync-delay': '0' } }),
      await redisOf({ appendOnly: false }),
    ];
    const postgresUrl = await databaseUrl();
    let target = primary.socketPath;
    const proxy = await startProxy(() => target);
    cleanups.push(() => proxy.stop());
    const [onPrimary, onReplica] = [await directTo(primary.url), await directTo(replica.url)];
    const link = await startProxy(() => primary.socketPath);
    cleanups.push(() => link.stop());
    // Before the sidecar starts: the first replica gives its primary another id, at which partitions are verified again, and refuse meanwhile.
    await onReplica.replicaof('127.0.0.1', link.port);
    await until('the replica follows', async () =>
      (await onReplica.info('replication')).includes('master_link_status:up'),
    );
    const sidecar = await sidecarOn(`redis://127.0.0.1:${proxy.port}`, postgresUrl, shortLeases);
    const { client } = sidecar;
    const account = await client.account('replica', 10_000);
    const stream = client.stream();
    const replicated = stream.send([usageEvent(account, 'replicated', 1_000)]);
    await stream.durable(replicated);
    const journal = partitionKeys('drawdown', partitionOf(account, 4))[7];
    await until(
      'the replica has it',
      async () => (await onReplica.xlen(journal)) === (await onPrimary.xlen(journal)),
    );
    link.setDown(true);
    const [stays, goes] = [usageEvent(account, 'stays', 200), usageEvent(account, 'goes', 30)];
    await stream.durable(stream.send([stays]));
    await stopFlushes(sidecar, postgresUrl);
    const lost = stream.send([goes]);
    expect(await stream.results(lost)).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
    await onReplica.replicaof('NO', 'ONE');
    target = replica.socketPath;
    proxy.setDown(true);
    proxy.setDown(false);
    await letFlush(postgresUrl);
    await until('the stream names it', () => stream.resend.length > 0);
    expect(stream.resend).toEqual([lost]);
    await serves(client, account);
    expect(await client.balance(account)).toMatchObject({ available: 8_800 });
    stream.sendAgain(lost, [goes]);
    expect(await stream.results(stream.send([stays]))).toMatchObject([
      { outcome: 'EVENT_OUTCOME_DUPLICATE' },
    ]);
    await stream.durable(lost + 1);
    await expectClean(sidecar.config, client, new Map([[account, 8_770]]));
  });

  it('to another history of the same entries: what it has beyond the ledger is set aside, not dropped', async () => {
    const redis = await redisOf({ appendOnly: false });
    const postgresUrl = await databaseUrl();
    const sidecar = await sidecarOn(redis.url, postgresUrl);
    const { client } = sidecar;
    const account = await client.account('fork', 10_000);
    const direct = await directTo(redis.url);
    const journal = partitionKeys('drawdown', partitionOf(account, 4))[7];
    // A fork: the record at the cursor is another one, and more follows it.
    await client.record([usageEvent(account, 'a', 1)]);
    await client.ledger(account);
    const [[id, fields]] = (await direct.xrevrangeBuffer(journal, '+', '-', 'COUNT', 1)) as unknown as [
      [Buffer, Buffer[]],
    ];
    const [epoch, seq] = id.toString().split('-').map(Number) as [number, number];
    const other = fields.map((field, i) =>
      fields[i - 1]?.toString() === 'o' ? Buffer.concat([field, Buffer.from('x')]) : field,
    );
    await direct.del(journal);
    await direct.callBuffer('XADD', [journal, id, ...other]);
    await direct.callBuffer('XADD', [journal, `${epoch}-${seq + 1}`, ...other]);
    // Refused by the fork, or booked where the flusher has noticed it before.
    const [b] = await client.record([usageEvent(account, 'b', 10)]);
    await until('a new epoch is open', async () => (await epochsOf(postgresUrl, account)).length === 2);
    await serves(client, account);
    const available = b?.outcome === 'EVENT_OUTCOME_RECORDED' ? 9_989 : 9_999;
    expect(await client.balance(account)).toMatchObject({ available });
    expect(
      await sql(postgresUrl, `SELECT epoch, first_seq FROM set_aside_records ORDER BY first_seq`),
    ).toMatchObject([{ epoch: '1', first_seq: String(seq + 1) }]);
    await client.record([usageEvent(account, 'b', 10)]);
    await expectClean(sidecar.config, client, new Map([[account, 9_989]]));
  });
});
