/** Many sessions at once: one balance that they share, and any order in which their counts arrive. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SessionProgress } from '../../src/gen/drawdown/v1/SessionProgress.js';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
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
    { checkpointIntervalMs: 50, sessionGraceMs: 100 },
  );
});

afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

/** Answers of one stream that go on as far as they may, a few tokens at a time, until they are done or told to stop. */
class Answers {
  readonly stream: SessionStream;
  readonly counts = new Map<number, number>();
  readonly #settling = new Set<number>();
  stopped = 0;
  denied = 0;

  constructor(
    address: string,
    private readonly input: number,
    /** How long the answer of a session gets. */
    private readonly goal: (number: number) => number,
  ) {
    this.stream = new SessionStream(address);
    this.stream.onAnswer = () => this.#goOn();
  }

  open(accountId: string, numbers: readonly number[]): void {
    for (const number of numbers) this.counts.set(number, 0);
    const known = { input_tokens: this.input };
    this.stream.send({
      opens: numbers.map((number) =>
        sessionOpen(number, accountId, { sessionId: `${accountId}-${number}`, known }),
      ),
    });
  }

  get areDone(): boolean {
    return this.stream.ended.size + this.denied === this.counts.size;
  }

  #goOn(): void {
    const { stream } = this;
    const progress: SessionProgress[] = [];
    const settles: number[] = [];
    for (const [session, count] of this.counts) {
      const opened = stream.opened.get(session);
      if (opened === undefined || this.#settling.has(session)) continue;
      const isStopped = stream.stops.has(session);
      const goal = this.goal(session);
      const next = Math.min(goal, count + 20, stream.allowed.get(session) ?? 0);
      if (opened.verdict === 'VERDICT_DENIED') {
        this.denied++;
        this.#settling.add(session);
      } else if (next > count && (stream.acknowledged.get(session)?.[0] ?? 0) >= count) {
        this.counts.set(session, next);
        progress.push({ session, counts: [next] });
      } else if (count === goal || (isStopped && next === count)) {
        if (isStopped) this.stopped++;
        this.#settling.add(session);
        settles.push(session);
      }
    }
    if (progress.length + settles.length === 0) return;
    stream.send({
      progress,
      settles: settles.map((session) => ({
        session,
        quantities: { input_tokens: this.input, output_tokens: this.counts.get(session) as number },
        eventTimeMs: Date.now(),
      })),
    });
  }
}

describe('a thousand sessions on a balance that covers half of them', () => {
  it.each([
    ['of 600 tokens', 100, 600, () => 600],
    // Shorter than the first slice.
    ['of 200 tokens', 100, 200, () => 200],
    ['of 50 tokens to prompts of 1,000', 1_000, 50, () => 50],
    ['of 1 to 400 tokens', 100, 200.5, (number: number) => ((number * 149) % 400) + 1],
  ])(
    'use nearly all of it and no more, and all of them end: answers %s, none of which says how long it gets',
    async (_, input, mean, goal) => {
      const balance = 500 * (input + 5 * mean);
      const account = await sidecar.client.account(`shared-${input}-${mean}`, balance);
      const streams = [0, 1, 2, 3].map(() => new Answers(sidecar.grpcAddress, input, goal));
      for (const [index, answers] of streams.entries()) {
        answers.open(
          account,
          Array.from({ length: 250 }, (_, at) => index * 250 + at + 1),
        );
      }
      await until('all have ended', () => streams.every(({ areDone }) => areDone), 60_000);
      const left = await sidecar.client.balance(account);
      expect(left).toMatchObject({ held: 0, debt: 0 });
      const sum = (of: (answers: Answers) => number): number =>
        streams.reduce((all, one) => all + of(one), 0);

      const charged = sum(({ stream }) =>
        [...stream.ended.values()].reduce((all, { settled }) => all + Number(settled?.charged), 0),
      );
      expect(charged + left.available).toBe(balance);
      expect(sum(({ stopped, denied }) => stopped + denied)).toBeGreaterThan(0);
      expect(left.available).toBeLessThanOrEqual(balance / 100);
      for (const { stream } of streams) {
        expect(stream.refused).toEqual([]);
        expect(await stream.end()).toBe('OK');
      }
    },
  );
});

