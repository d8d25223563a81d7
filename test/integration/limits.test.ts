/** Deadlines and limits: refused before anything is changed, by name, and never with work in flight lost. */
import { afterEach, describe, expect, it } from 'vitest';
import { auditLedger, sql } from '../helpers/audit.js';
import { CallFailure, reserveRequest, type TestClient, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import {
  createDatabase,
  startPostgres,
  startRedis,
  type TestRedis,
  type TestStore,
} from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

type Overrides = Parameters<typeof startTestSidecar>[1];

async function start(
  overrides: Overrides,
  ownPostgres = false,
): Promise<{
  redis: TestRedis;
  postgresUrl: string;
  postgres: TestStore | null;
  sidecar: TestSidecar;
  client: TestClient;
}> {
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const postgres = ownPostgres ? await startPostgres() : null;
  if (postgres !== null) cleanups.push(() => postgres.stop());
  const database = postgres === null ? await createDatabase() : null;
  if (database !== null) cleanups.push(() => database.drop());
  const postgresUrl = (postgres ?? database)?.url as string;
  const sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl }, overrides);
  cleanups.push(() => sidecar.stop());
  return { redis, postgresUrl, postgres, sidecar, client: sidecar.client };
}

describe('a deadline', () => {
  it('that has passed drops an operation before it is sent, never after: what is told is true', async () => {
    const { sidecar, client, redis } = await start({ redisCommandTimeoutMs: 20_000 });
    const account = await client.account('deadline', 1_000_000);
    // Redis stands still: the first batch is sent and waits there; the others wait in the queue.
    process.kill(redis.pid, 'SIGSTOP');
    const first = client.call('UsageService/Reserve', reserveRequest(account, 'sent', 1_000));
    const deadlineMs = Date.now() + SOON_MS;
    const late = Array.from({ length: 50 }, (_, i) =>
      client.failure('UsageService/Reserve', reserveRequest(account, `late-${i}`, 10), { deadlineMs }),
    );
    const sentToo = client
      .failure('UsageService/Reserve', reserveRequest(account, 'sent', 1_000), { deadlineMs })
      .catch(() => null);
    for (const failure of await Promise.all(late)) expect(failure.status).toBe('DEADLINE_EXCEEDED');
    await sentToo;
    process.kill(redis.pid, 'SIGCONT');
    expect(await first).toMatchObject({ verdict: 'VERDICT_ALLOWED' });
    // Those of the first batch were sent and count; each hold is there wholly or not at all, and the sum agrees.
    const { holds } = await client.call('AccountService/ListHolds', { accountId: account, pageSize: 1_000 });
    const held = holds.reduce((sum, hold) => sum + Number(hold.held), 0);
    expect(await client.balance(account)).toEqual({ available: 1_000_000 - held, held, debt: 0 });
    const dropped = await metric(sidecar, 'drawdown_deadline_dropped_operations_total');
    expect(dropped + holds.length).toBeGreaterThanOrEqual(51);
    expect(dropped).toBeGreaterThan(0);
    for (const hold of holds) await client.release(account, hold.holdId);
    await expectClean(sidecar.config, client, new Map([[account, 1_000_000]]));
  });
});

describe('a full queue', () => {
  it('refuses with RESOURCE_EXHAUSTED and when to come again; ending work has room beyond it', async () => {
    const { sidecar, client, redis } = await start({
      redisCommandTimeoutMs: 20_000,
      queueOpsMax: 20,
      batchOpsMax: 5,
      batchEventsMax: 20,
      partitionCount: 1,
    });
    const account = await client.account('queue', 1_000_000);
    await client.reserve(account, 'hold', 1_000, { holdTimeMs: 3_600_000 });
    process.kill(redis.pid, 'SIGSTOP');
    const calls = Array.from({ length: 60 }, (_, i) =>
      client.reserve(account, `hold-${i}`, 10).catch((e: unknown) => e),
    );
    const refused = await until('callers are refused', async () => {
      const waiting = Symbol('waiting');
      const answers = await Promise.all(calls.map((call) => Promise.race([call, Promise.resolve(waiting)])));
      const failures = answers.filter((answer) => answer instanceof CallFailure);
      return failures.length >= 30 ? failures : null;
    });
    for (const failure of refused) {
      expect(failure).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED' });
      expect((failure as CallFailure).message).toContain('queueOpsMax');
      expect((failure as CallFailure).retryAfterMs).toBeGreaterThan(0);
    }
    const settle = client.settle(account, 'hold', 700);
    const batch = client.record([usageEvent(account, 'event', 1)]);
    expect(await batch).toMatchObject([{ outcome: 'EVENT_OUTCOME_REFUSED', reason: 'REASON_LIMIT_REACHED' }]);
    process.kill(redis.pid, 'SIGCONT');
    expect(await settle).toMatchObject({ charged: '700', released: '300' });
    const answers = await Promise.all(calls);
    const allowed = answers.filter((answer) => !(answer instanceof CallFailure)).length;
    expect(allowed).toBeGreaterThanOrEqual(20);
    expect(await client.balance(account)).toEqual({
      available: 1_000_000 - 700 - 10 * allowed,
      held: 10 * allowed,
      debt: 0,
    });
    expect(await metric(sidecar, 'drawdown_queue_refused_operations_total')).toBeGreaterThanOrEqual(30);
  });
});

