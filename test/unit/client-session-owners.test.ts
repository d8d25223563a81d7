/** Sessions of the client library that somebody else may have taken over, against a server that does what the test says. */
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Lost, MeterError } from '../../src/client/index.js';
import { errorOf } from '../helpers/meter.js';
import { startScripted } from '../helpers/scripted-sidecar.js';
import { openOf, releasesOf, request, SessionScenes, settlesOf } from '../helpers/session-scenes.js';
import { until } from '../helpers/until.js';

const scenes = new SessionScenes();

afterEach(() => scenes.end());

const moved = { session: 1, reason: 'REASON_SESSION_MOVED' as const };

describe('a session that is opened again', () => {
  it('names the newest generation that can be its own: one more for each verdict that was lost', async () => {
    const { sidecar, stream, session } = await scenes.open();
    expect(stream.opens[0]).toMatchObject({ generation: 0 });
    stream.fail(status.UNAVAILABLE);
    const second = await sidecar.stream(1);
    expect(await openOf(second, 1)).toMatchObject({ generation: 1 });
    second.fail(status.UNAVAILABLE);
    const third = await sidecar.stream(2);
    expect(await openOf(third, 1)).toMatchObject({ generation: 2 });
    third.opened(1, 100, { generation: 3 });
    await until('it is open again', () => session.generation === 3);
    third.fail(status.UNAVAILABLE);
    const fourth = await sidecar.stream(3);
    expect(await openOf(fourth, 1)).toMatchObject({ generation: 3 });
    // Nobody answers it: it fails when the scene ends.
    void session.settle({ output_tokens: 1 }).catch(() => undefined);
    await until('a settle', () => settlesOf(fourth).length === 1);
    fourth.fail(status.UNAVAILABLE);
    const call = await until('a call', () => sidecar.calls[0]);
    expect(call.request).toMatchObject({ holdId: 'session', generation: 4 });
  });

  it('counts no open that found no connection', async () => {
    const disconnects: MeterError[] = [];
    const { sidecar } = await scenes.open({ onDisconnect: (error) => disconnects.push(error) });
    sidecar.stop();
    await until('two more tries', () => disconnects.length >= 3);
    const again = await startScripted(sidecar.address);
    scenes.sidecars.push(again);
    expect(await openOf(await again.stream(0), 1)).toMatchObject({ generation: 1 });
  });

  async function openedTwice() {
    const { meter, sidecar } = await scenes.start();
    const opening = meter.open(request);
    const first = await sidecar.stream(0);
    await openOf(first, 1);
    first.fail(status.UNAVAILABLE);
    const stream = await sidecar.stream(1);
    expect(await openOf(stream, 1)).toMatchObject({ generation: 0 });
    stream.opened(1, 100, { generation: 1 });
    return { meter, sidecar, stream, session: await opening };
  }

  it('whose first open had to be sent twice can own what either made of it', async () => {
    const { sidecar, stream } = await openedTwice();
    stream.fail(status.UNAVAILABLE);
    expect(await openOf(await sidecar.stream(2), 1)).toMatchObject({ generation: 2 });
  });

  it('is taken back once where its own first open may have taken it so late', async () => {
    const { meter, stream, session } = await openedTwice();
    const stop = { session: 1, reason: 'REASON_SESSION_MOVED' as const, allowedThrough: 100 };
    stream.answer({ stops: [stop] });
    expect(await openOf(stream, 2)).toMatchObject({ generation: 2 });
    stream.opened(2, 150, { generation: 3 });
    await until('it goes on', () => session.allowedThrough === 150);
    expect(session.stopped).toBeNull();
    stream.answer({ stops: [{ ...stop, session: 2 }] });
    await until('it stops', () => session.stopped === 'SESSION_MOVED');
    expect(meter.kept.events).toBe(0);
  });

  it('and was taken so is settled by a call', async () => {
    const { sidecar, stream, session } = await openedTwice();
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.answer({ refused: [moved] });
    const call = await until('a call', () => sidecar.calls[0]);
    expect(call.request).toMatchObject({ generation: 2 });
    call.answer({ charged: 5 });
    expect(await settling).toMatchObject({ charged: 5n });
  });

  it('and is somebody else’s is over, and takes nothing back', async () => {
    const { meter, sidecar, stream, session } = await scenes.open();
    const waiting = session.room(101);
    stream.fail(status.UNAVAILABLE);
    const second = await sidecar.stream(1);
    await openOf(second, 1);
    second.answer({ refused: [moved] });
    expect(await waiting).toBe(false);
    expect(session.stopped).toBe('SESSION_MOVED');
    expect(meter.kept.events).toBe(0);
    expect(await errorOf(session.settle())).toMatchObject({ reason: 'SESSION_OVER' });
    expect(second.opens).toHaveLength(1);
  });
});

