/** ReverseUsage, ExpireLot and RerateUsage through gRPC and the real stores. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { publishUnknownModel, UNKNOWN_MODEL } from '../helpers/catalog.js';
import { type CallFailure, type TestClient, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

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
  await start();
});
afterEach(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await database.drop();
  await direct.flushall();
});

async function start(overrides: Parameters<typeof startTestSidecar>[1] = {}): Promise<void> {
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, overrides);
  ({ client } = sidecar);
}

async function restart(overrides: Parameters<typeof startTestSidecar>[1] = {}): Promise<void> {
  await sidecar.stop();
  await start(overrides);
}

const WHY = { reasonCode: 'wrong_price', reasonText: 'the rate card was wrong' };

function reversal(
  accountId: string,
  charge: { eventId: string } | { holdId: string },
  requestId = 'reverse',
) {
  return { requestId, accountId, ...charge, ...WHY, eventTimeMs: Date.now() };
}

async function balanceOf(account: string): Promise<number> {
  const { available, held, debt } = await client.balance(account);
  return available + held - debt;
}

describe('ReverseUsage', () => {
  it('gives a charge back as soon as it is applied, once, and leaves its line untouched', async () => {
    const account = await client.account('acme', 10_000);
    const event = usageEvent(account, 'event', 4_000, { agentId: 'agent-1' });
    await client.record([event]);
    const call = reversal(account, { eventId: 'event' });
    const first = await client.call('AccountService/ReverseUsage', call);
    expect(first).toEqual({
      unit: 'UNIT_CREDITS',
      reversed: '4000',
      debtPaid: '0',
      available: '10000',
      duplicate: false,
    });
    expect(await client.call('AccountService/ReverseUsage', call)).toEqual({ ...first, duplicate: true });
    expect(
      await client.failure('AccountService/ReverseUsage', { ...call, requestId: 'another' }),
    ).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'ALREADY_REVERSED',
    });
    // The event stays what it was: sent again it is a repetition, not a new charge.
    expect(await client.record([event])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_DUPLICATE', charged: '4000' },
    ]);
    expect(await balanceOf(account)).toBe(10_000);

    const [, , usage, reversed, ...more] = await client.ledger(account);
    expect(more).toEqual([]);
    expect(usage).toMatchObject({
      kind: 'ENTRY_KIND_USAGE',
      id: 'event',
      spent: '4000',
      corrects: '',
      flags: [],
    });
    expect(reversed).toMatchObject({
      kind: 'ENTRY_KIND_REVERSAL',
      id: 'reverse',
      corrects: 'usage/event',
      ...WHY,
      spent: '-4000',
      agentId: 'agent-1',
      meter: 'llm',
      model: 'claude-haiku-4-5',
      quantities: { input_tokens: '4000' },
      lots: [{ lotId: '1', remainingDelta: '4000' }],
    });
  });

  it('of a settled hold gives back what it took beyond the hold too: debt first, then the lots in their order', async () => {
    const account = await client.account('acme', 1_000);
    await client.topUp(account, 500, { requestId: 'soon', expiresAtMs: Date.now() + 3_600_000 });
    await client.reserve(account, 'hold', 1_200);
    await client.settle(account, 'hold', 2_100);
    expect(await client.balance(account)).toEqual({ available: 0, held: 0, debt: 600 });
    const answer = await client.call('AccountService/ReverseUsage', reversal(account, { holdId: 'hold' }));
    expect(answer).toMatchObject({ reversed: '2100', debtPaid: '600', available: '1500' });
    const { lots } = await client.call('AccountService/ListLots', { accountId: account });
    expect(lots.map(({ lotId, remaining, source }) => [lotId, remaining, source])).toEqual([
      ['2', '500', 'LOT_SOURCE_TOP_UP'],
      ['1', '1000', 'LOT_SOURCE_TOP_UP'],
    ]);
  });

  it('into a lot that has expired meanwhile makes nothing spendable', async () => {
    const account = await client.account('acme', 0);
    await client.topUp(account, 1_000, { requestId: 'short', expiresAtMs: Date.now() + SOON_MS });
    await client.record([usageEvent(account, 'event', 400)], 'ACK_LEVEL_DURABLE');
    await until('the lot expires', async () => (await client.balance(account)).available === 0);
    const answer = await client.call('AccountService/ReverseUsage', reversal(account, { eventId: 'event' }));
    expect(answer).toMatchObject({ reversed: '400', available: '0' });
    expect((await client.ledger(account)).slice(-2)).toMatchObject([
      { kind: 'ENTRY_KIND_REVERSAL', spent: '-400' },
      { kind: 'ENTRY_KIND_LOT_EXPIRED', expired: '400' },
    ]);
  });

  it("into a lot that was spent in full before an upgrade keeps the old period's end", async () => {
    const account = await client.account('acme', 0);
    const [now, ends] = [Date.now(), Date.now() + 3_600_000];
    const request = (requestId: string) => ({ accountId: account, requestId, eventTimeMs: now });
    const period = { plan: 'starter', startTimeMs: now - 1_000, endTimeMs: ends };
    const started = await client.call('AccountService/StartBillingPeriod', {
      ...request('period'),
      ...period,
    });
    await client.record([usageEvent(account, 'event', Number(started.granted))], 'ACK_LEVEL_DURABLE');
    const upgrade = { plan: 'pro', periodEndTimeMs: ends + 1_000 };
    await client.call('AccountService/ChangePlan', { ...request('upgrade'), ...upgrade });
    await client.call('AccountService/ReverseUsage', reversal(account, { eventId: 'event' }));
    const { lots } = await client.call('AccountService/ListLots', { accountId: account });
    expect(lots.map(({ lotId, remaining, expiresAtMs }) => [lotId, remaining, expiresAtMs])).toEqual([
      ['1', started.granted, String(ends)],
      ['2', expect.any(String), String(ends + 1_000)],
    ]);
  });

  it('has one winner among many requests for one charge', async () => {
    const account = await client.account('acme', 10_000);
    await client.record([usageEvent(account, 'event', 300)]);
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        client.call('AccountService/ReverseUsage', reversal(account, { eventId: 'event' }, `request-${i}`)),
      ),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected')
        expect((answer.reason as CallFailure).reason).toBe('ALREADY_REVERSED');
    }
    expect(await balanceOf(account)).toBe(10_000);
  });

  it('knows what was reversed after Redis has forgotten its ids', async () => {
    await restart({ idsPerGenerationMax: 10 });
    const account = await client.account('acme', 10_000);
    await client.record([usageEvent(account, 'event', 300), usageEvent(account, 'other', 50)]);
    const call = reversal(account, { eventId: 'event' });
    const first = await client.call('AccountService/ReverseUsage', call);
    await forgetIds(account);
    expect(await client.call('AccountService/ReverseUsage', call)).toEqual({ ...first, duplicate: true });
    expect(
      await client.failure('AccountService/ReverseUsage', { ...call, requestId: 'another' }),
    ).toMatchObject({ reason: 'ALREADY_REVERSED' });
    expect(await client.failure('AccountService/ReverseUsage', { ...call, eventId: 'other' })).toMatchObject({
      reason: 'ID_CONFLICT',
    });
  });

  it.each([
    ['an event that was never sent', { eventId: 'nothing' }],
    ['a hold that was never made', { holdId: 'nothing' }],
    ['a hold that was released', { holdId: 'released' }],
    ['a hold under the id of an event', { holdId: 'event' }],
  ])('says that nothing was charged for %s', async (_, charge) => {
    const account = await client.account('acme', 10_000);
    await client.record([usageEvent(account, 'event', 300)]);
    await client.reserve(account, 'released', 100);
    await client.release(account, 'released');
    expect(await client.failure('AccountService/ReverseUsage', reversal(account, charge))).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'USAGE_UNKNOWN',
      field: 'eventId' in charge ? 'event_id' : 'hold_id',
    });
  });

  it('reaches only charges of its own account', async () => {
    const account = await client.account('acme', 10_000);
    const other = await client.account('other', 10_000);
    await client.record([usageEvent(account, 'event', 300)]);
    expect(
      await client.failure('AccountService/ReverseUsage', reversal(other, { eventId: 'event' })),
    ).toMatchObject({ reason: 'USAGE_UNKNOWN' });
    expect([await balanceOf(account), await balanceOf(other)]).toEqual([9_700, 10_000]);
  });

  it('refuses a request without a charge, and reasons that are too long or hold what nobody can read', async () => {
    const account = await client.account('acme', 10_000);
    const call = reversal(account, { eventId: 'event' });
    const failure = async (request: Parameters<typeof client.failure<'AccountService/ReverseUsage'>>[1]) =>
      (await client.failure('AccountService/ReverseUsage', request)).field;
    expect(await failure({ requestId: 'reverse', accountId: account, eventTimeMs: Date.now() })).toBe(
      'charge',
    );
    for (const reasonCode of ['Wrong', 'a b', 'a'.repeat(65), '1a']) {
      expect(await failure({ ...call, reasonCode })).toBe('reason_code');
    }
    for (const reasonText of ['a\nb', 'a'.repeat(201), 'a\u0000', 'right\u202eleft', 'a\u2028b']) {
      expect(await failure({ ...call, reasonText })).toBe('reason_text');
    }
  });
});

describe('ExpireLot', () => {
  const expiry = (accountId: string, lotId: number, requestId = 'expire') => ({
    requestId,
    accountId,
    lotId,
    reasonCode: 'granted_by_mistake',
    eventTimeMs: Date.now(),
  });

  it('expires what is available now and what is held when the hold ends, and says so', async () => {
    const account = await client.account('acme', 1_000);
    await client.topUp(account, 500, { requestId: 'second' });
    await client.reserve(account, 'hold', 300);
    const call = expiry(account, 1);
    const first = await client.call('AccountService/ExpireLot', call);
    expect(first).toEqual({
      lotId: '1',
      unit: 'UNIT_CREDITS',
      expired: '700',
      available: '500',
      duplicate: false,
    });
    expect(await client.call('AccountService/ExpireLot', call)).toEqual({ ...first, duplicate: true });
    expect(await client.balance(account)).toEqual({ available: 500, held: 300, debt: 0 });
    await client.settle(account, 'hold', 100);
    expect(await client.balance(account)).toEqual({ available: 500, held: 0, debt: 0 });
    const lines = (await client.ledger(account)).slice(-3);
    expect(lines).toMatchObject([
      { kind: 'ENTRY_KIND_EXPIRE_LOT', id: 'expire', expired: '700', reasonCode: 'granted_by_mistake' },
      { kind: 'ENTRY_KIND_SETTLE', spent: '100' },
      { kind: 'ENTRY_KIND_LOT_EXPIRED', expired: '200' },
    ]);
  });

  it('lasts: after the account has left Redis, and for units that a reversal would return', async () => {
    await restart({ accountIdleMs: 100 });
    const account = await client.account('acme', 1_000);
    await client.record([usageEvent(account, 'event', 400)]);
    await client.call('AccountService/ExpireLot', expiry(account, 1));
    await dropped(account);
    expect(
      await client.call('AccountService/ReverseUsage', reversal(account, { eventId: 'event' })),
    ).toMatchObject({
      reversed: '400',
      available: '0',
    });
    expect(await client.balance(account)).toEqual({ available: 0, held: 0, debt: 0 });
    const { lots } = await client.call('AccountService/ListLots', { accountId: account, includeEmpty: true });
    expect(lots.map(({ lotId, remaining }) => [lotId, remaining])).toEqual([['1', '0']]);
    expect(Number(lots[0]?.expiresAtMs)).toBeGreaterThan(0);
  });

  it('refuses a lot that never was, one that has ended, and a call without a reason', async () => {
    const account = await client.account('acme', 1_000);
    await client.topUp(account, 500, { requestId: 'second' });
    await client.call('AccountService/ExpireLot', expiry(account, 1));
    await client.record([usageEvent(account, 'event', 500)]);
    const failure = (request: Parameters<typeof client.failure<'AccountService/ExpireLot'>>[1]) =>
      client.failure('AccountService/ExpireLot', request);
    expect(await failure(expiry(account, 3, 'a'))).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'LOT_UNKNOWN',
    });
    for (const lot of [1, 2]) {
      expect(await failure(expiry(account, lot, `b${lot}`))).toMatchObject({
        status: 'FAILED_PRECONDITION',
        reason: 'LOT_ENDED',
        field: 'lot_id',
      });
    }
    expect(await failure({ ...expiry(account, 2, 'c'), reasonCode: '' })).toMatchObject({
      field: 'reason_code',
    });
    expect(await failure(expiry(account, 0, 'd'))).toMatchObject({ field: 'lot_id' });
  });
});

describe('RerateUsage', () => {
  const unrated = (account: string, id: string, tokens: number, eventTimeMs = Date.now()) =>
    usageEvent(account, id, tokens, { model: UNKNOWN_MODEL, eventTimeMs });

  it('charges what was booked unrated once, from what is available, then as debt', async () => {
    const account = await client.account('acme', 1_000);
    await client.record([
      unrated(account, 'a', 600),
      unrated(account, 'b', 700),
      usageEvent(account, 'c', 10),
    ]);
    await client.reserve(account, 'hold', 5);
    const quantities = { values: { input_tokens: 50 } };
    const { amount: _, ...settle } = { ...settleBase(account, 'hold'), quantities };
    await client.call('UsageService/Settle', settle);
    expect(await client.call('AccountService/RerateUsage', { accountId: account })).toMatchObject({
      lookedAt: '3',
      rerated: '0',
      leftUnrated: '3',
      charged: [],
      catalogVersion: 1,
    });
    await publishUnknownModel(database.url);
    await restart();
    const credits = (value: number) => [{ unit: 'UNIT_CREDITS', value: String(value) }];
    expect(await client.call('AccountService/RerateUsage', {})).toEqual({
      lookedAt: '3',
      rerated: '3',
      leftUnrated: '0',
      charged: credits(1_350),
      overdrawn: credits(360),
      catalogVersion: 2,
      nextCursor: '',
    });
    expect(await client.call('AccountService/RerateUsage', { accountId: account })).toMatchObject({
      lookedAt: '0',
      rerated: '0',
    });
    expect(await client.balance(account)).toEqual({ available: 0, held: 0, debt: 360 });
    const lines = await client.ledger(account, { kinds: ['ENTRY_KIND_RERATE'] });
    expect(
      lines.map(({ corrects, spent, catalogVersion, model }) => [corrects, spent, catalogVersion, model]),
    ).toEqual(
      expect.arrayContaining([
        ['usage/a', '600', 2, UNKNOWN_MODEL],
        ['usage/b', '700', 2, UNKNOWN_MODEL],
        ['settle/hold', '50', 2, UNKNOWN_MODEL],
      ]),
    );
    expect(await metric(sidecar, 'drawdown_charged_units_total', 'micro_credits')).toBe(1_350);
  });

  it('goes on from its cursor, a bounded number at a time, and is charged once by many callers at once', async () => {
    const accounts = await Promise.all(['a', 'b', 'c'].map((name) => client.account(name, 1_000_000)));
    const events = accounts.flatMap((account) =>
      Array.from({ length: 7 }, (_, i) => unrated(account, `event-${i}`, 100)),
    );
    await client.record(events, 'ACK_LEVEL_DURABLE');
    await publishUnknownModel(database.url);
    await restart();
    const walk = async (): Promise<{ pages: number; rerated: number }> => {
      let [cursor, pages, rerated] = ['', 0, 0];
      do {
        const page = await client.call('AccountService/RerateUsage', { limit: 4, cursor });
        expect(Number(page.lookedAt)).toBeLessThanOrEqual(4);
        cursor = page.nextCursor;
        pages += 1;
        rerated += Number(page.rerated);
      } while (cursor !== '');
      return { pages, rerated };
    };
    const walks = await Promise.all([walk(), walk(), walk()]);
    expect(walks.reduce((sum, { rerated }) => sum + rerated, 0)).toBe(21);
    for (const account of accounts) expect(await balanceOf(account)).toBe(1_000_000 - 700);
    expect(await walk()).toEqual({ pages: 1, rerated: 0 });
  });

  it('rates only what it is asked for: account, meter, model, time of the event', async () => {
    const account = await client.account('acme', 10_000);
    const other = await client.account('other', 10_000);
    const now = Date.now();
    await client.record(
      [
        unrated(account, 'early', 1, now - 60_000),
        unrated(account, 'late', 20, now),
        unrated(other, 'other', 300, now),
        usageEvent(account, 'nobody knows', 4_000, { model: 'another-unknown' }),
      ].map((event) => ({ ...event, eventId: String(event.eventId).replace(' ', '-') })),
      'ACK_LEVEL_DURABLE',
    );
    await publishUnknownModel(database.url);
    await restart();
    const rerate = async (request: Parameters<typeof client.call<'AccountService/RerateUsage'>>[1]) => {
      const { rerated, leftUnrated } = await client.call('AccountService/RerateUsage', request);
      return [Number(rerated), Number(leftUnrated)];
    };
    expect(await rerate({ meter: 'tts' })).toEqual([0, 0]);
    expect(await rerate({ model: 'another-unknown' })).toEqual([0, 1]);
    expect(
      await rerate({ accountId: account, fromTimeMs: now, toTimeMs: now + 1, model: UNKNOWN_MODEL }),
    ).toEqual([1, 0]);
    expect([await balanceOf(account), await balanceOf(other)]).toEqual([9_980, 10_000]);
    expect(await rerate({ toTimeMs: now })).toEqual([1, 0]);
    expect(await rerate({})).toEqual([1, 1]);
    expect([await balanceOf(account), await balanceOf(other)]).toEqual([9_979, 9_700]);
    expect(await client.failure('AccountService/RerateUsage', { accountId: 'nobody' })).toMatchObject({
      reason: 'ACCOUNT_UNKNOWN',
    });
    for (const [request, field] of [
      [{ cursor: 'x' }, 'cursor'],
      [{ limit: 1_001 }, 'limit'],
      [{ fromTimeMs: 5, toTimeMs: 5 }, 'to_time_ms'],
    ] as const) {
      expect(await client.failure('AccountService/RerateUsage', request)).toMatchObject({ field });
    }
  });

  it('and reversal know of each other: both charges come back at once, and what was reversed is never rated', async () => {
    const account = await client.account('acme', 1_000);
    await client.record([unrated(account, 'a', 600), unrated(account, 'b', 700)]);
    expect(
      await client.call('AccountService/ReverseUsage', reversal(account, { eventId: 'b' }, 'first')),
    ).toMatchObject({ reversed: '0' });
    await publishUnknownModel(database.url);
    await restart();
    expect(await client.call('AccountService/RerateUsage', { ackLevel: 'ACK_LEVEL_APPLIED' })).toMatchObject({
      lookedAt: '1',
      rerated: '1',
    });
    expect(
      await client.call('AccountService/ReverseUsage', reversal(account, { eventId: 'a' }, 'second')),
    ).toMatchObject({ reversed: '600', available: '1000' });
    expect(await balanceOf(account)).toBe(1_000);
  });
});

describe('the status of an account', () => {
  it('lasts after the account has left Redis, and its request is known after Redis has forgotten it', async () => {
    await restart({ accountIdleMs: 100 });
    const account = await client.account('acme', 1_000);
    const request = { requestId: 'freeze', accountId: account, eventTimeMs: Date.now() };
    await client.call('AccountService/FreezeAccount', request);
    await dropped(account);
    expect(await client.reserve(account, 'hold', 10)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_ACCOUNT_FROZEN',
    });
    await restart({ idsPerGenerationMax: 10 });
    await forgetIds(account);
    expect(await client.call('AccountService/FreezeAccount', request)).toMatchObject({ duplicate: true });
    const [line] = await sql(database.url, `SELECT status FROM accounts WHERE account_id = 'acme'`);
    expect(line).toEqual({ status: '2' });
  });
});

function settleBase(accountId: string, holdId: string) {
  return { accountId, holdId, meter: 'llm', model: UNKNOWN_MODEL, eventTimeMs: Date.now(), amount: null };
}

async function dropped(account: string): Promise<void> {
  const [, accounts] = partitionKeys('drawdown', partitionOf(account, 4));
  await until(
    'the account is dropped from Redis',
    async () => (await direct.hexists(accounts, account)) === 0,
  );
}

/** Both generations are rotated away: what was done before is known to Postgres only. */
async function forgetIds(account: string): Promise<void> {
  const [meta] = partitionKeys('drawdown', partitionOf(account, 4));
  for (let rotation = 0; rotation < 2; rotation++) {
    const current = await direct.hget(meta, 'ids_current');
    const padding = Array.from({ length: 12 }, (_, i) =>
      usageEvent(account, `padding-${Date.now()}-${i}`, 0),
    );
    await client.record(padding, 'ACK_LEVEL_DURABLE');
    await until('ids are rotated', async () => (await direct.hget(meta, 'ids_current')) !== current);
  }
}
