/** What Redis forgets on purpose: idle accounts and old ids. Postgres is the second line behind it. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accountScope, partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { auditLedger, postgresBalance, sql } from '../helpers/audit.js';
import { reserveRequest, settleRequest, type TestClient, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';

let redis: TestRedis;
let direct: Redis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeAll(async () => {
  redis = await startRedis();
  direct = new Redis(redis.url);
});
afterAll(async () => {
  direct.disconnect();
  await redis.stop();
});
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await sidecar.stop();
  expect(await auditLedger(database.url)).toEqual([]);
  await database.drop();
  await direct.flushall();
});

type Overrides = Parameters<typeof startTestSidecar>[1];

async function start(overrides: Overrides): Promise<void> {
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, overrides);
  ({ client } = sidecar);
}

function keysOf(account: string): ReturnType<typeof partitionKeys> {
  return partitionKeys('drawdown', partitionOf(account, 4));
}

async function isHot(account: string): Promise<boolean> {
  return (await direct.hexists(keysOf(account)[1], account)) === 1;
}

async function evicted(...accounts: string[]): Promise<void> {
  await until('the accounts are dropped from Redis', async () =>
    (await Promise.all(accounts.map(isHot))).every((hot) => !hot),
  );
}

describe('an idle account', () => {
  it('is dropped from Redis and comes back with the same wallets, lots and ids', async () => {
    await start({ accountIdleMs: 100 });
    const account = await client.account('idle', 1_000);
    await client.topUp(account, 500, { requestId: 'second', expiresAtMs: Date.now() + 3_600_000 });
    await client.topUp(account, 70, { requestId: 'characters', unit: 'UNIT_TTS_CHARACTERS' });
    const event = usageEvent(account, 'event', 300);
    await client.record([event, usageEvent(account, 'more', 1_500)]);
    const before = await client.call('AccountService/GetBalance', { accountId: account });
    await evicted(account);
    expect(await metric(sidecar, 'drawdown_accounts_evicted_total')).toBeGreaterThan(0);
    expect(await client.call('AccountService/GetBalance', { accountId: account })).toEqual(before);
    expect(await metric(sidecar, 'drawdown_accounts_loaded_total')).toBeGreaterThan(0);
    expect(await client.record([event])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_DUPLICATE', charged: '300' },
    ]);
    await evicted(account);
    await client.topUp(account, 400, { requestId: 'third' });
    const { lots } = await client.call('AccountService/ListLots', { accountId: account });
    expect(lots.map((lot) => [lot.unit, lot.lotId, lot.remaining])).toEqual([
      ['UNIT_CREDITS', '4', '100'],
      ['UNIT_TTS_CHARACTERS', '3', '70'],
    ]);
  });

  it('has all its units again when its holds ended before it was dropped', async () => {
    await start({ accountIdleMs: 100 });
    const account = await client.account('held-before', 1_000);
    await client.topUp(account, 1_000, { requestId: 'second' });
    await client.reserve(account, 'released', 900);
    await client.reserve(account, 'expires', 600, { holdTimeMs: 50 });
    await client.call('AccountService/ListHolds', { accountId: account });
    await client.release(account, 'released');
    await evicted(account);
    expect(await postgresBalance(database.url, account)).toEqual({ available: 2_000, held: 0, debt: 0 });
    expect(await client.balance(account)).toEqual({ available: 2_000, held: 0, debt: 0 });
  });

  it('with an open hold stays, and goes once the deadline of the hold is swept', async () => {
    await start({ accountIdleMs: 100 });
    const account = await client.account('held', 1_000);
    const due = await client.account('due-hold', 1_000);
    await client.reserve(account, 'hold', 600, { ackLevel: 'ACK_LEVEL_DURABLE' });
    await client.reserve(due, 'hold', 600, { holdTimeMs: 800, ackLevel: 'ACK_LEVEL_DURABLE' });
    await until('a hold expires without a call', async () => {
      return (await sql(database.url, `SELECT 1 FROM entries WHERE kind = 'hold_expired'`)).length === 1;
    });
    await evicted(due);
    expect(await isHot(account)).toBe(true);
    expect(await client.balance(due)).toEqual({ available: 1_000, held: 0, debt: 0 });
    expect(await client.balance(account)).toEqual({ available: 400, held: 600, debt: 0 });
  });

  it('loses its due lots without anybody calling, though Redis does not hold it', async () => {
    await start({ accountIdleMs: 100 });
    const account = await client.account('due', 1_000);
    await client.topUp(account, 500, { requestId: 'short', expiresAtMs: Date.now() + SOON_MS });
    await evicted(account);
    expect(await sql(database.url, `SELECT 1 FROM entries WHERE kind = 'lot_expired'`)).toEqual([]);
    await until('the lot expires', async () => {
      return (
        (await sql(database.url, `SELECT 1 FROM entries WHERE kind = 'lot_expired' AND expired = 500`))
          .length === 1
      );
    });
    await evicted(account);
    expect(await client.balance(account)).toEqual({ available: 1_000, held: 0, debt: 0 });
  });

  it('is charged right by many callers while it is dropped and loaded again and again', async () => {
    await start({ accountIdleMs: 1, sweepIntervalMs: 50 });
    const accounts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => client.account(`churn-${i}`, 1_000_000)),
    );
    for (let round = 0; round < 40; round++) {
      await Promise.all(
        accounts.flatMap((account) => [
          client.record([usageEvent(account, `event-${round}`, 10)]),
          client.record([usageEvent(account, `event-${round}/b`, 1)]),
          client
            .reserve(account, `hold-${round}`, 100)
            .then(() =>
              round % 2
                ? client.settle(account, `hold-${round}`, 50)
                : client.release(account, `hold-${round}`),
            ),
        ]),
      );
      if (round % 10 === 9) await evicted(...accounts);
    }
    for (const account of accounts) {
      const left = 1_000_000 - 40 * 11 - 20 * 50;
      expect(await client.balance(account)).toEqual({ available: left, held: 0, debt: 0 });
    }
    await evicted(...accounts);
  });
});

describe('an id that Redis no longer remembers', () => {
  /** Both generations are rotated away: what was booked before is known to Postgres only. */
  async function forget(account: string): Promise<void> {
    const keys = keysOf(account);
    for (let rotation = 0; rotation < 2; rotation++) {
      const current = await direct.hget(keys[0], 'ids_current');
      const padding = await client.record(
        Array.from({ length: 12 }, (_, i) =>
          usageEvent(account, `padding-${Date.now()}-${rotation}-${i}`, 0),
        ),
        'ACK_LEVEL_DURABLE',
      );
      expect(padding[0]?.outcome).toBe('EVENT_OUTCOME_RECORDED');
      await until('ids are rotated', async () => (await direct.hget(keys[0], 'ids_current')) !== current);
    }
  }

  async function remembers(account: string, kind: string, id: string): Promise<boolean> {
    const [, , , , ids0, ids1] = keysOf(account);
    const field = `${kind}${accountScope(account)}${id}`;
    return (await direct.hexists(ids0, field)) + (await direct.hexists(ids1, field)) > 0;
  }

  it('is found in the ledger: events, settles, releases, grants and holds are not made again', async () => {
    await start({ idsPerGenerationMax: 10 });
    const account = await client.account('old', 500_000);
    const event = usageEvent(account, 'event', 300);
    const [recorded] = await client.record([event]);
    const reserve = reserveRequest(account, 'hold', 1_000);
    await client.call('UsageService/Reserve', reserve);
    const settle = settleRequest(account, 'hold', 700);
    const settled = await client.call('UsageService/Settle', settle);
    const reserveReleased = reserveRequest(account, 'released', 1_000);
    await client.call('UsageService/Reserve', reserveReleased);
    const release = { accountId: account, holdId: 'released', eventTimeMs: Date.now() };
    await client.call('UsageService/Release', release);
    const eventTimeMs = Date.now();
    const granted = await client.topUp(account, 900, { requestId: 'grant', eventTimeMs });
    const convert = {
      requestId: 'convert',
      accountId: account,
      unit: 'UNIT_LLM_MESSAGES' as const,
      credits: 250_000,
      eventTimeMs,
    };
    const converted = await client.call('AccountService/ConvertCredits', convert);
    expect(converted).toMatchObject({ converted: '200000', granted: '2', available: '2' });
    const speech = { accountId: account, meter: 'tts', model: 'tts-1', agentId: '' };
    const characters = (count: number) => ({ quantities: { values: { characters: count } } });
    await client.topUp(account, 3_000_000, { requestId: 'for-speech' });
    const begin = { ...speech, holdId: 'spoken', startTimeMs: Date.now(), ...characters(150) };
    await client.call('UsageService/Reserve', begin);
    const settleSpoken = { ...speech, holdId: 'spoken', eventTimeMs, ...characters(90) };
    const spoken = await client.call('UsageService/Settle', settleSpoken);
    expect(spoken).toMatchObject({ converted: '1000000', released: '1000000', releasedUnit: 'UNIT_CREDITS' });
    const before = await client.balance(account);
    await forget(account);
    for (const [kind, id] of [
      ['u', 'event'],
      ['h', 'hold'],
      ['h', 'released'],
      ['g', 'grant'],
      ['v', 'convert'],
    ] as const) {
      expect(await remembers(account, kind, id)).toBe(false);
    }

    expect(await client.record([event])).toEqual([{ ...recorded, outcome: 'EVENT_OUTCOME_DUPLICATE' }]);
    expect(await client.record([{ ...event, quantities: { input_tokens: 301 } }])).toMatchObject([
      { outcome: 'EVENT_OUTCOME_REFUSED', reason: 'REASON_ID_CONFLICT' },
    ]);
    const { catalogVersion: _, ...same } = settled;
    expect(await client.call('UsageService/Settle', settle)).toMatchObject({ ...same, duplicate: true });
    expect(await client.call('UsageService/Reserve', reserve)).toMatchObject({ reason: 'REASON_HOLD_ENDED' });
    expect(await client.call('UsageService/Release', release)).toMatchObject({
      duplicate: true,
      released: '1000',
    });
    expect(await client.call('UsageService/Reserve', reserveReleased)).toMatchObject({
      reason: 'REASON_HOLD_ENDED',
    });
    expect(await client.topUp(account, 900, { requestId: 'grant', eventTimeMs })).toEqual({
      ...granted,
      duplicate: true,
    });
    expect(await client.call('AccountService/ConvertCredits', convert)).toEqual({
      ...converted,
      duplicate: true,
    });
    expect(await client.call('UsageService/Settle', settleSpoken)).toEqual({ ...spoken, duplicate: true });
    expect(await client.balance(account)).toEqual(before);
    expect(await metric(sidecar, 'drawdown_duplicates_total', 'caught_by="postgres"')).toBeGreaterThan(0);
  });

  it('returns the whole stored outcome of a settle by amount, its catalog version included', async () => {
    await start({ idsPerGenerationMax: 10 });
    const account = await client.account('old-version', 100_000);
    await client.reserve(account, 'hold', 1_000);
    const settle = settleRequest(account, 'hold', 700);
    const settled = await client.call('UsageService/Settle', settle);
    await forget(account);
    expect(await client.call('UsageService/Settle', settle)).toEqual({ ...settled, duplicate: true });
  });

  it('is found for a late settle after the release too, which charges once', async () => {
    await start({ idsPerGenerationMax: 10 });
    const account = await client.account('old-late', 100_000);
    await client.reserve(account, 'hold', 1_000);
    await client.release(account, 'hold');
    const settle = settleRequest(account, 'hold', 700);
    await forget(account);
    const settled = await client.call('UsageService/Settle', settle);
    expect(settled).toMatchObject({ charged: '700', late: true, holdUnknown: false, duplicate: false });
    await forget(account);
    expect(await client.call('UsageService/Settle', settle)).toEqual({ ...settled, duplicate: true });
    expect(await client.balance(account)).toEqual({ available: 99_300, held: 0, debt: 0 });
  });
});

