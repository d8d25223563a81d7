/** Epochs that end: nobody takes part in one that is closed, and everybody learns what was lost with it. */
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { startProxy } from '../helpers/proxy.js';
import { SessionStream } from '../helpers/session-stream.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, type RedisTestOptions, startRedis, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

interface Scene {
  readonly redis: TestRedis;
  readonly direct: Redis;
  readonly postgresUrl: string;
  sidecar(redisUrl?: string, overrides?: Parameters<typeof startTestSidecar>[1]): Promise<TestSidecar>;
}

async function scene(options: RedisTestOptions = {}): Promise<Scene> {
  const [redis, database] = await Promise.all([startRedis(options), createDatabase()]);
  const direct = new Redis(redis.url);
  direct.on('error', () => undefined);
  cleanups.push(
    () => redis.stop(),
    () => database.drop(),
    async () => direct.disconnect(),
  );
  const sidecar: Scene['sidecar'] = async (redisUrl = redis.url, overrides = {}) => {
    const started = await startTestSidecar(
      { redisUrl, postgresUrl: database.url },
      { partitionCount: 1, leaseMs: 500, ...overrides },
    );
    cleanups.push(() => started.stop());
    return started;
  };
  return { redis, direct, postgresUrl: database.url, sidecar };
}

const epochsOf = (url: string) =>
  sql(url, 'SELECT epoch, last_seq, closed_because AS because FROM epochs ORDER BY epoch');

const standStill = (url: string) =>
  sql(url, `UPDATE leases SET owner = 'one that stands still', until = 'infinity'`);
const letFlush = (url: string) => sql(url, 'UPDATE leases SET owner = NULL, until = NULL');

it('a sidecar that nobody calls and that flushes nothing learns from others what it lost', async () => {
  const { direct, postgresUrl, sidecar } = await scene();
  const owner = await sidecar();
  const peer = await sidecar();
  const account = await owner.client.account('peer', 1_000);
  await standStill(postgresUrl);
  await until('nobody flushes', async () => (await metric(owner, 'drawdown_partitions_owned')) === 0);
  const stream = peer.client.stream();
  const lost = stream.send([usageEvent(account, 'lost', 10)]);
  await stream.results(lost);
  await direct.flushall();
  await until('another one rebuilds', () => owner.client.balance(account).catch(() => null));
  await until('its stream names it', () => stream.resend.length > 0);
  expect(stream.resend).toEqual([lost]);
  await letFlush(postgresUrl);
  stream.sendAgain(lost, [usageEvent(account, 'lost', 10)]);
  await stream.durable(lost);
  await expectClean(owner.config, owner.client, new Map([[account, 990]]));
});

it('what stands in the journal before a gap is drained, what stands behind it is set aside', async () => {
  const { direct, postgresUrl, sidecar } = await scene();
  const one = await sidecar();
  const { client } = one;
  const account = await client.account('gap', 1_000);
  await standStill(postgresUrl);
  await until('nobody flushes', async () => (await metric(one, 'drawdown_partitions_owned')) === 0);
  const stream = client.stream();
  const events = [1, 10, 100].map((amount) => usageEvent(account, `event-${amount}`, amount));
  const numbers: number[] = [];
  for (const event of events) {
    numbers.push(stream.send([event]));
    await stream.results(numbers.at(-1) as number);
  }
  const journal = partitionKeys('drawdown', partitionOf(account, 1))[7];
  const [, [id]] = (await direct.xrevrange(journal, '+', '-', 'COUNT', 2)) as [unknown, [string]];
  await direct.xdel(journal, id);
  await letFlush(postgresUrl);
  await until('the stream names what is lost', () => stream.resend.length === 2);
  expect(stream.resend).toEqual(numbers.slice(1));
  expect(await until('it serves', () => client.balance(account).catch(() => null))).toMatchObject({
    available: 999,
  });
  expect(await sql(postgresUrl, 'SELECT count(*) AS aside FROM set_aside_records')).toEqual([{ aside: '1' }]);
  const listed = async (...options: string[]): Promise<string[]> => {
    const lines: string[] = [];
    const io = {
      out: (line: string) => void lines.push(line),
      error: (line: string) => void lines.push(line),
    };
    expect(await runCli(['set-aside', '--postgres-url', postgresUrl, ...options], io)).toBe(0);
    return lines;
  };
  const [behind] = await listed('--missing', '--json');
  expect(JSON.parse(behind as string)).toMatchObject({
    ...{ account: 'gap', kind: 'usage', id: 'event-100', unit: 'credits', change: '-100', inLedger: false },
    ...{ epoch: '1', seq: '5', meter: 'llm', quantities: { input_tokens: 100 } },
  });
  for (const [i, number] of numbers.slice(1).entries()) stream.sendAgain(number, events.slice(i + 1, i + 2));
  await stream.durable(numbers[2] as number);
  expect(await listed('--missing')).toEqual([
    'lines set aside: 1, not in the ledger: 0; records that cannot be read: 0',
  ]);
  expect((await listed()).join()).toMatch(/event-100 .* -0\.000100 credits\s+yes/);
  const strange = `INSERT INTO set_aside_records (partition, epoch, first_seq, last_seq, hash, fields) VALUES (0, 9, 7, 7, '', ARRAY['d', 'x']::bytea[])`;
  await sql(postgresUrl, strange);
  expect((await listed('--missing')).join()).toMatch(
    /^partition 0: journal record 9-7 cannot be read: .*records that cannot be read: 1$/,
  );
  await expectClean(one.config, client, new Map([[account, 889]]));
});

