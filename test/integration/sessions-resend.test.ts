/** A MeterUsage stream whose messages were lost with Redis, and one that is idle: a real server around fakes, because real stores do not lose on demand. */
import { afterEach, describe, expect, it } from 'vitest';
import type { SessionOperations } from '../../src/usage/session-operations.js';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
import { until } from '../helpers/until.js';
import { type Harness, startHarness } from './grpc-fakes.js';

let harness: Harness;
let stream: SessionStream;

afterEach(async () => {
  stream.break();
  harness.stop();
});

/** Opens whatever comes, and takes over what it has. */
class FakeOperations implements Pick<SessionOperations, 'open' | 'checkpoint'> {
  readonly generations = new Map<string, number>();
  seq = 0;

  open: SessionOperations['open'] = ({ sessionId, offers, details }, _options, taker) => {
    const generation = (this.generations.get(sessionId) ?? 0) + 1;
    this.generations.set(sessionId, generation);
    const covers = offers[0]?.wanted ?? 0;
    const stand = {
      unit: 1 as const,
      held: covers,
      covers,
      available: 5,
      deadlineMs: 9,
      catalogVersion: 4,
      charge: 0,
    };
    const position = { partition: 0, epoch: 1, seq: ++this.seq };
    const acknowledged = generation > 1 ? details : null;
    queueMicrotask(() => taker.done({ kind: 'open', ...stand, generation, details: acknowledged, position }));
  };

  checkpoint: SessionOperations['checkpoint'] = async () => ({ kind: 'unknown' });
}

async function start(flags: Record<string, string> = {}): Promise<FakeOperations> {
  const operations = new FakeOperations();
  harness = await startHarness({ flags, sessionOperations: operations });
  stream = new SessionStream(harness.address);
  return operations;
}

const open = (number: number, sessionId = `session-${number}`) =>
  sessionOpen(number, 'account', { sessionId, model: 'gpt-4o-mini' });

describe('messages that were lost with Redis', () => {
  it('are asked for by their numbers, and their sessions go on where they are sent again', async () => {
    const operations = await start();
    stream.send({ opens: [open(1)] });
    stream.send({ opens: [open(2)] });
    await stream.verdict(2);
    harness.watermarks.advance(1);
    await stream.durable(1);
    harness.watermarks.lose(2);
    await until('it is asked for', () => stream.resend.length > 0);
    expect(stream.resend).toEqual([2]);
    stream.opened.clear();
    stream.call.write({ messageNumber: 2, opens: [open(2)] });
    expect(await stream.verdict(2)).toMatchObject({ verdict: 'VERDICT_ALLOWED', generation: 2 });
    expect(operations.generations.get('session-2')).toBe(2);
    expect(stream.durableThrough).toBe(1);
    harness.watermarks.advance(10);
    await stream.durable(2);
    await stream.settle(2, 100, 3);
    await stream.durable(0);
    harness.watermarks.advance(20);
    await until(
      'the metric says two',
      async () => (await harness.gauge('drawdown_sessions_resumed_total')) === 1,
    );
  });

  it('never mean a session that took over the number since', async () => {
    // The first open is durable at once; what comes after it is lost.
    (await start()).seq = -1;
    await stream.open(1, 'account', { sessionId: 'old', model: 'gpt-4o-mini' });
    await stream.durable(1);
    const settle = { session: 1, quantities: { input_tokens: 1 }, eventTimeMs: Date.now() };
    stream.send({ settles: [settle] });
    await stream.outcome(1);
    await stream.open(1, 'account', { sessionId: 'new', model: 'gpt-4o-mini' });
    harness.watermarks.lose(2);
    await until('they are asked for', () => stream.resend.length === 2);
    expect(stream.resend).toEqual([2, 3]);
    stream.call.write({ messageNumber: 2, settles: [settle] });
    expect(await stream.refusal(1)).toMatchObject({ reason: 'REASON_SESSION_UNKNOWN' });
    expect(stream.ended.has(1)).toBe(false);
  });
});

describe('an idle stream', () => {
  it('ends where it has no sessions, and only then', async () => {
    await start({ streamIdleMs: '1000' });
    const idle = new SessionStream(harness.address);
    idle.send({});
    await stream.open(1, 'account', { model: 'gpt-4o-mini' });
    harness.watermarks.advance(5);
    expect(await idle.finished()).toBe('OK');
    expect(stream.status).toBeUndefined();
    await stream.release(1);
    harness.watermarks.advance(50);
    expect(await stream.finished()).toBe('OK');
  });
});
