/** Sidecars and gateways die or freeze while sessions are open: acknowledged <= charged <= sent for every session, once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
import { type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

const KNOWN = 100;
const sessionCount = 60;
const cost = (output: number): number => KNOWN + 5 * output;

let redis: TestRedis;
let database: TestDatabase;
let first: SidecarProcess;
let second: SidecarProcess;

const start = (): Promise<SidecarProcess> =>
  spawnSidecar(
    { redisUrl: redis.url, postgresUrl: database.url },
    { leaseMs: 500, checkpointIntervalMs: 50, sessionHoldMs: 3_000, sessionGraceMs: 500 },
  );

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  second = await start();
});
beforeEach(async () => {
  first = await start();
});
afterEach(async () => {
  await first.stop();
});
afterAll(async () => {
  await second.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

/** One session as its gateway knows it. */
interface Known {
  readonly number: number;
  readonly holdId: string;
  /** The largest count that was sent, or would count if all that was sent arrived. */
  sent: number;
  /** The largest count that was acknowledged; -1: not even its open. */
  acknowledged: number;
  /** What it was settled on; null: nobody settled it. */
  settled: number | null;
}

/** A gateway whose sessions advance at random. */
class Gateway {
  readonly sessions: readonly Known[];
  stream: SessionStream;

  constructor(
    private readonly account: string,
    private readonly random: SeededRandom,
    address: string,
  ) {
    this.sessions = Array.from({ length: sessionCount }, (_, index) => ({
      number: index + 1,
      holdId: `${account}-${index + 1}`,
      sent: 0,
      acknowledged: -1,
      settled: null,
    }));
    this.stream = this.connect(address);
  }

  /** A stream on which these sessions are opened, or resumed. */
  connect(address: string, sessions = this.sessions): SessionStream {
    const stream = new SessionStream(address);
    stream.onAnswer = ({ opened, acknowledged }) => {
      for (const one of opened)
        this.#note(one.session, one.verdict === 'VERDICT_ALLOWED' ? Number(one.counts[0] ?? 0) : -1);
      for (const one of acknowledged) this.#note(one.session, Number(one.counts[0]));
    };
    const opens = sessions.map(({ number, holdId }) =>
      sessionOpen(number, this.account, { sessionId: holdId }),
    );
    stream.send({ opens });
    return stream;
  }

  #note(number: number, count: number): void {
    const session = this.sessions[number - 1] as Known;
    session.acknowledged = Math.max(session.acknowledged, count);
  }

  /** Sends updates until so many were acknowledged since, or the stream is gone. */
  async advance(stream: SessionStream, acknowledgements: number): Promise<void> {
    const from = stream.messagesIn;
    await until('the sessions advance', () => {
      if (stream.status !== undefined) return true;
      const progress = Array.from({ length: this.random.between(1, 20) }, () => {
        const session = this.random.pick(this.sessions);
        session.sent += this.random.between(1, 4);
        return { session: session.number, counts: [session.sent] };
      });
      stream.send({ progress });
      return stream.messagesIn - from >= acknowledgements;
    });
  }
}

/** Each is answered, in whatever way, or the stream is gone. */
async function answered(stream: SessionStream, sessions: readonly Known[]): Promise<void> {
  await until('all opens are answered', () =>
    sessions.every(
      ({ number }) =>
        stream.status !== undefined ||
        stream.opened.has(number) ||
        stream.refused.some(({ session }) => session === number),
    ),
  );
}

/** Settles by their ids, some of them twice. */
async function settleSome(gateway: Gateway, account: string, random: SeededRandom): Promise<void> {
  for (const session of gateway.sessions) {
    if (random.next() < 0.5) continue;
    session.settled = session.sent + random.between(0, 5);
    const call = {
      holdId: session.holdId,
      accountId: account,
      meter: 'llm',
      model: 'claude-haiku-4-5',
      quantities: { values: { input_tokens: KNOWN, output_tokens: session.settled } },
      eventTimeMs: Date.now(),
    };
    const repeats = random.between(1, 2);
    for (let i = 0; i < repeats; i++) await second.client.call('UsageService/Settle', call);
  }
}

async function expectExact(gateway: Gateway, account: string, balance: number): Promise<void> {
  let total = 0;
  for (const { holdId, sent, acknowledged, settled } of gateway.sessions) {
    const usage = await until(`${holdId} has ended`, async () => {
      const found = await second.client.call('UsageService/GetUsage', { accountId: account, holdId });
      return found.state === 'USAGE_STATE_HELD' ? null : found;
    });
    const charged = Number(usage.charged);
    total += charged;
    if (settled !== null) expect(charged, holdId).toBe(cost(settled));
    else {
      expect(charged, holdId).toBeGreaterThanOrEqual(acknowledged < 0 ? 0 : cost(acknowledged));
      expect(charged, holdId).toBeLessThanOrEqual(cost(sent));
    }
  }
  expect(await second.client.balance(account)).toEqual({ available: balance - total, held: 0, debt: 0 });
  await expectVerified(second.config);
}

const balance = 10_000_000;

describe('sessions whose owners die', () => {
  it.each([
    ['the gateway', false, true],
    ['the sidecar', true, false],
    ['both', true, true],
  ])('%s: are resumed or end at what was acknowledged, once', async (who, killsSidecar, killsGateway) => {
    const random = new SeededRandom(seedOf(`sessions, killed: ${who}`));
    const account = await second.client.account(`killed-${who.replaceAll(' ', '-')}`, balance);
    const gateway = new Gateway(account, random, first.grpcAddress);
    await gateway.advance(gateway.stream, random.between(0, 8));
    if (killsGateway) gateway.stream.break();
    if (killsSidecar) await first.kill9();
    const resumed = gateway.sessions.filter(() => random.next() < 0.6);
    const stream = gateway.connect(second.grpcAddress, resumed);
    await answered(stream, resumed);
    await gateway.advance(stream, random.between(1, 8));
    stream.break();
    await settleSome(gateway, account, random);
    await expectExact(gateway, account, balance);
  });

  it('frozen: what it says when it wakes is void', async () => {
    const random = new SeededRandom(seedOf('sessions, frozen owner'));
    const account = await second.client.account('frozen-owner', balance);
    const gateway = new Gateway(account, random, first.grpcAddress);
    await answered(gateway.stream, gateway.sessions);
    await gateway.advance(gateway.stream, random.between(1, 8));
    process.kill(first.pid, 'SIGSTOP');
    try {
      const stream = gateway.connect(second.grpcAddress);
      await answered(stream, gateway.sessions);
      await gateway.advance(stream, random.between(1, 8));
      // The frozen owner will find more than was ever sent to the new one.
      const ahead = gateway.sessions.map(({ number, sent }) => ({ session: number, counts: [sent + 100] }));
      gateway.stream.send({ progress: ahead });
      process.kill(first.pid, 'SIGCONT');
      const taken = gateway.sessions.filter(({ number }) => stream.opened.has(number));
      for (const { number } of taken) {
        await until(`the first is told of ${number}`, () => gateway.stream.stops.has(number));
      }
      expect(new Set(taken.map(({ number }) => gateway.stream.stops.get(number)))).toEqual(
        new Set(['REASON_SESSION_MOVED']),
      );
      stream.break();
    } finally {
      process.kill(first.pid, 'SIGCONT');
    }
    gateway.stream.break();
    await settleSome(gateway, account, random);
    await expectExact(gateway, account, balance);
  });
});
