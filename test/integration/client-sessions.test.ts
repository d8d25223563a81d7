/** Sessions of the client library against real sidecars with real stores. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Meter, type MeterOptions, type OpenRequest } from '../../src/client/index.js';
import type { Config } from '../../src/config.js';
import { errorOf } from '../helpers/meter.js';
import { type SidecarProcess, spawnSidecar, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

const settings: Partial<Config> = { checkpointIntervalMs: 40, sessionGraceMs: 1_000 };

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let accounts = 0;
const meters: Meter[] = [];
const others: SidecarProcess[] = [];

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, settings);
});
afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});
afterEach(async () => {
  await Promise.all(meters.splice(0).map((meter) => meter.close({ timeoutMs: 0 })));
  await Promise.all(others.splice(0).map((other) => other.stop()));
});

function connect(options: MeterOptions = {}): Meter {
  const meter = new Meter({ addresses: [sidecar.grpcAddress], connections: 1, ...options });
  meters.push(meter);
  return meter;
}

/** A second sidecar on the same stores, as a process of its own. */
async function startOther(): Promise<SidecarProcess> {
  const other = await spawnSidecar({ redisUrl: redis.url, postgresUrl: database.url }, settings);
  others.push(other);
  return other;
}

const account = (micros?: number): Promise<string> =>
  sidecar.client.account(`sessions-${++accounts}`, micros);

/** claude-haiku-4-5 costs 1 micro-credit an input token and 5 an output token. */
function chat(accountId: string, more: Partial<OpenRequest> = {}): OpenRequest {
  return {
    sessionId: 'chat',
    accountId,
    meter: 'llm',
    model: 'claude-haiku-4-5',
    known: { input_tokens: 100 },
    counted: ['output_tokens'],
    ...more,
  };
}

const usageOf = (accountId: string, holdId: string) =>
  sidecar.client.call('UsageService/GetUsage', { accountId, holdId });

describe('a session', () => {
  it('grows with its answer and is charged once on its final counts', async () => {
    const id = await account(1_000_000);
    const meter = connect();
    const session = await meter.open(chat(id));
    expect(session).toMatchObject({ allowed: true, judged: true, unit: 'credits', generation: 1 });
    let through = session.allowedThrough;
    for (let round = 0; round < 3; round++) {
      session.report({ output_tokens: through });
      expect(await session.room(through + 1)).toBe(true);
      through = session.allowedThrough;
    }
    await until('it is acknowledged', () => (session.acknowledged.output_tokens as number) > 256);
    const settled = await session.settle({ input_tokens: 90, output_tokens: 1_000 });
    expect(settled).toMatchObject({ outcome: 'settled', charged: 5_090n, overdrawn: 0n, late: false });
    await until('it is durable', () => meter.kept.events === 0);
    expect(await sidecar.client.balance(id)).toEqual({ available: 994_910, held: 0, debt: 0 });
    expect(await usageOf(id, 'chat')).toMatchObject({ state: 'USAGE_STATE_SETTLED', durable: true });
  });

  it('is denied with what is missing, released without a charge, conflicts with another of its id', async () => {
    const id = await account(2_000);
    const meter = connect();
    expect(await meter.open(chat(id, { known: { input_tokens: 3_000 } }))).toMatchObject({
      allowed: false,
      reason: 'INSUFFICIENT_BALANCE',
      unit: 'credits',
    });
    expect(await meter.open(chat('nobody'))).toMatchObject({ allowed: false, reason: 'ACCOUNT_UNKNOWN' });
    const session = await meter.open(chat(id));
    const conflict = meter.open(chat(id, { model: 'gpt-4o-mini' }));
    expect(await errorOf(conflict)).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'ID_CONFLICT' });
    expect(await session.release()).toMatchObject({ unit: 'credits', duplicate: false });
    expect(await meter.open(chat(id))).toMatchObject({ allowed: false, reason: 'HOLD_ENDED' });
    expect(await sidecar.client.balance(id)).toEqual({ available: 2_000, held: 0, debt: 0 });
    await until('nothing is kept', () => meter.kept.events === 0);
  });

  it('of a text is set aside whole, or denied', async () => {
    const id = await account();
    await sidecar.client.topUp(id, 100, { unit: 'UNIT_TTS_CHARACTERS' });
    const meter = connect();
    const speech = (sessionId: string, expectedMax: number): OpenRequest => ({
      sessionId,
      accountId: id,
      meter: 'tts',
      model: 'eleven_flash_v2_5',
      counted: ['characters'],
      expectedMax,
      whole: true,
    });
    expect(await meter.open(speech('long', 101))).toMatchObject({ allowed: false });
    const session = await meter.open(speech('short', 80));
    expect(session).toMatchObject({ allowed: true, unit: 'tts_characters', held: 80n, allowedThrough: 80 });
    expect(await session.settle({ characters: 70 })).toMatchObject({ charged: 70n });
  });

  it('stops where the balance ends, and spends it to the last unit', async () => {
    const id = await account(1_500);
    const session = await connect().open(chat(id));
    let count = 0;
    while (await session.room(count + 1)) session.report({ output_tokens: ++count });
    expect(session.stopped).toBe('INSUFFICIENT_BALANCE');
    expect(count).toBe((1_500 - 100) / 5);
    expect(await session.settle()).toMatchObject({ charged: 1_500n, overdrawn: 0n, available: 0n });
  });
});

