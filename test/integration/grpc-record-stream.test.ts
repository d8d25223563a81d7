import { Client, credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readErrorDetails } from '../../src/grpc/errors.js';
import {
  failure,
  type Harness,
  type HarnessOptions,
  Recorder,
  startHarness,
  turns,
  until,
  usageEvent,
} from './grpc-fakes.js';

let harness: Harness;

async function start(options: HarnessOptions = {}): Promise<void> {
  harness = await startHarness(options);
}

function open(): Recorder {
  return new Recorder(harness.usage.recordUsage());
}

/** A stream that sends and receives bytes as they are. */
function openRaw(): { call: { write(bytes: Buffer): void }; status: Promise<{ code: number }> } {
  const client = new Client(harness.address, credentials.createInsecure());
  const identity = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest('/drawdown.v1.UsageService/RecordUsage', identity, identity);
  call.on('error', () => {});
  call.resume();
  return {
    call,
    status: new Promise((resolve) =>
      call.on('status', (given) => {
        client.close();
        resolve(given);
      }),
    ),
  };
}

async function stillServes(): Promise<void> {
  const stream = open();
  stream.send(1);
  await until(() => stream.applied.length === 1);
  stream.call.cancel();
  await until(async () => (await harness.gauge('drawdown_open_streams')) === 0);
}

beforeEach(() => {
  harness = undefined as unknown as Harness;
});
afterEach(async () => {
  const { watermarks } = harness;
  harness.stop();
  await until(() => watermarks.listeners.size === 0);
});

describe('a RecordUsage stream', () => {
  it('answers every batch and says through which batch everything is durable', async () => {
    await start();
    const stream = open();
    for (let batch = 1; batch <= 3; batch++) stream.send(batch);
    await until(() => stream.applied.length === 3);
    expect(stream.durable).toBe(0);
    harness.watermarks.advance(2);
    await until(() => stream.durable === 2);
    harness.watermarks.advance(3);
    await until(() => stream.durable === 3);
    expect(stream.messages[0]?.applied?.results).toEqual([
      expect.objectContaining({
        outcome: 'EVENT_OUTCOME_RECORDED',
        unit: 'UNIT_CREDITS',
        charged: '7',
        available: '93',
      }),
    ]);
    expect(harness.meter.recorded[0]?.options.durable).toBe(false);
  });

  it('refuses a bad event in its place and books its neighbours', async () => {
    await start();
    const stream = open();
    stream.send(1, [usageEvent('a'), usageEvent('b', { quantities: { input_tokens: -5 } }), usageEvent('c')]);
    await until(() => stream.applied.length === 1);
    const results = stream.messages[0]?.applied?.results ?? [];
    expect(results.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
      'EVENT_OUTCOME_RECORDED REASON_UNSPECIFIED',
      'EVENT_OUTCOME_REFUSED REASON_FIELD_INVALID',
      'EVENT_OUTCOME_RECORDED REASON_UNSPECIFIED',
    ]);
    expect(results[1]?.message).toContain('events[1].quantities["input_tokens"]');
    expect(harness.meter.recorded[0]?.events.map(({ eventId }) => eventId)).toEqual(['a', 'c']);
  });

  it('answers batches that are empty or entirely bad without the usage layer', async () => {
    await start();
    const stream = open();
    stream.send(1, []);
    stream.send(2, [usageEvent('')]);
    stream.call.end();
    expect((await stream.status).code).toBe(status.OK);
    expect(stream.applied).toEqual([1, 2]);
    expect(stream.durable).toBe(2);
    expect(harness.meter.recorded).toEqual([]);
  });

  it.each([
    ['begins with 2', [2]],
    ['repeats a number', [1, 1]],
    ['leaves one out', [1, 3]],
    ['sends 0', [0]],
    ['sends a negative number', [-1]],
  ])('ends with INVALID_ARGUMENT when the client %s', async (_name, numbers) => {
    await start();
    const stream = open();
    for (const number of numbers) stream.send(number);
    const ended = await stream.status;
    expect(ended.code).toBe(status.INVALID_ARGUMENT);
    expect(readErrorDetails(ended.metadata)).toEqual({
      reason: 'FIELD_INVALID',
      field: 'batch_number',
      retryAfterMs: null,
    });
  });

  it('ends with INVALID_ARGUMENT on more events than a batch may have', async () => {
    await start({ flags: { batchEventsMax: '2' } });
    const stream = open();
    stream.send(1, [usageEvent('a'), usageEvent('b'), usageEvent('c')]);
    const ended = await stream.status;
    expect(ended.code).toBe(status.INVALID_ARGUMENT);
    expect(ended.details).toContain('batchEventsMax');
    await stillServes();
  });

  it.each([
    ['malformed', Buffer.from([0x12, 0x7f, 0x0a])],
    ['truncated', Buffer.from([0x08])],
    ['random', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ])('ends with INVALID_ARGUMENT on a %s message, and the server goes on', async (_name, bytes) => {
    await start();
    const { call, status: ended } = openRaw();
    call.write(bytes);
    expect((await ended).code).toBe(status.INVALID_ARGUMENT);
    await stillServes();
  });

  it('ends with RESOURCE_EXHAUSTED on an oversized message, and the server goes on', async () => {
    await start({ flags: { messageBytesMax: '65536', batchEventsMax: '100' } });
    const { call, status: ended } = openRaw();
    call.write(Buffer.alloc(70_000));
    expect((await ended).code).toBe(status.RESOURCE_EXHAUSTED);
    await stillServes();
  });

  it('survives a client that cancels while batches are being applied', async () => {
    await start();
    harness.meter.gated = true;
    const streams = Array.from({ length: 20 }, open);
    for (const stream of streams) stream.send(1);
    await until(() => harness.meter.recorded.length === 20);
    expect(await harness.gauge('drawdown_open_streams')).toBe(20);
    for (const stream of streams) stream.call.cancel();
    await until(async () => (await harness.gauge('drawdown_open_streams')) === 0);
    expect(harness.watermarks.listeners.size).toBe(0);
    harness.meter.letThrough();
    await turns(5);
    await stillServes();
  });

  it('survives a client whose connection breaks', async () => {
    await start();
    const stream = open();
    stream.send(1);
    await until(() => stream.applied.length === 1);
    harness.usage.close();
    stream.call.cancel();
    await until(() => harness.watermarks.listeners.size === 0);
    harness.watermarks.advance(1);
  });

  it('ends with the error of the usage layer where a whole batch could not be judged', async () => {
    await start();
    harness.meter.failWith = new Error('secret details of our own');
    const stream = open();
    stream.send(1);
    const ended = await stream.status;
    expect(ended.code).toBe(status.INTERNAL);
    expect(ended.details).not.toContain('secret');
    expect(harness.logged.some(({ stack }) => String(stack).includes('secret details'))).toBe(true);
  });

  it('gives each batch a deadline of its own, however long the stream may last', async () => {
    await start({ flags: { callDeadlineDefaultMs: '5000' } });
    const stream = new Recorder(harness.usage.recordUsage({ deadline: Date.now() + 3_600_000 }));
    const before = Date.now();
    stream.send(1);
    await until(() => stream.applied.length === 1);
    const deadlineMs = harness.meter.lastOptions?.deadlineMs ?? 0;
    expect(deadlineMs).toBeGreaterThanOrEqual(before + 5_000);
    expect(deadlineMs).toBeLessThanOrEqual(Date.now() + 5_000);
  });
});