it('a restarted Redis that lost that its keys ever served begins a new epoch all the same', async () => {
  const { redis, direct, postgresUrl, sidecar } = await scene({ appendOnly: true });
  const proxy = await startProxy(() => redis.socketPath);
  cleanups.push(() => proxy.stop());
  const one = await sidecar(`redis://127.0.0.1:${proxy.port}`);
  const account = await one.client.account('account', 1_000);
  await one.client.ledger(account);
  // As if the end of its file were gone: everything since the keys were made. The sidecar sees none of it before the restart.
  proxy.setDown(true);
  await direct.hset(partitionKeys('drawdown', 0)[0], 'run_id', '-');
  await redis.restart();
  proxy.setDown(false);
  await until('it serves', () => one.client.balance(account).catch(() => null));
  // Sealed: where the first try to drain met a connection that was not back yet.
  const because = expect.stringMatching(/^(restarted|sealed)$/);
  expect(await epochsOf(postgresUrl)).toMatchObject([{ epoch: '1', because }, { epoch: '2' }]);
  await expectClean(one.config, one.client, new Map([[account, 1_000]]));
});

it('a primary whose history gets another id is known to all sidecars by that, and they go on', async () => {
  const { redis, direct, postgresUrl, sidecar } = await scene({
    settings: { 'enable-debug-command': 'yes' },
  });
  const proxy = await startProxy(() => redis.socketPath);
  cleanups.push(() => proxy.stop());
  const stays = await sidecar();
  const breaks = await sidecar(`redis://127.0.0.1:${proxy.port}`);
  const account = await stays.client.account('account', 1_000);
  await direct.call('DEBUG', 'CHANGE-REPL-ID');
  proxy.setDown(true);
  proxy.setDown(false);
  await until('the one that connects anew serves', () => breaks.client.balance(account).catch(() => null));
  const durable = 'ACK_LEVEL_DURABLE' as const;
  for (let i = 0; i < 5; i++) {
    for (const [j, { client }] of [stays, breaks].entries()) {
      const event = usageEvent(account, `event-${i}-${j}`, 1);
      await until('it is recorded', async () => {
        const [result] = await client.record([event], durable).catch(() => []);
        return /RECORDED|DUPLICATE/.test(result?.outcome ?? '');
      });
    }
  }
  expect(await epochsOf(postgresUrl)).toHaveLength(2);
  await expectClean(stays.config, stays.client, new Map([[account, 990]]));
});

it('counts of a session that were acknowledged and lost are written down again, also where it stands still', async () => {
  const { direct, postgresUrl, sidecar } = await scene();
  const [one, two] = [await sidecar(undefined, { checkpointIntervalMs: 50 }), await sidecar()];
  const account = await one.client.account('session', 10_000_000);
  const stream = new SessionStream(one.grpcAddress);
  await stream.open(1, account);
  await stream.durable(1);
  await standStill(postgresUrl);
  await until('nobody flushes', async () => (await metric(one, 'drawdown_partitions_owned')) === 0);
  stream.progress(1, 40);
  await stream.acknowledgedThrough(1, 40);
  await direct.flushall();
  await until('it serves', () => one.client.balance(account).catch(() => null));
  await until('it is written down', async () => (await direct.xlen(partitionKeys('drawdown', 0)[7])) > 0);
  await until('the other one serves', () => two.client.balance(account).catch(() => null));
  const next = new SessionStream(two.grpcAddress);
  expect((await next.open(1, account)).counts).toEqual(['40']);
  expect(await next.settle(1, 100, 40)).toMatchObject({ settled: { charged: '300' } });
  stream.break();
  next.break();
  await letFlush(postgresUrl);
  await expectClean(one.config, one.client, new Map([[account, 10_000_000 - 300]]));
});
