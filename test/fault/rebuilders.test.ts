/** A rebuilder stands still before one of its calls to a store, another one does it all and goes on, and the first one wakes: nothing changes. */
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { FlushThread, flushThreadOptions } from '../../src/flush/flush-thread.js';
import { Rebuild, type Rebuilt } from '../../src/flush/rebuild.js';
import { createMetrics } from '../../src/metrics.js';
import type { Pool } from '../../src/postgres/pool.js';
import { EpochScripts } from '../../src/redis/epochs.js';
import { partitionKeys } from '../../src/redis/keys.js';
import { openStores } from '../../src/stores.js';
import { Partition } from '../../src/usage/partition.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

/** More than a rebuild makes. */
const CALLS_MAX = 60;
const BOOKED = new Set(['EVENT_OUTCOME_RECORDED', 'EVENT_OUTCOME_DUPLICATE']);
const granted = 10_000;
const keys = partitionKeys('drawdown', 0);

/** Counts calls to stores and holds the one that it is told to, until it is let go. */
class Gate {
  #calls = 0;
  #holdAt = 0;
  #letGo: () => void = () => undefined;
  isHolding = false;

  holdAt(call: number): void {
    this.#calls = 0;
    this.#holdAt = call;
  }

  async pass(): Promise<void> {
    if (++this.#calls !== this.#holdAt) return;
    this.isHolding = true;
    await new Promise<void>((resolve) => {
      this.#letGo = resolve;
    });
  }

  letGo(): void {
    this.isHolding = false;
    this.#letGo();
  }

  /** The same object, whose named methods pass the gate first. */
  around<T extends object>(target: T, methods: readonly string[]): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (!methods.includes(String(name))) return value.bind(target);
        return async (...args: unknown[]) => {
          await this.pass();
          return value.apply(target, args);
        };
      },
    });
  }
}

interface Rebuilder {
  readonly gate: Gate;
  /** For the test: it passes no gate. */
  readonly pool: Pool;
  run(): Promise<Rebuilt>;
}

/** As a sidecar of its own would do it. */
async function rebuilderBeside({ config }: TestSidecar): Promise<Rebuilder> {
  const stores = await openStores(config);
  cleanups.push(() => stores.close());
  const thread = new FlushThread(flushThreadOptions(config, stores));
  cleanups.push(() => thread.stop());
  const gate = new Gate();
  const client = gate.around(stores.connection.client, ['hmget', 'callBuffer']);
  const connection = new Proxy(stores.connection, {
    get: (target, name) => (name === 'client' ? client : Reflect.get(target, name, target)),
  });
  const rebuild = new Rebuild(
    gate.around(stores.pool, ['query']),
    connection,
    new EpochScripts(connection, config),
    gate.around(thread, ['flush']),
    config.leaseMs,
    createMetrics(),
    pino({ level: 'silent' }),
  );
  const [row] = await sql(config.postgresUrl as string, 'SELECT installation_id FROM installation');
  const ignore = (): void => undefined;
  const partition = new Partition(0, keys, row?.installation_id as string, ignore, ignore);
  return { gate, pool: stores.pool, run: () => rebuild.run(partition, stores.connection.runId as string) };
}

it.each([
  ['restarted', (direct: Redis) => direct.hset(keys[0], 'run_id', 'of the server before')],
  ['forgot', (direct: Redis) => direct.flushall()],
])('where Redis %s', async (what, lose) => {
  const random = new SeededRandom(seedOf(`rebuilders, Redis ${what}`));
  const [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  cleanups.push(
    () => redis.stop(),
    () => database.drop(),
  );
  const direct = new Redis(redis.url);
  cleanups.push(async () => direct.disconnect());
  const sidecar = await startTestSidecar(
    { redisUrl: redis.url, postgresUrl: database.url },
    { partitionCount: 1, leaseMs: 300 },
  );
  cleanups.push(() => sidecar.stop());
  const { client } = sidecar;
  const account = await client.account('account', granted);
  const { gate, pool, run } = await rebuilderBeside(sidecar);
  // What is applied is not durable, before and after.
  await sql(database.url, `UPDATE leases SET owner = 'one that stands still', until = 'infinity'`);
  await until('it flushes nothing', async () => (await metric(sidecar, 'drawdown_partitions_owned')) === 0);
  const events: ReturnType<typeof usageEvent>[] = [];
  /** Records events until each is booked. */
  const record = (sent: ReturnType<typeof usageEvent>[]) =>
    until('they are recorded', async () => {
      const results = await client.record(sent).catch(() => []);
      return results.length > 0 && results.every(({ outcome }) => BOOKED.has(outcome));
    });
  const use = async () => {
    events.push(usageEvent(account, `event-${events.length}`, 1));
    await record(events.slice(-1));
  };
  const standing = async () => {
    const { rows } = await pool.query(
      `SELECT (SELECT json_agg(e ORDER BY epoch) FROM epochs e) AS epochs, (SELECT count(*) FROM set_aside_records) AS aside`,
    );
    const [{ epochs, aside }] = rows as [{ epochs: unknown; aside: number }];
    return { meta: await direct.hgetall(keys[0]), journal: await direct.xlen(keys[7]), epochs, aside };
  };
  let held = 0;
  for (let call = 1; call <= CALLS_MAX; call++) {
    await use();
    await lose(direct);
    gate.holdAt(call);
    const result = { settled: false, rebuilt: undefined as Rebuilt | undefined };
    const rebuilt = run()
      .then(
        (value) => {
          result.rebuilt = value;
        },
        () => undefined,
      )
      .finally(() => {
        result.settled = true;
      });
    await until('it stands still or is done', () => gate.isHolding || result.settled);
    if (!gate.isHolding) break;
    held += 1;
    // As Postgres does with one that says nothing any more.
    await pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks
       WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    await use();
    if (random.next() < 0.3) {
      await lose(direct);
      await use();
    }
    await use();
    const before = await standing();
    gate.letGo();
    await rebuilt;
    expect(result.rebuilt === undefined || result.rebuilt === 'done', JSON.stringify(result)).toBe(true);
    expect(await standing(), `held before call ${call}`).toEqual(before);
    expect(before.aside).toBe(0);
    await use();
    expect((await standing()).epochs).toEqual(before.epochs);
  }
  expect(held).toBeGreaterThan(10);
  expect(held).toBeLessThan(CALLS_MAX);
  await sql(database.url, `UPDATE leases SET owner = NULL, until = NULL`);
  await record(events);
  await expectClean(sidecar.config, client, new Map([[account, granted - events.length]]));
});
