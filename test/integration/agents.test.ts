/** Agents through gRPC and the real stores: what is unlocked, denied, renewed, evicted, shown, explained and audited. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { agentCatalogFile, MOVED_CLOCK, moveClock } from '../helpers/agents.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

const CREDITS = 1_000_000;
const DAY = 86_400_000;

let redis: TestRedis;
let direct: Redis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;
const catalogFile = agentCatalogFile();

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
  const config = {
    catalogFile,
    clockSkewMaxMs: 400 * DAY,
    // What waits for the flusher while the clock is moved seems to have waited that long.
    journalAgeMaxMs: 400 * DAY,
    ...overrides,
  };
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  sidecar = await startTestSidecar(places, config, { replacedIncludes: MOVED_CLOCK });
  ({ client } = sidecar);
}

const call = (accountId: string, agentId: string, requestId: string) => ({
  accountId,
  agentId,
  requestId,
  eventTimeMs: Date.now(),
});

function unlock(accountId: string, agentId: string, tier = 'standard', requestId = `unlock-${agentId}`) {
  return client.call('AgentService/UnlockAgent', { ...call(accountId, agentId, requestId), tier });
}

async function shown(accountId: string, agentId: string) {
  return (await client.call('AgentService/GetAgent', { accountId, agentId })).agent;
}

async function available(accountId: string): Promise<number> {
  return (await client.balance(accountId)).available / CREDITS;
}

const amount = (micros: number) => ({ amount: { unit: 'UNIT_CREDITS' as const, value: micros } });

async function lines(accountId: string) {
  const all = await client.ledger(accountId);
  return all
    .filter(({ kind }) => kind.startsWith('ENTRY_KIND_AGENT'))
    .map(({ kind, agentId, agentEvent, spent, granted }) => [
      kind.replace('ENTRY_KIND_AGENT_', '').toLowerCase(),
      agentId,
      agentEvent.replace('AGENT_EVENT_', '').toLowerCase(),
      (Number(granted) - Number(spent)) / CREDITS,
    ]);
}

async function isHot(account: string): Promise<boolean> {
  const keys = partitionKeys('drawdown', partitionOf(account, 4));
  return (await direct.hexists(keys[1], account)) === 1;
}

describe('an agent', () => {
  it('is unlocked once for its price, and a repetition of the request is told the same', async () => {
    await begin();
    await client.account('acme', 80 * CREDITS);
    const request = { ...call('acme', 'support', 'unlock'), tier: 'standard' };
    const answer = await client.call('AgentService/UnlockAgent', request);
    expect(answer).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      state: 'AGENT_STATE_ACTIVE',
      cost: String(50 * CREDITS),
      available: String(30 * CREDITS),
      duplicate: false,
    });
    const repeated = await client.call('AgentService/UnlockAgent', request);
    expect(repeated).toEqual({ ...answer, duplicate: true });
    const failed = (changes: object) =>
      client.failure('AgentService/UnlockAgent', { ...request, ...changes });
    expect(await failed({ agentId: 'other' })).toMatchObject({ reason: 'ID_CONFLICT' });
    expect(await failed({ requestId: 'again' })).toMatchObject({
      status: 'ALREADY_EXISTS',
      reason: 'AGENT_EXISTS',
      field: 'agent_id',
    });
    expect(await failed({ requestId: 'tier', tier: 'gold' })).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'TIER_UNKNOWN',
      field: 'tier',
    });
    expect(await shown('acme', 'support')).toMatchObject({
      agentId: 'support',
      state: 'AGENT_STATE_ACTIVE',
      tier: 'standard',
      cycleStartTimeMs: answer.cycleStartTimeMs,
      cycleEndTimeMs: answer.cycleEndTimeMs,
      graceEndTimeMs: '0',
      renewalCost: String(30 * CREDITS),
      drawsOnAccount: true,
    });
    const denied = await unlock('acme', 'second');
    expect(denied).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      available: String(30 * CREDITS),
      missing: String(20 * CREDITS),
    });
    expect(await lines('acme')).toEqual([['unlock', 'support', 'unlocked', -50]]);
    await expectVerified(sidecar.config);
  });

  it('is remembered by the ledger when Redis has forgotten the request', async () => {
    await begin();
    await client.account('acme', 200 * CREDITS);
    const request = { ...call('acme', 'support', 'unlock'), tier: 'standard' };
    const unlocked = await client.call('AgentService/UnlockAgent', request);
    const suspend = call('acme', 'support', 'suspend');
    await client.call('AgentService/SuspendAgent', suspend);
    const activate = call('acme', 'support', 'activate');
    const activated = await client.call('AgentService/ActivateAgent', activate);
    const keys = partitionKeys('drawdown', partitionOf('acme', 4));
    for (const key of [keys[4], keys[5]]) {
      const fields = (await direct.hkeys(key)).filter((field) => field.startsWith('a'));
      if (fields.length > 0) await direct.hdel(key, ...fields);
    }
    const repeated = { ...unlocked, duplicate: true };
    expect(await client.call('AgentService/UnlockAgent', request)).toEqual(repeated);
    expect(await client.call('AgentService/ActivateAgent', activate)).toEqual({
      ...activated,
      duplicate: true,
    });
    expect(await client.call('AgentService/SuspendAgent', suspend)).toMatchObject({ duplicate: true });
    const other = { ...request, agentId: 'other' };
    expect(await client.failure('AgentService/UnlockAgent', other)).toMatchObject({ reason: 'ID_CONFLICT' });
    await expectVerified(sidecar.config);
  });

  it('that is suspended or removed is denied new work, and its finished usage is booked and flagged', async () => {
    await begin();
    await client.account('acme', 200 * CREDITS);
    await unlock('acme', 'support');
    const forAgent = { agentId: 'support' };
    expect((await client.reserve('acme', 'h1', 5, forAgent)).verdict).toBe('VERDICT_ALLOWED');
    const check = () =>
      client.call('UsageService/CheckBalance', {
        accountId: 'acme',
        agentId: 'support',
        ...amount(5),
        meter: 'llm',
      });
    expect((await check()).verdict).toBe('VERDICT_ALLOWED');

    const suspend = call('acme', 'support', 'suspend');
    expect(await client.call('AgentService/SuspendAgent', suspend)).toMatchObject({ duplicate: false });
    expect(await client.call('AgentService/SuspendAgent', suspend)).toMatchObject({ duplicate: true });
    const again = { ...suspend, requestId: 'again' };
    expect(await client.failure('AgentService/SuspendAgent', again)).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'AGENT_SUSPENDED',
    });
    const denied = { verdict: 'VERDICT_DENIED', reason: 'REASON_AGENT_SUSPENDED' };
    const expectDenied = async (hold: string) => {
      expect(await client.reserve('acme', hold, 5, forAgent)).toMatchObject(denied);
      expect(await check()).toMatchObject(denied);
      const extend = {
        accountId: 'acme',
        holdId: 'h1',
        extendId: hold,
        addAmount: 1,
        eventTimeMs: Date.now(),
      };
      expect(await client.call('UsageService/Extend', extend)).toMatchObject(denied);
      expect((await client.reserve('acme', `${hold}-other`, 5, { agentId: 'label' })).verdict).toBe(
        'VERDICT_ALLOWED',
      );
    };
    await expectDenied('h2');
    const remove = call('acme', 'support', 'remove');
    expect(await client.call('AgentService/RemoveAgent', remove)).toMatchObject({
      state: 'AGENT_STATE_REMOVED',
    });
    await expectDenied('h3');
    expect(await client.failure('AgentService/ActivateAgent', call('acme', 'support', 'a'))).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'AGENT_UNKNOWN',
    });
    await client.record([usageEvent('acme', 'u1', 7, forAgent), usageEvent('acme', 'u2', 7)]);
    await client.settle('acme', 'h1', 5, forAgent);
    const booked = (await client.ledger('acme')).filter(({ kind }) => /USAGE|SETTLE/.test(kind));
    expect(booked.map(({ id, flags }) => [id, flags])).toEqual([
      ['u1', ['agent_suspended']],
      ['u2', []],
      ['h1', ['agent_suspended']],
    ]);
    // The id is free again, and the agent another one.
    expect(await unlock('acme', 'support', 'standard', 'anew')).toMatchObject({ verdict: 'VERDICT_ALLOWED' });
    expect((await client.reserve('acme', 'h4', 5, forAgent)).verdict).toBe('VERDICT_ALLOWED');
    await expectVerified(sidecar.config);
  });

  it('counts as long as it is not removed, and the plan says how many there may be', async () => {
    await begin();
    await client.call('AccountService/CreateAccount', {
      ...{ accountId: 'acme', requestId: 'create', eventTimeMs: Date.now() },
      plan: 'free',
    });
    await client.topUp('acme', 500 * CREDITS);
    expect((await unlock('acme', 'first')).verdict).toBe('VERDICT_ALLOWED');
    const denied = { verdict: 'VERDICT_DENIED', reason: 'REASON_AGENTS_MAX' };
    expect(await unlock('acme', 'second')).toMatchObject(denied);
    await client.call('AgentService/SuspendAgent', call('acme', 'first', 'suspend'));
    expect(await unlock('acme', 'second')).toMatchObject(denied);
    await client.call('AgentService/RemoveAgent', call('acme', 'first', 'remove'));
    expect((await unlock('acme', 'second')).verdict).toBe('VERDICT_ALLOWED');
    const { agents } = await client.call('AgentService/ListAgents', { accountId: 'acme' });
    expect(agents.map(({ agentId, state }) => [agentId, state])).toEqual([
      ['first', 'AGENT_STATE_REMOVED'],
      ['second', 'AGENT_STATE_ACTIVE'],
    ]);
    const page = await client.call('AgentService/ListAgents', { accountId: 'acme', pageSize: 1 });
    expect(page).toMatchObject({ agents: [{ agentId: 'first' }], nextPageToken: '1' });
    const rest = await client.call('AgentService/ListAgents', {
      accountId: 'acme',
      pageSize: 1,
      pageToken: '1',
    });
    expect(rest).toMatchObject({ agents: [{ agentId: 'second' }], nextPageToken: '' });
  });

  it('is one of exactly as many as the plan allows, however many are unlocked at once', async () => {
    await begin();
    const accounts = Array.from({ length: 200 }, (_, index) => `account-${index}`);
    await Promise.all(
      accounts.map(async (accountId) => {
        const own = { accountId, eventTimeMs: Date.now(), ackLevel: 'ACK_LEVEL_APPLIED' as const };
        await client.call('AccountService/CreateAccount', { ...own, requestId: 'create', plan: 'free' });
        // A period of a plan of three agents.
        const period = { plan: 'starter', startTimeMs: Date.now() - DAY, endTimeMs: Date.now() + DAY };
        await client.call('AccountService/StartBillingPeriod', { ...own, requestId: 'period', ...period });
      }),
    );
    await Promise.all(
      accounts.map(async (accountId) => {
        const answers = await Promise.all(
          [1, 2, 3, 4].map((number) =>
            client.call('AgentService/UnlockAgent', {
              ...call(accountId, `agent-${number}`, `unlock-${number}`),
              tier: 'standard',
              ackLevel: 'ACK_LEVEL_APPLIED',
            }),
          ),
        );
        const reasons = answers.map(({ verdict, reason }) =>
          verdict === 'VERDICT_ALLOWED' ? 'allowed' : reason,
        );
        expect(reasons.sort()).toEqual(['REASON_AGENTS_MAX', 'allowed', 'allowed', 'allowed']);
      }),
    );
    const [row] = await until('all is in the ledger', async () => {
      const rows = await sql(
        database.url,
        `SELECT count(*)::integer AS n FROM entries WHERE kind = 'agent_unlock'`,
      );
      return Number(rows[0]?.n) === 600 ? rows : null;
    });
    expect(Number(row?.n)).toBe(600);
    await expectVerified(sidecar.config);
  });
});

describe('cycles', () => {
  it('are renewed by the sweeper, also while Redis does not hold the account, until they cannot be paid', async () => {
    await moveClock(direct, -100 * DAY);
    await begin({ accountIdleMs: 50 });
    await client.account('acme', 65 * CREDITS);
    await unlock('acme', 'support', 'endowed');
    const { cycleEndTimeMs: firstEnd } = (await shown('acme', 'support')) as { cycleEndTimeMs: string };
    await until('the account is dropped from Redis', async () => !(await isHot('acme')));
    // Ends at days 30 and 60 of a hundred.
    await moveClock(direct, -35 * DAY);
    await until('two cycles are renewed', async () => (await lines('acme')).length === 6);
    expect(await lines('acme')).toEqual([
      ['unlock', 'support', 'unlocked', -10],
      ['grant', 'support', 'unlocked', 20],
      ['renewal', 'support', 'renewed', -5],
      ['grant', 'support', 'renewed', 20],
      ['renewal', 'support', 'renewed', -5],
      ['grant', 'support', 'renewed', 20],
    ]);
    const renewals = (await client.ledger('acme')).filter(({ kind }) => kind === 'ENTRY_KIND_AGENT_RENEWAL');
    const ends = [Number(firstEnd), Number(firstEnd) + 30 * DAY];
    expect(renewals.map(({ eventTimeMs }) => Number(eventTimeMs))).toEqual(ends);
    expect(renewals.map(({ id }) => id)).toEqual(renewals.map(({ accountSeq }) => `agent#${accountSeq}`));
    expect(await metric(sidecar, 'drawdown_agent_renewals_total', 'outcome="paid"')).toBe(2);
    await expectVerified(sidecar.config);

    // What is left is spent: the third renewal is unpaid at day 90, and the agent suspended at day 91.
    expect(await available('acme')).toBe(45);
    await client.record([usageEvent('acme', 'spend', 44 * CREDITS)]);
    await moveClock(direct, -9.5 * DAY);
    await until(
      'the renewal is unpaid',
      async () => (await shown('acme', 'support'))?.graceEndTimeMs !== '0',
    );
    expect(await shown('acme', 'support')).toMatchObject({ state: 'AGENT_STATE_ACTIVE' });
    await moveClock(direct, 0);
    await until('the agent is suspended', async () => (await lines('acme')).length === 8);
    expect((await lines('acme')).slice(-2)).toEqual([
      ['status', 'support', 'unpaid', 0],
      ['status', 'support', 'suspended', 0],
    ]);
    expect(await shown('acme', 'support')).toMatchObject({
      state: 'AGENT_STATE_SUSPENDED',
      graceEndTimeMs: '0',
    });
    expect(await metric(sidecar, 'drawdown_agent_renewals_total', 'outcome="suspended"')).toBe(1);
    // Activated, it begins anew: now, and at the price of a renewal.
    await client.topUp('acme', 9 * CREDITS, { requestId: 'more' });
    const activated = await client.call('AgentService/ActivateAgent', call('acme', 'support', 'activate'));
    expect(activated).toMatchObject({ verdict: 'VERDICT_ALLOWED', cost: String(5 * CREDITS) });
    await expectVerified(sidecar.config);
  });

  it('are paid from what a hold gave back before, though nobody looked in between', async () => {
    await moveClock(direct, -40 * DAY);
    await begin({ sweepIntervalMs: 3_600_000 });
    await client.account('acme', 90 * CREDITS);
    await unlock('acme', 'support');
    const held = await client.reserve('acme', 'h1', 40 * CREDITS, { holdTimeMs: 60_000 });
    await moveClock(direct, 0);
    expect(await shown('acme', 'support')).toMatchObject({
      state: 'AGENT_STATE_ACTIVE',
      graceEndTimeMs: '0',
    });
    expect(await client.balance('acme')).toEqual({ available: 10 * CREDITS, held: 0, debt: 0 });
    const ended = (await client.ledger('acme')).find(({ kind }) => kind === 'ENTRY_KIND_HOLD_EXPIRED');
    expect(ended?.eventTimeMs).toBe(held.deadlineMs);
    await expectVerified(sidecar.config);
  });

  it('that are behind by more than one call does are caught up with before anything is judged', async () => {
    await moveClock(direct, -390 * DAY);
    await begin({ sweepIntervalMs: 3_600_000 });
    await client.account('acme', 100_000 * CREDITS);
    const agents = Array.from({ length: 200 }, (_, index) => `agent-${index}`);
    await Promise.all(agents.map((agent) => unlock('acme', agent, 'endowed')));
    await moveClock(direct, 0);
    // 200 agents, 13 renewals each, and their own credits expire each time: 7,800 lines.
    expect(await available('acme')).toBe(100_000 - 200 * 10 - 200 * 12 * 5 - 200 * 5);
    const records = await direct.xlen(partitionKeys('drawdown', partitionOf('acme', 4))[7]);
    expect(records).toBeGreaterThan(3);
    await expectVerified(sidecar.config);
  });
});

describe('the line of a settle', () => {
  /** Which agent each line names that a settle booked. */
  const named = async () =>
    (await client.ledger('acme'))
      .filter(({ kind }) => /SETTLE|CONVERSION/.test(kind))
      .map(({ kind, agentId }) => [kind.replace('ENTRY_KIND_', '').toLowerCase(), agentId]);

  it('names the agent of the hold, which paid, whomever the call names; where no hold is open, whom the call names', async () => {
    await begin();
    await client.account('acme', 100 * CREDITS);
    await unlock('acme', 'first', 'endowed');
    await unlock('acme', 'second', 'endowed');
    await client.reserve('acme', 'open', 25 * CREDITS, { agentId: 'first' });
    await client.settle('acme', 'open', 25 * CREDITS, { agentId: 'second' });
    await client.reserve('acme', 'nobodys', CREDITS);
    await client.settle('acme', 'nobodys', CREDITS, { agentId: 'second' });
    await client.reserve('acme', 'released', CREDITS, { agentId: 'first' });
    await client.release('acme', 'released');
    await client.settle('acme', 'released', CREDITS, { agentId: 'second' });
    await client.settle('acme', 'unknown', CREDITS, { agentId: 'label' });
    expect(await named()).toEqual([
      ['settle', 'first'],
      ['settle', ''],
      ['settle', 'second'],
      ['settle', 'label'],
    ]);
    // 20 of the first agent's own and 5 of the account's; the late one from the second agent's own.
    const { agentCredits } = await client.call('AccountService/GetBalance', { accountId: 'acme' });
    expect(agentCredits.map((one) => [one.agentId, Number(one.available) / CREDITS])).toEqual([
      ['second', 19],
    ]);
    await expectVerified(sidecar.config);
  });

  it('and so do the lines of what was converted for it', async () => {
    await begin();
    await client.account('acme', 100 * CREDITS);
    const speech = {
      ...{ accountId: 'acme', holdId: 'h1', meter: 'tts', model: 'tts-1' },
      quantities: { values: { characters: 250 } },
    };
    await client.call('UsageService/Reserve', { ...speech, agentId: 'first', startTimeMs: Date.now() });
    await client.call('UsageService/Settle', { ...speech, agentId: 'second', eventTimeMs: Date.now() });
    await client.record([
      {
        ...usageEvent('acme', 'u1', 1, { agentId: 'third' }),
        ...{ meter: 'tts', model: 'tts-1' },
        quantities: { characters: 250 },
      },
    ]);
    expect(await named()).toEqual([
      ['conversion', 'first'],
      ['conversion_grant', 'first'],
      ['settle', 'first'],
      ['conversion', 'third'],
      ['conversion_grant', 'third'],
    ]);
    await expectVerified(sidecar.config);
  });
});

