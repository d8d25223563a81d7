/** The client library against a real sidecar with real stores. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Lost, Meter, MeterError, type MeterOptions } from '../../src/client/index.js';
import { errorOf, meterOf, usage } from '../helpers/meter.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { expectClean, expectVerified } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let accounts = 0;
const meters: Meter[] = [];

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
});
afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});
afterEach(async () => {
  await Promise.all(meters.splice(0).map((meter) => meter.close({ timeoutMs: 0 })));
});

function connect(options: MeterOptions = {}): Meter {
  const meter = meterOf(sidecar, options);
  meters.push(meter);
  return meter;
}

const account = (micros = 1_000_000): Promise<string> =>
  sidecar.client.account(`client-${++accounts}`, micros);

describe('record', () => {
  it('answers each event in its place once all are applied', async () => {
    const id = await account(10_000);
    const meter = connect();
    const results = await meter.record([
      usage(id, 'a', 700),
      usage('nobody', 'b', 1),
      usage(id, 'bad id', 1),
      usage(id, 'c', 300, { model: 'unheard-of' }),
      usage(id, 'd', 20_000),
    ]);
    expect(results).toEqual([
      {
        outcome: 'recorded',
        unit: 'credits',
        charged: 700n,
        overdrawn: 0n,
        available: 9_300n,
        converted: 0n,
        unrated: false,
      },
      expect.objectContaining({ outcome: 'refused', reason: 'ACCOUNT_UNKNOWN' }),
      {
        outcome: 'refused',
        reason: 'FIELD_INVALID',
        message: expect.stringMatching(/^events\[2\]\.event_id must be/),
      },
      expect.objectContaining({ outcome: 'recorded', charged: 0n, unrated: true }),
      expect.objectContaining({ outcome: 'recorded', charged: 20_000n, overdrawn: 10_700n }),
    ]);
    expect(await meter.record([usage(id, 'bad id', 1)])).toHaveLength(1);
    expect(await meter.record([])).toEqual([]);
  });

  it('answers durable when Postgres has it, and keeps nothing then', async () => {
    const id = await account();
    const meter = connect();
    const events = Array.from({ length: 50 }, (_, i) => usage(id, `e${i}`, 10));
    const promise = meter.record(events, { until: 'durable' });
    expect(meter.kept.events).toBe(50);
    expect(meter.kept.bytes).toBeGreaterThan(50 * 256);
    expect(await promise).toHaveLength(50);
    expect(meter.kept).toEqual({ events: 0, bytes: 0 });
    const { durable } = await sidecar.client.call('UsageService/GetUsage', { accountId: id, eventId: 'e49' });
    expect(durable).toBe(true);
  });

  it('charges a repetition once, and tells another payload under the same id', async () => {
    const id = await account();
    const meter = connect();
    const event = usage(id, 'same', 100);
    await meter.record([event]);
    expect(await meter.record([event, { ...event, quantities: { input_tokens: 5 } }])).toEqual([
      expect.objectContaining({ outcome: 'duplicate', charged: 100n }),
      expect.objectContaining({ outcome: 'refused', reason: 'ID_CONFLICT' }),
    ]);
    await expectClean(sidecar.config, sidecar.client, new Map([[id, 999_900]]));
  });

  it('sends the calls of one tick as few batches, over several connections', async () => {
    const id = await account();
    const before = await metric(sidecar, 'drawdown_stream_messages_total', 'kind="batch"');
    const meter = connect({ connections: 3, batchEventsMax: 100 });
    const calls = Array.from({ length: 250 }, (_, i) => meter.record([usage(id, `one-${i}`, 1)]));
    await Promise.all(calls);
    expect((await metric(sidecar, 'drawdown_stream_messages_total', 'kind="batch"')) - before).toBe(3);
    expect(await metric(sidecar, 'drawdown_open_streams')).toBe(3);
  });

  it('stops waiting when it is aborted; what it had taken over is recorded all the same', async () => {
    const id = await account();
    const meter = connect();
    const controller = new AbortController();
    const call = meter.record([usage(id, 'aborted', 40)], { signal: controller.signal, until: 'durable' });
    controller.abort(new Error('the caller went away'));
    const error = (await errorOf(call)) as MeterError;
    expect(error).toBeInstanceOf(MeterError);
    expect(error).toMatchObject({ code: 'CANCELLED', reason: 'ABORTED', retryable: false });
    expect(error.cause).toEqual(new Error('the caller went away'));
    expect(await meter.close()).toEqual({ isDrained: true, events: [], settles: [], releases: [] });
    await expectClean(sidecar.config, sidecar.client, new Map([[id, 999_960]]));
    const late = connect().record([usage(id, 'never', 1)], { signal: controller.signal });
    expect(await errorOf(late)).toMatchObject({ reason: 'ABORTED' });
  });

  it('refuses, where it is told to, what has no room, all of a call or nothing', async () => {
    const id = await account();
    const meter = connect({ keptEventsMax: 10, whenFull: 'refuse' });
    const first = meter.record(
      Array.from({ length: 8 }, (_, i) => usage(id, `first-${i}`, 1)),
      { until: 'durable' },
    );
    const refused = meter.record(Array.from({ length: 3 }, (_, i) => usage(id, `more-${i}`, 1)));
    expect(await errorOf(refused)).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'KEPT_FULL',
      retryable: true,
    });
    const never = meter.record(Array.from({ length: 11 }, (_, i) => usage(id, `many-${i}`, 1)));
    expect(await errorOf(never)).toMatchObject({ reason: 'KEPT_FULL', retryable: false });
    await first;
    await meter.record([usage(id, 'later', 1)], { until: 'durable' });
    await expectClean(sidecar.config, sidecar.client, new Map([[id, 999_991]]));
  });

  it('waits for room in the order of the calls; an aborted one leaves without a trace', async () => {
    const id = await account();
    const meter = connect({ keptEventsMax: 2 });
    const controller = new AbortController();
    const order: string[] = [];
    const call = (name: string, signal?: AbortSignal): Promise<unknown> =>
      meter.record([usage(id, name, 1)], { until: 'durable', signal }).then(() => order.push(name));
    const calls = [call('a'), call('b'), call('c')];
    const aborted = call('d', controller.signal);
    expect(meter.kept.events).toBe(2);
    controller.abort();
    expect(await errorOf(aborted)).toMatchObject({ reason: 'ABORTED' });
    await Promise.all(calls);
    expect(order).toEqual(['a', 'b', 'c']);
    const { state } = await sidecar.client.call('UsageService/GetUsage', { accountId: id, eventId: 'd' });
    expect(state).toBe('USAGE_STATE_UNKNOWN');
  });

  it('gives an answer within its time, whatever happens', async () => {
    const meter = connect({ addresses: ['127.0.0.1:1'] });
    expect(await errorOf(meter.record([usage('x', 'e', 1)], { timeoutMs: 20 }))).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      reason: 'TIMED_OUT',
      retryable: true,
    });
    expect(meter.kept.events).toBe(1);
  });
});

describe('unary calls', () => {
  it('reserve, extend, settle and release, with amounts as bigint', async () => {
    const id = await account(1_000);
    const meter = connect();
    const work = { accountId: id, meter: 'llm', model: 'claude-haiku-4-5' };
    const startTimeMs = Date.now();
    const reserve = { ...work, holdId: 'h', quantities: { input_tokens: 400n }, startTimeMs };
    expect(await meter.reserve(reserve)).toEqual({
      allowed: true,
      reason: null,
      unit: 'credits',
      held: 400n,
      available: 600n,
      missing: 0n,
      deadlineMs: expect.any(Number),
      duplicate: false,
      catalogVersion: 1,
      judged: true,
    });
    expect(await meter.reserve(reserve)).toMatchObject({ allowed: true, duplicate: true });
    const extend = { holdId: 'h', accountId: id, extendId: 'x', eventTimeMs: startTimeMs };
    expect(await meter.extend({ ...extend, addAmount: 200n })).toMatchObject({ allowed: true, held: 600n });
    const settle = { ...work, holdId: 'h', quantities: { input_tokens: 500 }, eventTimeMs: startTimeMs };
    expect(await meter.settle(settle, { until: 'durable' })).toMatchObject({
      outcome: 'settled',
      unit: 'credits',
      charged: 500n,
      released: 100n,
      releasedUnit: 'credits',
      available: 500n,
    });
    const amount = { unit: 'credits', value: 501n } as const;
    expect(await meter.reserve({ ...work, holdId: 'i', amount, startTimeMs })).toMatchObject({
      allowed: false,
      reason: 'INSUFFICIENT_BALANCE',
      missing: 1n,
      judged: true,
    });
    await meter.reserve({ ...work, holdId: 'j', amount: { unit: 'credits', value: 1n }, startTimeMs });
    const release = { accountId: id, holdId: 'j', eventTimeMs: startTimeMs };
    expect(await meter.release(release)).toEqual({
      unit: 'credits',
      released: 1n,
      available: 500n,
      duplicate: false,
    });
    expect(await meter.checkBalance({ accountId: id, estimate: { ...work, amount } })).toEqual({
      allowed: false,
      reason: 'INSUFFICIENT_BALANCE',
      unit: 'credits',
      amount: 501n,
      missing: 1n,
      balances: expect.arrayContaining([{ unit: 'credits', available: 500n, held: 0n, debt: 0n }]),
    });
    expect(await meter.checkBalance({ accountId: id })).toMatchObject({ allowed: true });
  });

  it.each([
    [{ quantities: { input_tokens: 1.5 } }, 'quantities["input_tokens"]'],
    [{ quantities: { input_tokens: -1n } }, 'quantities["input_tokens"]'],
    [{ amount: { unit: 'credits', value: 2n ** 53n } }, 'amount.value'],
    [{ amount: { unit: 'dollars', value: 1n } }, 'amount.unit'],
    [{ quantities: { input_tokens: 1 }, startTimeMs: Number.NaN }, 'start_time_ms'],
    [{ quantities: { input_tokens: 1 }, holdId: 'a b' }, 'hold_id'],
    [{}, 'quantities'],
  ])('a reserve with %o names the field %s', async (change, field) => {
    const good = { holdId: 'h', accountId: 'a', meter: 'llm', model: 'm', startTimeMs: Date.now() };
    const error = await errorOf(connect().reserve({ ...good, ...change } as never));
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'FIELD_INVALID',
      field,
      retryable: false,
    });
  });

  it('end when they are aborted, before they begin and while they run', async () => {
    const meter = connect({ addresses: ['127.0.0.1:1'], callTimeoutMs: 60_000 });
    const controller = new AbortController();
    const { signal } = controller;
    const call = meter.checkBalance({ accountId: 'a' }, { signal });
    controller.abort();
    expect(await errorOf(call)).toMatchObject({ reason: 'ABORTED' });
    expect(await errorOf(meter.checkBalance({ accountId: 'a' }, { signal }))).toMatchObject({
      reason: 'ABORTED',
    });
  });
});

describe('a meter', () => {
  it('names the option that is wrong', () => {
    const broken: [MeterOptions, string][] = [
      [{ addresses: [] }, 'addresses'],
      [{ keptEventsMax: 0 }, 'keptEventsMax'],
      [{ connections: 1.5 }, 'connections'],
    ];
    for (const [options, field] of broken) {
      expect(() => new Meter(options)).toThrow(expect.objectContaining({ field }));
    }
  });

  it('that is closed finishes the calls that are under way', async () => {
    const id = await account();
    const meter = connect();
    const checking = meter.checkBalance({ accountId: id });
    expect(await meter.close()).toEqual({ isDrained: true, events: [], settles: [], releases: [] });
    expect(await checking).toMatchObject({ allowed: true });
    const unanswered = connect({ addresses: ['127.0.0.1:1'] });
    const call = errorOf(unanswered.checkBalance({ accountId: id }));
    await unanswered.close({ timeoutMs: 10 });
    expect(await call).toMatchObject({ code: 'CANCELLED', reason: 'CLOSED' });
  });

  it('that is closed says what is not durable, and takes no more', async () => {
    const lost: Lost[] = [];
    const meter = connect({ addresses: ['127.0.0.1:1'], onLost: (one) => lost.push(one) });
    const event = usage('somebody', 'undrained', 5, { agentId: 'agent' });
    const call = errorOf(meter.record([event]));
    expect(await meter.close({ timeoutMs: 10 })).toEqual({
      isDrained: false,
      events: [{ event, applied: false }],
      settles: [],
      releases: [],
    });
    expect(await call).toMatchObject({ reason: 'CLOSED' });
    expect(await errorOf(meter.record([event]))).toMatchObject({ code: 'CANCELLED', reason: 'CLOSED' });
    expect(await errorOf(meter.checkBalance({ accountId: 'a' }))).toMatchObject({ reason: 'CLOSED' });
    expect(lost).toEqual([]);
  });
});