describe('the bounds of a RecordUsage stream', () => {
  it('reads no further while too many events wait for their answer', async () => {
    await start({ flags: { streamEventsInFlightMax: '100', batchEventsMax: '10' } });
    harness.meter.gated = true;
    const stream = open();
    const batches = 200;
    for (let batch = 1; batch <= batches; batch++) {
      stream.send(
        batch,
        Array.from({ length: 10 }, (_, index) => usageEvent(`${batch}-${index}`)),
      );
    }
    await until(async () => (await harness.gauge('drawdown_stream_pauses_total')) > 0);
    await turns(100);
    expect(harness.meter.recorded.length).toBe(10);
    harness.meter.letThrough();
    await until(() => stream.applied.length === batches);
    harness.watermarks.advance(batches);
    await until(() => stream.durable === batches);
  });

  it('reads no further while the client does not read, and loses nothing', async () => {
    await start();
    const stream = open();
    stream.call.pause();
    const batches = 2_000;
    const events = Array.from({ length: 100 }, (_, index) => usageEvent(`e${index}`));
    for (let batch = 1; batch <= batches; batch++) stream.send(batch, events);
    let taken = -1;
    await until(async () => {
      const isStuck = taken === harness.meter.recorded.length && taken > 0;
      taken = harness.meter.recorded.length;
      await turns(200);
      return isStuck;
    });
    expect(await harness.gauge('drawdown_stream_pauses_total')).toBeGreaterThan(0);
    // What fits into the windows and buffers between the two ends: some 100 KB of answers.
    expect(taken).toBeLessThan(300);
    stream.call.resume();
    await until(() => stream.applied.length === batches);
    expect(stream.applied).toEqual(Array.from({ length: batches }, (_, index) => index + 1));
  });

  it('ends an idle stream whose batches are all durable, and only then', async () => {
    await start({ flags: { streamIdleMs: '1000' } });
    const stream = open();
    stream.send(1);
    await until(() => stream.applied.length === 1);
    harness.watermarks.advance(1);
    expect((await stream.status).code).toBe(status.OK);
    expect(stream.durable).toBe(1);
  });
});

