/** The promises of the protocol, each kept or broken in front of real stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditLedger, postgresBalance, sql } from '../helpers/audit.js';
import { reserveRequest, settleRequest, type TestClient, usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';

const dayMs = 86_400_000;

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  ({ client } = sidecar);
});
afterAll(async () => {
  await sidecar.stop();
  expect(await auditLedger(database.url)).toEqual([]);
  await Promise.all([redis.stop(), database.drop()]);
});

/** Usage lines of an account, once everything so far is durable. */
async function usageLines(account: string): Promise<string[]> {
  const entries = await client.ledger(account, { kinds: ['ENTRY_KIND_USAGE'] });
  return entries.map((entry) => entry.id);
}

describe('no overspend', () => {
  it('of 200 reservations at once exactly those are allowed that the balance covers', async () => {
    const account = await client.account('concurrent', 1_000_000);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => client.reserve(account, `hold-${i}`, 10_000)),
    );
    const verdicts = answers.map((answer) => answer.verdict);
    expect(verdicts.filter((verdict) => verdict === 'VERDICT_ALLOWED')).toHaveLength(100);
    const denied = answers.filter((answer) => answer.verdict === 'VERDICT_DENIED');
    expect(denied).toHaveLength(100);
    for (const answer of denied) {
      expect(answer).toMatchObject({
        reason: 'REASON_INSUFFICIENT_BALANCE',
        available: '0',
        missing: '10000',
      });
    }
    expect(await client.balance(account)).toEqual({ available: 0, held: 1_000_000, debt: 0 });
    const { holds } = await client.call('AccountService/ListHolds', { accountId: account, pageSize: 1_000 });
    expect(holds).toHaveLength(100);
  });

  it('usage beyond the balance is booked, flagged, and owed; the next top-up pays it first', async () => {
    const account = await client.account('debtor', 1_000);
    const [first] = await client.record([usageEvent(account, 'too-much', 1_700)]);
    expect(first).toMatchObject({
      outcome: 'EVENT_OUTCOME_RECORDED',
      charged: '1700',
      overdrawn: '700',
      available: '0',
    });
    expect(await client.balance(account)).toEqual({ available: 0, held: 0, debt: 700 });
    const part = await client.topUp(account, 300, { requestId: 'part' });
    expect(part).toMatchObject({ granted: '300', debtPaid: '300', available: '0' });
    const rest = await client.topUp(account, 1_000, { requestId: 'rest' });
    expect(rest).toMatchObject({ granted: '1000', debtPaid: '400', available: '600' });
    expect(await client.balance(account)).toEqual({ available: 600, held: 0, debt: 0 });
    const [line] = await client.ledger(account, { kinds: ['ENTRY_KIND_USAGE'] });
    expect(line).toMatchObject({ spent: '1700', debt: '700', flags: ['overdrawn'] });
  });

  it('a settle above its hold takes what is available, then debt', async () => {
    const account = await client.account('over-hold', 1_000);
    await client.reserve(account, 'hold', 600);
    expect(await client.settle(account, 'hold', 1_500)).toMatchObject({
      charged: '1500',
      released: '0',
      overdrawn: '500',
      available: '0',
    });
    expect(await client.balance(account)).toEqual({ available: 0, held: 0, debt: 500 });
    const [line] = await client.ledger(account, { kinds: ['ENTRY_KIND_SETTLE'] });
    expect(new Set(line?.flags)).toEqual(new Set(['overdrawn', 'over_hold']));
  });
});

