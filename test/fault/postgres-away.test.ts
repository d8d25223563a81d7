/** Postgres is away for as long as the journal has room, and longer; then it is back, with a full journal before it. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import { type CallFailure, reserveRequest, type TestClient, usageEvent } from '../helpers/client.js';
import { metric, type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { startPostgres, startRedis, type TestRedis, type TestStore } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

let redis: TestRedis;
let postgres: TestStore;
let sidecar: SidecarProcess;
let client: TestClient;
beforeEach(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
});
afterEach(async () => {
  await sidecar.stop();
  await Promise.all([postgres.stop(), redis.stop()]);
});

async function start(overrides: Parameters<typeof spawnSidecar>[1]): Promise<void> {
  sidecar = await spawnSidecar(
    { redisUrl: redis.url, postgresUrl: postgres.url },
    { partitionCount: 1, journalTailMs: 0, bulkRestMaxMs: 0, ...overrides },
  );
  client = sidecar.client;
}

/** The reason and the limit that a call was refused for; null where it was taken. */
async function refusal(call: Promise<unknown>): Promise<CallFailure | null> {
  const answer = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (answer === null) return null;
  expect(answer).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED' });
  expect((answer as CallFailure).retryAfterMs).toBeGreaterThan(0);
  return answer as CallFailure;
}

/** Records batches of events until one is refused, and returns how many events were taken. */
async function fill(account: string, eventsPerBatch: number, limit: string): Promise<number> {
  for (let taken = 0; ; taken += eventsPerBatch) {
    const results = await client.record(events(account, 'fill', taken, eventsPerBatch));
    const refused = results.filter(({ outcome }) => outcome === 'EVENT_OUTCOME_REFUSED');
    if (refused.length === 0) continue;
    expect(refused).toHaveLength(eventsPerBatch);
    expect(refused[0]).toMatchObject({ reason: 'REASON_LIMIT_REACHED' });
    expect(refused[0]?.message).toContain(limit);
    return taken;
  }
}

function events(account: string, name: string, first: number, count: number) {
  return Array.from({ length: count }, (_, i) => usageEvent(account, `${name}-${first + i}`, 1));
}

async function cursor(): Promise<number> {
  const [row] = await sql(postgres.url, 'SELECT seq FROM partitions');
  return Number(row?.seq);
}

const holds = 2_000;
const settled = 3;

function reserved(account: string, hold: number): Promise<unknown> {
  const more = { holdTimeMs: 3_600_000, ackLevel: 'ACK_LEVEL_DURABLE' as const };
  return client.reserve(account, `hold-${hold}`, 10, more);
}

/** Returns how many holds were settled. */
async function settleUntilRefused(account: string): Promise<number> {
  for (let ended = 0; ; ended++)
    if ((await refusal(client.settle(account, `hold-${ended}`, settled))) !== null) return ended;
}

async function releaseFrom(account: string, first: number): Promise<void> {
  const left = Array.from({ length: holds - first }, (_, i) => `hold-${first + i}`);
  await Promise.all(left.map((hold) => client.release(account, hold)));
}