describe('the end of a RecordUsage stream', () => {
  it('waits after a half-close until all is applied and durable', async () => {
    await start();
    harness.meter.gated = true;
    const stream = open();
    stream.send(1);
    stream.send(2);
    stream.call.end();
    await until(() => harness.meter.recorded.length === 2);
    harness.meter.letThrough();
    await until(() => stream.applied.length === 2);
    harness.watermarks.advance(2);
    expect((await stream.status).code).toBe(status.OK);
    expect(stream.durable).toBe(2);
  });

  it('waits no longer than durableWaitMaxMs, and the watermark says how far it came', async () => {
    await start({ flags: { durableWaitMaxMs: '100', flushRetryMaxMs: '100' } });
    const stream = open();
    stream.send(1);
    stream.send(2);
    await until(() => stream.applied.length === 2);
    harness.watermarks.advance(1);
    stream.call.end();
    expect((await stream.status).code).toBe(status.OK);
    expect(stream.durable).toBe(1);
  });

  it('asks for what was lost, takes it under its old number, and holds the watermark until it is durable', async () => {
    await start();
    const stream = open();
    for (let batch = 1; batch <= 4; batch++) stream.send(batch);
    await until(() => stream.applied.length === 4);
    harness.watermarks.advance(1);
    await until(() => stream.durable === 1);
    harness.watermarks.lose(3);
    await until(() => stream.resend.length === 2);
    expect(stream.resend).toEqual([2, 3]);
    harness.watermarks.advance(1);
    stream.send(5);
    stream.send(2);
    await until(() => stream.applied.length === 6);
    expect(stream.durable).toBe(1);
    stream.send(3);
    await until(() => stream.applied.length === 7);
    harness.watermarks.advance(7);
    await until(() => stream.durable === 5);
  });

  it('ends after a half-close although lost batches are missing: they come with the next stream', async () => {
    await start();
    const stream = open();
    stream.send(1);
    await until(() => stream.applied.length === 1);
    harness.watermarks.lose(1);
    stream.call.end();
    expect((await stream.status).code).toBe(status.OK);
    expect(stream.resend).toEqual([1]);
    expect(stream.durable).toBe(0);
  });
});

describe('a drain', () => {
  it('tells the streams, refuses new calls with DRAINING, and ends when the streams have', async () => {
    await start();
    const stream = open();
    stream.send(1);
    await until(() => stream.applied.length === 1);
    const drained = harness.server.drain(60_000);
    await until(() => stream.messages.some(({ drain }) => Number(drain?.withinMs) > 0));
    const refused = await failure((done) => harness.usage.reserve({}, done));
    expect(refused.code).toBe(status.UNAVAILABLE);
    expect(readErrorDetails(refused.metadata)).toEqual({
      reason: 'DRAINING',
      field: null,
      retryAfterMs: 250,
    });
    stream.send(2);
    await until(() => stream.applied.length === 2);
    harness.watermarks.advance(2);
    stream.call.end();
    expect((await stream.status).code).toBe(status.OK);
    expect(stream.durable).toBe(2);
    await drained;
  });

  it('ends streams that stay with DRAINING when the time is over', async () => {
    await start();
    const stream = open();
    stream.send(1);
    await until(() => stream.applied.length === 1);
    const drained = harness.server.drain(600);
    const ended = await stream.status;
    expect(readErrorDetails(ended.metadata).reason).toBe('DRAINING');
    await drained;
    expect(await harness.gauge('drawdown_open_streams')).toBe(0);
  });

  it('is not held up by somebody who watches the health', async () => {
    await start();
    const identity = (bytes: Buffer) => bytes;
    const client = new Client(harness.address, credentials.createInsecure());
    const watch = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      identity,
      identity,
      Buffer.alloc(0),
    );
    watch.on('error', () => {});
    const seen: Buffer[] = [];
    watch.on('data', (bytes) => seen.push(bytes));
    await until(() => seen.length === 1);
    await harness.server.drain(600);
    client.close();
  });
});