describe('a repetition that only Postgres sees', () => {
  /** As if Redis had lost exactly these ids: nothing tells it to ask Postgres. */
  async function lose(account: string, ...fields: string[]): Promise<void> {
    const [, , , , ids0, ids1] = keysOf(account);
    const scoped = fields.map((field) => `${field[0]}${accountScope(account)}${field.slice(1)}`);
    const removed = (await direct.hdel(ids0, ...scoped)) + (await direct.hdel(ids1, ...scoped));
    expect(removed).toBe(scoped.length);
  }

  async function reversed(account: string, times: number): Promise<void> {
    await until('the charge is given back', async () => {
      const rows = await sql(database.url, `SELECT 1 FROM entries WHERE kind = 'reversal'`);
      return rows.length >= times && (await sql(database.url, 'SELECT 1 FROM reversals_due')).length === 0;
    });
    const lines = await client.ledger(account, { kinds: ['ENTRY_KIND_REVERSAL'] });
    expect(lines).toHaveLength(times);
  }

  it('is stored as a duplicate and given back once: events, conflicts and settles, also from several lots', async () => {
    await start({});
    const account = await client.account('doubled', 1_000);
    await client.topUp(account, 1_000, { requestId: 'second' });
    const event = usageEvent(account, 'event', 700);
    const changed = usageEvent(account, 'changed', 50);
    await client.record([event, changed], 'ACK_LEVEL_DURABLE');
    const settle = settleRequest(account, 'hold', 20);
    await client.call('UsageService/Settle', { ...settle, ackLevel: 'ACK_LEVEL_DURABLE' });
    await lose(account, 'uevent', 'uchanged', 'hhold');
    const other = { ...changed, quantities: { input_tokens: 60 } };
    const neighbour = usageEvent(account, 'neighbour', 1);
    expect(await client.record([event, neighbour, other], 'ACK_LEVEL_DURABLE')).toMatchObject([
      { outcome: 'EVENT_OUTCOME_RECORDED' },
      { outcome: 'EVENT_OUTCOME_RECORDED' },
      { outcome: 'EVENT_OUTCOME_RECORDED' },
    ]);
    await client.call('UsageService/Settle', { ...settle, ackLevel: 'ACK_LEVEL_DURABLE' });
    await reversed(account, 3);
    const left = 2_000 - 700 - 50 - 20 - 1;
    expect(await client.balance(account)).toEqual({ available: left, held: 0, debt: 0 });
    expect(await postgresBalance(database.url, account)).toEqual({ available: left, held: 0, debt: 0 });
    const duplicates = await client.ledger(account, { kinds: ['ENTRY_KIND_DUPLICATE'] });
    expect(duplicates.map((line) => [line.spent, line.flags])).toEqual([
      ['700', []],
      ['60', ['conflict']],
      ['20', ['hold_unknown']],
    ]);
    // The lots have what they had, in the lots they had it in.
    const { lots } = await client.call('AccountService/ListLots', { accountId: account });
    expect(lots.map((lot) => [lot.lotId, lot.remaining])).toEqual([
      ['1', '230'],
      ['2', '999'],
    ]);
  });

  it('that made debt pays the debt back', async () => {
    await start({});
    const account = await client.account('doubled-debt', 1_000);
    const event = usageEvent(account, 'event', 700);
    await client.record([event], 'ACK_LEVEL_DURABLE');
    await lose(account, 'uevent');
    expect(await client.record([event], 'ACK_LEVEL_DURABLE')).toMatchObject([
      { charged: '700', overdrawn: '400' },
    ]);
    await reversed(account, 1);
    expect(await client.balance(account)).toEqual({ available: 300, held: 0, debt: 0 });
  });

  it('twice within one flush is found as well', async () => {
    await start({});
    const account = await client.account('doubled-at-once', 1_000);
    const event = usageEvent(account, 'event', 100);
    await client.record([event], 'ACK_LEVEL_DURABLE');
    const scoped = `u${accountScope(account)}event`;
    const [, , , , ids0, ids1] = keysOf(account);
    for (let time = 0; time < 5; time++) {
      await Promise.all([direct.hdel(ids0, scoped), direct.hdel(ids1, scoped)]);
      await client.record([event]);
    }
    await reversed(account, 5);
    expect(await client.balance(account)).toEqual({ available: 900, held: 0, debt: 0 });
  });

  it('is given back once though the sidecar restarts in between', async () => {
    // The first one never sweeps, so the reversal is still due when it stops.
    await start({ sweepIntervalMs: 3_600_000 });
    const account = await client.account('doubled-restart', 1_000);
    const event = usageEvent(account, 'event', 700);
    await client.record([event], 'ACK_LEVEL_DURABLE');
    await lose(account, 'uevent');
    await client.record([event], 'ACK_LEVEL_DURABLE');
    expect(await sql(database.url, 'SELECT amount FROM reversals_due')).toEqual([{ amount: '700' }]);
    await sidecar.stop();
    await start({});
    await reversed(account, 1);
    await sidecar.stop();
    await start({});
    await until('it has swept again', async () => (await metric(sidecar, 'drawdown_ready')) === 1);
    await reversed(account, 1);
    expect(await client.balance(account)).toEqual({ available: 300, held: 0, debt: 0 });
  });

  it('of a grant does not leave the account richer', async () => {
    await start({});
    const account = await client.account('granted-twice');
    const eventTimeMs = Date.now();
    await client.topUp(account, 1_000, { requestId: 'grant', eventTimeMs });
    await lose(account, 'ggrant');
    await client.topUp(account, 1_000, { requestId: 'grant', eventTimeMs });
    await until(
      'the second grant is taken back',
      async () => (await client.balance(account)).available === 1_000,
      3_000,
    );
  });
});