describe('once', () => {
  it.each([1, 2, 100])('an event sent %i times in one batch is charged once', async (times) => {
    const account = await client.account(`one-batch-${times}`, 10_000);
    const event = usageEvent(account, 'event', 100);
    const results = await client.record(Array.from({ length: times }, () => event));
    expect(results.map((result) => result.outcome)).toEqual([
      'EVENT_OUTCOME_RECORDED',
      ...Array.from({ length: times - 1 }, () => 'EVENT_OUTCOME_DUPLICATE'),
    ]);
    for (const result of results) expect(result).toMatchObject({ charged: '100', available: '9900' });
    expect(await client.balance(account)).toMatchObject({ available: 9_900 });
    expect(await usageLines(account)).toEqual(['event']);
  });

  it.each([1, 2, 100])('an event sent %i times over eight streams is charged once', async (times) => {
    const account = await client.account(`streams-${times}`, 10_000);
    const event = usageEvent(account, 'event', 100);
    const streams = Array.from({ length: 8 }, () => client.stream());
    const sent = Array.from({ length: times }, (_, i) => {
      const stream = streams[i % streams.length] as (typeof streams)[number];
      return { stream, batch: stream.send([event]) };
    });
    const results = await Promise.all(sent.map(({ stream, batch }) => stream.results(batch)));
    const outcomes = results.flat().map((result) => result.outcome);
    expect(outcomes.filter((outcome) => outcome === 'EVENT_OUTCOME_RECORDED')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'EVENT_OUTCOME_DUPLICATE')).toHaveLength(times - 1);
    for (const { stream, batch } of sent) await stream.durable(batch);
    for (const stream of streams) expect(await stream.end()).toBe('OK');
    expect(await client.balance(account)).toMatchObject({ available: 9_900 });
    expect(await usageLines(account)).toEqual(['event']);
  });

  it('the same event id with another payload is a conflict, whichever field differs', async () => {
    const account = await client.account('conflict', 10_000);
    const event = usageEvent(account, 'event', 100);
    await client.record([event]);
    const results = await client.record([
      { ...event, quantities: { input_tokens: 101 } },
      { ...event, eventTimeMs: Number(event.eventTimeMs) - 1 },
      { ...event, model: 'gpt-4o-mini' },
      { ...event, agentId: 'an-agent' },
      event,
    ]);
    expect(results.slice(0, 4).map((result) => [result.outcome, result.reason])).toEqual(
      Array.from({ length: 4 }, () => ['EVENT_OUTCOME_REFUSED', 'REASON_ID_CONFLICT']),
    );
    expect(results[4]?.outcome).toBe('EVENT_OUTCOME_DUPLICATE');
    expect(await client.balance(account)).toMatchObject({ available: 9_900 });
  });

  it('the same request id with another payload is ALREADY_EXISTS with its details', async () => {
    const account = await client.account('unary-conflict', 10_000);
    const eventTimeMs = Date.now();
    await client.topUp(account, 500, { requestId: 'again', eventTimeMs });
    const answer = { accountId: account, amount: { unit: 'UNIT_CREDITS' as const, value: 501 } };
    expect(
      await client.failure('AccountService/TopUp', { ...answer, requestId: 'again', eventTimeMs }),
    ).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'ID_CONFLICT', retryAfterMs: null });
    expect(await client.topUp(account, 500, { requestId: 'again', eventTimeMs })).toMatchObject({
      duplicate: true,
      granted: '500',
    });
    expect(await client.balance(account)).toMatchObject({ available: 10_500 });
  });

  it('of 50 creations of one account at once one is made; the same request id gets its outcome', async () => {
    const eventTimeMs = Date.now();
    const create = { requestId: 'create', accountId: 'created-at-once', eventTimeMs };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => client.call('AccountService/CreateAccount', create)),
    );
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.createdTimeMs)).size).toBe(1);
    expect(
      await client.failure('AccountService/CreateAccount', { ...create, requestId: 'another' }),
    ).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'ACCOUNT_EXISTS' });
  });

  it('of 100 settles of one hold at once one books', async () => {
    const account = await client.account('settled-at-once', 10_000);
    await client.reserve(account, 'hold', 1_000);
    const request = settleRequest(account, 'hold', 400);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => client.call('UsageService/Settle', request)),
    );
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(1);
    expect(await client.balance(account)).toEqual({ available: 9_600, held: 0, debt: 0 });
  });

  it('denied, topped up, the same id again: allowed', async () => {
    const account = await client.account('denied-first', 100);
    const request = reserveRequest(account, 'hold', 1_000);
    expect(await client.call('UsageService/Reserve', request)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      missing: '900',
    });
    await client.topUp(account, 900, { requestId: 'more' });
    expect(await client.call('UsageService/Reserve', request)).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      duplicate: false,
      held: '1000',
      available: '0',
    });
  });

  it('a settle after the deadline books the difference once', async () => {
    const account = await client.account('late', 1_000);
    await client.reserve(account, 'hold', 600, { holdTimeMs: 50 });
    await until('the hold is swept', async () => (await client.balance(account)).held === 0);
    expect(await client.balance(account)).toMatchObject({ available: 1_000 });
    const request = settleRequest(account, 'hold', 250);
    const answer = await client.call('UsageService/Settle', request);
    expect(answer).toMatchObject({ charged: '250', late: true, duplicate: false, available: '750' });
    expect(await client.call('UsageService/Settle', request)).toEqual({ ...answer, duplicate: true });
    expect(await client.balance(account)).toEqual({ available: 750, held: 0, debt: 0 });
    const spent = (await client.ledger(account)).reduce((sum, entry) => sum + Number(entry.spent), 0);
    expect(spent).toBe(250);
  });
});

