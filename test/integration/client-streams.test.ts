/** The streams of the client library against the real transport, where the usage layer must do what real stores rarely do. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Lost, Meter, type MeterError, type MeterOptions } from '../../src/client/index.js';
import type { UsageEvent } from '../../src/usage/types.js';
import { errorOf, usage } from '../helpers/meter.js';
import { type Harness, type HarnessOptions, startHarness, until } from './grpc-fakes.js';

let harness: Harness;
let meter: Meter;
const lost: Lost[] = [];
const disconnects: MeterError[] = [];

async function start(options: MeterOptions = {}, server: HarnessOptions = {}): Promise<void> {
  harness = await startHarness(server);
  meter = connect(options);
}

function connect(options: MeterOptions = {}): Meter {
  return new Meter({
    addresses: [harness.address],
    connections: 1,
    onLost: (one) => lost.push(one),
    onDisconnect: (error) => disconnects.push(error),
    ...options,
  });
}

/** The ids of the events of each batch that the usage layer got. */
const batches = () => harness.meter.recorded.map(({ events }) => events.map(({ eventId }) => eventId));

/** From now on the usage layer refuses these events, for the reason given. */
function refuse(reason: 'LIMIT_REACHED' | 'EVENT_TOO_OLD', ...ids: string[]): void {
  const { meter: fake } = harness;
  const record = fake.record.bind(fake);
  fake.record = async (events: readonly UsageEvent[], options) => {
    const outcome = await record(events, options);
    const results = outcome.results.map((result, i) =>
      ids.includes((events[i] as UsageEvent).eventId)
        ? { outcome: 'refused' as const, reason, message: 'a test says so' }
        : result,
    );
    return { ...outcome, results };
  };
}

afterEach(async () => {
  await meter.close({ timeoutMs: 0 });
  harness.stop();
  lost.length = 0;
  disconnects.length = 0;
});

describe('batches that the sidecar lost', () => {
  it('are sent again on the same stream, and durable calls wait for them', async () => {
    await start();
    const calls: Promise<unknown>[] = [];
    const done: string[] = [];
    for (const id of ['a', 'b', 'c']) {
      const call = meter.record([usage('account', id, 1)], { until: 'durable' });
      calls.push(call.then(() => done.push(id)));
      await until(() => batches().length === calls.length);
    }
    harness.watermarks.advance(1);
    await until(() => done.length === 1);
    harness.watermarks.lose(3);
    await until(() => batches().length === 5);
    expect(batches()).toEqual([['a'], ['b'], ['c'], ['b'], ['c']]);
    expect(done).toEqual(['a']);
    const next = meter.record([usage('account', 'd', 1)], { until: 'durable' });
    await until(() => batches().length === 6);
    harness.watermarks.advance(6);
    await Promise.all([...calls, next]);
    expect(meter.kept).toEqual({ events: 0, bytes: 0 });
    expect(disconnects).toEqual([]);
  });

  it('while the stream is closed are kept for the next one', async () => {
    await start();
    const event = usage('account', 'a', 1);
    await meter.record([event]);
    // The notice goes out first, so the client has half-closed when it is asked for the batch.
    const drained = harness.server.drain(20_000);
    harness.watermarks.lose(1);
    await drained;
    expect(await meter.close({ timeoutMs: 0 })).toEqual({
      isDrained: false,
      events: [{ event, applied: true }],
      settles: [],
      releases: [],
    });
  });

  it('and are refused now, after the caller was told that they are applied: they are named', async () => {
    await start();
    const event = usage('account', 'a', 1);
    expect(await meter.record([event])).toMatchObject([{ outcome: 'recorded', charged: 7n }]);
    refuse('EVENT_TOO_OLD', 'a');
    harness.watermarks.lose(1);
    await until(() => lost.length === 1);
    expect(lost).toEqual([{ kind: 'event', event, reason: 'EVENT_TOO_OLD', message: 'a test says so' }]);
    expect(meter.kept.events).toBe(0);
  });
});

describe('an event that is refused', () => {
  it('for now is sent again until it is booked, its neighbours once', async () => {
    await start();
    const fake = harness.meter;
    const { record } = fake;
    refuse('LIMIT_REACHED', 'b');
    const call = meter.record(['a', 'b', 'c'].map((id) => usage('account', id, 1)));
    await until(() => batches().length === 3);
    fake.record = record;
    expect((await call).map(({ outcome }) => outcome)).toEqual(['recorded', 'recorded', 'recorded']);
    expect(batches()[0]).toEqual(['a', 'b', 'c']);
    for (const again of batches().slice(1)) expect(again).toEqual(['b']);
  });

  it('for good is answered at once, also to a call that waits for durability', async () => {
    await start();
    refuse('EVENT_TOO_OLD', 'b');
    const call = meter.record([usage('account', 'a', 1), usage('account', 'b', 1)], { until: 'durable' });
    await until(() => meter.kept.events === 1);
    harness.watermarks.advance(1);
    expect((await call).map(({ outcome }) => outcome)).toEqual(['recorded', 'refused']);
    expect(lost).toEqual([]);
  });
});

describe('a stream that ends', () => {
  it('because of a failure inside is opened again, and callers need not know', async () => {
    await start();
    harness.meter.failWith = new Error('a failure inside');
    const call = meter.record([usage('account', 'a', 1)]);
    await until(() => disconnects.length === 2);
    harness.meter.failWith = null;
    expect(await call).toMatchObject([{ outcome: 'recorded' }]);
    expect(disconnects[0]).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL', retryable: true });
  });

  it('because it was idle is opened again when there is something to send', async () => {
    await start({}, { flags: { streamIdleMs: '1000' } });
    await meter.record([usage('account', 'a', 1)]);
    harness.watermarks.advance(1);
    await until(async () => (await harness.gauge('drawdown_open_streams')) === 0);
    expect(await meter.record([usage('account', 'b', 1)])).toMatchObject([{ outcome: 'recorded' }]);
    expect(disconnects).toEqual([]);
  });

  it('for a reason that stays tells the callers; the events are kept all the same', async () => {
    await start({}, { flags: { authToken: 'the-right-token-of-this-test' } });
    const event = usage('account', 'a', 1);
    expect(await errorOf(meter.record([event]))).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'UNAUTHENTICATED',
      retryable: false,
    });
    expect(await errorOf(meter.checkBalance({ accountId: 'account' }))).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    expect(await meter.close({ timeoutMs: 0 })).toMatchObject({ events: [{ event, applied: false }] });
    meter = connect({ token: 'the-right-token-of-this-test' });
    expect(await meter.record([event])).toMatchObject([{ outcome: 'recorded' }]);
  });

  it('because of batches that are too large says which limit it was', async () => {
    await start({ batchEventsMax: 3 }, { flags: { batchEventsMax: '2' } });
    const events = ['a', 'b', 'c'].map((id) => usage('account', id, 1));
    const error = (await errorOf(meter.record(events))) as MeterError;
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'events' });
    expect(error.message).toContain('batchEventsMax');
  });
});

it('a sidecar that takes nothing: only so much is sent to it', async () => {
  await start({ keptEventsMax: 100_000 });
  harness.meter.gated = true;
  const call = meter.record(Array.from({ length: 30_000 }, (_, i) => usage('account', `e${i}`, 1)));
  await until(() => harness.meter.recorded.length > 0);
  const sent = () => harness.meter.recorded.reduce((sum, { events }) => sum + events.length, 0);
  await until(() => sent() >= 5_000);
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(sent()).toBeLessThan(6_000);
  harness.meter.letThrough();
  expect(await call).toHaveLength(30_000);
});
