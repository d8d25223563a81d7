/** The client library, while sidecars are killed, connections break and answers do not come. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Meter, MeterError, MeterOptions, UsageEvent } from '../../src/client/index.js';
import { errorOf, meterOf, usage } from '../helpers/meter.js';
import { type StoreProxy, startProxy } from '../helpers/proxy.js';
import { type SidecarProcess, spawnSidecar, startTestSidecar } from '../helpers/sidecar.js';
import {
  createDatabase,
  startRedis,
  type TestDatabase,
  type TestRedis,
  temporaryDirectory,
} from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean, expectVerified } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let directory: string;
let grpcAddress: string;
/** What a test has started, ended in the opposite order. */
let ends: (() => Promise<unknown>)[] = [];

const places = () => ({ redisUrl: redis.url, postgresUrl: database.url });

async function spawn(): Promise<SidecarProcess> {
  const sidecar = await spawnSidecar(places(), { leaseMs: 500, grpcAddress });
  ends.push(() => sidecar.stop());
  return sidecar;
}

function connect(address: string, options: MeterOptions = {}): Meter {
  const meter = meterOf({ grpcAddress: address }, options);
  ends.push(() => meter.close({ timeoutMs: 0 }));
  return meter;
}

beforeEach(async () => {
  ends = [];
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  directory = temporaryDirectory();
  // A path, so that a sidecar that is started again is found where the old one was.
  grpcAddress = `unix:${join(directory, 'grpc.sock')}`;
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  await Promise.all([redis.stop(), database.drop()]);
});

/** Events over some accounts with what each account is left. */
function makeUsage(random: SeededRandom, accounts: readonly string[], granted: number, count: number) {
  const left = new Map(accounts.map((account) => [account, granted]));
  const events: UsageEvent[] = Array.from({ length: count }, (_, i) => {
    const account = random.pick(accounts);
    const micros = random.between(1, 500);
    left.set(account, (left.get(account) as number) - micros);
    return usage(account, `event-${i}`, micros);
  });
  return { events, left };
}

describe('a sidecar that is killed', () => {
  it('in mid-stream, again and again: everything is charged once', async () => {
    const random = new SeededRandom(seedOf('client: sidecar killed in mid-stream'));
    let sidecar = await spawn();
    const granted = 1_000_000_000;
    const accounts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => sidecar.client.account(`a${i}`, granted)),
    );
    const { events, left } = makeUsage(random, accounts, granted, 20_000);
    const disconnects: MeterError[] = [];
    const meter = connect(grpcAddress, {
      keptEventsMax: 3_000,
      onDisconnect: (error) => disconnects.push(error),
    });
    let applied = 0;
    let next = 0;
    const report = async (): Promise<void> => {
      while (next < events.length) {
        const at = next;
        next += 50;
        const results = await meter.record(events.slice(at, at + 50));
        expect(results.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
        applied += results.length;
        expect(meter.kept.events).toBeLessThanOrEqual(3_000);
      }
    };
    const reporting = Promise.all([report(), report(), report(), report()]);
    for (let kill = 0; kill < 3; kill++) {
      const before = applied;
      const after = random.between(500, 3_000);
      await until('more is applied', () => applied - before >= after || applied === events.length);
      sidecar.client.close();
      await sidecar.kill9();
      sidecar = await spawn();
    }
    await reporting;
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    expect(disconnects.length).toBeGreaterThan(0);
    expect(disconnects.every(({ retryable }) => retryable)).toBe(true);
    await expectClean(sidecar.config, sidecar.client, left);
  });

  it('and another one is there: calls and events go on over it', async () => {
    const first = await spawn();
    const second = await startTestSidecar(places(), { leaseMs: 500 });
    ends.push(() => second.stop());
    const account = await first.client.account('moved', 1_000_000);
    const meter = meterOf(first, { addresses: [grpcAddress, second.grpcAddress] });
    ends.push(() => meter.close({ timeoutMs: 0 }));
    await meter.record([usage(account, 'before', 10)]);
    await first.kill9();
    const calls = Array.from({ length: 20 }, (_, i) => meter.record([usage(account, `after-${i}`, 10)]));
    const request = { holdId: 'h', accountId: account, meter: 'llm', model: 'claude-haiku-4-5' };
    const amount = { unit: 'credits', value: 100n } as const;
    expect(await meter.reserve({ ...request, amount, startTimeMs: Date.now() })).toMatchObject({
      allowed: true,
      judged: true,
    });
    await meter.release({ ...request, eventTimeMs: Date.now() });
    await Promise.all(calls);
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    await expectClean(second.config, second.client, new Map([[account, 999_790]]));
  });

  it('drains first: its streams end, and the events go to whoever serves next', async () => {
    const first = await spawn();
    const account = await first.client.account('drained', 1_000_000);
    const meter = connect(grpcAddress);
    await meter.record([usage(account, 'before', 10)]);
    const stopped = first.stop();
    const calls = Array.from({ length: 20 }, (_, i) => meter.record([usage(account, `after-${i}`, 10)]));
    await stopped;
    const second = await spawn();
    await Promise.all(calls);
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    await expectClean(second.config, second.client, new Map([[account, 999_790]]));
  });
});

