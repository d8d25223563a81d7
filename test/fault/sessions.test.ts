/** Sidecars and gateways die or freeze while sessions are open: acknowledged <= charged <= sent for every session, once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  expectCharged,
  inputTokens,
  type KnownSession,
  makeSessions,
  quickSessions,
} from '../helpers/known-sessions.js';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
import { type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';

const sessionCount = 60;

let redis: TestRedis;
let database: TestDatabase;
let first: SidecarProcess;
let second: SidecarProcess;

const start = (): Promise<SidecarProcess> =>
  spawnSidecar({ redisUrl: redis.url, postgresUrl: database.url }, quickSessions);

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

/** One session by its number on its gateway's streams. */
interface Numbered extends KnownSession {
  readonly number: number;
}

/** A gateway whose sessions advance at random. */
class Gateway {
  readonly sessions: readonly Numbered[];
  stream: SessionStream;

  constructor(
    private readonly account: string,
    private readonly random: SeededRandom,
    address: string,
  ) {
    this.sessions = makeSessions(account, sessionCount).map((session, i) => ({ ...session, number: i + 1 }));
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
    const opens = sessions.map(({ number, id }) => sessionOpen(number, this.account, { sessionId: id }));
    stream.send({ opens });
    return stream;
  }

  #note(number: number, count: number): void {
    const session = this.sessions[number - 1] as Numbered;
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
async function answered(stream: SessionStream, sessions: readonly Numbered[]): Promise<void> {
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
    const count = session.sent + random.between(0, 5);
    const call = {
      holdId: session.id,
      accountId: account,
      meter: 'llm',
      model: 'claude-haiku-4-5',
      quantities: { values: { input_tokens: inputTokens, output_tokens: count } },
      eventTimeMs: Date.now(),
    };
    const repeats = random.between(1, 2);
    for (let i = 0; i < repeats; i++) {
      const { charged, late } = await second.client.call('UsageService/Settle', call);
      session.settled = { count, charged: Number(charged), isLate: late };
    }
  }
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
    await expectCharged(second, account, gateway.sessions, balance);
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
    await expectCharged(second, account, gateway.sessions, balance);
  });
});
