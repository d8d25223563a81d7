/** Plans and billing periods through gRPC and the real stores: what is stored, evicted, swept, shown and audited. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LotSource } from '../../src/gen/drawdown/v1/LotSource.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { openStores } from '../../src/stores.js';
import { verifyInstallation } from '../../src/verify/index.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

const CREDITS = 1_000_000;
const openingLot = {
  source: 'LOT_SOURCE_FREE' as const,
  amount: { unit: 'UNIT_CREDITS' as const, value: 5 },
};
const DAY = 86_400_000;

let redis: TestRedis;
let direct: Redis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeAll(async () => {
  redis = await startRedis();
  direct = new Redis(redis.url);
});
afterAll(async () => {
  direct.disconnect();
  await redis.stop();
});
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await sidecar.stop();
  await database.drop();
  await direct.flushall();
});

async function begin(overrides: Parameters<typeof startTestSidecar>[1] = {}): Promise<void> {
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, overrides);
  ({ client } = sidecar);
}

const own = (accountId: string, requestId: string) => ({ accountId, requestId, eventTimeMs: Date.now() });

function create(accountId: string, plan: string) {
  return client.call('AccountService/CreateAccount', { ...own(accountId, 'create'), plan });
}

function startPeriod(accountId: string, startTimeMs: number, endTimeMs: number, requestId = 'period') {
  const period = { plan: 'starter', startTimeMs, endTimeMs };
  return client.call('AccountService/StartBillingPeriod', { ...own(accountId, requestId), ...period });
}

function shown(accountId: string) {
  return client.call('AccountService/GetBalance', { accountId });
}

async function isHot(account: string): Promise<boolean> {
  const keys = partitionKeys('drawdown', partitionOf(account, 4));
  return (await direct.hexists(keys[1], account)) === 1;
}

async function subscriptionFields(account: string): Promise<string[]> {
  const fields = await direct.hkeys(partitionKeys('drawdown', partitionOf(account, 4))[2]);
  return fields.filter((field) => field !== '');
}

describe('an account', () => {
  it('that is created on the free plan gets its credits once, and a repetition of the call nothing', async () => {
    await begin();
    const request = { ...own('acme', 'create'), plan: 'free' };
    await client.call('AccountService/CreateAccount', request);
    expect(await client.call('AccountService/CreateAccount', request)).toMatchObject({ duplicate: true });
    expect(await client.failure('AccountService/CreateAccount', { ...request, plan: 'pro' })).toMatchObject({
      reason: 'ID_CONFLICT',
    });
    expect(await shown('acme')).toMatchObject({
      plan: 'free',
      period: null,
      balances: [{ available: String(100 * CREDITS) }],
    });
    const lines = await client.ledger('acme');
    expect(lines.map(({ kind, id, plan, granted }) => [kind, id, plan, granted])).toEqual([
      ['ENTRY_KIND_ACCOUNT_CREATED', 'create', '', '0'],
      ['ENTRY_KIND_PLAN_CHANGE', 'create#create', 'free', '0'],
      ['ENTRY_KIND_PLAN_GRANT', 'create#create', 'free', String(100 * CREDITS)],
    ]);
    const { lots } = await client.call('AccountService/ListLots', { accountId: 'acme' });
    expect(lots).toMatchObject([{ source: 'LOT_SOURCE_FREE', expiresAtMs: '0' }]);
    await expectVerified(sidecar.config);
  });

  it('of a plan that is not in the catalog, or a period of the free plan, is refused by field', async () => {
    await begin();
    await client.account('acme');
    const refused = { status: 'INVALID_ARGUMENT', reason: 'PLAN_UNKNOWN', field: 'plan' };
    expect(
      await client.failure('AccountService/CreateAccount', { ...own('other', 'c'), plan: 'gold' }),
    ).toMatchObject(refused);
    const period = { startTimeMs: Date.now(), endTimeMs: Date.now() + DAY };
    const request = { ...own('acme', 'p'), ...period, plan: 'free' };
    expect(await client.failure('AccountService/StartBillingPeriod', request)).toMatchObject(refused);
    const empty = { ...request, plan: 'starter', endTimeMs: period.startTimeMs };
    expect(await client.failure('AccountService/StartBillingPeriod', empty)).toMatchObject({
      reason: 'FIELD_INVALID',
      field: 'end_time_ms',
    });
    const change = { ...own('acme', 'p'), plan: 'pro' };
    const over = { ...change, periodEndTimeMs: 5 };
    expect(await client.failure('AccountService/ChangePlan', over)).toMatchObject({
      reason: 'PERIOD_ENDED',
      field: 'period_end_time_ms',
    });
    expect(await client.failure('AccountService/ChangePlan', change)).toMatchObject({
      reason: 'FIELD_INVALID',
      field: 'period_end_time_ms',
    });
  });

  it('that is imported brings its lots and its period, and nothing is granted to it', async () => {
    await begin();
    const [start, end] = [Date.now() - DAY, Date.now() + DAY];
    const lot = (source: LotSource, value: number, expiresAtMs = 0) => ({
      source,
      amount: { unit: 'UNIT_CREDITS' as const, value },
      expiresAtMs,
    });
    const lots = [
      lot('LOT_SOURCE_FREE', 5),
      lot('LOT_SOURCE_PLAN', 70, end),
      lot('LOT_SOURCE_TOP_UP', 9, end),
    ];
    const period = { periodStartTimeMs: start, periodEndTimeMs: end };
    const request = { ...own('acme', 'create'), plan: 'starter', imported: { lots, ...period } };
    await client.call('AccountService/CreateAccount', request);
    expect(await client.call('AccountService/CreateAccount', request)).toMatchObject({ duplicate: true });
    expect(await shown('acme')).toMatchObject({
      plan: 'starter',
      period: { startTimeMs: String(start), endTimeMs: String(end) },
      balances: [{ available: '84' }],
    });
    const lines = await client.ledger('acme');
    expect(lines.map(({ kind, id, granted }) => [kind, id, granted])).toEqual([
      ['ENTRY_KIND_ACCOUNT_CREATED', 'create', '0'],
      ['ENTRY_KIND_OPENING_LOT', 'create#1', '5'],
      ['ENTRY_KIND_OPENING_LOT', 'create#2', '70'],
      ['ENTRY_KIND_OPENING_LOT', 'create#3', '9'],
      ['ENTRY_KIND_PLAN_CHANGE', 'create#create', '0'],
    ]);
    const statement = await client.call('AccountService/GetStatement', { accountId: 'acme' });
    expect(statement.wallets[0]?.sources).toHaveLength(3);
    await expectVerified(sidecar.config);
  });

  it.each<[string, object, string]>([
    ['101 lots', { lots: Array.from({ length: 101 }, () => ({})) }, 'imported.lots'],
    [
      'a lot of a source that cannot be',
      { lots: [{ source: 'LOT_SOURCE_CORRECTION' }] },
      'imported.lots[0].source',
    ],
    ['a lot of nothing', { lots: [{ source: 'LOT_SOURCE_FREE' }] }, 'imported.lots[0].amount'],
    ['a lot that has expired', { lots: [{ ...openingLot, expiresAtMs: 5 }] }, 'imported.lots'],
    ['a period without an end', { periodStartTimeMs: 5 }, 'imported.period_end_time_ms'],
    ['a period that lies ahead', { periodStartTimeMs: 9e12 }, 'imported.period_start_time_ms'],
    ['a period without a plan', { periodStartTimeMs: 5, periodEndTimeMs: 6 }, 'plan'],
  ])('that is imported with %s is refused', async (_, imported, field) => {
    await begin();
    const refused = await client.failure('AccountService/CreateAccount', {
      ...own('acme', 'create'),
      imported,
    });
    expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', field });
  });

  it('that is dropped from Redis comes back with its plan, period and what is to come', async () => {
    await begin({ accountIdleMs: 100 });
    await create('acme', 'free');
    const [start, end] = [Date.now() - DAY, Date.now() + 9 * DAY];
    await startPeriod('acme', start, end);
    await client.call('AccountService/ChangePlan', { ...own('acme', 'down'), plan: 'free' });
    await startPeriod('acme', end + 5, end + DAY, 'next');
    const expected = {
      plan: 'starter',
      period: { plan: 'starter', startTimeMs: String(start), endTimeMs: String(end) },
      nextPeriod: { plan: 'starter', startTimeMs: String(end + 5), endTimeMs: String(end + DAY) },
      scheduledChange: { plan: 'free', effectiveTimeMs: String(end) },
    };
    expect(await shown('acme')).toMatchObject(expected);
    await until('the account is dropped from Redis', async () => !(await isHot('acme')));
    expect(await subscriptionFields('acme')).toEqual([]);
    expect(await shown('acme')).toMatchObject(expected);
    await expectVerified(sidecar.config);
    await client.call('AccountService/CancelScheduledChange', own('acme', 'withdraw'));
    expect(await shown('acme')).toMatchObject({ plan: 'starter', nextPeriod: null, scheduledChange: null });
    await expectVerified(sidecar.config);
  });

  it('that nobody calls has its stored period begun and ended by the sweeper, also while Redis does not hold it', async () => {
    await begin({ accountIdleMs: 50, accountsHotMax: 0 });
    await client.account('acme');
    await client.record([usageEvent('acme', 'debt', 7 * CREDITS)]);
    const start = Date.now() + SOON_MS;
    const end = start + 500;
    expect(await startPeriod('acme', start, end)).toMatchObject({ outcome: 'PLAN_OUTCOME_PERIOD_STORED' });
    await until('the account is dropped from Redis', async () => !(await isHot('acme')));
    await until('the period has begun and ended', async () => {
      const [row] = await sql(
        database.url,
        `SELECT count(*)::integer AS lines FROM entries WHERE kind = 'lot_expired'`,
      );
      return Number(row?.lines) === 1;
    });
    const lines = (await client.ledger('acme')).slice(-2);
    expect(lines).toMatchObject([
      {
        kind: 'ENTRY_KIND_PLAN_GRANT',
        granted: String(1_000 * CREDITS),
        debt: String(-7 * CREDITS),
        eventTimeMs: String(start),
        planFromTimeMs: String(start),
        planToTimeMs: String(end),
      },
      { kind: 'ENTRY_KIND_LOT_EXPIRED', expired: String(993 * CREDITS), eventTimeMs: String(end) },
    ]);
    await expectVerified(sidecar.config);
  });
});

describe('a call that is repeated after Redis forgot its id', () => {
  it('is a duplicate with what it came to, which the ledger knows', async () => {
    await begin({ idsWindowMs: 200, eventFutureMaxMs: 0 });
    await create('acme', 'starter');
    const begins = { ...own('acme', 'start'), plan: 'starter' };
    const period = { ...begins, startTimeMs: Date.now() - DAY, endTimeMs: Date.now() + DAY };
    const started = await client.call('AccountService/StartBillingPeriod', period);
    const down = { ...own('acme', 'down'), plan: 'free' };
    const scheduled = await client.call('AccountService/ChangePlan', down);
    const up = { ...own('acme', 'up'), plan: 'pro', periodEndTimeMs: Date.now() + 2 * DAY };
    const changed = await client.call('AccountService/ChangePlan', up);
    const keys = partitionKeys('drawdown', partitionOf('acme', 4));
    await until('Redis forgets the ids', async () => {
      await client.topUp('acme', 1, { requestId: `t${Date.now()}` });
      const fields = [...(await direct.hkeys(keys[4])), ...(await direct.hkeys(keys[5]))];
      return !fields.some((field) => /^b.*(start|down|up)$/.test(field));
    });
    for (const [answer, repeated] of [
      [started, await client.call('AccountService/StartBillingPeriod', period)],
      [scheduled, await client.call('AccountService/ChangePlan', down)],
      [changed, await client.call('AccountService/ChangePlan', up)],
    ])
      expect(repeated).toEqual({ ...answer, duplicate: true });
    await expectVerified(sidecar.config);
  });
});

describe('a statement', () => {
  it('adds up over free credits, a period, an upgrade and what was carried', async () => {
    await begin();
    await create('acme', 'free');
    await startPeriod('acme', Date.now() - DAY, Date.now() + DAY);
    await client.record([usageEvent('acme', 'u', 40 * CREDITS)]);
    const up = { ...own('acme', 'up'), plan: 'pro', periodEndTimeMs: Date.now() + 30 * DAY };
    expect(await client.call('AccountService/ChangePlan', up)).toMatchObject({
      outcome: 'PLAN_OUTCOME_PERIOD_STARTED',
      granted: String(3_000 * CREDITS),
      available: String(4_060 * CREDITS),
    });
    const { lots } = await client.call('AccountService/ListLots', { accountId: 'acme' });
    expect(lots.map(({ source, expiresAtMs }) => [source, expiresAtMs])).toEqual(
      expect.arrayContaining([
        ['LOT_SOURCE_PLAN', String(up.periodEndTimeMs)],
        ['LOT_SOURCE_PLAN', String(up.periodEndTimeMs)],
        ['LOT_SOURCE_FREE', '0'],
      ]),
    );
    const statement = await client.call('AccountService/GetStatement', { accountId: 'acme' });
    expect(statement.wallets[0]).toMatchObject({
      granted: String(4_100 * CREDITS),
      spent: String(40 * CREDITS),
      closing: { available: String(4_060 * CREDITS) },
      sources: [
        { source: 'LOT_SOURCE_FREE', count: '1', granted: String(100 * CREDITS) },
        { source: 'LOT_SOURCE_PLAN', count: '2', granted: String(4_000 * CREDITS) },
      ],
    });
    await expectVerified(sidecar.config);
  });
});

describe('verify', () => {
  it.each([
    ['another plan', `UPDATE subscriptions SET plan = 'pro'`, /^the lines leave plan 'starter'/],
    ['another end', 'UPDATE subscriptions SET period_end_ms = 9', /^the lines leave plan 'starter'/],
    ['another due time', 'UPDATE subscriptions SET due_ms = 9', /^a lot expires or the plan changes at/],
    ['a state that is not readable', `UPDATE subscriptions SET state = '\\x00'`, /^its subscription is not/],
    [
      'a subscription of nobody',
      'UPDATE subscriptions SET account_key = 999',
      /^subscriptions of an account/,
    ],
  ])('finds %s', async (_, statement, says) => {
    await begin();
    await client.account('acme');
    await startPeriod('acme', Date.now() - DAY, Date.now() + DAY);
    await sql(database.url, statement);
    const stores = await openStores(sidecar.config);
    const { redisKeyPrefix } = sidecar.config;
    const report = await verifyInstallation({ ...stores, redisKeyPrefix });
    await stores.close();
    expect(report.problems.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringMatching(says)]),
    );
  });

  it('finds a subscription in Redis that is not the one in Postgres', async () => {
    await begin();
    await client.account('acme');
    await startPeriod('acme', Date.now() - DAY, Date.now() + DAY);
    const [field] = await subscriptionFields('acme');
    await direct.hdel(partitionKeys('drawdown', partitionOf('acme', 4))[2], field as string);
    const stores = await openStores(sidecar.config);
    const { redisKeyPrefix } = sidecar.config;
    const report = await verifyInstallation({ ...stores, redisKeyPrefix });
    await stores.close();
    expect(report.problems).toMatchObject([
      { message: 'its subscription differs between Redis and Postgres' },
    ]);
  });
});
