/** When a queue sends: at once, or after the rest between scripts with bulk usage. Time is the test's, and so are the answers. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DrawdownError } from '../../src/errors.js';
import { createMetrics } from '../../src/metrics.js';
import { CODE, OP, type PackedOperation } from '../../src/redis/format.js';
import { partitionKeys } from '../../src/redis/keys.js';
import type { BatchReply, Scripts } from '../../src/redis/scripts.js';
import type { Operation } from '../../src/usage/operation.js';
import { Partition } from '../../src/usage/partition.js';
import { PartitionQueue } from '../../src/usage/partition-queue.js';
import { ScriptSlots } from '../../src/usage/script-slots.js';

/** Each script takes so long; the queue rests forty times as long. */
const SCRIPT_MS = 3;
const REST_MS = 120;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A queue whose scripts take SCRIPT_MS, and how many operations each was sent. */
function queueWith({
  code = CODE.none,
  pressure = 0,
  ...limits
}: {
  bulkRestMaxMs?: number;
  batchOpsMax?: number;
  code?: typeof CODE.none | typeof CODE.broken;
  pressure?: number;
} = {}) {
  const sent: number[] = [];
  const failures: DrawdownError[] = [];
  const batch = async (_fence: unknown, operations: readonly PackedOperation[]): Promise<BatchReply> => {
    sent.push(operations.length);
    await new Promise((resolve) => setTimeout(resolve, SCRIPT_MS));
    const results = operations.map(() => ({ code }));
    const numbers = { epoch: 1, seq: 0, durableSeq: 0, nowMs: Date.now(), idsSinceMs: 0, firstSeq: 1 };
    return { status: 'OK', ...numbers, pendingBytes: 0, expiredHolds: 0, results };
  };
  const partition = new Partition(
    0,
    partitionKeys('test', 0),
    'test',
    () => undefined,
    () => undefined,
  );
  partition.open({ epoch: 1, seq: 0, runId: 'run' });
  const queue = new PartitionQueue(
    partition,
    { batch } as unknown as Scripts,
    { resolve: () => undefined },
    new ScriptSlots(1),
    { level: pressure },
    { batchOpsMax: 10, queueOpsMax: 100, bulkRestMaxMs: 250, ...limits },
    createMetrics(),
  );
  const push = (bulk: boolean): void => {
    const packed = bulk ? [OP.usage, 0, 'event', 0, 0, -1, 1, 5] : [OP.touch, 0];
    const operation: Operation = {
      accountId: 'acme',
      packed,
      details: null,
      catalogVersion: 0,
      bulk,
      ending: false,
      deadlineMs: Number.MAX_SAFE_INTEGER,
      done: () => undefined,
      failed: (error) => void failures.push(error),
    };
    queue.push(operation);
  };
  return { sent, push, failures };
}

/** Sends a first batch of bulk usage and waits until its script has answered; the rest begins now. */
async function afterBulk(limits: Parameters<typeof queueWith>[0] = {}) {
  const made = queueWith(limits);
  made.push(true);
  await vi.advanceTimersByTimeAsync(SCRIPT_MS);
  expect(made.sent).toEqual([1]);
  return made;
}

