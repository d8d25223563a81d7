/** Sessions when something is away: their sidecar, Redis, or a client that does not read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StoreProxy, startProxy } from '../helpers/proxy.js';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let proxy: StoreProxy;
let sidecar: TestSidecar;
const settings = { checkpointIntervalMs: 40, sessionGraceMs: 400, streamEventsInFlightMax: 2_000 };

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  proxy = await startProxy(redis.socketPath);
  sidecar = await start();
});

afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await proxy.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

function start(more = {}): Promise<TestSidecar> {
  const places = { redisUrl: `redis://127.0.0.1:${proxy.port}`, postgresUrl: database.url };
  return startTestSidecar(places, { ...settings, ...more });
}

describe('a session that is resumed on another sidecar', () => {
  it('is no longer that of the first, whose stream is told and whose checkpoints are void', async () => {
    const account = await sidecar.client.account('moving', 1_000_000);
    const second = await start();
    const first = new SessionStream(sidecar.grpcAddress);
    await first.open(1, account);
    first.progress(1, 40);
    await first.acknowledgedThrough(1, 40);
    const other = new SessionStream(second.grpcAddress);
    expect(await other.open(9, account, { sessionId: 'session-1' })).toMatchObject({
      generation: 2,
      counts: ['40'],
    });
    other.progress(9, 60);
    await other.acknowledgedThrough(9, 60);
    first.progress(1, 200);
    expect(await first.stopped(1)).toBe('REASON_SESSION_MOVED');
    first.progress(1, 201);
    expect(await first.refusal(1)).toMatchObject({ reason: 'REASON_SESSION_UNKNOWN' });
    // Neither its last words nor its end shorten the life of the session.
    first.break();
    other.progress(9, 70);
    await other.acknowledgedThrough(9, 70);
    expect((await other.settle(9, 100, 70)).settled).toMatchObject({ charged: '450', late: false });
    expect(await sidecar.client.balance(account)).toEqual({ available: 1_000_000 - 450, held: 0, debt: 0 });
    await other.end();
    await second.stop();
  });

  it('is ended by the first no more, nor taken back as its own: that is refused, and changes nothing', async () => {
    const account = await sidecar.client.account('moved', 1_000_000);
    const second = await start();
    const first = new SessionStream(sidecar.grpcAddress);
    const other = new SessionStream(second.grpcAddress);
    for (const number of [1, 2, 3, 4]) {
      await first.open(number, account);
      expect(await other.open(number, account)).toMatchObject({ generation: 2 });
    }
    const eventTimeMs = Date.now();
    const quantities = { input_tokens: 100, output_tokens: 5 };
    first.send({ settles: [{ session: 1, quantities, eventTimeMs }] });
    first.send({ releases: [{ session: 2, eventTimeMs }] });
    first.send({ opens: [sessionOpen(3, account, { generation: 1 })] });
    for (const number of [1, 2, 3]) {
      expect(await first.refusal(number)).toMatchObject({ reason: 'REASON_SESSION_MOVED' });
    }
    first.progress(1, 9);
    await until('the first is told that it has it no more', () =>
      first.refused.some(({ session, reason }) => session === 1 && reason === 'REASON_SESSION_UNKNOWN'),
    );
    const work = { accountId: account, meter: 'llm', model: 'claude-haiku-4-5', eventTimeMs };
    const call = { ...work, holdId: 'session-4', quantities: { values: quantities } };
    const refused = { status: 'FAILED_PRECONDITION', reason: 'SESSION_MOVED' };
    await expect(second.client.call('UsageService/Settle', { ...call, generation: 1 })).rejects.toMatchObject(
      refused,
    );
    const release = { accountId: account, holdId: 'session-4', eventTimeMs };
    await expect(
      second.client.call('UsageService/Release', { ...release, generation: 1 }),
    ).rejects.toMatchObject(refused);
    for (const number of [1, 2, 3]) {
      expect((await other.settle(number, 100, 10)).settled).toMatchObject({ charged: '150', late: false });
    }
    // By its id alone, or by its owner's generation, a call ends it for whoever has it.
    expect(await second.client.call('UsageService/Settle', { ...call, generation: 2 })).toMatchObject({
      charged: '125',
      late: false,
    });
    expect(await sidecar.client.balance(account)).toEqual({ available: 1_000_000 - 575, held: 0, debt: 0 });
    first.break();
    other.break();
    await second.stop();
  });

  it('ends at the counts of whoever had it last, where both are gone', async () => {
    const account = await sidecar.client.account('orphan', 1_000_000);
    const second = await start();
    const first = new SessionStream(sidecar.grpcAddress);
    await first.open(1, account);
    const other = new SessionStream(second.grpcAddress);
    await other.open(1, account);
    other.progress(1, 30);
    await other.acknowledgedThrough(1, 30);
    first.progress(1, 90);
    first.break();
    other.break();
    await second.stop();
    await until('the session is settled', async () => (await sidecar.client.balance(account)).held === 0);
    expect(await sidecar.client.balance(account)).toEqual({ available: 1_000_000 - 250, held: 0, debt: 0 });
  });
});

describe('a sidecar that stops', () => {
  it('gives open sessions time, refuses new ones, and leaves the rest to be resumed elsewhere', async () => {
    const account = await sidecar.client.account('drained', 1_000_000);
    const second = await start({ drainTimeoutMs: 3_000, sessionGraceMs: 10_000 });
    const stream = new SessionStream(second.grpcAddress);
    await stream.open(1, account, { sessionId: 'drained-1' });
    await stream.open(2, account, { sessionId: 'drained-2' });
    const stopped = second.stop();
    await until('the notice', () => stream.drainedWithinMs);
    stream.send({ opens: [sessionOpen(3, account, { sessionId: 'drained-3' })] });
    expect(await stream.refusal(3)).toMatchObject({ reason: 'REASON_UNAVAILABLE' });
    expect(Number((await stream.refusal(3)).retryAfterMs)).toBeGreaterThan(0);
    stream.progress(1, 250);
    await until('an open session still grows', () => (stream.allowed.get(1) ?? 0) > 256);
    expect((await stream.settle(1, 100, 250)).settled).toMatchObject({ charged: '1350' });
    stream.progress(2, 77);
    expect(await stream.finished()).toBe('UNAVAILABLE');
    await stopped;
    const again = new SessionStream(sidecar.grpcAddress);
    expect(await again.open(2, account, { sessionId: 'drained-2' })).toMatchObject({
      generation: 2,
      counts: ['77'],
    });
    expect((await again.settle(2, 100, 80)).settled).toMatchObject({ charged: '500', late: false });
    await again.end();
  });
});

describe('while Redis is away', () => {
  it('sessions go on up to allowed_through, nothing is acknowledged, and nothing is lost', async () => {
    const account = await sidecar.client.account('cut-off', 1_000_000);
    const stream = new SessionStream(sidecar.grpcAddress);
    await stream.open(1, account);
    await stream.open(2, account, { sessionId: 'session-2' });
    proxy.setDown(true);
    stream.progress(1, 256);
    stream.send({ opens: [sessionOpen(3, account, { sessionId: 'session-3' })] });
    expect(await stream.refusal(3)).toMatchObject({ reason: 'REASON_UNAVAILABLE' });
    const end = { session: 2, quantities: { input_tokens: 100, output_tokens: 7 }, eventTimeMs: Date.now() };
    stream.send({ settles: [end] });
    const refusal = await stream.refusal(2);
    expect(refusal).toMatchObject({ reason: 'REASON_UNAVAILABLE' });
    expect(Number(refusal.retryAfterMs)).toBeGreaterThan(0);
    await until(
      'checkpoints fail',
      async () => (await metric(sidecar, 'drawdown_session_checkpoint_failures_total')) > 0,
    );
    expect(await metric(sidecar, 'drawdown_session_checkpoint_lag_seconds')).toBeGreaterThan(0);
    expect(stream.acknowledged.get(1)).toEqual([]);
    expect(stream.stops.size).toBe(0);
    proxy.setDown(false);
    await stream.acknowledgedThrough(1, 256);
    await until('it may go further', () => (stream.allowed.get(1) ?? 0) > 256);
    stream.send({ settles: [end] });
    expect((await stream.outcome(2)).settled).toMatchObject({ charged: '135', late: false });
    expect((await stream.settle(1, 100, 300)).settled).toMatchObject({ charged: '1600', late: false });
    expect(await stream.end()).toBe('OK');
    expect(await sidecar.client.balance(account)).toEqual({ available: 1_000_000 - 1_735, held: 0, debt: 0 });
  });
});

describe('a client that does not read', () => {
  it('is told only where its sessions stand once it reads again, and disturbs nobody', async () => {
    const account = await sidecar.client.account('deaf', 100_000_000);
    const deaf = new SessionStream(sidecar.grpcAddress);
    const numbers = Array.from({ length: 1_000 }, (_, index) => index + 1);
    const opens = numbers.map((number) => sessionOpen(number, account, { sessionId: `deaf-${number}` }));
    deaf.send({ opens });
    await until('all are open', () => deaf.opened.size === numbers.length);
    deaf.call.pause();
    const before = await metric(sidecar, 'drawdown_session_updates_total');
    const last = 60;
    for (let count = 1; count <= last; count++) {
      deaf.send({ progress: numbers.map((session) => ({ session, counts: [count] })) });
      const wanted = before + count * numbers.length;
      await until(
        'the counts are there',
        async () => (await metric(sidecar, 'drawdown_session_updates_total')) === wanted,
      );
    }
    const other = new SessionStream(sidecar.grpcAddress);
    await other.open(1, account, { sessionId: 'other' });
    other.progress(1, 5);
    await other.acknowledgedThrough(1, 5);
    await other.release(1);
    await other.end();

    let told = 0;
    deaf.onAnswer = ({ acknowledged }) => {
      told += acknowledged.length;
    };
    deaf.call.resume();
    for (const number of numbers) await deaf.acknowledgedThrough(number, last);
    // What the transport had taken in, one message, and what is new since.
    expect(told).toBeLessThan((last / 2) * numbers.length);
    deaf.send({ releases: numbers.map((session) => ({ session, eventTimeMs: Date.now() })) });
    await until('all have ended', () => deaf.ended.size === numbers.length);
    expect(await deaf.end()).toBe('OK');
    expect(await sidecar.client.balance(account)).toEqual({ available: 100_000_000, held: 0, debt: 0 });
  });

  it('is read no further where its answers pile up, and loses none of them', async () => {
    const deaf = new SessionStream(sidecar.grpcAddress);
    deaf.call.pause();
    const unknown = Array.from({ length: 1_000 }, (_, index) => ({ session: index + 1, counts: [1] }));
    const pauses = () => metric(sidecar, 'drawdown_stream_pauses_total', 'reason="slow_reader"');
    const before = await pauses();
    let sent = 0;
    await until('it is read no further', async () => {
      deaf.send({ progress: unknown });
      sent += unknown.length;
      return (await pauses()) > before;
    });
    deaf.call.resume();
    await until('all answers are there', () => deaf.refused.length === sent);
    expect(await deaf.end()).toBe('OK');
  });

  it('never again: its sessions live on with it, and are settled when it is gone', async () => {
    const account = await sidecar.client.account('mute', 1_000_000);
    const mute = new SessionStream(sidecar.grpcAddress);
    await mute.open(1, account, { sessionId: 'mute' });
    mute.call.pause();
    mute.progress(1, 10);
    await until(
      'the counts are there',
      async () => (await metric(sidecar, 'drawdown_session_checkpoint_lag_seconds')) === 0,
    );
    expect((await sidecar.client.balance(account)).held).toBeGreaterThan(0);
    mute.break();
    await until('it is settled', async () => (await sidecar.client.balance(account)).held === 0);
    expect(await sidecar.client.balance(account)).toEqual({ available: 1_000_000 - 150, held: 0, debt: 0 });
  });
});
