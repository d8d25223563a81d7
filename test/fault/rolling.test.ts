/** Sidecars are stopped and started again, one after the other, under traffic that does not stop. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Meter, Session } from '../../src/client/index.js';
import { TestClient, usageEvent } from '../helpers/client.js';
import { freePort } from '../helpers/free-port.js';
import { meterOf, usage } from '../helpers/meter.js';
import {
  metric,
  readiness,
  type SidecarProcess,
  spawnSidecar,
  startTestSidecar,
} from '../helpers/sidecar.js';
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
beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
});
afterEach(async () => {
  await Promise.all([redis.stop(), database.drop()]);
});

const places = () => ({ redisUrl: redis.url, postgresUrl: database.url });

describe('two sidecars that are restarted one after the other', () => {
  const model = { meter: 'llm', model: 'claude-haiku-4-5' };
  const credits = (value: bigint) => ({ amount: { unit: 'credits', value } as const });

  /** Events, holds and sessions through one meter, until `isOver`. Whatever fails, fails the test. */
  async function traffic(meter: Meter, account: string, isOver: () => boolean): Promise<number> {
    const record = async (lane: number): Promise<number> => {
      let spent = 0;
      for (let i = 0; !isOver(); i++) {
        const events = Array.from({ length: 20 }, (_, n) => usage(account, `event-${lane}-${i}-${n}`, 3));
        const results = await meter.record(events);
        expect(results.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
        spent += 60;
      }
      return spent;
    };
    const hold = async (): Promise<number> => {
      let spent = 0;
      for (let i = 0; !isOver(); i++) {
        const work = { ...model, accountId: account, holdId: `hold-${i}` };
        const held = await meter.reserve({ ...work, ...credits(100n), startTimeMs: Date.now() });
        expect(held).toMatchObject({ allowed: true, judged: true });
        const settled = await meter.settle({ ...work, ...credits(70n), eventTimeMs: Date.now() });
        expect(settled).toMatchObject({ outcome: 'settled', charged: 70n, late: false });
        spent += 70;
      }
      return spent;
    };
    const converse = async (number: number): Promise<number> => {
      const session: Session = await meter.open({
        ...model,
        sessionId: `session-${number}`,
        accountId: account,
        known: { input_tokens: 10 },
        counted: ['output_tokens'],
      });
      expect(session).toMatchObject({ allowed: true, judged: true });
      let count = 0;
      while (!isOver()) {
        count += 1;
        expect(await session.room(count)).toBe(true);
        session.report({ output_tokens: count });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(session.stopped).toBeNull();
      const settled = await session.settle({ input_tokens: 10, output_tokens: count });
      expect(settled).toMatchObject({ outcome: 'settled', charged: BigInt(10 + 5 * count), late: false });
      return 10 + 5 * count;
    };
    const work = [record(1), record(2), hold(), ...Array.from({ length: 10 }, (_, i) => converse(i))];
    return (await Promise.all(work)).reduce((sum, one) => sum + one, 0);
  }

  it('lose nothing and double nothing: streams, calls and sessions go on over the other one', async () => {
    const directory = temporaryDirectory();
    const names = ['first', 'second'];
    const start = (name: string): Promise<SidecarProcess> =>
      spawnSidecar(places(), { grpcAddress: `unix:${join(directory, name)}`, leaseMs: 3_000 });
    const sidecars = [await start('first'), await start('second')];
    const granted = 1_000_000_000;
    const account = await (sidecars[0] as SidecarProcess).client.account('rolling', granted);
    const addresses = names.map((name) => `unix:${join(directory, name)}`);
    const meter = meterOf({ grpcAddress: '' }, { addresses });
    let isOver = false;
    const spent = traffic(meter, account, () => isOver);
    try {
      for (const [i, name] of names.entries()) {
        const [old, other] = [sidecars[i], sidecars[1 - i]] as [SidecarProcess, SidecarProcess];
        const seen = await metric(other, 'drawdown_rpc_calls_total', 'Reserve');
        await old.stop();
        expect(old.exited()).toBe(0);
        await until('the other one has its partitions', async () => {
          return (await metric(other, 'drawdown_partitions_owned')) === 4;
        });
        await until('calls go on', async () => {
          return (await metric(other, 'drawdown_rpc_calls_total', 'Reserve')) > seen;
        });
        sidecars[i] = await start(name);
        const again = sidecars[i] as SidecarProcess;
        await until('it serves the sessions or calls of somebody', async () => {
          return (await readiness(again)).ready && (await metric(again, 'drawdown_open_streams')) > 0;
        });
      }
      isOver = true;
      const left = granted - (await spent);
      expect(await meter.close({ timeoutMs: 20_000 })).toMatchObject({ isDrained: true });
      const [{ config, client }] = sidecars as [SidecarProcess];
      await expectClean(config, client, new Map([[account, left]]));
    } finally {
      isOver = true;
      await meter.close({ timeoutMs: 0 });
      await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
    }
  });
});

describe('a sidecar', () => {
  it('that starts is alive but not ready before it serves; that stops is unready at once, and alive to its end', async () => {
    const httpAddress = `127.0.0.1:${await freePort()}`;
    const alive = async () => (await fetch(`http://${httpAddress}/healthz`)).status;
    const ready = () => readiness({ httpAddress });
    let starting: unknown;
    const sidecar = await startTestSidecar(
      places(),
      { httpAddress, drainTimeoutMs: 1_500 },
      {
        // Before anything is read from Redis.
        onRedis: async () => {
          starting = [await alive(), await ready()];
        },
      },
    );
    expect(starting).toEqual([200, { ready: false, reasons: ['starting'], warnings: [] }]);
    await until('it is ready', async () => (await ready()).ready);
    // A client that stays, so that the drain takes its time.
    const client = new TestClient(sidecar.grpcAddress);
    const account = await client.account('stopping', 1_000);
    const stream = client.stream();
    await stream.durable(stream.send([usageEvent(account, 'event', 10)]));
    const stopped = sidecar.stop();
    expect(await ready()).toEqual({ ready: false, reasons: ['stopping'], warnings: [] });
    expect([await alive(), stream.ended]).toEqual([200, undefined]);
    await until('the stream is told', () => stream.drained);
    const late = stream.send([usageEvent(account, 'late', 10)]);
    expect(await stream.results(late)).toMatchObject([{ outcome: 'EVENT_OUTCOME_RECORDED' }]);
    expect(await ready()).toMatchObject({ ready: false });
    expect(await stream.end()).toBe('OK');
    await stopped;
    client.close();
    await expect(alive()).rejects.toThrow();
  });

  it('that has verified accounts ends when it is told to: what COPY read holds nothing up', async () => {
    const sidecar = await spawnSidecar(places());
    await sidecar.client.account('verified', 1_000);
    await until('an account is verified', async () => {
      return (await metric(sidecar, 'drawdown_verify_accounts_total')) > 0;
    });
    await sidecar.stop();
    expect(sidecar.exited(), sidecar.output()).toBe(0);
  });
});
