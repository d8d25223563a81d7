/** A year of accounts on the whole stack beside the oracle. `npm run simulate` plays the same with other seeds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SimulatedClock } from '../simulation/clock.js';
import { Simulation, START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { catalogText, TARIFFS } from '../simulation/tariffs.js';

let redis: TestRedis;
let database: TestDatabase;
let directory: string;
let clock: SimulatedClock;

beforeEach(async () => {
  redis = await startRedis();
  database = await createDatabase();
  directory = mkdtempSync(join(tmpdir(), 'drawdown-simulation-'));
  clock = new SimulatedClock(START_MS);
});
afterEach(async () => {
  clock.restore();
  await redis.stop();
  await database.drop();
  rmSync(directory, { recursive: true });
});

function start(): Promise<Stack> {
  const catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, catalogText(TARIFFS[0] as (typeof TARIFFS)[number]));
  return Stack.start({ redisUrl: redis.url, postgresUrl: database.url, catalogFile }, clock);
}

describe('a simulation', () => {
  it('of 200 accounts over 13 months agrees with the oracle on every answer, every wallet of every day and every line', async () => {
    const stack = await start();
    const options = {
      seed: Number(process.env.SIM_SEED ?? 1),
      accounts: Number(process.env.SIM_ACCOUNTS ?? 200),
      days: Number(process.env.SIM_DAYS ?? 396),
    };
    const simulation = new Simulation(stack, clock, options);
    const t0 = performance.now();
    for (let day = 0; day < options.days; day++) await simulation.day();
    console.log(performance.now() - t0);
    await simulation.finish();
    console.log(performance.now() - t0, simulation.tally);
    await stack.stop();
    expect(simulation.tally.days).toBe(options.days);
  }, 300_000);
});