describe("an agent's own credits", () => {
  it('are drawn first by its work and by nobody else, and shown apart', async () => {
    await begin();
    await client.account('acme', 100 * CREDITS);
    await unlock('acme', 'first', 'endowed');
    await unlock('acme', 'second', 'endowed');
    expect(await available('acme')).toBe(80);
    const own = async () => {
      const { agentCredits } = await client.call('AccountService/GetBalance', { accountId: 'acme' });
      return agentCredits.map((one) => [
        one.agentId,
        Number(one.available) / CREDITS,
        Number(one.held) / CREDITS,
      ]);
    };
    expect(await own()).toEqual([
      ['first', 20, 0],
      ['second', 20, 0],
    ]);
    await client.record([
      usageEvent('acme', 'u1', 15 * CREDITS, { agentId: 'first' }),
      usageEvent('acme', 'u2', 15 * CREDITS, { agentId: 'first' }),
      usageEvent('acme', 'u3', 3 * CREDITS, { agentId: 'label' }),
      usageEvent('acme', 'u4', 2 * CREDITS),
    ]);
    expect(await own()).toEqual([['second', 20, 0]]);
    expect(await available('acme')).toBe(65);
    const held = await client.reserve('acme', 'h1', 25 * CREDITS, { agentId: 'second' });
    expect(held).toMatchObject({ verdict: 'VERDICT_ALLOWED', available: String(60 * CREDITS) });
    expect(await own()).toEqual([['second', 0, 20]]);
    const { lots } = await client.call('AccountService/ListLots', { accountId: 'acme' });
    expect(lots.map(({ source, agentId, held: of }) => [source, agentId, Number(of) / CREDITS])).toEqual([
      ['LOT_SOURCE_TOP_UP', '', 5],
      ['LOT_SOURCE_AGENT_CYCLE', 'second', 20],
    ]);
    await client.release('acme', 'h1');
    expect(await own()).toEqual([['second', 20, 0]]);

    // A reversal gives back to the agent what was its own, whatever the account owes.
    const request = { accountId: 'acme', requestId: 'reverse', eventTimeMs: Date.now(), reasonCode: 'test' };
    await client.record([usageEvent('acme', 'debt', 70 * CREDITS)]);
    await client.call('AccountService/ReverseUsage', { ...request, eventId: 'u1' });
    expect(await own()).toEqual([
      ['first', 15, 0],
      ['second', 20, 0],
    ]);
    expect(await client.balance('acme')).toMatchObject({ available: 0, debt: 5 * CREDITS });

    const statement = await client.call('AccountService/GetStatement', { accountId: 'acme' });
    const [wallet] = statement.wallets;
    expect(wallet?.sources.map(({ source, granted }) => [source, Number(granted) / CREDITS])).toEqual([
      ['LOT_SOURCE_AGENT_CYCLE', 40],
      ['LOT_SOURCE_TOP_UP', 100],
    ]);
    const fees = statement.uses.filter(({ meter }) => meter === '');
    expect(fees.map(({ agentId, spent }) => [agentId, Number(spent) / CREDITS])).toEqual([
      ['first', 10],
      ['second', 10],
    ]);
    await expectVerified(sidecar.config);
  });

  it('are all that an agent has which does not draw on the account', async () => {
    await begin();
    await client.account('acme', 100 * CREDITS);
    await unlock('acme', 'loner', 'alone');
    const forAgent = { agentId: 'loner' };
    expect(await client.reserve('acme', 'h1', 21 * CREDITS, forAgent)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      available: String(20 * CREDITS),
      missing: String(CREDITS),
    });
    const check = { accountId: 'acme', meter: 'llm', ...forAgent, ...amount(21 * CREDITS) };
    expect(await client.call('UsageService/CheckBalance', check)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      missing: String(CREDITS),
    });
    const [booked] = await client.record([usageEvent('acme', 'u1', 23 * CREDITS, forAgent)]);
    expect(booked).toMatchObject({ overdrawn: String(3 * CREDITS), available: '0' });
    expect(await client.balance('acme')).toMatchObject({ available: 99 * CREDITS, debt: 3 * CREDITS });
    await expectVerified(sidecar.config);
  });

  it('come back with the account that is dropped from Redis', async () => {
    await begin({ accountIdleMs: 50 });
    await client.account('acme', 100 * CREDITS);
    await unlock('acme', 'first', 'endowed');
    await unlock('acme', 'second');
    await client.call('AgentService/SuspendAgent', call('acme', 'second', 'suspend'));
    const before = await client.call('AgentService/ListAgents', { accountId: 'acme' });
    await until('the account is dropped from Redis', async () => !(await isHot('acme')));
    await client.record([usageEvent('acme', 'u1', 15 * CREDITS, { agentId: 'first' })]);
    expect(await client.reserve('acme', 'h1', 5, { agentId: 'second' })).toMatchObject({
      reason: 'REASON_AGENT_SUSPENDED',
    });
    const { agents } = await client.call('AgentService/ListAgents', { accountId: 'acme' });
    expect(agents).toEqual(
      before.agents.map((one) =>
        one.agentId === 'first' ? { ...one, ownAvailable: String(5 * CREDITS) } : one,
      ),
    );
    expect(await available('acme')).toBe(40);
    await expectVerified(sidecar.config);
  });
});
