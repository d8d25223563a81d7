/** A clock that is set replaces no check: both sides of it move together, and where one does not, or a time is impossible, it is refused. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  CLOCK_KEY,
  JOURNAL_AGE_MAX_MS,
  SIMULATED_INCLUDES,
  SimulatedClock,
} from '../../src/demo/simulated-clock.js';
import { usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2024, 1, 29);

let redis: TestRedis;
let direct: Redis;
let database: TestDatabase;
let clock: SimulatedClock;
let sidecar: TestSidecar;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  direct = new Redis(redis.url);
  clock = new SimulatedClock(START_MS);
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  sidecar = await startTestSidecar(
    places,
    { journalAgeMaxMs: JOURNAL_AGE_MAX_MS },
    { replacedIncludes: SIMULATED_INCLUDES, onRedis: (connection) => clock.rule(connection) },
  );
});
afterAll(async () => {
  await sidecar.stop();
  clock.restore();
  direct.disconnect();
  await Promise.all([redis.stop(), database.drop()]);
});

it('refuses events that are too old or lie ahead by the time that it was set to', async () => {
  const { client } = sidecar;
  const account = await client.account('acme', 10);
  await clock.set(START_MS + 40 * DAY_MS);
  const days = [-36, -34, 0, 1];
  const events = days.map((day) =>
    usageEvent(account, `day${day}`, 1, { eventTimeMs: clock.nowMs + day * DAY_MS }),
  );
  const { results } = await client.call('UsageService/RecordUsageBatch', { events });
  expect(results.map(({ outcome }) => outcome.replace('EVENT_OUTCOME_', ''))).toEqual([
    'REFUSED',
    'RECORDED',
    'RECORDED',
    'REFUSED',
  ]);
});

it('refuses everything while Redis has another time than the sidecar', async () => {
  const { client } = sidecar;
  const balance = () => client.call('AccountService/GetBalance', { accountId: 'acme' });
  await direct.set(CLOCK_KEY, String(clock.nowMs + 6_000));
  await expect(balance()).rejects.toMatchObject({ status: 'UNAVAILABLE', reason: 'CLOCK_SKEW' });
  await direct.set(CLOCK_KEY, String(clock.nowMs));
  await expect(balance()).resolves.toMatchObject({ accountId: 'acme' });
});