describe('after a script with bulk usage', () => {
  it('the next bulk usage waits forty times as long as the script took, and goes together', async () => {
    const { sent, push } = await afterBulk();
    push(true);
    await vi.advanceTimersByTimeAsync(REST_MS / 2);
    push(true);
    await vi.advanceTimersByTimeAsync(REST_MS / 2 - 1);
    expect(sent).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([1, 2]);
  });

  it('it waits no longer than bulkRestMaxMs', async () => {
    const { sent, push } = await afterBulk({ bulkRestMaxMs: 5 });
    push(true);
    await vi.advanceTimersByTimeAsync(4);
    expect(sent).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([1, 1]);
  });

  it('a single call ends the rest, and takes what waits along', async () => {
    const { sent, push } = await afterBulk();
    push(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([1]);
    push(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([1, 2]);
  });

  it('a single call that comes alone does not rest', async () => {
    const { sent, push } = await afterBulk();
    push(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([1, 1]);
  });

  it('a whole batch (batchOpsMax) ends the rest', async () => {
    const { sent, push } = await afterBulk({ batchOpsMax: 3 });
    push(true);
    push(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([1]);
    push(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([1, 3]);
  });

  it('nothing rests with a bulkRestMaxMs of 0', async () => {
    const { sent, push } = await afterBulk({ bulkRestMaxMs: 0 });
    push(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([1, 1]);
  });

  it('bulk usage that comes when the rest is over goes at once', async () => {
    const { sent, push } = await afterBulk();
    await vi.advanceTimersByTimeAsync(REST_MS);
    push(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([1, 1]);
  });
});

describe('after a script of single calls', () => {
  it('bulk usage goes at once', async () => {
    const { sent, push } = queueWith();
    push(false);
    await vi.advanceTimersByTimeAsync(SCRIPT_MS);
    push(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([1, 1]);
  });
});

describe('while the event loop is under pressure', () => {
  /** What a rest of single calls is at most. */
  const CALLS_REST_MS = 75;
  /** And beside bulk usage. */
  const BESIDE_BULK_REST_MS = 25;
  /** A script with as many operations says that resting gathers more. */
  const MANY = 4;

  /** Sends a first batch and waits until its script has answered; the rest begins now. */
  async function afterScript(count: number, limits: Parameters<typeof queueWith>[0], bulk = false) {
    const made = queueWith(limits);
    for (let i = 0; i < count; i++) made.push(bulk);
    await vi.advanceTimersByTimeAsync(SCRIPT_MS);
    expect(made.sent).toEqual([count]);
    return made;
  }

  it('single calls wait after a script, and go together', async () => {
    const { sent, push } = await afterScript(MANY, { pressure: 1 });
    push(false);
    await vi.advanceTimersByTimeAsync(CALLS_REST_MS - 1);
    push(false);
    expect(sent).toEqual([MANY]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([MANY, 2]);
  });

  it('single calls wait shorter where the loop has time left', async () => {
    const { sent, push } = await afterScript(MANY, { pressure: 0.25 });
    push(false);
    await vi.advanceTimersByTimeAsync(CALLS_REST_MS / 4 - 1);
    expect(sent).toEqual([MANY]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([MANY, 1]);
  });

  it('single calls do not wait after a script with so few that callers wait for each other', async () => {
    const { sent, push } = await afterScript(MANY - 1, { pressure: 1 });
    push(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([MANY - 1, 1]);
  });

  it('a single call does not wait for the longer rest of bulk usage, and takes what waits along', async () => {
    const { sent, push } = await afterScript(MANY, { pressure: 1 }, true);
    push(true);
    push(false);
    await vi.advanceTimersByTimeAsync(BESIDE_BULK_REST_MS - 1);
    expect(sent).toEqual([MANY]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([MANY, 2]);
  });

  it('a whole batch (batchOpsMax) ends the rest', async () => {
    const { sent, push } = await afterScript(MANY, { pressure: 1, batchOpsMax: MANY });
    for (let i = 1; i < MANY; i++) push(false);
    await vi.advanceTimersByTimeAsync(1);
    push(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([MANY, MANY]);
  });
});

it('an operation on an account whose state contradicts itself fails, and is not sent again', async () => {
  const { sent, push, failures } = queueWith({ code: CODE.broken });
  push(false);
  await vi.advanceTimersByTimeAsync(SCRIPT_MS);
  expect(failures.map(({ code, message }) => [code, message])).toEqual([
    ['INTERNAL', expect.stringMatching(/^account acme: .*drawdown verify/)],
  ]);
  await vi.advanceTimersByTimeAsync(REST_MS);
  expect(sent).toEqual([1]);
});