describe('a thousand sessions on a balance for half of them', () => {
  it('share it fairly: no debt, nearly all of it is used, nobody hangs', async () => {
    const count = 1_000;
    const wanted = 200;
    const balance = (count * wanted * 5) / 2;
    const id = await account(balance);
    const meter = connect({ connections: 2 });
    const ends = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const request = chat(id, { sessionId: `crowd-${i}`, known: {} });
        const session = await meter.open(request);
        if (!session.allowed) return 0;
        let streamed = 0;
        while (streamed < wanted && (await session.room(streamed + 1))) {
          session.report({ output_tokens: ++streamed });
        }
        await session.settle();
        return streamed;
      }),
    );
    const left = await sidecar.client.balance(id);
    expect(left).toMatchObject({ held: 0, debt: 0 });
    expect(balance - left.available).toBe(5 * ends.reduce((sum, one) => sum + one, 0));
    expect(balance - left.available).toBeGreaterThanOrEqual(balance * 0.99);
  });
});

describe('a session that another gateway opens', () => {
  it('goes on there with its counts, and is over here', async () => {
    const id = await account(1_000_000);
    const request = chat(id, { startTimeMs: Date.now() });
    const first = await connect().open(request);
    first.report({ output_tokens: 40 });
    await until('it is acknowledged', () => first.acknowledged.output_tokens === 40);
    const second = await connect().open(request);
    expect(second).toMatchObject({ generation: 2, counts: { output_tokens: 40 } });
    first.report({ output_tokens: 50 });
    await until('it is over', () => first.stopped === 'SESSION_MOVED');
    expect(await errorOf(first.settle())).toMatchObject({ reason: 'SESSION_OVER' });
    expect(await second.settle()).toMatchObject({ charged: 300n });
  });
});

describe('a sidecar that goes', () => {
  it('killed: its sessions go on with another, and are charged once', async () => {
    const other = await startOther();
    const id = await account(1_000_000);
    const meter = connect({ addresses: [other.grpcAddress, sidecar.grpcAddress] });
    const sessions = await Promise.all(
      Array.from({ length: 20 }, (_, i) => meter.open(chat(id, { sessionId: `killed-${i}` }))),
    );
    for (const session of sessions) session.report({ output_tokens: 60 });
    await until('all are acknowledged', () =>
      sessions.every(({ acknowledged }) => acknowledged.output_tokens === 60),
    );
    await other.kill9();
    for (const session of sessions) session.report({ output_tokens: 90 });
    await until('all are acknowledged', () =>
      sessions.every(({ acknowledged }) => acknowledged.output_tokens === 90),
    );
    expect(sessions.map(({ generation }) => generation).sort()).toEqual([
      ...Array(10).fill(1),
      ...Array(10).fill(2),
    ]);
    const settled = await Promise.all(sessions.map((session) => session.settle()));
    for (const one of settled) expect(one).toMatchObject({ charged: 550n, overdrawn: 0n });
    expect(await sidecar.client.balance(id)).toEqual({ available: 1_000_000 - 20 * 550, held: 0, debt: 0 });
  });

  it('stopped: it hands its sessions on before it ends', async () => {
    const other = await startOther();
    const id = await account(1_000_000);
    const meter = connect({ addresses: [other.grpcAddress, sidecar.grpcAddress] });
    const sessions = await Promise.all(
      ['a', 'b'].map((name) => meter.open(chat(id, { sessionId: `drained-${name}` }))),
    );
    for (const session of sessions) session.report({ output_tokens: 30 });
    await until('all are acknowledged', () =>
      sessions.every(({ acknowledged }) => acknowledged.output_tokens === 30),
    );
    await other.stop();
    for (const session of sessions) session.report({ output_tokens: 31 });
    await until('all are acknowledged', () =>
      sessions.every(({ acknowledged }) => acknowledged.output_tokens === 31),
    );
    expect(sessions.map(({ generation, stopped }) => [generation, stopped]).sort()).toEqual([
      [1, null],
      [2, null],
    ]);
    for (const session of sessions) expect(await session.settle()).toMatchObject({ charged: 255n });
  });
});

describe('a gateway that goes', () => {
  it('leaves its session to be settled at what was acknowledged; a late settle books the rest', async () => {
    const id = await account(1_000_000);
    const request = chat(id, { startTimeMs: Date.now() });
    const meter = connect();
    const session = await meter.open(request);
    session.report({ output_tokens: 40 });
    expect(await meter.close()).toMatchObject({ isDrained: true });
    await until('it is swept', async () => (await usageOf(id, 'chat')).state === 'USAGE_STATE_EXPIRED');
    expect(await sidecar.client.balance(id)).toEqual({ available: 1_000_000 - 300, held: 0, debt: 0 });
    const back = connect();
    expect(await back.open(request)).toMatchObject({ allowed: false, reason: 'HOLD_ENDED' });
    const settled = await back.settle({
      holdId: 'chat',
      accountId: id,
      meter: 'llm',
      model: 'claude-haiku-4-5',
      quantities: { input_tokens: 100, output_tokens: 50 },
      eventTimeMs: Date.now(),
    });
    expect(settled).toMatchObject({ outcome: 'settled', charged: 350n, late: true });
    expect(await sidecar.client.balance(id)).toEqual({ available: 1_000_000 - 350, held: 0, debt: 0 });
  });
});