describe('a batch', () => {
  it('a bad event does not fail its neighbours; results are in order', async () => {
    const account = await client.account('neighbours', 10_000);
    const now = Date.now();
    const results = await client.record([
      usageEvent(account, 'good-1', 10),
      usageEvent('nobody', 'unknown-account', 10),
      usageEvent(account, 'an id with spaces', 10),
      usageEvent(account, 'too-old', 10, { eventTimeMs: now - sidecar.config.eventAgeMaxMs - 60_000 }),
      usageEvent(account, 'in-future', 10, { eventTimeMs: now + sidecar.config.eventFutureMaxMs + 60_000 }),
      usageEvent(account, 'no-meter', 10, { meter: 'nothing' }),
      usageEvent(account, 'unknown-quantity', 10, { quantities: { parsecs: 12 } }),
      usageEvent(account, 'negative', -1),
      usageEvent(account, 'nothing', 10, { quantities: {} }),
      usageEvent(account, 'good-2', 20),
    ]);
    expect(results.map((result) => result.reason.replace('REASON_', ''))).toEqual([
      'UNSPECIFIED',
      'ACCOUNT_UNKNOWN',
      'FIELD_INVALID',
      'EVENT_TOO_OLD',
      'EVENT_IN_FUTURE',
      'FIELD_INVALID',
      'FIELD_INVALID',
      'FIELD_INVALID',
      'FIELD_INVALID',
      'UNSPECIFIED',
    ]);
    expect(results[0]).toMatchObject({ outcome: 'EVENT_OUTCOME_RECORDED', charged: '10' });
    expect(results[9]).toMatchObject({ outcome: 'EVENT_OUTCOME_RECORDED', charged: '20' });
    expect(await client.balance(account)).toMatchObject({ available: 9_970 });
    expect(await usageLines(account)).toEqual(['good-1', 'good-2']);
  });

  it('times just within the bounds are accepted, just outside they are refused by name', async () => {
    const account = await client.account('bounds', 10_000);
    const { eventAgeMaxMs, eventFutureMaxMs } = sidecar.config;
    const now = Date.now();
    const results = await client.record([
      usageEvent(account, 'oldest', 1, { eventTimeMs: now - eventAgeMaxMs + 30_000 }),
      usageEvent(account, 'youngest', 1, { eventTimeMs: now + eventFutureMaxMs - 30_000 }),
    ]);
    expect(results.map((result) => result.outcome)).toEqual([
      'EVENT_OUTCOME_RECORDED',
      'EVENT_OUTCOME_RECORDED',
    ]);
    for (const [eventTimeMs, reason] of [
      [now - eventAgeMaxMs - 30_000, 'EVENT_TOO_OLD'],
      [now + eventFutureMaxMs + 30_000, 'EVENT_IN_FUTURE'],
    ] as const) {
      expect(
        await client.failure('UsageService/Settle', settleRequest(account, 'hold', 1, { eventTimeMs })),
      ).toMatchObject({ status: 'INVALID_ARGUMENT', reason, field: 'event_time_ms' });
      expect(
        await client.failure(
          'UsageService/Reserve',
          reserveRequest(account, 'hold', 1, { startTimeMs: eventTimeMs }),
        ),
      ).toMatchObject({ status: 'INVALID_ARGUMENT', reason, field: 'start_time_ms' });
    }
    // Both months of the ledger were made on the way.
    expect(new Set(await usageLines(account))).toEqual(new Set(['oldest', 'youngest']));
  });

  it('an unknown model is booked unrated, visible and flagged', async () => {
    const account = await client.account('unrated', 10_000);
    const [result] = await client.record([usageEvent(account, 'event', 500, { model: 'made-up-tomorrow' })]);
    expect(result).toMatchObject({ outcome: 'EVENT_OUTCOME_RECORDED', charged: '0', unrated: true });
    expect(await client.balance(account)).toMatchObject({ available: 10_000 });
    const [line] = await client.ledger(account, { kinds: ['ENTRY_KIND_USAGE'] });
    expect(line).toMatchObject({
      flags: ['unrated'],
      spent: '0',
      model: 'made-up-tomorrow',
      quantities: { input_tokens: '500' },
    });
    expect(
      await client.call('UsageService/Reserve', {
        holdId: 'hold',
        accountId: account,
        meter: 'llm',
        model: 'made-up-tomorrow',
        quantities: { values: { input_tokens: 5 } },
        startTimeMs: Date.now(),
      }),
    ).toMatchObject({ verdict: 'VERDICT_DENIED', reason: 'REASON_MODEL_UNRATED' });
  });

  it('an allowance pays before credits, whole or not at all', async () => {
    const account = await client.account('allowance', 200_000);
    await client.topUp(account, 100, { requestId: 'messages', unit: 'UNIT_LLM_MESSAGES' });
    // 20,000 input tokens of the model are one message, or 3,000 micro-credits.
    const answer = (id: string, messages: number) =>
      usageEvent(account, id, 20_000 * messages, { model: 'example-small' });
    const results = await client.record([answer('a', 70), answer('b', 40), answer('c', 30)]);
    expect(results.map((result) => [result.unit, result.charged])).toEqual([
      ['UNIT_LLM_MESSAGES', '70'],
      ['UNIT_CREDITS', '120000'],
      ['UNIT_LLM_MESSAGES', '30'],
    ]);
    expect(await client.balance(account, 'UNIT_LLM_MESSAGES')).toMatchObject({ available: 0, debt: 0 });
    expect(await client.balance(account)).toMatchObject({ available: 80_000 });
  });
});

