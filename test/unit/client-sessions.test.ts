/** Sessions of the client library against a server that does what the test says. */
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Lost,
  Meter,
  type MeterError,
  type MeterOptions,
  type OpenRequest,
} from '../../src/client/index.js';
import { errorOf } from '../helpers/meter.js';
import { type ScriptedSidecar, type ScriptedStream, startScripted } from '../helpers/scripted-sidecar.js';
import { until } from '../helpers/until.js';

const sidecars: ScriptedSidecar[] = [];
const lost: Lost[] = [];
const meters: Meter[] = [];

async function start(
  options: MeterOptions = {},
  count = 1,
): Promise<{ meter: Meter; sidecar: ScriptedSidecar }> {
  for (let i = 0; i < count; i++) sidecars.push(await startScripted());
  const addresses = sidecars.map(({ address }) => address);
  const meter = new Meter({ addresses, connections: 1, onLost: (one) => lost.push(one), ...options });
  meters.push(meter);
  return { meter, sidecar: sidecars[0] as ScriptedSidecar };
}

afterEach(async () => {
  await Promise.all(meters.splice(0).map((meter) => meter.close({ timeoutMs: 0 })));
  for (const sidecar of sidecars.splice(0)) sidecar.stop();
  lost.length = 0;
});

const request: OpenRequest = {
  sessionId: 'session',
  accountId: 'account',
  meter: 'llm',
  model: 'example',
  known: { input_tokens: 10 },
  counted: ['output_tokens'],
};

const openOf = (stream: ScriptedStream, session: number) =>
  until(`open ${session}`, () => stream.opens.find((one) => one.session === session));
const settlesOf = (stream: ScriptedStream) => stream.received.flatMap(({ settles }) => settles);
const releasesOf = (stream: ScriptedStream) => stream.received.flatMap(({ releases }) => releases);

/** An open session, allowed through 100, on the first stream. */
async function openOne(options: MeterOptions = {}, count = 1, more: Partial<OpenRequest> = {}) {
  const { meter, sidecar } = await start(options, count);
  const opening = meter.open({ ...request, ...more });
  const from = await until('a stream', () => sidecars.find(({ streams }) => streams.length > 0));
  const stream = await from.stream(0);
  await openOf(stream, 1);
  stream.opened(1, 100);
  const session = await opening;
  const other = sidecars.find((one) => one !== from);
  return { meter, sidecar: from === undefined ? sidecar : from, stream, session, other };
}

