/** The sidecar is killed while it works. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settleRequest } from '../helpers/client.js';
import { type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';
import { createAccounts, makeWorkload, sendUntilDurable } from '../helpers/workload.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: SidecarProcess;

const start = (): Promise<SidecarProcess> =>
  spawnSidecar({ redisUrl: redis.url, postgresUrl: database.url }, { leaseMs: 500 });

async function restart(): Promise<void> {
  sidecar.client.close();
  await sidecar.kill9();
  sidecar = await start();
}

beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await start();
});
afterEach(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

describe('a sidecar that is killed', () => {
  it('in mid-stream: a client that keeps what is not durable is charged once for every event', async () => {
    const seed = seedOf('sidecar killed in mid-stream');
    const random = new SeededRandom(seed);
    const workload = makeWorkload(seed, { accounts: 20, batches: 150, eventsPerBatch: 100 });
    await createAccounts(sidecar.client, workload);
    const killAt = Array.from({ length: 3 }, () => random.between(1, 140)).sort((a, b) => a - b);
    let restarting: Promise<void> = Promise.resolve();
    let isRestarting = false;
    const { streams } = await sendUntilDurable(
      async () => {
        await restarting;
        return sidecar.client;
      },
      workload.batches,
      (durable) => {
        if (isRestarting || killAt[0] === undefined || durable < killAt[0]) return;
        killAt.shift();
        isRestarting = true;
        restarting = restart().finally(() => {
          isRestarting = false;
        });
      },
    );
    await restarting;
    expect(streams).toBeGreaterThan(1);
    await expectClean(sidecar.config, sidecar.client, workload.expected);
  });

  it('with holds open: another one settles, releases and sweeps them, each once', async () => {
    const account = await sidecar.client.account('holder', 10_000);
    await sidecar.client.reserve(account, 'settled', 1_000);
    await sidecar.client.reserve(account, 'released', 1_000);
    await sidecar.client.reserve(account, 'swept', 1_000, { holdTimeMs: 1_000 });
    const settle = settleRequest(account, 'settled', 400);
    // Its answer may be lost with the sidecar; whether it was booked nobody knows.
    const first = sidecar.client.call('UsageService/Settle', settle).catch(() => null);
    await sidecar.kill9();
    await first;
    await restart();
    const { client } = sidecar;
    expect(await client.call('UsageService/Settle', settle)).toMatchObject({ charged: '400' });
    expect(await client.release(account, 'released')).toMatchObject({ released: '1000', duplicate: false });
    await until('the third is swept', async () => (await client.balance(account)).held === 0);
    expect(await client.holdState(account, 'swept')).toBe('USAGE_STATE_EXPIRED');
    await expectClean(sidecar.config, client, new Map([[account, 9_600]]));
  });
});
