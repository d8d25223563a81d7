/** Two of everything: sidecars that stand still beyond their leases while another one does their work, and wake. */
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { partitionKeys } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { GatewayProcess } from '../helpers/gateway.js';
import { expectCharged, makeSessions, quickSessions } from '../helpers/known-sessions.js';
import { meterOf, usage } from '../helpers/meter.js';
import { metric, readiness, type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { createDatabase, type RedisTestOptions, startRedis, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

const leaseMs = 500;
const partitionCount = 16;
const partitions = Array.from({ length: partitionCount }, (_, number) => partitionKeys('drawdown', number));

interface Scene {
  readonly redis: TestRedis;
  readonly direct: Redis;
  readonly postgresUrl: string;
  sidecar(overrides?: Parameters<typeof spawnSidecar>[1]): Promise<SidecarProcess>;
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
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  const sidecar: Scene['sidecar'] = async (overrides = {}) => {
    const started = await spawnSidecar(places, {
      leaseMs,
      partitionCount,
      postgresStatementTimeoutMs: 10_000,
      ...overrides,
    });
    // One that stands still must wake to be ended.
    cleanups.push(() => {
      if (started.exited() === undefined) wake(started);
      return started.stop();
    });
    return started;
  };
  return { redis, direct, postgresUrl: database.url, sidecar };
}

const freeze = ({ pid }: SidecarProcess): boolean => process.kill(pid, 'SIGSTOP');
const wake = ({ pid }: SidecarProcess): boolean => process.kill(pid, 'SIGCONT');

const ready = (sidecar: SidecarProcess) =>
  until('it is ready', async () => (await readiness(sidecar).catch(() => null))?.ready === true);

const ownsAll = (sidecar: SidecarProcess) =>
  until(
    'it has every lease',
    async () => (await metric(sidecar, 'drawdown_partitions_owned')) === partitionCount,
  );

/** The one that has most leases first: on a busy machine one may have lost some to the other since they started. */
async function byLeases(
  sidecars: readonly [SidecarProcess, SidecarProcess],
): Promise<[SidecarProcess, SidecarProcess]> {
  const [first, second] = sidecars;
  const firstHas = await until('every partition has an owner', async () => {
    const ofFirst = await metric(first, 'drawdown_partitions_owned');
    const ofSecond = await metric(second, 'drawdown_partitions_owned');
    return ofFirst + ofSecond === partitionCount && { most: ofFirst >= ofSecond };
  });
  return firstHas.most ? [first, second] : [second, first];
}

const cursorsOf = (postgresUrl: string) =>
  sql(postgresUrl, 'SELECT partition, epoch, seq, record_seq FROM partitions ORDER BY partition');

/** Records at the cursors, which show whether Redis is the one that Postgres knows. */
async function expectTails(direct: Redis, postgresUrl: string): Promise<void> {
  for (const { partition, epoch, record_seq } of await cursorsOf(postgresUrl)) {
    if (record_seq === null) continue;
    const id = `${epoch}-${record_seq}`;
    const journal = partitions[Number(partition)]?.[7] as string;
    expect(await direct.xrange(journal, id, id), `partition ${partition}`).toHaveLength(1);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('a flusher that stood still changes and trims nothing when it wakes, and goes on', async () => {
  const random = new SeededRandom(seedOf('frozen flusher'));
  const { direct, postgresUrl, sidecar } = await scene();
  // It stops at any moment of a flush: none rests, and all is trimmed that may be.
  const quick = { journalTailMs: 0, flushRestMaxMs: 0 };
  const sidecars = [await sidecar(quick), await sidecar(quick)] as const;
  const { config, client } = sidecars[0];
  const accounts = await Promise.all(
    Array.from({ length: 8 }, (_, i) => client.account(`account-${i}`, 10_000)),
  );
  let events = 0;
  for (let round = 0; round < 2; round++) {
    const [owner, other] = await byLeases(sidecars);
    const meter = meterOf(other);
    cleanups.push(() => meter.close({ timeoutMs: 0 }));
    const use = (times: number): void => {
      for (let i = 0; i < times; i++) {
        events += 1;
        void meter.record(accounts.map((account) => usage(account, `event-${events}`, 1)));
      }
    };
    use(20);
    await pause(random.between(0, 30));
    freeze(owner);
    use(20);
    await ownsAll(other);
    await until('all is durable', async () => (await metric(other, 'drawdown_journal_entries')) === 0);
    use(20);
    wake(owner);
    use(20);
    await ready(owner);
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    await expectTails(direct, postgresUrl);
  }
  await expectClean(config, client, new Map(accounts.map((account) => [account, 10_000 - events])));
});

/** Statements of this database that begin like this and wait for that. */
const waiting = (query: string, event: string): string =>
  `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '${query}%'
   AND state = 'active' AND (wait_event_type = '${event}' OR wait_event = '${event}')`;

/** Their only sidecar stands still in the middle of a flush; the one that comes after it has to wait for its cursors. */
describe('a flusher that stands still', () => {
  it('between two statements of a flush gives its cursors up after its lease', async () => {
    const { postgresUrl, sidecar } = await scene();
    const long = { postgresStatementTimeoutMs: 60_000 };
    const first = await sidecar(long);
    const account = await first.client.account('account', 1_000);
    const blocker = new pg.Client({ connectionString: postgresUrl });
    await blocker.connect();
    // Its flush has the cursors, and waits with its lines written.
    await blocker.query('BEGIN; LOCK TABLE flushes IN SHARE ROW EXCLUSIVE MODE');
    await first.client.record([usageEvent(account, 'event', 10)]);
    await until(
      'a flush waits',
      async () => (await sql(postgresUrl, waiting('INSERT INTO flushes', 'Lock'))).length === 1,
    );
    freeze(first);
    await blocker.end();
    const second = await sidecar(long);
    await second.client.record([usageEvent(account, 'next', 1)], 'ACK_LEVEL_DURABLE');
    wake(first);
    await ready(first);
    await expectClean(first.config, first.client, new Map([[account, 989]]));
  });

  it('while it copies lines gives its cursors up after the time that a statement has', async () => {
    const { postgresUrl, sidecar } = await scene();
    const short = { postgresStatementTimeoutMs: 5_000 };
    const first = await sidecar(short);
    const account = await first.client.account('account', 1_000);
    // The month has its table: what waits next is the COPY.
    await first.client.record([usageEvent(account, 'before', 1)], 'ACK_LEVEL_DURABLE');
    const blocker = new pg.Client({ connectionString: postgresUrl });
    await blocker.connect();
    await blocker.query('BEGIN; LOCK TABLE entries IN SHARE ROW EXCLUSIVE MODE');
    await first.client.record([usageEvent(account, 'event', 10)]);
    await until('a COPY waits', async () => (await sql(postgresUrl, waiting('COPY', 'Lock'))).length === 1);
    freeze(first);
    await blocker.end();
    await until(
      'Postgres waits for its lines',
      async () => (await sql(postgresUrl, waiting('COPY', 'ClientRead'))).length === 1,
    );
    const second = await sidecar(short);
    await second.client.record([usageEvent(account, 'next', 1)], 'ACK_LEVEL_DURABLE');
    wake(first);
    await ready(first);
    await expectClean(first.config, first.client, new Map([[account, 988]]));
  });
});

it('a sweeper that stood still ends nothing twice when it wakes', async () => {
  const random = new SeededRandom(seedOf('frozen sweeper'));
  const { postgresUrl, sidecar } = await scene();
  const [first, second] = await byLeases([await sidecar(), await sidecar()]);
  const account = await second.client.account('holder', 100_000);
  const holds = Array.from({ length: 60 }, (_, i) => `hold-${i}`);
  await Promise.all(
    holds.map((hold) =>
      second.client.reserve(account, hold, 10, { holdTimeMs: random.between(1_000, 1_300) }),
    ),
  );
  await until('some end', async () => (await second.client.balance(account)).held < 600);
  freeze(first);
  await until('the other one ends the rest', async () => (await second.client.balance(account)).held === 0);
  wake(first);
  await Promise.all([ready(first), ready(second)]);
  await expectClean(first.config, first.client, new Map([[account, 100_000]]));
  expect(await sql(postgresUrl, `SELECT count(*) AS ended FROM entries WHERE kind = 'hold_expired'`)).toEqual(
    [{ ended: String(holds.length) }],
  );
});

/** The epoch that each partition has open, once its keys are admitted. */
const openEpochs = (postgresUrl: string) =>
  sql(
    postgresUrl,
    'SELECT partition, epoch FROM epochs WHERE last_seq IS NULL AND token IS NOT NULL ORDER BY 1',
  );

async function hasBegunToRebuild(direct: Redis, postgresUrl: string, before: unknown[]): Promise<boolean> {
  const metas = partitions.map(([meta]) => direct.hget(meta, 'sealed').catch(() => null));
  if ((await Promise.all(metas)).includes('1')) return true;
  return JSON.stringify(await openEpochs(postgresUrl)) !== JSON.stringify(before);
}

const hasRebuilt = async (postgresUrl: string, before: Awaited<ReturnType<typeof openEpochs>>) => {
  const after = await openEpochs(postgresUrl);
  return (
    after.length === before.length && after.every(({ epoch }, i) => Number(epoch) > Number(before[i]?.epoch))
  );
};

describe('a rebuild', () => {
  it.each([
    ['after FLUSHALL', async ({ direct }: Scene) => void (await direct.flushall())],
    ['after a restart of Redis', ({ redis }: Scene) => redis.restart()],
  ])(
    '%s whose owner stands still is done by another one; the first one wakes and both serve',
    async (how, lose) => {
      const random = new SeededRandom(seedOf(`frozen rebuilder ${how}`));
      const given = await scene({ appendOnly: true });
      const { direct, postgresUrl } = given;
      const sidecars = [await given.sidecar(), await given.sidecar()] as const;
      const { config, client } = sidecars[0];
      const accounts = await Promise.all(
        Array.from({ length: 8 }, (_, i) => client.account(`account-${i}`, 10_000)),
      );
      let events = 0;
      for (let round = 0; round < 2; round++) {
        const meters = sidecars.map((one) => meterOf(one));
        cleanups.push(...meters.map((meter) => () => meter.close({ timeoutMs: 0 })));
        const use = (): void => {
          for (const meter of meters) {
            events += 1;
            void meter.record(accounts.map((account) => usage(account, `event-${events}`, 1)));
          }
        };
        for (let i = 0; i < 5; i++) use();
        const before = await openEpochs(postgresUrl);
        await lose(given);
        // Either may be the one that rebuilds.
        const frozen = random.pick(sidecars);
        const other = sidecars.find((one) => one !== frozen) as SidecarProcess;
        if (random.next() < 0.5) await pause(random.between(0, 60));
        else await until('somebody rebuilds', () => hasBegunToRebuild(direct, postgresUrl, before));
        freeze(frozen);
        await until('the other one has rebuilt', () => hasRebuilt(postgresUrl, before));
        await ready(other);
        const after = await openEpochs(postgresUrl);
        use();
        wake(frozen);
        await ready(frozen);
        use();
        for (const meter of meters)
          expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
        expect(await openEpochs(postgresUrl)).toEqual(after);
      }
      expect(await sql(postgresUrl, 'SELECT 1 FROM set_aside_records')).toEqual([]);
      await expectClean(config, client, new Map(accounts.map((account) => [account, 10_000 - events])));
    },
  );

  it('that is killed half-way, twice, is done by the third sidecar', async () => {
    const given = await scene({ appendOnly: true });
    const { redis, postgresUrl } = given;
    const [first, second, third] = [await given.sidecar(), await given.sidecar(), await given.sidecar()];
    const account = await third.client.account('account', 10_000);
    const closed = async () =>
      (await sql(postgresUrl, 'SELECT 1 FROM epochs WHERE last_seq IS NOT NULL')).length;
    freeze(second);
    freeze(third);
    await redis.restart();
    await until('an epoch is closed', async () => (await closed()) > 0);
    await first.kill9();
    const before = await closed();
    wake(second);
    await until(
      'it goes on',
      async () => (await closed()) > before || (await openEpochs(postgresUrl)).length === partitionCount,
    );
    await second.kill9();
    wake(third);
    await until('it has rebuilt', async () => (await closed()) === partitionCount);
    await ready(third);
    await until('it serves', () => third.client.balance(account).catch(() => null));
    await third.client.record([usageEvent(account, 'event', 1)]);
    await expectClean(third.config, third.client, new Map([[account, 9_999]]));
  });
});

it('sessions go on over lost epochs: each is charged once, and at least what was acknowledged', async () => {
  const random = new SeededRandom(seedOf('sessions over lost epochs'));
  const given = await scene();
  const [first, second] = [await given.sidecar(quickSessions), await given.sidecar(quickSessions)];
  const granted = 10_000_000;
  const accountId = await first.client.account('gateways', granted);
  const sessions = makeSessions(accountId, 40);
  const gateway = await GatewayProcess.start({
    addresses: [first.grpcAddress, second.grpcAddress],
    accountId,
    startTimeMs: Date.now(),
    seed: random.between(1, 1_000_000),
  });
  cleanups.push(() => gateway.kill9());
  gateway.serve(sessions);
  for (let losses = 0; losses < 2; losses++) {
    await gateway.hasSaid(gateway.said + random.between(100, 500));
    if (losses === 0) await given.direct.flushall();
    else await given.redis.restart();
  }
  await gateway.served();
  await gateway.close();
  expect(gateway.stopped).toEqual(new Map());
  expect(gateway.refused).toEqual(new Map());
  await expectCharged(second, accountId, sessions, granted);
});
