/** Credits that become allowances, through gRPC and the real stores. The shipped catalog sells 100 characters or 10 messages a credit. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import type { TestClient } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { expectVerified } from '../helpers/verified.js';

const CREDIT = 1_000_000;

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
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  ({ client } = sidecar);
});
afterEach(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await database.drop();
  await direct.flushall();
});

function convertRequest(
  accountId: string,
  wish: { credits: number } | { units: number },
  requestId = 'convert',
) {
  return {
    requestId,
    accountId,
    unit: 'UNIT_TTS_CHARACTERS' as const,
    ...wish,
    eventTimeMs: Date.now(),
  };
}

describe('ConvertCredits', () => {
  it('buys as many whole units as the credits pay for, leaves the rest credits, and does it once', async () => {
    const account = await client.account('acme', 5 * CREDIT);
    const call = convertRequest(account, { credits: 2 * CREDIT + 9_999 });
    const first = await client.call('AccountService/ConvertCredits', call);
    expect(first).toEqual({
      verdict: 'VERDICT_ALLOWED',
      reason: 'REASON_UNSPECIFIED',
      unit: 'UNIT_TTS_CHARACTERS',
      converted: String(2 * CREDIT),
      granted: '200',
      debtPaid: '0',
      lotId: '2',
      available: '200',
      duplicate: false,
      catalogVersion: 1,
      availableCredits: '0',
      missingCredits: '0',
    });
    expect(await client.call('AccountService/ConvertCredits', call)).toEqual({ ...first, duplicate: true });
    expect(
      await client.failure('AccountService/ConvertCredits', { ...call, credits: 3 * CREDIT }),
    ).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'ID_CONFLICT' });
    expect(await client.balance(account)).toEqual({ available: 3 * CREDIT, held: 0, debt: 0 });
    expect(await client.balance(account, 'UNIT_TTS_CHARACTERS')).toMatchObject({ available: 200 });

    const [, , away, brought, ...more] = await client.ledger(account);
    expect(more).toEqual([]);
    expect(away).toMatchObject({
      kind: 'ENTRY_KIND_CONVERSION',
      id: 'convert',
      unit: 'UNIT_CREDITS',
      converted: String(2 * CREDIT),
      lots: [{ lotId: '1', remainingDelta: String(-2 * CREDIT) }],
      catalogVersion: 1,
    });
    expect(brought).toMatchObject({
      kind: 'ENTRY_KIND_CONVERSION_GRANT',
      id: 'convert',
      unit: 'UNIT_TTS_CHARACTERS',
      granted: '200',
      lots: [{ lotId: '2', remainingDelta: '200' }],
      catalogVersion: 1,
    });
    const { lots } = await client.call('AccountService/ListLots', { accountId: account });
    expect(lots.find((lot) => lot.lotId === '2')).toMatchObject({
      source: 'LOT_SOURCE_CONVERSION',
      priority: 20,
      expiresAtMs: '0',
    });
    expect(await metric(sidecar, 'drawdown_converted_micro_credits_total', 'by="call"')).toBe(2 * CREDIT);
  });

  it('buys exactly the units that are wanted, and pays debt of the allowance first', async () => {
    const account = await client.account('indebted', CREDIT);
    const work = { meter: 'tts', model: 'tts-1', agentId: '' };
    const amount = { unit: 'UNIT_TTS_CHARACTERS' as const, value: 30 };
    // Named as an amount, it is paid in characters whatever there is.
    await client.settle(account, 'nothing-held', 0, { ...work, amount });
    expect(await client.balance(account, 'UNIT_TTS_CHARACTERS')).toMatchObject({ debt: 30 });
    expect(
      await client.call('AccountService/ConvertCredits', convertRequest(account, { units: 45 })),
    ).toMatchObject({ converted: '450000', granted: '45', debtPaid: '30', available: '15' });
    expect(await client.balance(account, 'UNIT_TTS_CHARACTERS')).toEqual({ available: 15, held: 0, debt: 0 });
  });

  it('is denied, and stores nothing, where less is available than it costs: what holds set aside is not', async () => {
    const account = await client.account('short', 3 * CREDIT);
    await client.reserve(account, 'hold', 2 * CREDIT);
    const call = convertRequest(account, { units: 150 });
    expect(await client.call('AccountService/ConvertCredits', call)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      availableCredits: String(CREDIT),
      missingCredits: String(CREDIT / 2),
      converted: '0',
    });
    await client.release(account, 'hold');
    expect(await client.call('AccountService/ConvertCredits', call)).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      duplicate: false,
    });
    expect(
      await client.call('AccountService/ConvertCredits', convertRequest('nobody', { units: 1 })),
    ).toMatchObject({ verdict: 'VERDICT_DENIED', reason: 'REASON_ACCOUNT_UNKNOWN' });
  });

  it.each([
    ['no wish', {}, 'wish'],
    ['credits that buy no whole unit', { credits: 9_999 }, 'credits'],
    ['no credits', { credits: 0 }, 'credits'],
    ['no units', { units: 0 }, 'units'],
    ['credits for credits', { units: 1, unit: 'UNIT_CREDITS' as const }, 'unit'],
    ['no unit', { units: 1, unit: 'UNIT_UNSPECIFIED' as const }, 'unit'],
    ['no time', { units: 1, eventTimeMs: 0 }, 'event_time_ms'],
    ['no account', { units: 1, accountId: '' }, 'account_id'],
    ['no request', { units: 1, requestId: '' }, 'request_id'],
  ])('refuses %s', async (_, fields, field) => {
    const request = { ...convertRequest('acme', { units: 1 }), units: undefined, ...fields };
    expect(await client.failure('AccountService/ConvertCredits', request)).toMatchObject({
      status: 'INVALID_ARGUMENT',
      field,
    });
  });

  it('of N at once takes what there is and not a micro-credit more', async () => {
    const account = await client.account('busy', 10 * CREDIT);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        client.call('AccountService/ConvertCredits', convertRequest(account, { units: 70 }, `request-${i}`)),
      ),
    );
    expect(answers.filter(({ verdict }) => verdict === 'VERDICT_ALLOWED')).toHaveLength(14);
    expect(await client.balance(account)).toEqual({ available: 200_000, held: 0, debt: 0 });
    expect(await client.balance(account, 'UNIT_TTS_CHARACTERS')).toMatchObject({ available: 980 });
  });

  it('appears in the statement as converted there and as a source here', async () => {
    const account = await client.account('stated', 5 * CREDIT);
    await client.call('AccountService/ConvertCredits', convertRequest(account, { credits: 2 * CREDIT }));
    const statement = await client.call('AccountService/GetStatement', { accountId: account });
    expect(statement.wallets).toMatchObject([
      { unit: 'UNIT_CREDITS', granted: String(5 * CREDIT), converted: String(2 * CREDIT), spent: '0' },
      {
        unit: 'UNIT_TTS_CHARACTERS',
        granted: '200',
        converted: '0',
        sources: [{ source: 'LOT_SOURCE_CONVERSION', count: '1', granted: '200' }],
      },
    ]);
    const [wallets] = await sql(
      database.url,
      `SELECT sum(converted) AS converted FROM wallets JOIN accounts USING (account_key) WHERE account_id = $1`,
      [account],
    );
    expect(wallets).toEqual({ converted: String(2 * CREDIT) });
  });
});

/** The shipped catalog converts blocks of 100 characters for 1 credit. */
describe('text to speech beyond the allowance', () => {
  const work = { meter: 'tts', model: 'tts-1', agentId: '' };
  const spoken = (characters: number) => ({ quantities: { values: { characters } } });
  const reserve = (accountId: string, holdId: string, characters: number) =>
    client.call('UsageService/Reserve', {
      ...{ accountId, holdId, ...work, startTimeMs: Date.now() },
      ...spoken(characters),
    });
  const settleOf = (accountId: string, holdId: string, characters: number) => ({
    ...{ accountId, holdId, ...work, eventTimeMs: Date.now() },
    ...spoken(characters),
  });
  const event = (accountId: string, eventId: string, characters: number) => ({
    ...{ accountId, eventId, ...work, eventTimeMs: Date.now() },
    quantities: { characters },
  });

  it('holds blocks of credits and converts for what was generated: three lines that explain it', async () => {
    const account = await client.account('speaker', 5 * CREDIT);
    await client.topUp(account, 30, { requestId: 'given', unit: 'UNIT_TTS_CHARACTERS' });
    expect(
      await client.call('UsageService/CheckBalance', { accountId: account, ...work, ...spoken(250) }),
    ).toMatchObject({ verdict: 'VERDICT_ALLOWED', unit: 'UNIT_CREDITS', amount: String(3 * CREDIT) });
    expect(await reserve(account, 'hold', 250)).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      unit: 'UNIT_CREDITS',
      held: String(3 * CREDIT),
    });
    const settle = settleOf(account, 'hold', 180);
    const settled = await client.call('UsageService/Settle', settle);
    expect(settled).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      charged: '180',
      overdrawn: '0',
      converted: String(2 * CREDIT),
      released: String(CREDIT),
      releasedUnit: 'UNIT_CREDITS',
      available: '50',
    });
    expect(await client.call('UsageService/Settle', settle)).toEqual({ ...settled, duplicate: true });
    expect(await client.call('UsageService/GetUsage', { accountId: account, holdId: 'hold' })).toMatchObject({
      state: 'USAGE_STATE_SETTLED',
      unit: 'UNIT_TTS_CHARACTERS',
      charged: '180',
      converted: String(2 * CREDIT),
    });
    const lines = (await client.ledger(account)).slice(3);
    expect(lines).toMatchObject([
      {
        kind: 'ENTRY_KIND_CONVERSION',
        id: 'settle/hold#4',
        converted: String(2 * CREDIT),
        catalogVersion: 1,
      },
      { kind: 'ENTRY_KIND_CONVERSION_GRANT', id: 'settle/hold#4', granted: '200', catalogVersion: 1 },
      { kind: 'ENTRY_KIND_SETTLE', id: 'hold', spent: '180', flags: ['converted'] },
    ]);
    expect(await metric(sidecar, 'drawdown_converted_micro_credits_total', 'by="charge"')).toBe(2 * CREDIT);
  });

  it('converts for finished events, whose repetition Postgres knows, and gives characters back when they are reversed', async () => {
    const account = await client.account('reporter', 3 * CREDIT);
    const first = event(account, 'first', 120);
    const [result] = await client.record([first]);
    expect(result).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      charged: '120',
      converted: String(2 * CREDIT),
      available: '80',
    });
    const [covered] = await client.record([event(account, 'covered', 70)]);
    expect(covered).toMatchObject({ charged: '70', converted: '0', available: '10' });
    expect(await client.record([first])).toEqual([{ ...result, outcome: 'EVENT_OUTCOME_DUPLICATE' }]);
    const reversal = { requestId: 'undo', accountId: account, eventId: 'first', eventTimeMs: Date.now() };
    expect(await client.call('AccountService/ReverseUsage', reversal)).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      reversed: '120',
      available: '130',
    });
    expect(await client.balance(account)).toEqual({ available: CREDIT, held: 0, debt: 0 });
  });

  it('a settle by an amount of another unit than the hold is refused, and the hold stays', async () => {
    const account = await client.account('named', 5 * CREDIT);
    await reserve(account, 'hold', 100);
    const amount = { unit: 'UNIT_TTS_CHARACTERS' as const, value: 80 };
    expect(
      await client.failure('UsageService/Settle', {
        ...settleOf(account, 'hold', 0),
        quantities: null,
        amount,
      }),
    ).toMatchObject({ reason: 'FIELD_INVALID' });
    expect(await client.holdState(account, 'hold')).toBe('USAGE_STATE_HELD');
    await client.release(account, 'hold');
    expect((await client.ledger(account)).map(({ kind }) => kind)).not.toContain('ENTRY_KIND_CONVERSION');
  });

  it('never overspends, however many reserve and settle at once', async () => {
    const account = await client.account('crowd', 20 * CREDIT);
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const held = await reserve(account, `hold-${i}`, 130);
        if (held.verdict !== 'VERDICT_ALLOWED') return 0;
        const settled = await client.call('UsageService/Settle', settleOf(account, `hold-${i}`, 50 + i));
        expect(settled).toMatchObject({ charged: String(50 + i), overdrawn: '0' });
        return 50 + i;
      }),
    );
    const charged = outcomes.reduce((sum, characters) => sum + characters, 0);
    const credits = await client.balance(account);
    const characters = await client.balance(account, 'UNIT_TTS_CHARACTERS');
    expect(credits).toMatchObject({ held: 0, debt: 0 });
    expect(characters).toMatchObject({ held: 0, debt: 0 });
    expect(charged + characters.available).toBe(((20 * CREDIT - credits.available) / CREDIT) * 100);
    expect(charged).toBeGreaterThan(500);
  });

  it('is booked as debt of characters where credits are gone, and paid by the next conversion', async () => {
    const account = await client.account('broke', CREDIT / 2);
    const [result] = await client.record([event(account, 'one', 30)]);
    expect(result).toMatchObject({ charged: '30', overdrawn: '30', converted: '0' });
    expect(await client.balance(account)).toMatchObject({ available: CREDIT / 2, debt: 0 });
    await client.topUp(account, CREDIT, { requestId: 'more' });
    const [next] = await client.record([event(account, 'two', 20)]);
    expect(next).toMatchObject({ charged: '20', overdrawn: '0', converted: String(CREDIT), available: '50' });
  });
});
