/** When the flusher flushes: at once, or after the rest of its connection. Time is the test's, and so are Postgres and the thread that flushes. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FlushReply, PartPlace } from '../../src/flush/flush-protocol.js';
import type { FlushThread } from '../../src/flush/flush-thread.js';
import { Flusher } from '../../src/flush/flusher.js';
import { createMetrics } from '../../src/metrics.js';
import type { Pool } from '../../src/postgres/pool.js';
import { partitionKeys } from '../../src/redis/keys.js';
import type { Scripts } from '../../src/redis/scripts.js';
import { Partition } from '../../src/usage/partition.js';
import { DurableWatermarks } from '../../src/usage/watermarks.js';

/** Each flush takes so long; its connection rests ten times as long. */
const FLUSH_MS = 8;
const REST_MS = 80;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A flusher with one connection, whose two partitions have a first entry each, and how many entries of each each flush took. */
async function flusherWith(limits: { flushRestMaxMs?: number; flushEntriesMax?: number } = {}) {
  const flushed: number[][] = [];
  const partitions = [0, 1].map((number) => {
    const partition = new Partition(
      number,
      partitionKeys('test', number),
      'test',
      () => undefined,
      () => flusher.wake(),
    );
    partition.open({ epoch: 1, seq: 0, runId: 'run' });
    return partition;
  });
  const flush = async (places: readonly PartPlace[]): Promise<FlushReply> => {
    const parts = places.map(({ partition, epoch, afterSeq }) => {
      const seq = (partitions[partition] as Partition).seqSeen;
      const booked = {
        record: { seq, hash: Buffer.alloc(32) },
        lastBookedMs: Date.now(),
        firstBookedMs: Date.now(),
      };
      return { partition, epoch, afterSeq, seq, bytes: 0, ...booked };
    });
    const taken = parts.filter((part) => part.seq > part.afterSeq);
    if (taken.length > 0) flushed.push(taken.map((part) => part.seq - part.afterSeq));
    await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
    const nothing = { gaps: [], rows: {}, expiredUnits: {}, renewals: {}, duplicates: 0 };
    return { done: { parts: taken, ...nothing } };
  };
  const cursors = partitions.map(({ number }) => ({ partition: number, epoch: 1, seq: 0, bytes: 0 }));
  const watermarks = new DurableWatermarks(partitions.length);
  const reply = { status: 'OK', pendingBytes: 0 };
  const flusher: Flusher = new Flusher(
    partitions,
    { query: async () => ({ rows: cursors }) } as unknown as Pool,
    { flush } as unknown as FlushThread,
    { durable: async () => reply } as unknown as Scripts,
    watermarks,
    {
      flushConnections: 1,
      flushRetryMaxMs: 1_000,
      flushRestMaxMs: 500,
      flushEntriesMax: 2_000,
      journalTailMs: 60_000,
      ...limits,
    },
    createMetrics(),
    pino({ level: 'silent' }),
  );
  const journal = (partition: number, seq: number) => partitions[partition]?.saw(1, seq, Date.now());
  const waitFor = (partition: number, seq: number) =>
    void watermarks.wait([{ partition, epoch: 1, seq }], Date.now() + 60_000);
  journal(0, 1);
  journal(1, 1);
  flusher.own(new Set([0, 1]));
  flusher.start();
  await vi.advanceTimersByTimeAsync(FLUSH_MS);
  expect(flushed).toEqual([[1, 1]]);
  return { flushed, journal, waitFor, flusher };
}

describe('after a flush', () => {
  it('its connection rests ten times as long as the flush took, and takes all that came meanwhile together', async () => {
    const { flushed, journal } = await flusherWith();
    journal(0, 2);
    await vi.advanceTimersByTimeAsync(REST_MS / 2);
    journal(0, 4);
    journal(1, 2);
    await vi.advanceTimersByTimeAsync(REST_MS / 2 - 1);
    expect(flushed).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(flushed.slice(1)).toEqual([[3, 1]]);
  });

  it('it rests no longer than flushRestMaxMs', async () => {
    const { flushed, journal } = await flusherWith({ flushRestMaxMs: 5 });
    journal(0, 2);
    await vi.advanceTimersByTimeAsync(4);
    expect(flushed).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(flushed.slice(1)).toEqual([[1]]);
  });

  it('a call that waits until it is durable ends the rest, for its partition alone', async () => {
    const { flushed, journal, waitFor } = await flusherWith();
    journal(0, 2);
    journal(1, 2);
    waitFor(1, 2);
    await vi.advanceTimersByTimeAsync(0);
    expect(flushed.slice(1)).toEqual([[1]]);
    await vi.advanceTimersByTimeAsync(FLUSH_MS + REST_MS);
    expect(flushed.slice(2)).toEqual([[1]]);
  });

  it('there is no rest where somebody began to wait during the flush', async () => {
    const { flushed, journal, waitFor } = await flusherWith();
    journal(0, 2);
    await vi.advanceTimersByTimeAsync(REST_MS);
    journal(0, 3);
    waitFor(0, 3);
    await vi.advanceTimersByTimeAsync(FLUSH_MS);
    expect(flushed.slice(1)).toEqual([[1], [1]]);
  });

  it('there is no rest where it took as much as a flush takes: more is there', async () => {
    const { flushed, journal } = await flusherWith({ flushEntriesMax: 1 });
    journal(0, 2);
    await vi.advanceTimersByTimeAsync(0);
    expect(flushed.slice(1)).toEqual([[1]]);
  });

  it('stopping ends the rest', async () => {
    const { flushed, journal, flusher } = await flusherWith();
    journal(0, 2);
    const stopped = flusher.stop(1_000);
    await vi.advanceTimersByTimeAsync(0);
    expect(flushed.slice(1)).toEqual([[1]]);
    await vi.advanceTimersByTimeAsync(FLUSH_MS + 10);
    expect(await stopped).toBe(true);
  });
});
