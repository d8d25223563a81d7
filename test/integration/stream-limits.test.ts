/** What a caller can make a sidecar hold, by opening, by sending, and by not reading. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestClient, type TestStream, usageEvent } from '../helpers/client.js';
import { startProxy } from '../helpers/proxy.js';
import { SessionStream } from '../helpers/session-stream.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import {
  createDatabase,
  startRedis,
  type TestDatabase,
  type TestRedis,
  temporaryDirectory,
} from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
});
afterEach(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

async function start(overrides: Parameters<typeof startTestSidecar>[1]): Promise<TestClient> {
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, overrides);
  return sidecar.client;
}

const openStreams = () => metric(sidecar, 'drawdown_open_streams');
const slowReaders = () => metric(sidecar, 'drawdown_stream_pauses_total', 'reason="slow_reader"');

describe('a client that reads nothing for streamIdleMs', () => {
  it('loses its RecordUsage stream, and is told why; what was taken is charged once', async () => {
    const client = await start({ streamIdleMs: 500 });
    const account = await client.account('deaf', 1_000_000);
    const stream = client.stream();
    const told = new Promise((resolve) => stream.call.on('status', ({ code }) => resolve(status[code])));
    stream.call.pause();
    let sent = 0;
    // Sends all along, as far as it is read: a pause may pass, while what was written still finds room on the way.
    await until('the stream is ended', async () => {
      for (let i = 0; i < 20 && !stream.call.writableNeedDrain; i++, sent++)
        stream.send(Array.from({ length: 100 }, (_, n) => usageEvent(account, `event-${sent}-${n}`, 1)));
      return (await openStreams()) === 0;
    });
    expect(await slowReaders()).toBeGreaterThan(0);
    stream.call.resume();
    expect(await told).toBe('RESOURCE_EXHAUSTED');
    const lines = await client.ledger(account, { kinds: ['ENTRY_KIND_USAGE'] });
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(100 * sent);
    await expectClean(sidecar.config, client, new Map([[account, 1_000_000 - lines.length]]));
  });

  it('loses its MeterUsage stream; its session is settled at what was acknowledged, after the grace', async () => {
    const client = await start({ streamIdleMs: 500, sessionGraceMs: 200, checkpointIntervalMs: 50 });
    const account = await client.account('mute', 1_000_000);
    const stream = new SessionStream(sidecar.grpcAddress);
    await stream.open(1, account, { sessionId: 'mute' });
    stream.progress(1, 10);
    await stream.acknowledgedThrough(1, 10);
    stream.call.pause();
    // Each is answered by a refusal, until nothing more fits between the two.
    const unknown = Array.from({ length: 1_000 }, (_, index) => ({ session: index + 2, counts: [1] }));
    await until('the stream is ended', async () => {
      if (!stream.call.writableNeedDrain) stream.send({ progress: unknown });
      return (await openStreams()) === 0;
    });
    expect(await slowReaders()).toBeGreaterThan(0);
    stream.call.resume();
    expect(await stream.finished()).toBe('RESOURCE_EXHAUSTED');
    await until('the session is settled', async () => (await client.balance(account)).held === 0);
    await expectClean(sidecar.config, client, new Map([[account, 1_000_000 - 150]]));
  });
});

describe('a connection', () => {
  it('has at most connectionStreamsMax calls and streams open: the next one waits for its turn', async () => {
    const client = await start({ connectionStreamsMax: 2 });
    const account = await client.account('many', 1_000_000);
    const streams = Array.from({ length: 3 }, () => client.stream());
    for (const [i, stream] of streams.entries()) stream.send([usageEvent(account, `event-${i}`, 1)]);
    const [first, second, third] = streams as [TestStream, TestStream, TestStream];
    await Promise.all([first.durable(1), second.durable(1)]);
    expect(await openStreams()).toBe(2);
    // Another connection has streams of its own.
    const other = new SessionStream(sidecar.grpcAddress);
    await other.open(1, account, { sessionId: 'other' });
    await other.release(1);
    expect(await other.end()).toBe('OK');
    expect(third.applied.size).toBe(0);
    expect(await first.end()).toBe('OK');
    await third.durable(1);
    expect([await second.end(), await third.end()]).toEqual(['OK', 'OK']);
  });

  it('that fell silent is given up with its streams after keepaliveTimeMs and keepaliveTimeoutMs', async () => {
    const path = join(temporaryDirectory(), 'grpc.sock');
    const client = await start({
      grpcAddress: `unix:${path}`,
      keepaliveTimeMs: 300,
      keepaliveTimeoutMs: 200,
    });
    const account = await client.account('silent', 1_000_000);
    const proxy = await startProxy(path);
    const behind = new TestClient(`127.0.0.1:${proxy.port}`);
    const stream = behind.stream();
    await stream.durable(stream.send([usageEvent(account, 'event', 1)]));
    expect(await openStreams()).toBe(1);
    proxy.onRequest = () => 'silence-answer';
    stream.send([usageEvent(account, 'unanswered', 1)]);
    await until('the connection is given up', async () => (await openStreams()) === 0);
    behind.close();
    await proxy.stop();
    await expectClean(sidecar.config, client, new Map([[account, 999_998]]));
  });

  it('beyond connectionsMax is closed as it comes; there is room again when one goes', async () => {
    const client = await start({ connectionsMax: 3 });
    const account = await client.account('crowded', 1_000_000);
    const [host, port] = sidecar.grpcAddress.split(':') as [string, string];
    const connected = async (): Promise<Socket> => {
      const socket = connect(Number(port), host);
      await once(socket, 'connect');
      return socket.resume();
    };
    const held = [await connected(), await connected()];
    await until('all are counted', async () => (await metric(sidecar, 'drawdown_open_connections')) === 3);
    const beyond = await connected();
    await once(beyond, 'close');
    expect(await metric(sidecar, 'drawdown_refused_connections_total')).toBe(1);
    expect(await client.balance(account)).toMatchObject({ available: 1_000_000 });
    for (const socket of held) socket.destroy();
    await until('there is room', async () => (await metric(sidecar, 'drawdown_open_connections')) === 1);
    const stream = new SessionStream(sidecar.grpcAddress);
    await stream.open(1, account, { sessionId: 'late' });
    await stream.release(1);
    expect(await stream.end()).toBe('OK');
  });
});