describe('durable', () => {
  it('what was acknowledged as durable is in Postgres when the call returns', async () => {
    const account = await client.account('durable', 100_000);
    for (let i = 0; i < 20; i++) {
      await client.record([usageEvent(account, `event-${i}`, 100)], 'ACK_LEVEL_DURABLE');
      const rows = await sql(database.url, 'SELECT 1 FROM entries WHERE id = $1', [`event-${i}`]);
      expect(rows).toHaveLength(1);
    }
    await client.reserve(account, 'hold', 1_000, { ackLevel: 'ACK_LEVEL_DURABLE' });
    expect(await sql(database.url, `SELECT held FROM holds WHERE hold_id = 'hold'`)).toContainEqual({
      held: '1000',
    });
    await client.settle(account, 'hold', 900, { ackLevel: 'ACK_LEVEL_DURABLE' });
    const rows = await sql(database.url, `SELECT 1 FROM entries WHERE kind = 'settle' AND spent = 900`);
    expect(rows).toHaveLength(1);
    expect(await postgresBalance(database.url, account)).toEqual(await client.balance(account));
  });

  it('a durable repetition of an applied call waits for the first one to be durable', async () => {
    const account = await client.account('durable-repeat', 100_000);
    const event = usageEvent(account, 'repeated', 100);
    const applied = client.record([event]);
    const durable = client.record([event], 'ACK_LEVEL_DURABLE');
    await durable;
    expect(await sql(database.url, `SELECT 1 FROM entries WHERE id = 'repeated'`)).toHaveLength(1);
    await applied;
  });

  it('GetUsage tells events and holds apart and says when they are durable', async () => {
    const account = await client.account('asked', 100_000);
    await client.record([usageEvent(account, 'same-id', 100)], 'ACK_LEVEL_DURABLE');
    await client.reserve(account, 'same-id', 700);
    expect(
      await client.call('UsageService/GetUsage', { accountId: account, eventId: 'same-id' }),
    ).toMatchObject({ state: 'USAGE_STATE_RECORDED', charged: '100', durable: true });
    expect(
      await client.call('UsageService/GetUsage', { accountId: account, holdId: 'same-id' }),
    ).toMatchObject({ state: 'USAGE_STATE_HELD', held: '700' });
    expect(
      await client.call('UsageService/GetUsage', { accountId: account, eventId: 'other' }),
    ).toMatchObject({ state: 'USAGE_STATE_UNKNOWN', durable: false });
  });
});