describe('an end', () => {
  async function endsWhileOpenedAgain() {
    const { meter, sidecar, stream, session } = await scenes.open();
    stream.fail(status.UNAVAILABLE);
    const second = await sidecar.stream(1);
    await openOf(second, 1);
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(second).length === 1);
    return { meter, sidecar, second, session, settling };
  }

  it('follows an open that has no verdict yet', async () => {
    const { second, settling } = await endsWhileOpenedAgain();
    second.opened(1, 100, { generation: 2 });
    second.settled(1, 5);
    expect(await settling).toMatchObject({ outcome: 'settled', charged: 5n });
  });

  it('is void where that finds that somebody else has the session', async () => {
    const { meter, sidecar, second, settling } = await endsWhileOpenedAgain();
    second.answer({ refused: [moved] });
    expect(await errorOf(settling)).toMatchObject({ reason: 'SESSION_OVER' });
    second.answer({ refused: [{ session: 1, reason: 'REASON_SESSION_UNKNOWN' }] });
    expect(meter.kept.events).toBe(0);
    expect(sidecar.calls).toEqual([]);
  });

  it('goes by a call where that finds that the session has ended by its deadline', async () => {
    const { sidecar, second, settling } = await endsWhileOpenedAgain();
    second.opened(1, 0, { verdict: 'VERDICT_DENIED', reason: 'REASON_HOLD_ENDED' });
    second.answer({ refused: [{ session: 1, reason: 'REASON_SESSION_UNKNOWN' }] });
    const call = await until('a call', () => sidecar.calls[0]);
    call.answer({ charged: 9, late: true });
    expect(await settling).toMatchObject({ charged: 9n, late: true });
  });

  it('that comes too late, because somebody else has the session, is void', async () => {
    const { meter, sidecar, stream, session } = await scenes.open();
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.answer({ refused: [moved] });
    expect(await errorOf(settling)).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'SESSION_OVER' });
    expect(session.stopped).toBe('SESSION_MOVED');
    expect(await errorOf(session.release())).toMatchObject({ reason: 'SESSION_OVER' });
    expect(meter.kept.events).toBe(0);
    expect(sidecar.calls).toEqual([]);
  });

  it('that is refused so when nobody waits any more is named', async () => {
    const lost: Lost[] = [];
    const { meter, stream, session } = await scenes.open({ onLost: (one) => lost.push(one) });
    expect(await session.settle({ output_tokens: 1 }, { timeoutMs: 1 })).toEqual({ outcome: 'kept' });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.answer({ refused: [moved] });
    await until('it is named', () => lost.length === 1);
    expect(lost).toMatchObject([
      { kind: 'settle', settle: { holdId: 'session', generation: 1 }, error: { reason: 'SESSION_MOVED' } },
    ]);
    expect(meter.kept.events).toBe(0);
  });

  it('that goes by a call names the generation, and is void when that is too old', async () => {
    const { meter, sidecar, stream, session } = await scenes.open();
    const settling = session.settle({ output_tokens: 1 });
    await until('a settle', () => settlesOf(stream).length === 1);
    stream.fail(status.UNAVAILABLE);
    const call = await until('a call', () => sidecar.calls[0]);
    expect(call.request).toMatchObject({ generation: 1 });
    call.refuse('SESSION_MOVED');
    expect(await errorOf(settling)).toMatchObject({ reason: 'SESSION_OVER' });
    expect(session.stopped).toBe('SESSION_MOVED');
    expect(meter.kept.events).toBe(0);
  });
});

describe('an open that nobody waits for any more', () => {
  async function aborted() {
    const { meter, sidecar } = await scenes.start();
    const controller = new AbortController();
    const opening = meter.open({ ...request, signal: controller.signal });
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    controller.abort();
    expect(await errorOf(opening)).toMatchObject({ reason: 'ABORTED' });
    return { meter, sidecar, stream };
  }

  it('but took a session over settles it at what was acknowledged before', async () => {
    const { meter, stream } = await aborted();
    stream.opened(1, 100, { generation: 2, counts: [30] });
    const settle = await until('a settle', () => settlesOf(stream)[0]);
    expect(settle).toMatchObject({ quantities: { input_tokens: 10, output_tokens: 30 } });
    expect(releasesOf(stream)).toEqual([]);
    stream.settled(1);
    stream.answer({ durableThrough: 2 });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('and whose verdict is lost gives back what it has made, and nothing that it took over', async () => {
    const { meter, sidecar, stream } = await aborted();
    stream.fail(status.UNAVAILABLE);
    const call = await until('a call', () => sidecar.calls[0]);
    expect(call).toMatchObject({ name: 'Release', request: { generation: 1 } });
    call.refuse('SESSION_MOVED');
    await until('nothing is kept', () => meter.kept.events === 0);
  });
});
