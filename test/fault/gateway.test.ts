/** Gateways on the built client are killed and frozen, alone and with their sidecar: acknowledged <= charged <= sent for every session, once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../helpers/gateway.js';
import { expectCharged, type KnownSession, makeSessions, quickSessions } from '../helpers/known-sessions.js';
import { type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';

const granted = 10_000_000;
const sessionsPerRound = 40;
const rounds = 2;
/** What a gateway says of so many sessions, about. */
const linesMax = 1_200;

let redis: TestRedis;
let database: TestDatabase;
let first: SidecarProcess;
let second: SidecarProcess;
let gateways: GatewayProcess[] = [];
let accounts = 0;

const start = (): Promise<SidecarProcess> =>
  spawnSidecar({ redisUrl: redis.url, postgresUrl: database.url }, quickSessions);

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  second = await start();
});
beforeEach(async () => {
  gateways = [];
  first = await start();
});
afterEach(async () => {
  for (const gateway of gateways) await gateway.kill9();
  await first.stop();
});
afterAll(async () => {
  await second.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

interface Round {
  readonly random: SeededRandom;
  readonly accountId: string;
  readonly sessions: readonly KnownSession[];
  /** Another gateway for this round's sessions, which waits for its orders. */
  gateway(...sidecars: readonly SidecarProcess[]): Promise<GatewayProcess>;
}

/** Plays a round several times, each with an account of its own, and looks at what was charged. */
async function play(what: string, round: (given: Round) => Promise<void>): Promise<void> {
  const random = new SeededRandom(seedOf(what));
  for (let i = 0; i < rounds; i++) {
    const accountId = await second.client.account(`gateways-${++accounts}`, granted);
    const sessions = makeSessions(accountId, sessionsPerRound);
    const startTimeMs = Date.now();
    const gateway = async (...sidecars: readonly SidecarProcess[]): Promise<GatewayProcess> => {
      const addresses = sidecars.map(({ grpcAddress }) => grpcAddress);
      const seed = random.between(1, 1_000_000);
      const started = await GatewayProcess.start({ addresses, accountId, startTimeMs, seed });
      gateways.push(started);
      return started;
    };
    await round({ random, accountId, sessions, gateway });
    for (const one of gateways.splice(0)) await one.kill9();
    await expectCharged(second, accountId, sessions, granted);
    if (first.exited() !== undefined) {
      await first.stop();
      first = await start();
    }
  }
}

const some = (sessions: readonly KnownSession[], random: SeededRandom): KnownSession[] =>
  sessions.filter(() => random.next() < 0.7);

describe('a gateway', () => {
  it.each([
    ['killed', false],
    ['killed with its sidecar', true],
  ])(
    '%s: another one takes some of its sessions over, and none is charged twice',
    async (how, killsSidecar) => {
      await play(`gateways, ${how}`, async ({ random, sessions, gateway }) => {
        const [lost, next] = await Promise.all([gateway(first), gateway(second)]);
        lost.serve(sessions);
        await lost.hasSaid(random.between(0, linesMax));
        const deaths = [lost.kill9(), ...(killsSidecar ? [first.kill9()] : [])];
        if (random.next() < 0.5) await Promise.all(deaths);
        next.serve(some(sessions, random));
        await Promise.all(deaths);
        await next.hasSaid(random.between(0, linesMax));
        if (random.next() < 0.5) return;
        await next.served();
        await next.close();
      });
    },
  );

  it('whose sidecar is killed goes on with another one by itself', async () => {
    await play('gateways, sidecar killed', async ({ random, sessions, gateway }) => {
      const lives = await gateway(first, second);
      lives.serve(sessions);
      await lives.hasSaid(random.between(0, linesMax));
      await first.kill9();
      await lives.served();
      await lives.close();
      expect(lives.denied).toEqual(new Map());
      expect(lives.refused).toEqual(new Map());
      expect(lives.stopped).toEqual(new Map());
    });
  });

  it.each([
    ['frozen', false],
    ['frozen while its sidecar is killed', true],
  ])(
    '%s: what it sends when it wakes is void for the sessions that another one took over',
    async (how, killsSidecar) => {
      await play(`gateways, ${how}`, async ({ random, sessions, gateway }) => {
        const [frozen, next] = await Promise.all([gateway(first, second), gateway(second)]);
        frozen.serve(sessions);
        // One that has no verdict yet asks again when it wakes, for whoever has the session then.
        await until('all are open', () => frozen.opened.size === sessions.length);
        await frozen.hasSaid(frozen.said + random.between(0, linesMax));
        frozen.freeze();
        if (killsSidecar) await first.kill9();
        next.serve(sessions);
        await until('all opens are judged', () => next.opened.size + next.denied.size === sessions.length);
        frozen.unheard();
        await next.hasSaid(next.said + random.between(0, linesMax));
        frozen.wake();
        await Promise.all([frozen.served(), next.served()]);
        await next.close();
        // It keeps all that it has: nobody takes it back.
        expect([...next.refused.keys()].filter((id) => next.opened.has(id))).toEqual([]);
        expect(next.stopped).toEqual(new Map());
      });
    },
  );
});
