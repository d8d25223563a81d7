/** Sessions of the client library against a server that does what the test says: streams that break, drain, end. */
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { MeterError } from '../../src/client/index.js';
import { errorOf } from '../helpers/meter.js';
import { type ScriptedSidecar, startScripted } from '../helpers/scripted-sidecar.js';
import { openOf, releasesOf, request, SessionScenes, settlesOf } from '../helpers/session-scenes.js';
import { until } from '../helpers/until.js';

const scenes = new SessionScenes();

afterEach(() => scenes.end());

describe('what was lost with Redis', () => {
  it('is sent again: opens under their number, settles by a call', async () => {
    const { meter, sidecar, stream, session } = await scenes.open();
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

  it('and cannot be asked for it at the moment, goes on, and opens it again', async () => {
    const { stream, session } = await scenes.open();
    stream.answer({ resend: [1] });
    await until('the open', () => stream.received.length === 2);
    stream.answer({ refused: [{ session: 1, reason: 'REASON_UNAVAILABLE', retryAfterMs: 1 }] });
    const again = await until('the open once more', () => stream.opens[2]);
    expect(session).toMatchObject({ stopped: null, allowedThrough: 100 });
    stream.opened(again.session, 120, { generation: 1 });
    await until('it goes further', () => session.allowedThrough === 120);
  });

  it('and is denied now, stops', async () => {
    const { sidecar, stream, session } = await scenes.open();
    stream.answer({ resend: [1] });
    await until('the open', () => stream.received.length === 2);
    stream.opened(1, 0, { verdict: 'VERDICT_DENIED', reason: 'REASON_INSUFFICIENT_BALANCE' });
    await until('it stops', () => session.stopped === 'INSUFFICIENT_BALANCE');
    // Nobody answers it: it fails when the scene ends.
    void session.settle({ output_tokens: 1 }).catch(() => undefined);
    expect(await until('a call', () => sidecar.calls[0])).toMatchObject({ name: 'Settle' });
  });
});

describe('a stream that breaks', () => {
  it('leaves its sessions to the next one, with their latest counts; what was allowed holds meanwhile', async () => {
    const { sidecar, stream, session } = await scenes.open();
    session.report({ output_tokens: 30 });
    await until('a count', () => stream.progress.length === 1);
    stream.fail(status.UNAVAILABLE);
    const second = await sidecar.stream(1);
    session.report({ output_tokens: 50 });
    expect(await session.room(100)).toBe(true);
    const waiting = session.room(101);
    const open = await openOf(second, 1);
    expect(open).toEqual({ ...stream.opens[0], generation: 1 });
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
    const { sidecar, stream, session, other } = await scenes.open({}, 2);
    sidecar.stop();
    const second = await (other as ScriptedSidecar).stream(0);
    expect(stream.isBroken).toBe(true);
    await openOf(second, 1);
    second.opened(1, 150, { generation: 2 });
    await until('it goes on', () => session.allowedThrough === 150);
  });

  it('while the session had ended by its deadline: it stops, and the settle goes by a call', async () => {
    const { sidecar, stream, session } = await scenes.open();
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
    const { sidecar, stream, session } = await scenes.open();
    stream.fail(status.UNAVAILABLE);
    const settling = session.settle({ output_tokens: 70 });
    (await until('a call', () => sidecar.calls[0])).answer({ charged: 9 });
    expect(await settling).toMatchObject({ charged: 9n });
    for (const { opens } of sidecar.streams.slice(1)) expect(opens).toEqual([]);
  });

  it('for a reason that stays: opens reject with it', async () => {
    const { meter, sidecar } = await scenes.start();
    const opening = meter.open(request);
    (await sidecar.stream(0)).fail(status.UNAUTHENTICATED);
    expect(await errorOf(opening)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(meter.kept.events).toBe(0);
  });
});

describe('a session that was opened elsewhere', () => {
  it('is over for this client', async () => {
    const { meter, stream, session } = await scenes.open();
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
    const { stream, session, other } = await scenes.open({}, 2);
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

  it('sends opens without a verdict to another sidecar, however long the first one asks to wait', async () => {
    const { meter } = await scenes.start({}, 2);
    const opening = meter.open(request);
    const from = await until('a stream', () => scenes.sidecars.find(({ streams }) => streams.length > 0));
    const stream = await from.stream(0);
    await openOf(stream, 1);
    const refused = { session: 1, reason: 'REASON_UNAVAILABLE' as const, retryAfterMs: 60_000 };
    stream.answer({ drain: { withinMs: 60_000 } });
    stream.answer({ refused: [refused] });
    const second = await (scenes.sidecars.find((one) => one !== from) as ScriptedSidecar).stream(0);
    await openOf(second, 1);
    second.opened(1, 10);
    expect(await opening).toMatchObject({ allowed: true, allowedThrough: 10 });
  });

  it('with nowhere to go: they stay until the stream ends, and are opened again by the next sidecar', async () => {
    const { sidecar, stream, session } = await scenes.open();
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
    const { meter } = await scenes.start(away, 0);
    expect(await meter.open(request)).toMatchObject({ allowed: false, judged: false, reason: 'UNAVAILABLE' });
    // Nothing of it has left, so there is nothing to give back.
    await until('nothing is kept', () => meter.kept.events === 0);
    const { meter: lenient } = await scenes.start(
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
    const { meter } = await scenes.start(
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
    scenes.sidecars.push(back);
    const call = await until('a call', () => back.calls[0]);
    expect(call.request).toMatchObject({ holdId: 'session', model: 'example' });
    call.answer({ charged: 1, holdUnknown: true });
    await until('nothing is kept', () => meter.kept.events === 0);
  });
});

describe('close', () => {
  it('settles nothing, sends what waits, and waits until what was settled is durable', async () => {
    const { meter, stream, session } = await scenes.open();
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
    const { meter, sidecar } = await scenes.start();
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
    const { meter, stream, session } = await scenes.open();
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
  const { sidecar, stream, session } = await scenes.open();
  stream.answer({ durableThrough: 9 });
  const second = await sidecar.stream(1);
  await openOf(second, 1);
  second.opened(1, 140, { generation: 2 });
  await until('it goes on', () => session.allowedThrough === 140);
});

it('many sessions fill several messages, each below the limit of a sidecar', async () => {
  const { meter, sidecar } = await scenes.start();
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
