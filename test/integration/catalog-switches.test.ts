/** What was begun or said under one version of the catalog, when another is in force. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { UNITS } from '../../src/usage/types.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { catalogText, TARIFFS, type Tariff } from '../simulation/tariffs.js';

const CREDIT = 1_000_000;
const DAY_MS = 86_400_000;
/** 100 characters a credit, in blocks of one; the plan `team`. The last tariff has neither blocks nor that plan. */
const FIRST = catalogText(TARIFFS[0] as Tariff);
const LAST = catalogText(TARIFFS[2] as Tariff);

let redis: TestRedis;
let database: TestDatabase;
let directory: string;
let clock: SimulatedClock;
let stack: Stack;
let accounts = 0;

beforeAll(async () => {
  redis = await startRedis();
  database = await createDatabase();
  directory = mkdtempSync(join(tmpdir(), 'drawdown-switches-'));
  const catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, FIRST);
  clock = new SimulatedClock(START_MS);
  stack = await Stack.start({ redisUrl: redis.url, postgresUrl: database.url, catalogFile }, clock);
});
afterAll(async () => {
  await stack.stop();
  clock.restore();
  await redis.stop();
  await database.drop();
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  await stack.publish(FIRST);
});

const own = (accountId: string, requestId: string) => ({ accountId, requestId, eventTimeMs: START_MS });

async function account(): Promise<string> {
  accounts += 1;
  const accountId = `account-${accounts}`;
  await stack.core.accounts.create({ ...own(accountId, 'create'), plan: '', imported: null }, stack.options);
  const topUp = { ...own(accountId, 'top-up'), unit: UNITS.credits, amount: 10 * CREDIT, expiresAtMs: 0 };
  await stack.core.accounts.topUp(topUp, stack.options);
  return accountId;
}

it('a hold of credits for characters is settled on the terms with which it was made, though nothing converts any more', async () => {
  const accountId = await account();
  const work = { accountId, agentId: '', holdId: 'speech', meter: 'tts', model: 'voice' };
  const quantities = (characters: number) => ({
    kind: 'quantities' as const,
    quantities: [['characters', characters]] as const,
  });
  const reserve = { ...work, estimate: quantities(250), startTimeMs: START_MS, holdTimeMs: DAY_MS };
  expect(await stack.core.meter.reserve(reserve, stack.options)).toMatchObject({
    unit: UNITS.credits,
    held: 3 * CREDIT,
  });
  await stack.publish(LAST);
  const settle = { ...work, final: quantities(120), eventTimeMs: START_MS };
  const settled = await stack.core.meter.settle(settle, stack.options);
  expect(settled).toMatchObject({
    unit: UNITS.tts_characters,
    charged: 120,
    converted: 2 * CREDIT,
    released: CREDIT,
    available: 80,
    duplicate: false,
  });
  expect(await stack.core.meter.settle(settle, stack.options)).toEqual({ ...settled, duplicate: true });
});

it('a conversion that is repeated when the catalog has lost its rate gets its outcome; a new one is refused', async () => {
  const accountId = await account();
  const wish = { kind: 'credits' as const, value: 2 * CREDIT };
  const call = { ...own(accountId, 'convert'), unit: UNITS.tts_characters, wish };
  const first = await stack.core.conversions.convert(call, stack.options);
  await stack.publish(FIRST.replace(/^allowances:[\s\S]*/m, ''));
  expect(await stack.core.conversions.convert(call, stack.options)).toEqual({ ...first, duplicate: true });
  const other = { ...call, requestId: 'another' };
  await expect(stack.core.conversions.convert(other, stack.options)).rejects.toMatchObject({
    code: 'FIELD_INVALID',
    details: { field: 'unit' },
  });
});

it('an account whose creation is repeated before it is durable, when its plan has left the catalog, is told so; a new one is refused', async () => {
  const create = (accountId: string) => ({ ...own(accountId, 'create'), plan: 'team', imported: null });
  const { accounts: control, flusher, leases } = stack.core;
  flusher.own(new Set());
  const made = await control.create(create('early'), stack.options);
  await stack.publish(LAST);
  const repeated = await control.create(create('early'), stack.options);
  flusher.own(leases.owned);
  expect(repeated).toEqual({ ...made, duplicate: true });
  await expect(control.create(create('late'), stack.options)).rejects.toMatchObject({
    code: 'PLAN_UNKNOWN',
    details: { field: 'plan' },
  });
});

it('an agent whose tier has left the catalog is activated again on the terms that it has; none is unlocked in it any more', async () => {
  const { agents } = stack.core;
  const accountId = await account();
  const topUp = { ...own(accountId, 'more'), unit: UNITS.credits, amount: 90 * CREDIT, expiresAtMs: 0 };
  await stack.core.accounts.topUp(topUp, stack.options);
  const unlock = { ...own(accountId, 'unlock'), agentId: 'reader', tier: 'endowed' };
  const unlocked = await agents.unlock(unlock, stack.options);
  await agents.suspend({ ...own(accountId, 'suspend'), agentId: 'reader' }, stack.options);
  const before = await agents.get({ accountId, agentId: 'reader' }, stack.options);
  await stack.publish(LAST);
  const activate = { ...own(accountId, 'activate'), agentId: 'reader' };
  const activated = await agents.activate(activate, stack.options);
  expect(activated).toMatchObject({ verdict: 'allowed', cost: 15 * CREDIT, available: 75 * CREDIT });
  expect(await agents.get({ accountId, agentId: 'reader' }, stack.options)).toEqual({
    ...before,
    state: 'active',
    ownAvailable: 40 * CREDIT,
  });
  expect(await agents.activate(activate, stack.options)).toEqual({ ...activated, duplicate: true });
  expect(await agents.unlock(unlock, stack.options)).toEqual({ ...unlocked, duplicate: true });
  const another = { ...unlock, requestId: 'another', agentId: 'writer' };
  await expect(agents.unlock(another, stack.options)).rejects.toMatchObject({
    code: 'TIER_UNKNOWN',
    details: { field: 'tier' },
  });
});

it('a period and a change of plan that are repeated when their plan has left the catalog get their outcomes; new ones are refused', async () => {
  const { plans } = stack.core;
  const refused = { code: 'PLAN_UNKNOWN', details: { field: 'plan' } };
  const accountId = await account();
  const period = { plan: 'team', startTimeMs: START_MS, endTimeMs: START_MS + 30 * DAY_MS };
  const start = { ...own(accountId, 'start'), ...period };
  const changed = await account();
  const change = { ...own(changed, 'change'), plan: 'team', periodEndTimeMs: START_MS + 30 * DAY_MS };
  const started = await plans.startPeriod(start, stack.options);
  const taken = await plans.changePlan(change, stack.options);
  await stack.publish(LAST);
  expect(await plans.startPeriod(start, stack.options)).toEqual({ ...started, duplicate: true });
  // Another request with the same start says the same.
  const again = { ...start, requestId: 'again' };
  expect(await plans.startPeriod(again, stack.options)).toMatchObject({
    duplicate: true,
    lotId: started.lotId,
  });
  expect(await plans.changePlan(change, stack.options)).toEqual({ ...taken, duplicate: true });
  const later = {
    ...start,
    requestId: 'later',
    startTimeMs: period.endTimeMs,
    endTimeMs: START_MS + 60 * DAY_MS,
  };
  await expect(plans.startPeriod(later, stack.options)).rejects.toMatchObject(refused);
  await expect(plans.changePlan({ ...change, requestId: 'other' }, stack.options)).rejects.toMatchObject(
    refused,
  );
});