describe('a journal that Postgres does not take', () => {
  it('is bounded also when the ids cannot be rotated', async () => {
    const { sidecar, client, postgres } = await start({ idsPerGenerationMax: 50, partitionCount: 1 }, true);
    const account = await client.account('ids', 1_000_000);
    await (postgres as TestStore).kill9();
    let recorded = 0;
    for (;;) {
      const results = await client.record(
        Array.from({ length: 10 }, (_, i) => usageEvent(account, `event-${recorded + i}`, 1)),
      );
      const refused = results.filter((result) => result.outcome === 'EVENT_OUTCOME_REFUSED');
      recorded += results.length - refused.length;
      if (refused.length > 0) {
        expect(refused[0]).toMatchObject({ reason: 'REASON_LIMIT_REACHED' });
        expect(refused[0]?.message).toContain('idsPerGenerationMax');
        break;
      }
      expect(recorded).toBeLessThan(1_000);
    }
    await (postgres as TestStore).restart();
    await until('events are taken again', async () => {
      const [result] = await client.record([usageEvent(account, 'next', 1)]);
      return result?.outcome !== 'EVENT_OUTCOME_REFUSED';
    });
    await expectClean(sidecar.config, client, new Map([[account, 1_000_000 - recorded - 1]]));
  });
});

describe('malformed, truncated and oversized messages, and callers that leave', () => {
  it('do not stop the sidecar from serving, and book nothing', async () => {
    // The client of grpc-js never tells the server of a cancellation in the tick of the first write: such streams end by idling.
    const { sidecar, client, postgresUrl } = await start({ streamIdleMs: 1_000 });
    const account = await client.account('abused', 1_000_000);
    const { Client, credentials } = await import('@grpc/grpc-js');
    const raw = new Client(sidecar.grpcAddress, credentials.createInsecure());
    const bytes = (value: Buffer): Buffer => value;
    // Events of a batch are judged one by one; for CheckBalance see below.
    const taken = (method: string): boolean => ['RecordUsageBatch', 'CheckBalance'].includes(method);
    const methods = [
      'Reserve',
      'Settle',
      'Release',
      'Extend',
      'GetUsage',
      'RecordUsageBatch',
      'CheckBalance',
    ];
    const garbage = [
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x0a, 0x7f, 0x41]),
      Buffer.from([0x0a]),
      Buffer.alloc(1_000, 0x0a),
      Buffer.alloc(sidecar.config.messageBytesMax + 1),
    ];
    for (const method of methods) {
      for (const piece of garbage) {
        const code = await new Promise<number>((resolve) => {
          raw.makeUnaryRequest(`/drawdown.v1.UsageService/${method}`, bytes, bytes, piece, (error) =>
            resolve(error?.code ?? 0),
          );
        });
        // INVALID_ARGUMENT, or RESOURCE_EXHAUSTED by grpc for what is too large.
        expect(taken(method) ? [0, 3, 8] : [3, 8], `${method} ${piece.length}`).toContain(code);
      }
    }
    for (const method of [
      'UsageService/RecordUsage',
      'UsageService/MeterUsage',
      'AccountService/WatchBalance',
    ]) {
      for (const piece of garbage) {
        const call = raw.makeBidiStreamRequest(`/drawdown.v1.${method}`, bytes, bytes);
        const code = new Promise<number>((resolve) => {
          call.on('error', () => undefined);
          call.on('status', (given) => resolve(given.code));
        });
        call.resume();
        call.end(piece);
        expect([3, 8], `${method} ${piece.length}`).toContain(await code);
      }
    }
    raw.close();
    // Streams that are cancelled with batches in flight, and calls that are cancelled at once.
    for (let i = 0; i < 50; i++) {
      const stream = client.stream();
      stream.send(Array.from({ length: 100 }, (_, n) => usageEvent(account, `left-${i}-${n}`, 1)));
      if (i % 2 === 0) await stream.results(1);
      stream.call.cancel();
    }
    const left = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        client.failure('UsageService/Reserve', reserveRequest(account, `gone-${i}`, 1), {
          deadlineMs: Date.now() - 1,
        }),
      ),
    );
    for (const failure of left) expect(failure.status).toBe('DEADLINE_EXCEEDED');
    const stream = client.stream();
    const batch = stream.send([usageEvent(account, 'after', 1)]);
    await stream.durable(batch);
    expect(await stream.end()).toBe('OK');
    await until('no stream is left', async () => (await metric(sidecar, 'drawdown_open_streams')) === 0);
    const entries = await client.ledger(account, { kinds: ['ENTRY_KIND_USAGE'] });
    expect(await client.balance(account)).toMatchObject({ available: 1_000_000 - entries.length });
    expect(entries.length).toBeGreaterThan(2_500);
    expect(await auditLedger(postgresUrl)).toEqual([]);
    expect(await sql(postgresUrl, 'SELECT 1 FROM holds')).toEqual([]);
  });

  it('are refused when they end within a string', async () => {
    const { sidecar } = await start({});
    const { Client, credentials } = await import('@grpc/grpc-js');
    const raw = new Client(sidecar.grpcAddress, credentials.createInsecure());
    const bytes = (value: Buffer): Buffer => value;
    // Field 1, a string of 127 bytes, of which one is there.
    const code = await new Promise<number>((resolve) => {
      const piece = Buffer.from([0x0a, 0x7f, 0x41]);
      raw.makeUnaryRequest('/drawdown.v1.UsageService/CheckBalance', bytes, bytes, piece, (error) =>
        resolve(error?.code ?? 0),
      );
    });
    raw.close();
    expect(code).toBe(3);
  });
});