describe('an open', () => {
  it('says everything that the sidecar has to know, and resolves with the verdict', async () => {
    const { stream, session } = await openOne({}, 1, { agentId: 'agent', expectedMax: 90, startTimeMs: 5 });
    expect(stream.opens).toEqual([
      {
        session: 1,
        ...request,
        agentId: 'agent',
        startTimeMs: 5,
        expectedMax: 90,
        whole: false,
      },
    ]);
    expect(session).toMatchObject({
      allowed: true,
      judged: true,
      reason: null,
      unit: 'credits',
      held: 500n,
      available: 1_000n,
      catalogVersion: 3,
      generation: 1,
      allowedThrough: 100,
      stopped: null,
    });
  });

  it('that is denied is a result, and keeps nothing', async () => {
    const { meter, sidecar } = await start();
    const opening = meter.open(request);
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    expect(meter.kept.events).toBe(1);
    stream.opened(1, 0, { verdict: 'VERDICT_DENIED', reason: 'REASON_INSUFFICIENT_BALANCE', missing: 7 });
    const session = await opening;
    expect(session).toMatchObject({ allowed: false, reason: 'INSUFFICIENT_BALANCE', missing: 7n });
    expect(meter.kept).toEqual({ events: 0, bytes: 0 });
    expect(await session.room(1)).toBe(false);
    expect(await errorOf(session.settle())).toMatchObject({ reason: 'SESSION_OVER' });
  });

  it('of many in one turn is one message', async () => {
    const { meter, sidecar } = await start();
    const opening = ['a', 'b', 'c'].map((sessionId) => meter.open({ ...request, sessionId }));
    const stream = await sidecar.stream(0);
    await openOf(stream, 3);
    expect(stream.received).toHaveLength(1);
    for (const session of [3, 1, 2]) stream.opened(session, session);
    expect((await Promise.all(opening)).map(({ allowedThrough }) => allowedThrough)).toEqual([1, 2, 3]);
  });

  it('that is refused for now is tried again, for good it rejects', async () => {
    const { meter, sidecar } = await start();
    const opening = meter.open(request);
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    stream.answer({ refused: [{ session: 1, reason: 'REASON_UNAVAILABLE', retryAfterMs: 1 }] });
    await until('it is opened again', () => stream.opens.length === 2);
    stream.answer({
      refused: [{ session: 1, reason: 'REASON_FIELD_INVALID', message: 'known: no such quantity' }],
    });
    expect(await errorOf(opening)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'FIELD_INVALID',
      field: 'known',
    });
    expect(meter.kept.events).toBe(0);
  });

  it.each([
    [{ sessionId: 'a b' }, 'session_id'],
    [{ accountId: '' }, 'account_id'],
    [{ counted: [] }, 'counted'],
    [{ counted: ['input_tokens'] }, 'counted'],
    [{ counted: ['x', 'x'] }, 'counted'],
    [{ known: { x: 1.5 } }, 'known'],
    [{ expectedMax: -1 }, 'expected_max'],
    [{ startTimeMs: 0.5 }, 'start_time_ms'],
  ] as [Partial<OpenRequest>, string][])('with %o is refused before it is sent', async (change, field) => {
    const { meter } = await start();
    expect(await errorOf(meter.open({ ...request, ...change }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });

  it('that is aborted is given back when it was made all the same', async () => {
    const { meter, sidecar } = await start();
    const controller = new AbortController();
    const opening = meter.open({ ...request, signal: controller.signal });
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    controller.abort(new Error('the caller went away'));
    expect(await errorOf(opening)).toMatchObject({ reason: 'ABORTED' });
    stream.opened(1, 100);
    await until('its release', () => releasesOf(stream).length === 1);
    stream.answer({ ended: [{ session: 1, released: { unit: 'UNIT_CREDITS', released: 500 } }] });
    stream.answer({ durableThrough: 2 });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('that is aborted and whose stream breaks is given back by a call', async () => {
    const { meter, sidecar } = await start();
    const controller = new AbortController();
    const opening = meter.open({ ...request, signal: controller.signal });
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    controller.abort();
    expect(await errorOf(opening)).toMatchObject({ reason: 'ABORTED' });
    stream.fail(status.UNAVAILABLE);
    const call = await until('a call', () => sidecar.calls[0]);
    expect(call).toMatchObject({ name: 'Release', request: { holdId: 'session', accountId: 'account' } });
    call.answer({});
    await until('nothing is kept', () => meter.kept.events === 0);
    expect(sidecar.streams).toHaveLength(1);
  });
});

describe('counts', () => {
  it('of many sessions and reports travel in one message, the largest of each', async () => {
    const { meter, stream, session } = await openOne();
    const opening = meter.open({ ...request, sessionId: 'other', counted: ['a', 'b'] });
    await openOf(stream, 2);
    stream.opened(2, 100);
    const other = await opening;
    for (const n of [3, 1, 7, 5]) session.report({ output_tokens: n });
    other.report({ b: 2n });
    other.report({ a: 4 });
    const message = await until('a message', () => stream.received[2]);
    expect(message.progress).toEqual([
      { session: 1, counts: [7] },
      { session: 2, counts: [4, 2] },
    ]);
    stream.acknowledge(2, [4, 1], 300);
    await until('more', () => other.allowedThrough === 300);
    expect(other).toMatchObject({ counts: { a: 4, b: 2 }, acknowledged: { a: 4, b: 1 } });
  });

  it('that are none are refused', async () => {
    const { session } = await openOne();
    expect(() => session.report({ outputTokens: 1 })).toThrow('counts["outputTokens"]');
    for (const count of [Number.NaN, -1, 1.5, 2n ** 60n]) {
      expect(() => session.report({ output_tokens: count })).toThrow('whole number');
    }
  });

  it('wait for room, which comes or does not', async () => {
    const { stream, session } = await openOne();
    expect(await session.room(100)).toBe(true);
    const more = session.room(101);
    const never = session.room(500);
    // It stands where it may not go on: the sidecar hears of it.
    await until('it is reported', () => stream.progress.some(({ counts }) => counts[0] === 100));
    stream.acknowledge(1, [100], 200);
    expect(await more).toBe(true);
    const stops: string[] = [];
    session.onStop((reason) => stops.push(reason));
    stream.answer({ stops: [{ session: 1, reason: 'REASON_INSUFFICIENT_BALANCE', allowedThrough: 210 }] });
    expect(await never).toBe(false);
    expect(await session.room(210)).toBe(true);
    expect(await session.room(211)).toBe(false);
    session.onStop((reason) => stops.push(`${reason} before`));
    await until('both are told', () => stops.length === 2);
    expect(stops).toEqual(['INSUFFICIENT_BALANCE', 'INSUFFICIENT_BALANCE before']);
    expect(session.stopped).toBe('INSUFFICIENT_BALANCE');
  });

  it('wait for nothing beyond what is expected at most: no more is set aside', async () => {
    const { stream, session } = await openOne({}, 1, { expectedMax: 150 });
    const more = session.room(150);
    const beyond = session.room(151);
    stream.acknowledge(1, [100], 150);
    expect(await more).toBe(true);
    expect(await beyond).toBe(false);
    expect(await session.room(151)).toBe(false);
  });

  it('wait no longer than their signal and their time', async () => {
    const controller = new AbortController();
    const { session } = await openOne({}, 1, { signal: controller.signal });
    expect(await errorOf(session.room(101, { timeoutMs: 1 }))).toMatchObject({ reason: 'TIMED_OUT' });
    const waiting = session.room(101);
    controller.abort();
    expect(await errorOf(waiting)).toMatchObject({ reason: 'ABORTED' });
    expect(await errorOf(session.room(101))).toMatchObject({ reason: 'ABORTED' });
  });
});

describe('a settle', () => {
  it('says all quantities, resolves with the charge, and is kept until it is durable', async () => {
    const { meter, stream, session } = await openOne();
    session.report({ output_tokens: 4 });
    const settling = session.settle(undefined, { eventTimeMs: 9 });
    await until('a settle', () => settlesOf(stream).length === 1);
    expect(settlesOf(stream)[0]).toMatchObject({
      session: 1,
      eventTimeMs: 9,
      quantities: { input_tokens: 10, output_tokens: 4 },
    });
    stream.settled(1, 42);
    expect(await settling).toMatchObject({ outcome: 'settled', charged: 42n });
    expect(meter.kept.events).toBe(1);
    expect(await errorOf(session.settle())).toMatchObject({ reason: 'SESSION_OVER' });
    session.report({ output_tokens: 5 });
    stream.answer({ durableThrough: stream.received.length });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('frees its number when it is durable', async () => {
    const { meter, stream, session } = await openOne();
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.settled(1);
    await settling;
    const second = meter.open({ ...request, sessionId: 'second' });
    await openOf(stream, 2);
    stream.answer({ durableThrough: 2 });
    await until('the first is durable', () => meter.kept.events === 1);
    stream.opened(2, 5);
    await second;
    void meter.open({ ...request, sessionId: 'third' }).catch(() => undefined);
    await until('the third', () => stream.opens.at(-1)?.sessionId === 'third');
    expect(stream.opens.at(-1)?.session).toBe(1);
  });

  it('that is refused may be corrected', async () => {
    const { sidecar, stream, session } = await openOne();
    const settling = session.settle({ outputs: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.answer({ refused: [{ session: 1, reason: 'REASON_FIELD_INVALID', message: 'quantities: no' }] });
    expect(await errorOf(settling)).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'quantities' });
    const again = session.settle({ output_tokens: 1 });
    const call = await until('a call', () => sidecar.calls[0]);
    call.answer({ charged: 3 });
    expect(await again).toMatchObject({ outcome: 'settled', charged: 3n });
  });

  it('without an answer in time is kept', async () => {
    const { meter, stream, session } = await openOne();
    expect(await session.settle({ output_tokens: 1 }, { timeoutMs: 1 })).toEqual({ outcome: 'kept' });
    await until('a settle', () => settlesOf(stream).length === 1);
    expect(meter.kept.events).toBe(1);
    stream.settled(1);
    stream.answer({ durableThrough: 2 });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('whose stream breaks before the answer, or before it is durable, is repeated by a call', async () => {
    const { meter, sidecar, stream, session } = await openOne();
    const opening = meter.open({ ...request, sessionId: 'other' });
    await openOf(stream, 2);
    stream.opened(2, 10);
    const other = await opening;
    const answered = session.settle({ output_tokens: 1 }, { eventTimeMs: 7 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.settled(1, 11);
    expect(await answered).toMatchObject({ charged: 11n });
    const unanswered = other.settle({ output_tokens: 2 });
    await until('two settles', () => settlesOf(stream).length === 2);
    stream.fail(status.UNAVAILABLE);
    await until('two calls', () => sidecar.calls.length === 2);
    expect(sidecar.calls.map(({ request: { holdId } }) => holdId)).toEqual(['session', 'other']);
    expect(sidecar.calls[0]?.request).toMatchObject({
      ackLevel: 'ACK_LEVEL_DURABLE',
      model: 'example',
      eventTimeMs: 7,
      quantities: { values: { output_tokens: 1 } },
    });
    sidecar.calls[0]?.answer({ charged: 11, duplicate: true });
    sidecar.calls[1]?.answer({ charged: 22 });
    expect(await unanswered).toMatchObject({ charged: 22n });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('of a session that the stream does not know goes by a call; for good it rejects', async () => {
    const { meter, sidecar, stream, session } = await openOne();
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.answer({ refused: [{ session: 1, reason: 'REASON_SESSION_UNKNOWN' }] });
    const call = await until('a call', () => sidecar.calls[0]);
    call.fail(status.ALREADY_EXISTS);
    expect(await errorOf(settling)).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(meter.kept.events).toBe(0);
    expect(lost).toEqual([]);
  });

  it('that is refused for good when nobody waits any more is named', async () => {
    const { sidecar, stream, session } = await openOne();
    expect(await session.settle({ output_tokens: 1 }, { timeoutMs: 1 })).toEqual({ outcome: 'kept' });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.fail(status.UNAVAILABLE);
    (await until('a call', () => sidecar.calls[0])).fail(status.NOT_FOUND);
    await until('it is named', () => lost.length === 1);
    expect(lost).toMatchObject([{ kind: 'settle', settle: { holdId: 'session' } }]);
  });
});

describe('what was lost with Redis', () => {
  it('is sent again: opens under their number, settles by a call', async () => {
    const { meter, sidecar, stream, session } = await openOne();
    const opening = meter.open({ ...request, sessionId: 'other' });
    await openOf(stream, 2);
    stream.opened(2, 10);
    const other = await opening;
    session.report({ output_tokens: 40 });
    await until('a count', () => stream.progress.length === 1);
    const settling = other.settle({ output_tokens: 2 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.settled(2);
    await settling;
    stream.answer({ resend: [1, 4] });
    await until('both', () => stream.received.length === 6);
    const [first, second] = stream.received.slice(4);
    expect(first).toMatchObject({ messageNumber: 1, opens: [{ session: 1, sessionId: 'session' }] });
    expect(second).toMatchObject({ messageNumber: 4, opens: [], settles: [] });
    const call = await until('a call', () => sidecar.calls[0]);
    expect(call.request).toMatchObject({ holdId: 'other', quantities: { values: { output_tokens: 2 } } });
    call.answer({ charged: 1 });
    // Redis knows it anew, and nothing of what it had counted.
    stream.opened(1, 60, { generation: 1 });
    await until('its count again', () => stream.progress.length === 2);
    expect(stream.progress[1]).toEqual({ session: 1, counts: [40] });
    expect(session.allowedThrough).toBe(60);
    stream.answer({ durableThrough: 4 });
    await until('only the open one is kept', () => meter.kept.events === 1);
  });

  it('and is denied now, stops', async () => {
    const { sidecar, stream, session } = await openOne();
    stream.answer({ resend: [1] });
    await until('the open', () => stream.received.length === 2);
    stream.opened(1, 0, { verdict: 'VERDICT_DENIED', reason: 'REASON_INSUFFICIENT_BALANCE' });
    await until('it stops', () => session.stopped === 'INSUFFICIENT_BALANCE');
    void session.settle({ output_tokens: 1 }).catch(() => undefined);
    expect(await until('a call', () => sidecar.calls[0])).toMatchObject({ name: 'Settle' });
  });
});

describe('a stream that breaks', () => {
  it('leaves its sessions to the next one, with their latest counts; what was allowed holds meanwhile', async () => {
    const { sidecar, stream, session } = await openOne();
    session.report({ output_tokens: 30 });
    await until('a count', () => stream.progress.length === 1);
    stream.fail(status.UNAVAILABLE);
    const second = await sidecar.stream(1);
    session.report({ output_tokens: 50 });
    expect(await session.room(100)).toBe(true);
    const waiting = session.room(101);
    const open = await openOf(second, 1);
    expect(open).toEqual(stream.opens[0]);
    expect(second.progress).toEqual([]);
    second.opened(1, 200, { generation: 2, counts: [30] });
    expect(await waiting).toBe(true);
    await until('the latest count', () => second.progress.length === 1);
    expect(second.progress).toEqual([{ session: 1, counts: [100] }]);
    expect(session).toMatchObject({ generation: 2, acknowledged: { output_tokens: 30 } });
    const settling = session.settle({ output_tokens: 100 });
    await until('a settle', () => settlesOf(second).length === 1);
    second.settled(1);
    expect(await settling).toMatchObject({ outcome: 'settled' });
  });

  it('moves them to another sidecar at once', async () => {
    const { sidecar, stream, session, other } = await openOne({}, 2);
    sidecar.stop();
    const second = await (other as ScriptedSidecar).stream(0);
    expect(stream.isBroken).toBe(true);
    await openOf(second, 1);
    second.opened(1, 150, { generation: 2 });
    await until('it goes on', () => session.allowedThrough === 150);
  });

  it('while the session had ended by its deadline: it stops, and the settle goes by a call', async () => {
    const { sidecar, stream, session } = await openOne();
    stream.fail(status.UNAVAILABLE);
    const second = await sidecar.stream(1);
    await openOf(second, 1);
    const waiting = session.room(101);
    second.opened(1, 0, { verdict: 'VERDICT_DENIED', reason: 'REASON_HOLD_ENDED' });
    expect(await waiting).toBe(false);
    expect(session.stopped).toBe('HOLD_ENDED');
    const settling = session.settle({ output_tokens: 70 });
    const call = await until('a call', () => sidecar.calls[0]);
    call.answer({ charged: 9, late: true });
    expect(await settling).toMatchObject({ charged: 9n, late: true });
  });

  it('ends a session that is settled meanwhile by a call, once', async () => {
    const { sidecar, stream, session } = await openOne();
    stream.fail(status.UNAVAILABLE);
    const settling = session.settle({ output_tokens: 70 });
    (await until('a call', () => sidecar.calls[0])).answer({ charged: 9 });
    expect(await settling).toMatchObject({ charged: 9n });
    for (const { opens } of sidecar.streams.slice(1)) expect(opens).toEqual([]);
  });

  it('for a reason that stays: opens reject with it', async () => {
    const { meter, sidecar } = await start();
    const opening = meter.open(request);
    (await sidecar.stream(0)).fail(status.UNAUTHENTICATED);
    expect(await errorOf(opening)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(meter.kept.events).toBe(0);
  });
});

describe('a session that was opened elsewhere', () => {
  it('is over for this client', async () => {
    const { meter, stream, session } = await openOne();
    stream.answer({ stops: [{ session: 1, reason: 'REASON_SESSION_MOVED', allowedThrough: 100 }] });
    await until('it stops', () => session.stopped === 'SESSION_MOVED');
    expect(meter.kept.events).toBe(0);
    expect(await session.room(101)).toBe(false);
    session.report({ output_tokens: 50 });
    expect(await errorOf(session.settle({ output_tokens: 50 }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'SESSION_OVER',
    });
  });
});

describe('a drain notice', () => {
  it('moves the sessions to another sidecar, and ends the stream', async () => {
    const { stream, session, other } = await openOne({}, 2);
    stream.answer({ drain: { withinMs: 1_000 } });
    const second = await (other as ScriptedSidecar).stream(0);
    await openOf(second, 1);
    second.opened(1, 120, { generation: 2 });
    await until('the first is half-closed', () => stream.hasEnded);
    // What the old one still says of it is not heard.
    stream.answer({ stops: [{ session: 1, reason: 'REASON_SESSION_MOVED', allowedThrough: 100 }] });
    stream.end();
    session.report({ output_tokens: 110 });
    await until('a count', () => second.progress.length === 1);
    expect(session).toMatchObject({ stopped: null, allowedThrough: 120 });
  });

  it('with nowhere to go: they stay until the stream ends, and are opened again by the next sidecar', async () => {
    const { sidecar, stream, session } = await openOne();
    stream.answer({ drain: { withinMs: 1_000 } });
    session.report({ output_tokens: 20 });
    await until('a count', () => stream.progress.length === 1);
    expect(stream.hasEnded).toBe(false);
    stream.end();
    const second = await sidecar.stream(1);
    await openOf(second, 1);
    second.opened(1, 130, { generation: 2, counts: [20] });
    await until('it goes on', () => session.allowedThrough === 130);
  });
});

describe('with no sidecar that answers', () => {
  const away = { addresses: ['127.0.0.1:1'], callTimeoutMs: 30 };

  it('opens are denied, or allowed within the limit of the account', async () => {
    const { meter } = await start(away, 0);
    expect(await meter.open(request)).toMatchObject({ allowed: false, judged: false, reason: 'UNAVAILABLE' });
    // Nothing of it has left, so there is nothing to give back.
    await until('nothing is kept', () => meter.kept.events === 0);
    const { meter: lenient } = await start(
      {
        ...away,
        whenUnavailable: {
          unitsPerAccountMax: 100n,
          unitsOf: (reserve) =>
            'quantities' in reserve ? BigInt(reserve.quantities.output_tokens as number) : 0n,
        },
      },
      0,
    );
    const first = await lenient.open({ ...request, expectedMax: 60 });
    const second = await lenient.open({ ...request, sessionId: 'second' });
    const whole = await lenient.open({ ...request, sessionId: 'third', expectedMax: 1, whole: true });
    expect(first).toMatchObject({ allowed: true, judged: false, allowedThrough: 60, stopped: null });
    expect(second).toMatchObject({ allowed: true, allowedThrough: 40 });
    expect(whole).toMatchObject({ allowed: false, reason: 'UNAVAILABLE' });
    second.report({ output_tokens: 40 });
    expect(second.stopped).toBe('UNAVAILABLE');
    expect(await second.room(41)).toBe(false);
    await second.release();
    expect(await lenient.open({ ...request, sessionId: 'fourth' })).toMatchObject({ allowedThrough: 40 });
    expect(await first.settle({ output_tokens: 50 })).toEqual({ outcome: 'kept' });
    const report = await lenient.close({ timeoutMs: 0 });
    expect(report).toMatchObject({
      isDrained: false,
      settles: [{ holdId: 'session', quantities: { output_tokens: 50 } }],
      releases: [{ holdId: 'second' }],
    });
  });

  it('is reported when one is back', async () => {
    const sidecar = await startScripted();
    const { address } = sidecar;
    sidecar.stop();
    const { meter } = await start(
      {
        addresses: [address],
        callTimeoutMs: 30,
        whenUnavailable: { unitsPerAccountMax: 1_000n, unitsOf: () => 1n },
      },
      0,
    );
    const session = await meter.open({ ...request, expectedMax: 10 });
    expect(await session.settle({ input_tokens: 10, output_tokens: 9 })).toEqual({ outcome: 'kept' });
    const back = await startScripted(address);
    sidecars.push(back);
    const call = await until('a call', () => back.calls[0]);
    expect(call.request).toMatchObject({ holdId: 'session', model: 'example' });
    call.answer({ charged: 1, holdUnknown: true });
    await until('nothing is kept', () => meter.kept.events === 0);
  });
});

describe('close', () => {
  it('settles nothing, sends what waits, and waits until what was settled is durable', async () => {
    const { meter, stream, session } = await openOne();
    const opening = meter.open({ ...request, sessionId: 'other' });
    await openOf(stream, 2);
    stream.opened(2, 10);
    const other = await opening;
    const settling = other.settle({ output_tokens: 3 });
    session.report({ output_tokens: 33 });
    const closing = meter.close();
    await until('a settle', () => settlesOf(stream).length === 1);
    expect(stream.progress).toEqual([{ session: 1, counts: [33] }]);
    expect(await errorOf(session.settle())).toMatchObject({ reason: 'CLOSED' });
    expect(await errorOf(meter.open(request))).toMatchObject({ reason: 'CLOSED' });
    stream.settled(2);
    expect(await settling).toMatchObject({ outcome: 'settled' });
    await until('it is half-closed', () => stream.hasEnded);
    stream.answer({ durableThrough: stream.received.length });
    stream.end();
    expect(await closing).toEqual({ isDrained: true, events: [], settles: [], releases: [] });
    expect(settlesOf(stream)).toHaveLength(1);
  });

  it('rejects an open without a verdict, and gives back what is made all the same', async () => {
    const { meter, sidecar } = await start();
    const opening = meter.open(request);
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    const closing = meter.close();
    expect(((await errorOf(opening)) as MeterError).reason).toBe('CLOSED');
    stream.opened(1, 10);
    await until('its release', () => releasesOf(stream).length === 1);
    stream.answer({ ended: [{ session: 1, released: {} }], durableThrough: 2 });
    await until('it is half-closed', () => stream.hasEnded);
    stream.end();
    expect(await closing).toMatchObject({ isDrained: true });
  });

  it('names the settles that are not durable', async () => {
    const { meter, stream, session } = await openOne();
    const settling = session.settle({ output_tokens: 3 }, { eventTimeMs: 8 });
    await until('a settle', () => settlesOf(stream).length === 1);
    const report = await meter.close({ timeoutMs: 0 });
    expect(report).toMatchObject({
      isDrained: false,
      settles: [{ holdId: 'session', quantities: { output_tokens: 3 }, eventTimeMs: 8 }],
    });
    expect(await errorOf(settling)).toMatchObject({ reason: 'CLOSED' });
  });
});

it('answers that make no sense break the stream, and nothing else', async () => {
  const { sidecar, stream, session } = await openOne();
  stream.answer({ durableThrough: 9 });
  const second = await sidecar.stream(1);
  await openOf(second, 1);
  second.opened(1, 140, { generation: 2 });
  await until('it goes on', () => session.allowedThrough === 140);
});

it('many sessions fill several messages, each below the limit of a sidecar', async () => {
  const { meter, sidecar } = await start();
  const count = 1_000;
  const opening = Array.from({ length: count }, (_, i) =>
    meter.open({ ...request, sessionId: `${'s'.repeat(100)}${i}` }),
  );
  const stream = await sidecar.stream(0);
  await until('all opens', () => stream.opens.length === count);
  expect(stream.received.length).toBeGreaterThan(2);
  expect(new Set(stream.opens.map(({ session }) => session)).size).toBe(count);
  for (let session = 1; session <= count; session++) stream.opened(session, 10);
  const sessions = await Promise.all(opening);
  for (const [i, session] of sessions.entries()) session.report({ output_tokens: i });
  await until('all counts', () => stream.progress.length === count - 1);
});
