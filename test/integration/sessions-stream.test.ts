/** Metering sessions over a real stream, on real stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SessionStream } from '../helpers/session-stream.js';
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
    { checkpointIntervalMs: 40, sessionGraceMs: 300, streamSessionsMax: 5 },
  );
});

afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

describe('a session', () => {
  it('is opened, acknowledged, extended, settled on the final counts, and durable', async () => {
    const account = await sidecar.client.account('lively', 1_000_000);
    const stream = new SessionStream(sidecar.grpcAddress);
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
});