describe('a Postgres that is away for long', () => {
  const journalBytesMax = 1024 * 1024;
  const flushEntriesMax = 200;
  const eventsPerBatch = 100;

  it('costs memory up to the limit of the journal; then it drains in order, in full batches, beside live traffic', async () => {
    await start({ journalBytesMax, flushEntriesMax });
    const account = await client.account('away', 1_000_000);
    const direct = new Redis(redis.url);
    await Promise.all(Array.from({ length: holds }, (_, i) => reserved(account, i)));
    const before = await cursor();
    await postgres.kill9();

    const recorded = await fill(account, eventsPerBatch, 'journalBytesMax');
    expect(await refusal(client.reserve(account, 'new', 1))).not.toBeNull();
    const bytes = () => metric(sidecar, 'drawdown_journal_bytes');
    expect(await bytes()).toBeGreaterThan(0.8 * journalBytesMax);
    expect(await bytes()).toBeLessThan(0.9 * journalBytesMax);

    // Hours of callers that are refused: they leave nothing behind, here or there.
    const redisBytes = async () => Number(/used_memory:(\d+)/.exec(await direct.info('memory'))?.[1]);
    const residentBytes = () => metric(sidecar, 'process_resident_memory_bytes');
    const [redisFull, residentFull, records] = [await redisBytes(), await residentBytes(), await bytes()];
    const refusedBatches = 300;
    const refusedEvents = 500;
    for (let i = 0; i < refusedBatches; i++)
      await client.record(events(account, 'late', i * refusedEvents, refusedEvents));
    expect(await bytes()).toBe(records);
    expect((await redisBytes()) - redisFull).toBeLessThan(256 * 1024);
    // Were each of the 150,000 events kept, it would be more than 125 MB; what a collector leaves lying about was half of that at most.
    expect((await residentBytes()) - residentFull).toBeLessThan(90e6);
    const counted = await metric(sidecar, 'drawdown_queue_refused_operations_total', 'journalBytesMax');
    expect(counted).toBe(refusedBatches * refusedEvents + eventsPerBatch + 1);

    // Ending work has the rest of the room.
    const ended = await settleUntilRefused(account);
    expect(ended).toBeGreaterThan(100);
    expect(await bytes()).toBeGreaterThan(journalBytesMax);
    expect(await bytes()).toBeLessThan(1.01 * journalBytesMax);

    await postgres.restart();
    const target = before + recorded + ended;
    // Live traffic: a balance is answered at once, a settle as soon as there is room for it; both while most of the journal is still to be drained.
    expect(await client.balance(account)).toMatchObject({ debt: 0 });
    await until('ending work is taken again', async () => {
      return (await refusal(client.settle(account, `hold-${ended}`, settled))) === null;
    });
    expect(await cursor()).toBeLessThan(target);
    await until('new work is taken again', async () => {
      return (await refusal(client.call('UsageService/Reserve', reserveRequest(account, 'new', 1)))) === null;
    });
    expect(await cursor()).toBeLessThan(target);
    await client.release(account, 'new', { ackLevel: 'ACK_LEVEL_DURABLE' });

    const flushes = await sql(
      postgres.url,
      'SELECT from_seq, to_seq FROM flushes WHERE from_seq > $1 AND to_seq <= $2 ORDER BY from_seq',
      [before, before + recorded],
    );
    let next = before + 1;
    for (const { from_seq, to_seq } of flushes) {
      expect(Number(from_seq)).toBe(next);
      expect(Number(to_seq) - Number(from_seq) + 1).toBe(flushEntriesMax);
      next = Number(to_seq) + 1;
    }
    expect(flushes.length).toBeGreaterThanOrEqual(Math.floor(recorded / flushEntriesMax));
    await releaseFrom(account, ended + 1);
    direct.disconnect();
    await expectClean(
      sidecar.config,
      client,
      new Map([[account, 1_000_000 - recorded - settled * (ended + 1)]]),
    );
  });

  it('is waited for until what is not durable is too old', async () => {
    // A fifth of it is for ending work alone: longer than a busy machine stands still.
    await start({ journalAgeMaxMs: 10_000 });
    const account = await client.account('aged', 1_000_000);
    await Promise.all(Array.from({ length: holds }, (_, i) => reserved(account, i)));
    await postgres.kill9();
    const recorded = await fill(account, 1, 'journalAgeMaxMs');
    expect(recorded).toBeGreaterThan(0);
    expect((await refusal(client.reserve(account, 'new', 1)))?.message).toContain('journalAgeMaxMs');
    const ended = await settleUntilRefused(account);
    expect(ended).toBeGreaterThan(0);
    await postgres.restart();
    await until('ending work is taken again', async () => {
      return (await refusal(client.settle(account, `hold-${ended}`, settled))) === null;
    });
    await releaseFrom(account, ended + 1);
    await expectClean(
      sidecar.config,
      client,
      new Map([[account, 1_000_000 - recorded - settled * (ended + 1)]]),
    );
  });
});
