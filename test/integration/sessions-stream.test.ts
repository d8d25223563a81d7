/** Metering sessions over a real stream, on real stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar(
    { redisUrl: redis.url, postgresUrl: database.url },
    { checkpointIntervalMs: 40, sessionGraceMs: 2_000, streamSessionsMax: 8 },
  );
});

afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

const open = () => new SessionStream(sidecar.grpcAddress);

describe('a session', () => {
  it('is opened, acknowledged, extended, settled on the final counts, and durable', async () => {
    const account = await sidecar.client.account('lively', 1_000_000);
    const stream = open();
    const opened = await stream.open(7, account);
    expect(opened).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      unit: 'UNIT_CREDITS',
      allowedThrough: '256',
      held: String(100 + 5 * 256),
      counts: [],
      generation: 1,
      catalogVersion: 1,
    });
    stream.progress(7, 50);
    await stream.acknowledgedThrough(7, 50);
    stream.progress(7, 250);
    await until('it may go further', () => (stream.allowed.get(7) ?? 0) > 256);
    stream.progress(7, 300);
    await stream.acknowledgedThrough(7, 300);
    const { settled } = await stream.settle(7, 120, 310);
    expect(settled).toMatchObject({
      charged: String(120 + 5 * 310),
      overdrawn: '0',
      late: false,
      holdUnknown: false,
    });
    expect(await sidecar.client.balance(account)).toEqual({ available: 1_000_000 - 1_670, held: 0, debt: 0 });
    await stream.durable(5);
    expect(await stream.end()).toBe('OK');
    expect(stream.refused).toEqual([]);
  });

  it('is released without a charge, and its number is free again', async () => {
    const account = await sidecar.client.account('released', 100_000);
    const stream = open();
    await stream.open(1, account, { sessionId: 'first' });
    stream.progress(1, 20);
    await stream.acknowledgedThrough(1, 20);
    expect((await stream.release(1)).released).toMatchObject({
      released: String(100 + 5 * 256),
      available: '100000',
    });
    expect(await stream.open(1, account, { sessionId: 'second' })).toMatchObject({ generation: 1 });
    expect((await stream.settle(1, 100, 0)).settled).toMatchObject({ charged: '100' });
    expect(await sidecar.client.balance(account)).toEqual({ available: 99_900, held: 0, debt: 0 });
    await stream.end();
  });

  it('is told to stop where the balance ends, and not before everything of it may be used', async () => {
    const account = await sidecar.client.account('short', 100 + 5 * 400);
    const stream = open();
    await stream.open(1, account);
    let count = 0;
    while (!stream.stops.has(1)) {
      const allowed = stream.allowed.get(1) as number;
      if (allowed > count) {
        count = allowed;
        stream.progress(1, count);
      }
      await until(
        'it may go on, or not',
        () => stream.stops.has(1) || (stream.allowed.get(1) as number) > count,
      );
    }
    expect(await stream.stopped(1)).toBe('REASON_INSUFFICIENT_BALANCE');
    expect(count).toBe(400);
    await stream.acknowledgedThrough(1, 400);
    expect((await stream.settle(1, 100, 400)).settled).toMatchObject({ charged: '2100', overdrawn: '0' });
    expect(await sidecar.client.balance(account)).toEqual({ available: 0, held: 0, debt: 0 });
    await stream.end();
  });

  it('goes on past its end as debt only where the gateway does', async () => {
    const account = await sidecar.client.account('eager', 1_000);
    const stream = open();
    const { allowedThrough } = await stream.open(1, account);
    expect(Number(allowedThrough)).toBeLessThanOrEqual(180);
    stream.progress(1, 190);
    expect(await stream.stopped(1)).toBe('REASON_INSUFFICIENT_BALANCE');
    expect((await stream.settle(1, 100, 190)).settled).toMatchObject({ charged: '1050', overdrawn: '50' });
    await stream.end();
  });

  it('is denied with what is missing, and opened as soon as there is enough', async () => {
    const account = await sidecar.client.account('poor', 104);
    const stream = open();
    expect(await stream.open(1, account)).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      missing: '1',
      allowedThrough: '0',
    });
    expect(await stream.open(2, 'nobody')).toMatchObject({ reason: 'REASON_ACCOUNT_UNKNOWN' });
    await sidecar.client.topUp(account, 1, { requestId: 'more' });
    expect(await stream.open(1, account)).toMatchObject({ verdict: 'VERDICT_ALLOWED', allowedThrough: '1' });
    await stream.release(1);
    await stream.end();
  });

  it('is stopped at once where its account is frozen, and settled all the same', async () => {
    const account = await sidecar.client.account('frozen', 100_000);
    const stream = open();
    await stream.open(1, account);
    await sidecar.client.call('AccountService/FreezeAccount', {
      requestId: 'freeze',
      accountId: account,
      eventTimeMs: Date.now(),
    });
    stream.progress(1, 5);
    expect(await stream.stopped(1)).toBe('REASON_ACCOUNT_FROZEN');
    expect((await stream.settle(1, 100, 5)).settled).toMatchObject({ charged: '125' });
    await stream.end();
  });

  it('that somebody settles by its id ends on its stream', async () => {
    const account = await sidecar.client.account('by-id', 100_000);
    const stream = open();
    await stream.open(1, account);
    const settle = {
      holdId: 'session-1',
      accountId: account,
      meter: 'llm',
      model: 'claude-haiku-4-5',
      eventTimeMs: Date.now(),
    };
    const quantities = { values: { input_tokens: 100, output_tokens: 30 } };
    expect(await sidecar.client.call('UsageService/Settle', { ...settle, quantities })).toMatchObject({
      charged: '250',
    });
    stream.progress(1, 31);
    expect(await stream.stopped(1)).toBe('REASON_HOLD_ENDED');
    stream.send({ settles: [{ session: 1, quantities: { input_tokens: 100 }, eventTimeMs: Date.now() }] });
    expect(await stream.refusal(1)).toMatchObject({ reason: 'REASON_SESSION_UNKNOWN' });
    await stream.end();
  });

  it('of characters that cannot be cut short sets aside all of them at once, or is denied', async () => {
    const account = await sidecar.client.account('speaker');
    await sidecar.client.topUp(account, 1_000, { unit: 'UNIT_TTS_CHARACTERS', requestId: 'characters' });
    const speech = { meter: 'tts', model: 'tts-1', known: {}, counted: ['characters'], whole: true };
    const stream = open();
    expect(await stream.open(1, account, { ...speech, expectedMax: 700 })).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      held: '700',
      allowedThrough: '700',
    });
    expect(await stream.open(2, account, { ...speech, expectedMax: 301 })).toMatchObject({
      verdict: 'VERDICT_DENIED',
    });
    stream.progress(1, 650);
    await stream.acknowledgedThrough(1, 650);
    stream.send({ settles: [{ session: 1, quantities: { characters: 660 }, eventTimeMs: Date.now() }] });
    expect((await stream.outcome(1)).settled).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      charged: '660',
      released: '40',
    });
    await stream.end();
  });

  it('of characters is stopped where the allowance ends, and another one for the rest goes on with credits', async () => {
    const account = await sidecar.client.account('outgrows', 1_000_000_000);
    await sidecar.client.topUp(account, 30, { unit: 'UNIT_TTS_CHARACTERS', requestId: 'characters' });
    const speech = { meter: 'tts', model: 'tts-1', known: {}, counted: ['characters'] };
    const stream = open();
    expect(await stream.open(1, account, speech)).toMatchObject({ unit: 'UNIT_TTS_CHARACTERS' });
    for (let count = 0; count < 30; ) {
      count = stream.allowed.get(1) as number;
      stream.progress(1, count);
      if (count < 30) await until('it may go further', () => (stream.allowed.get(1) as number) > count);
    }
    expect(await stream.stopped(1)).toBe('REASON_INSUFFICIENT_BALANCE');
    stream.send({ settles: [{ session: 1, quantities: { characters: 30 }, eventTimeMs: Date.now() }] });
    const spoken = { unit: 'UNIT_TTS_CHARACTERS', overdrawn: '0', charged: '30' };
    expect((await stream.outcome(1)).settled).toMatchObject({ ...spoken, converted: '0' });
    expect(await stream.open(2, account, speech)).toMatchObject({ unit: 'UNIT_CREDITS' });
    stream.send({ settles: [{ session: 2, quantities: { characters: 30 }, eventTimeMs: Date.now() }] });
    expect((await stream.outcome(2)).settled).toMatchObject({ ...spoken, converted: '1000000' });
    await stream.end();
  });

  it('of characters beyond the allowance holds credits for whole blocks and converts what was spoken', async () => {
    const account = await sidecar.client.account('converter', 1_000_000_000);
    const speech = { meter: 'tts', model: 'tts-1', known: {}, counted: ['characters'] };
    const stream = open();
    const opened = await stream.open(1, account, speech);
    expect(opened).toMatchObject({ verdict: 'VERDICT_ALLOWED', unit: 'UNIT_CREDITS' });
    const allowed = Number(opened.allowedThrough);
    expect(allowed).toBeGreaterThanOrEqual(256);
    stream.progress(1, allowed);
    await until('it may go further', () => (stream.allowed.get(1) ?? 0) > allowed);
    stream.send({
      settles: [{ session: 1, quantities: { characters: allowed + 1 }, eventTimeMs: Date.now() }],
    });
    expect((await stream.outcome(1)).settled).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      charged: String(allowed + 1),
      overdrawn: '0',
    });
    await stream.end();
  });
});

describe('a stream of sessions', () => {
  it('refuses what it cannot judge with the number of the session, and goes on with its neighbours', async () => {
    const account = await sidecar.client.account('mixed', 100_000);
    const stream = open();
    await stream.open(1, account);
    stream.send({
      opens: [
        sessionOpen(1, account, { sessionId: 'another' }),
        sessionOpen(2, account, { sessionId: 'a b' }),
        sessionOpen(3, account, { counted: ['nonsense'] }),
        sessionOpen(4, account, { meter: 'nothing' }),
        sessionOpen(5, account, { startTimeMs: 1_000 }),
        sessionOpen(6, account, { sessionId: 'session-1', known: { input_tokens: 99 } }),
        sessionOpen(7, account, { sessionId: 'seventh' }),
      ],
      progress: [
        { session: 1, counts: [3] },
        { session: 1, counts: [4, 5] },
        { session: 99, counts: [1] },
      ],
      releases: [{ session: 98, eventTimeMs: Date.now() }],
    });
    expect(await stream.verdict(7)).toMatchObject({ verdict: 'VERDICT_ALLOWED' });
    await stream.acknowledgedThrough(1, 3);
    await until('all are refused', () => stream.refused.length === 9);
    const reasons = stream.refused
      .map(({ session, reason }) => `${session} ${String(reason).slice(7)}`)
      .sort();
    expect(reasons).toEqual([
      '1 FIELD_INVALID',
      '1 FIELD_INVALID',
      '2 FIELD_INVALID',
      '3 FIELD_INVALID',
      '4 FIELD_INVALID',
      '5 EVENT_TOO_OLD',
      '6 ID_CONFLICT',
      '98 SESSION_UNKNOWN',
      '99 SESSION_UNKNOWN',
    ]);
    await stream.release(1);
    await stream.release(7);
    expect(await stream.end()).toBe('OK');
  });

  it('takes no more sessions than streamSessionsMax', async () => {
    const account = await sidecar.client.account('crowd', 1_000_000);
    const stream = open();
    stream.send({
      opens: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) =>
        sessionOpen(number, account, { sessionId: `crowd-${number}` }),
      ),
    });
    expect(await stream.refusal(9)).toMatchObject({ reason: 'REASON_LIMIT_REACHED' });
    expect(Number((await stream.refusal(9)).retryAfterMs)).toBeGreaterThan(0);
    for (let number = 1; number <= 8; number++) await stream.verdict(number);
    for (let number = 1; number <= 8; number++) await stream.release(number);
    expect(await stream.open(9, account, { sessionId: 'crowd-9' })).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
    });
    await stream.release(9);
    await stream.end();
  });

  it('settles a session whose open is still on its way', async () => {
    const account = await sidecar.client.account('hasty', 100_000);
    const stream = open();
    stream.send({
      opens: [sessionOpen(1, account, { sessionId: 'hasty' })],
      progress: [{ session: 1, counts: [10] }],
      settles: [
        { session: 1, quantities: { input_tokens: 100, output_tokens: 12 }, eventTimeMs: Date.now() },
      ],
    });
    expect(await stream.end()).toBe('OK');
    expect(stream.ended.get(1)?.settled).toMatchObject({
      charged: '160',
      holdUnknown: false,
      duplicate: false,
    });
  });

  it('ends with INVALID_ARGUMENT where a number is left out, and leaves its sessions to the grace period', async () => {
    const account = await sidecar.client.account('skipping', 100_000);
    const stream = open();
    await stream.open(1, account);
    stream.progress(1, 10);
    stream.call.write({ messageNumber: 7 });
    expect(await stream.finished()).toBe('INVALID_ARGUMENT');
    await until('the session is settled', async () => (await sidecar.client.balance(account)).held === 0);
    expect(await sidecar.client.balance(account)).toEqual({ available: 100_000 - 150, held: 0, debt: 0 });
  });
});

describe('a gateway that is gone', () => {
  it('is charged its last acknowledged counts after the grace period, once, and a late settle books the rest', async () => {
    const account = await sidecar.client.account('gone', 100_000);
    const stream = open();
    await stream.open(1, account);
    stream.progress(1, 40);
    await stream.acknowledgedThrough(1, 40);
    stream.break();
    await until('the session is settled', async () => (await sidecar.client.balance(account)).held === 0);
    expect(await sidecar.client.balance(account)).toEqual({ available: 100_000 - 300, held: 0, debt: 0 });
    const again = open();
    again.send({ opens: [sessionOpen(1, account)] });
    expect(await again.refusal(1)).toMatchObject({ reason: 'REASON_HOLD_ENDED' });
    await again.end();
    const settle = {
      holdId: 'session-1',
      accountId: account,
      meter: 'llm',
      model: 'claude-haiku-4-5',
      eventTimeMs: Date.now(),
    };
    const quantities = { values: { input_tokens: 100, output_tokens: 50 } };
    for (const duplicate of [false, true]) {
      expect(await sidecar.client.call('UsageService/Settle', { ...settle, quantities })).toMatchObject({
        charged: '350',
        late: true,
        duplicate,
      });
    }
    expect(await sidecar.client.balance(account)).toEqual({ available: 100_000 - 350, held: 0, debt: 0 });
  });

  it('may come back before, and goes on where it was', async () => {
    const account = await sidecar.client.account('back', 100_000);
    const stream = open();
    await stream.open(1, account);
    stream.progress(1, 40);
    await stream.acknowledgedThrough(1, 40);
    stream.break();
    const again = open();
    expect(await again.open(3, account, { sessionId: 'session-1' })).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      counts: ['40'],
      generation: 2,
      allowedThrough: '256',
    });
    again.progress(3, 30);
    again.progress(3, 60);
    await again.acknowledgedThrough(3, 60);
    expect((await again.settle(3, 100, 60)).settled).toMatchObject({ charged: '400', late: false });
    await again.end();
  });
});