describe('the ledger', () => {
  it('is paged in both directions, without gaps, and filtered by kind, agent and time', async () => {
    const account = await client.account('pages', 1_000_000);
    const early = Array.from({ length: 15 }, (_, i) =>
      usageEvent(account, `early-${i}`, 10, { agentId: i % 3 === 0 ? 'agent-a' : '' }),
    );
    await client.record(early, 'ACK_LEVEL_DURABLE');
    const [last] = await client.ledger(account, { order: 'LEDGER_ORDER_NEWEST_FIRST' });
    const borderMs = Number(last?.bookedTimeMs) + 1;
    await until('the clock moves on', () => Date.now() > borderMs);
    await client.record(
      Array.from({ length: 10 }, (_, i) => usageEvent(account, `late-${i}`, 10, { agentId: 'agent-b' })),
      'ACK_LEVEL_DURABLE',
    );
    for (const order of ['LEDGER_ORDER_OLDEST_FIRST', 'LEDGER_ORDER_NEWEST_FIRST'] as const) {
      for (const pageSize of [1, 4, 9, 27, 1_000]) {
        const seqs = (await client.ledger(account, { order, pageSize })).map((entry) =>
          Number(entry.accountSeq),
        );
        const expected = Array.from({ length: 27 }, (_, i) => i + 1);
        expect(seqs).toEqual(order === 'LEDGER_ORDER_OLDEST_FIRST' ? expected : expected.reverse());
      }
    }
    const ids = async (query: Parameters<TestClient['ledger']>[1]) =>
      (await client.ledger(account, { pageSize: 4, ...query })).map((entry) => entry.id);
    expect(await ids({ agentId: 'agent-a' })).toEqual([0, 3, 6, 9, 12].map((i) => `early-${i}`));
    expect(await ids({ kinds: ['ENTRY_KIND_GRANT', 'ENTRY_KIND_ACCOUNT_CREATED'] })).toHaveLength(2);
    expect(await ids({ fromTimeMs: borderMs })).toEqual(Array.from({ length: 10 }, (_, i) => `late-${i}`));
    expect(await ids({ toTimeMs: borderMs, kinds: ['ENTRY_KIND_USAGE'] })).toEqual(
      early.map((event) => event.eventId),
    );
    expect(
      await client.failure('AccountService/ListLedgerEntries', { accountId: account, pageToken: 'nonsense' }),
    ).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', field: 'page_token' });
  });

  it('explains a line by itself: quantities, catalog version, lots, balance after, both times', async () => {
    const account = await client.account('explained', 1_000);
    await client.topUp(account, 1_000, { requestId: 'second' });
    const eventTimeMs = Date.now() - 3 * dayMs;
    await client.record([usageEvent(account, 'event', 1_300, { eventTimeMs, agentId: 'agent' })]);
    const [line] = await client.ledger(account, { kinds: ['ENTRY_KIND_USAGE'] });
    expect(line).toMatchObject({
      id: 'event',
      agentId: 'agent',
      quantities: { input_tokens: '1300' },
      catalogVersion: 1,
      unit: 'UNIT_CREDITS',
      spent: '1300',
      lots: [
        { lotId: '1', remainingDelta: '-1000' },
        { lotId: '2', remainingDelta: '-300' },
      ],
      balanceAfter: { available: '700', held: '0', debt: '0' },
      eventTimeMs: String(eventTimeMs),
    });
    expect(Number(line?.bookedTimeMs)).toBeGreaterThan(eventTimeMs);
  });
});

describe('lots with an expiry', () => {
  it('burn before lots without one, cannot be spent after their time, and expire without anybody calling', async () => {
    const account = await client.account('lots', 1_000);
    const expiresAtMs = Date.now() + SOON_MS;
    await client.topUp(account, 5_000, { requestId: 'short', expiresAtMs });
    await client.record([usageEvent(account, 'event', 300)]);
    expect(await client.balance(account)).toMatchObject({ available: 5_700 });
    // Only Postgres is asked, so that no call touches the account.
    await until('the sweeper expires the lot', async () => {
      const rows = await sql(
        database.url,
        `SELECT expired FROM entries WHERE kind = 'lot_expired' AND expired = 4700`,
      );
      return rows.length === 1;
    });
    expect(await client.balance(account)).toEqual({ available: 1_000, held: 0, debt: 0 });
    expect(await client.reserve(account, 'hold', 1_001)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      missing: '1',
    });
    const { lots } = await client.call('AccountService/ListLots', { accountId: account, includeEmpty: true });
    expect(lots.map((lot) => [lot.lotId, lot.remaining])).toEqual([
      ['2', '0'],
      ['1', '1000'],
    ]);
  });

  it('what a hold set aside stays until it ends; what it gives back then expires at once', async () => {
    const account = await client.account('held-lot');
    await client.topUp(account, 1_000, { expiresAtMs: Date.now() + SOON_MS });
    await client.reserve(account, 'hold', 600, { holdTimeMs: 3_600_000 });
    await until('the free part expires', async () => (await client.balance(account)).available === 0);
    expect(await client.balance(account)).toEqual({ available: 0, held: 600, debt: 0 });
    expect(await client.settle(account, 'hold', 250)).toMatchObject({
      charged: '250',
      released: '350',
      overdrawn: '0',
    });
    expect(await client.balance(account)).toEqual({ available: 0, held: 0, debt: 0 });
    const lines = (await client.ledger(account)).filter((entry) => entry.kind === 'ENTRY_KIND_LOT_EXPIRED');
    expect(lines.map((entry) => entry.expired)).toEqual(['400', '350']);
  });
});
