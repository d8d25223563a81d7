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