describe('a session that stands where the balance ends', () => {
  /** One that has opened, and one that has used all the rest. */
  async function openTwo(account: string) {
    await sidecar.client.account(account, 100_000);
    const stream = new SessionStream(sidecar.grpcAddress);
    await stream.open(1, account, { sessionId: `${account}-1` });
    await stream.open(2, account, { sessionId: `${account}-2` });
    while ((await sidecar.client.balance(account)).available > 0) {
      const allowed = stream.allowed.get(2) as number;
      stream.progress(2, allowed);
      await until('it may go on', () => (stream.allowed.get(2) as number) > allowed);
    }
    const allowed = stream.allowed.get(2) as number;
    stream.progress(2, allowed);
    return { stream, allowed };
  }

  it('goes on with what another one gives back', async () => {
    const { stream, allowed } = await openTwo('gives-back');
    expect((await stream.release(1)).released).toMatchObject({ released: String(100 + 5 * 256) });
    await until('it may go on', () => (stream.allowed.get(2) as number) > allowed);
    expect(stream.stops.size).toBe(0);
    await stream.release(2);
    await stream.end();
  });

  it('is stopped where nothing comes back, and nobody else is', async () => {
    const { stream, allowed } = await openTwo('keeps');
    expect(await stream.stopped(2)).toBe('REASON_INSUFFICIENT_BALANCE');
    expect(stream.allowed.get(2)).toBe(allowed);
    expect([...stream.stops.keys()]).toEqual([2]);
    expect((await stream.settle(2, 100, allowed)).settled).toMatchObject({ overdrawn: '0' });
    await stream.release(1);
    await stream.end();
  });
});

/** Updates of one session: some are lost, some come twice, and the rest in any order. */
const updates = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 250 }), fc.constantFrom(0, 1, 1, 2)), {
    minLength: 1,
    maxLength: 12,
  })
  .map((sent) => sent.flatMap(([count, times]) => Array.from({ length: times }, () => count)))
  .chain((arrived) => fc.shuffledSubarray(arrived, { minLength: arrived.length }));

describe('the counts of a session', () => {
  it('charge the largest whatever their order, and whichever are lost or come twice, where nobody settles', async () => {
    const account = await sidecar.client.account('shuffled', 1_000_000_000);
    let made = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(updates, { minLength: 30, maxLength: 30 }),
        fc.boolean(),
        async (all, inOneMessage) => {
          const stream = new SessionStream(sidecar.grpcAddress);
          const ids = all.map(() => `shuffled-${++made}`);
          stream.send({
            opens: ids.map((sessionId, session) => sessionOpen(session + 1, account, { sessionId })),
          });
          for (const session of ids.keys()) await stream.verdict(session + 1);
          const progress = all.flatMap((counts, at) =>
            counts.map((count) => ({ session: at + 1, counts: [count] })),
          );
          if (inOneMessage) stream.send({ progress });
          else for (const update of progress) stream.send({ progress: [update] });
          const largest = all.map((counts) => Math.max(0, ...counts));
          for (const [at, count] of largest.entries()) {
            await stream.acknowledgedThrough(at + 1, count === 0 ? -1 : count);
          }
          expect(await stream.end()).toBe('OK');
          for (const [at, holdId] of ids.entries()) {
            const usage = await until(`${holdId} is settled`, async () => {
              const found = await sidecar.client.call('UsageService/GetUsage', {
                accountId: account,
                holdId,
              });
              return found.state === 'USAGE_STATE_HELD' ? null : found;
            });
            expect(usage).toMatchObject({
              state: 'USAGE_STATE_EXPIRED',
              charged: String(100 + 5 * (largest[at] as number)),
            });
          }
        },
      ),
      { numRuns: 4 },
    );
    expect(await sidecar.client.balance(account)).toMatchObject({ held: 0, debt: 0 });
  });
});
