/** What makes the flusher look for work. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { UNITS } from '../../src/usage/types.js';
import { createDatabase, startRedis } from '../helpers/stores.js';
import { START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { catalogText, TARIFFS, type Tariff } from '../simulation/tariffs.js';

/** How long a worker of the flusher rests that nobody wakes. */
const REST_MS = 50;
const PATIENCE_MS = 3_000;

it('what is applied wakes it: durable calls on an idle sidecar do not wait until it looks by itself', async () => {
  const { setTimeout: real } = globalThis;
  // No rest of a worker ends by itself.
  const timers = vi
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation(((run: () => void, ms: number) =>
      real(run, ms === REST_MS ? 2 ** 31 - 1 : ms)) as typeof setTimeout);
  const [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  const directory = mkdtempSync(join(tmpdir(), 'drawdown-flusher-'));
  const catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, catalogText(TARIFFS[0] as Tariff));
  const clock = new SimulatedClock(START_MS);
  const stack = await Stack.start({ redisUrl: redis.url, postgresUrl: database.url, catalogFile }, clock);
  try {
    const durable = { durable: true, deadlineMs: START_MS + PATIENCE_MS };
    const own = (accountId: string, requestId: string) => ({ accountId, requestId, eventTimeMs: START_MS });
    for (const accountId of ['one', 'two', 'three', 'four', 'five']) {
      const create = { ...own(accountId, 'create'), plan: '', imported: null };
      await stack.core.accounts.create(create, durable);
      const topUp = { ...own(accountId, 'top-up'), unit: UNITS.credits, amount: 5, expiresAtMs: 0 };
      expect(await stack.core.accounts.topUp(topUp, durable)).toMatchObject({ granted: 5 });
    }
  } finally {
    await stack.stop();
    clock.restore();
    timers.mockRestore();
    rmSync(directory, { recursive: true });
    await Promise.all([redis.stop(), database.drop()]);
  }
}, 60_000);