describe('a sidecar behind a bad network', () => {
  let proxy: StoreProxy;
  let behind: string;

  beforeEach(async () => {
    proxy = await startProxy(join(directory, 'grpc.sock'));
    ends.push(() => proxy.stop());
    behind = `127.0.0.1:${proxy.port}`;
  });

  it('whose answers do not come: what is kept stays within its limits, and is charged once in the end', async () => {
    const sidecar = await spawn();
    const account = await sidecar.client.account('silent', 1_000_000);
    const meter = connect(behind, { keptEventsMax: 1_000, keptBytesMax: 400_000, connections: 2 });
    await meter.record([usage(account, 'first', 1)], { until: 'durable' });
    proxy.onRequest = () => 'silence-answer';
    const calls: Promise<unknown>[] = [];
    const refusals: unknown[] = [];
    for (let i = 0; i < 5_000; i++) {
      const call = meter.record([usage(account, `e${i}`, 1)]).catch((error) => refusals.push(error));
      calls.push(call);
      if (i === 0) await until('an answer is lost', () => proxy.lostAnswers() > 0);
      expect(meter.kept.events).toBeLessThanOrEqual(1_000);
      expect(meter.kept.bytes).toBeLessThanOrEqual(400_000);
    }
    expect(meter.kept.bytes).toBeGreaterThan(398_000);
    // As much waits as is kept; the rest was told so at once.
    await until('the refusals are told', () => refusals.length > 0);
    const waiting = 5_000 - refusals.length - meter.kept.events;
    expect(waiting).toBeLessThanOrEqual(meter.kept.events);
    expect(waiting).toBeGreaterThan(0.9 * meter.kept.events);
    for (const error of refusals) expect(error).toMatchObject({ reason: 'KEPT_FULL', retryable: true });
    proxy.onRequest = () => 'pass';
    proxy.setDown(true);
    proxy.setDown(false);
    await Promise.all(calls);
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    const booked = 1 + 5_000 - refusals.length;
    await expectClean(sidecar.config, sidecar.client, new Map([[account, 1_000_000 - booked]]));
  });

  it('that cuts connections at random: everything is charged once', async () => {
    const random = new SeededRandom(seedOf('client: connections cut'));
    const sidecar = await spawn();
    const accounts = await Promise.all(
      Array.from({ length: 5 }, (_, i) => sidecar.client.account(`a${i}`, 10_000_000)),
    );
    const { events, left } = makeUsage(random, accounts, 10_000_000, 4_000);
    const disconnects: unknown[] = [];
    const meter = connect(behind, { connections: 3, onDisconnect: (error) => disconnects.push(error) });
    proxy.onRequest = () => {
      const draw = random.next();
      if (draw < 0.02) return 'cut';
      return draw < 0.05 ? 'cut-before-answer' : 'pass';
    };
    for (let at = 0; at < events.length; at += 40) {
      const results = await meter.record(events.slice(at, at + 40));
      expect(results.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
    }
    proxy.onRequest = () => 'pass';
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    expect(disconnects.length).toBeGreaterThan(0);
    await expectClean(sidecar.config, sidecar.client, left);
  });

  it('that loses the answers of calls: they are repeated and take effect once', async () => {
    const random = new SeededRandom(seedOf('client: answers of calls lost'));
    const sidecar = await spawn();
    const account = await sidecar.client.account('calls', 1_000_000);
    const meter = connect(behind, { connections: 2, callTimeoutMs: 20_000 });
    const work = { accountId: account, meter: 'llm', model: 'claude-haiku-4-5' };
    proxy.onRequest = () => (random.next() < 0.1 ? 'cut-before-answer' : 'pass');
    for (let i = 0; i < 30; i++) {
      const amount = { unit: 'credits', value: 100n } as const;
      const held = await meter.reserve({ ...work, holdId: `h${i}`, amount, startTimeMs: Date.now() });
      expect(held).toMatchObject({ allowed: true, judged: true, held: 100n });
      const extend = { accountId: account, holdId: `h${i}`, extendId: `x${i}`, eventTimeMs: Date.now() };
      expect(await meter.extend({ ...extend, addAmount: 50n })).toMatchObject({ held: 150n });
      if (i % 3 === 0) await meter.release({ accountId: account, holdId: `h${i}`, eventTimeMs: Date.now() });
      else await meter.settle({ ...work, holdId: `h${i}`, amount, eventTimeMs: Date.now() });
    }
    proxy.onRequest = () => 'pass';
    expect(proxy.lostAnswers()).toBeGreaterThan(0);
    expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
    await expectClean(sidecar.config, sidecar.client, new Map([[account, 998_000]]));
  });
});

describe('a sidecar that is away', () => {
  const work = { accountId: 'away', meter: 'llm', model: 'claude-haiku-4-5' };
  const credits = (value: bigint) => ({ amount: { unit: 'credits', value } as const });
  const reserve = (holdId: string, value: bigint, accountId = 'away') => ({
    ...work,
    accountId,
    holdId,
    ...credits(value),
    startTimeMs: Date.now(),
  });

  it('denies by default', async () => {
    const meter = connect(grpcAddress, { callTimeoutMs: 50 });
    expect(await meter.reserve(reserve('h', 1n))).toMatchObject({
      allowed: false,
      reason: 'UNAVAILABLE',
      judged: false,
    });
    const settle = { ...work, holdId: 'bad', quantities: { x: 0.5 }, eventTimeMs: Date.now() };
    expect(await errorOf(meter.settle(settle))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('allows up to a limit for each account, and reports what was used when it is back, once', async () => {
    const first = await spawn();
    const account = await first.client.account('away', 1_000_000);
    await first.client.account('other', 1_000_000);
    const meter = connect(grpcAddress, {
      callTimeoutMs: 60,
      whenUnavailable: {
        unitsPerAccountMax: 100n,
        unitsOf: (request) => ('amount' in request ? request.amount.value : 101n),
      },
    });
    expect(await meter.reserve(reserve('judged', 500n), { timeoutMs: 10_000 })).toMatchObject({
      judged: true,
    });
    await first.kill9();
    const open = { allowed: true, reason: null, judged: false };
    expect(await meter.reserve(reserve('a', 60n))).toMatchObject(open);
    expect(await meter.reserve(reserve('a', 60n))).toMatchObject(open);
    expect(await meter.reserve(reserve('b', 41n))).toMatchObject({ allowed: false, reason: 'UNAVAILABLE' });
    expect(await meter.reserve(reserve('b', 41n, 'other'))).toMatchObject(open);
    expect(await meter.reserve(reserve('c', 40n))).toMatchObject(open);
    await meter.release({ accountId: account, holdId: 'c', eventTimeMs: Date.now() });
    expect(await meter.reserve(reserve('d', 40n))).toMatchObject(open);
    const settle = { ...work, holdId: 'a', ...credits(70n), eventTimeMs: Date.now() };
    expect(await meter.settle(settle)).toEqual({ outcome: 'kept' });
    // Kept is not booked: it still counts.
    expect(await meter.reserve(reserve('e', 1n))).toMatchObject({ allowed: false });
    const late = { ...work, holdId: 'judged', ...credits(300n), eventTimeMs: Date.now() };
    expect(await meter.settle(late)).toEqual({ outcome: 'kept' });
    expect(meter.kept.events).toBe(2);
    const second = await spawn();
    await until('both are booked', () => meter.kept.events === 0);
    expect(await meter.settle(settle, { timeoutMs: 10_000 })).toMatchObject({
      outcome: 'settled',
      charged: 70n,
      duplicate: true,
    });
    await meter.release({ accountId: 'other', holdId: 'b', eventTimeMs: Date.now() }, { timeoutMs: 10_000 });
    await expectClean(second.config, second.client, new Map([[account, 999_630]]));
  });

  it('when the meter closes during a settle: it is kept, and delivered when a sidecar is back in time', async () => {
    const first = await spawn();
    const account = await first.client.account('away', 1_000);
    await first.kill9();
    const meter = connect(grpcAddress, { callTimeoutMs: 100 });
    const settling = meter.settle({ ...work, holdId: 'h', ...credits(5n), eventTimeMs: Date.now() });
    const closing = meter.close({ timeoutMs: 30_000 });
    expect(await settling).toEqual({ outcome: 'kept' });
    const second = await spawn();
    expect(await closing).toMatchObject({ isDrained: true });
    await expectClean(second.config, second.client, new Map([[account, 995]]));
  });

  it('when the meter closes: the report has the settles that nobody booked', async () => {
    const meter = connect(grpcAddress, { callTimeoutMs: 20 });
    const settle = { ...work, holdId: 'h', ...credits(5n), eventTimeMs: Date.now() };
    expect(await meter.settle(settle)).toEqual({ outcome: 'kept' });
    expect(await meter.close({ timeoutMs: 10 })).toEqual({
      isDrained: false,
      events: [],
      settles: [settle],
      releases: [],
    });
  });
});

it('a Redis that is away: events wait, and are charged once when it is back', async () => {
  const path = redis.socketPath;
  const proxy = await startProxy(path);
  ends.push(() => proxy.stop());
  const sidecar = await startTestSidecar({ ...places(), redisUrl: `redis://127.0.0.1:${proxy.port}` });
  ends.push(() => sidecar.stop());
  const account = await sidecar.client.account('waits', 1_000_000);
  const meter = connect(sidecar.grpcAddress);
  await meter.record([usage(account, 'before', 1)]);
  proxy.setDown(true);
  const calls = Array.from({ length: 100 }, (_, i) => meter.record([usage(account, `e${i}`, 1)]));
  expect(await errorOf(meter.record([usage(account, 'timed', 1)], { timeoutMs: 300 }))).toMatchObject({
    reason: 'TIMED_OUT',
  });
  proxy.setDown(false);
  const results = (await Promise.all(calls)).flat();
  expect(results.filter(({ outcome }) => outcome !== 'recorded')).toEqual([]);
  expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
  await expectClean(sidecar.config, sidecar.client, new Map([[account, 999_898]]));
  await expectVerified(sidecar.config);
});
