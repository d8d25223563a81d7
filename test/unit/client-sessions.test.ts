/** Sessions of the client library against a server that does what the test says: opens, counts, settles. */
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Lost, OpenRequest } from '../../src/client/index.js';
import { errorOf } from '../helpers/meter.js';
import { openOf, releasesOf, request, SessionScenes, settlesOf } from '../helpers/session-scenes.js';
import { until } from '../helpers/until.js';

const scenes = new SessionScenes();

afterEach(() => scenes.end());

describe('an open', () => {
  it('says everything that the sidecar has to know, and resolves with the verdict', async () => {
    const { stream, session } = await scenes.open({}, 1, {
      agentId: 'agent',
      expectedMax: 90,
      startTimeMs: 5,
    });
    expect(stream.opens).toEqual([
      {
        session: 1,
        ...request,
        agentId: 'agent',
        startTimeMs: 5,
        expectedMax: 90,
        whole: false,
        generation: 0,
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
    const { meter, sidecar } = await scenes.start();
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
    const { meter, sidecar } = await scenes.start();
    const opening = ['a', 'b', 'c'].map((sessionId) => meter.open({ ...request, sessionId }));
    const stream = await sidecar.stream(0);
    await openOf(stream, 3);
    expect(stream.received).toHaveLength(1);
    for (const session of [3, 1, 2]) stream.opened(session, session);
    expect((await Promise.all(opening)).map(({ allowedThrough }) => allowedThrough)).toEqual([1, 2, 3]);
  });

  it('that is refused for now is tried again, for good it rejects', async () => {
    const { meter, sidecar } = await scenes.start();
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
    const { meter } = await scenes.start();
    expect(await errorOf(meter.open({ ...request, ...change }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field,
    });
  });

  it('that is aborted is given back when it was made all the same', async () => {
    const { meter, sidecar } = await scenes.start();
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
    const { meter, sidecar } = await scenes.start();
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
    const { meter, stream, session } = await scenes.open();
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
    const { session } = await scenes.open();
    expect(() => session.report({ outputTokens: 1 })).toThrow('counts["outputTokens"]');
    for (const count of [Number.NaN, -1, 1.5, 2n ** 60n]) {
      expect(() => session.report({ output_tokens: count })).toThrow('whole number');
    }
  });

  it('wait for room, which comes or does not', async () => {
    const { stream, session } = await scenes.open();
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
    const { stream, session } = await scenes.open({}, 1, { expectedMax: 150 });
    const more = session.room(150);
    const beyond = session.room(151);
    stream.acknowledge(1, [100], 150);
    expect(await more).toBe(true);
    expect(await beyond).toBe(false);
    expect(await session.room(151)).toBe(false);
  });

  it('wait no longer than their signal and their time', async () => {
    const controller = new AbortController();
    const { session } = await scenes.open({}, 1, { signal: controller.signal });
    expect(await errorOf(session.room(101, { timeoutMs: 1 }))).toMatchObject({ reason: 'TIMED_OUT' });
    const waiting = session.room(101);
    controller.abort();
    expect(await errorOf(waiting)).toMatchObject({ reason: 'ABORTED' });
    expect(await errorOf(session.room(101))).toMatchObject({ reason: 'ABORTED' });
  });
});

describe('a settle', () => {
  it('says all quantities, resolves with the charge, and is kept until it is durable', async () => {
    const { meter, stream, session } = await scenes.open();
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
    const { meter, stream, session } = await scenes.open();
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
    // Nobody answers it: it fails when the scene ends.
    void meter.open({ ...request, sessionId: 'third' }).catch(() => undefined);
    await until('the third', () => stream.opens.at(-1)?.sessionId === 'third');
    expect(stream.opens.at(-1)?.session).toBe(1);
  });

  it.each([0, -1, 1.5, Number.NaN])('at the time %d is refused before it is sent', async (eventTimeMs) => {
    const { session } = await scenes.open();
    expect(await errorOf(session.settle({ output_tokens: 1 }, { eventTimeMs }))).toMatchObject({
      reason: 'FIELD_INVALID',
      field: 'event_time_ms',
    });
    expect(session.stopped).toBeNull();
  });

  it('that is refused may be corrected', async () => {
    const { sidecar, stream, session } = await scenes.open();
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
    const { meter, stream, session } = await scenes.open();
    expect(await session.settle({ output_tokens: 1 }, { timeoutMs: 1 })).toEqual({ outcome: 'kept' });
    await until('a settle', () => settlesOf(stream).length === 1);
    expect(meter.kept.events).toBe(1);
    stream.settled(1);
    stream.answer({ durableThrough: 2 });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('whose stream breaks before the answer, or before it is durable, is repeated by a call', async () => {
    const { meter, sidecar, stream, session } = await scenes.open();
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
    const { meter, sidecar, stream, session } = await scenes.open();
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.answer({ refused: [{ session: 1, reason: 'REASON_SESSION_UNKNOWN' }] });
    const call = await until('a call', () => sidecar.calls[0]);
    call.fail(status.ALREADY_EXISTS);
    expect(await errorOf(settling)).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(meter.kept.events).toBe(0);
  });

  it('that is refused for good when nobody waits any more is named', async () => {
    const lost: Lost[] = [];
    const { sidecar, stream, session } = await scenes.open({ onLost: (one) => lost.push(one) });
    expect(await session.settle({ output_tokens: 1 }, { timeoutMs: 1 })).toEqual({ outcome: 'kept' });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.fail(status.UNAVAILABLE);
    (await until('a call', () => sidecar.calls[0])).fail(status.NOT_FOUND);
    await until('it is named', () => lost.length === 1);
    expect(lost).toMatchObject([{ kind: 'settle', settle: { holdId: 'session' } }]);
  });
});
