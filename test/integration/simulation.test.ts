/** A year of accounts on the whole stack beside the oracle. `npm run simulate` plays the same with other seeds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { readPostgres, readTotals } from '../simulation/comparison.js';
import { Simulation, type SimulationOptions, START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { catalogText, TARIFFS } from '../simulation/tariffs.js';

/** Nothing should come near: a limit that says "it hangs". */
const YEAR_LIMIT_MS = 600_000;

let redis: TestRedis;
let database: TestDatabase;
let directory: string;
let clock: SimulatedClock;
let stacks: Stack[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'drawdown-simulation-'));
  await begin();
});
afterEach(async () => {
  await end();
  rmSync(directory, { recursive: true });
});

async function begin(): Promise<void> {
  redis = await startRedis();
  database = await createDatabase();
  clock = new SimulatedClock(START_MS);
  stacks = [];
}

async function end(): Promise<void> {
  for (const stack of stacks) await stack.stop();
  clock.restore();
  await redis.stop();
  await database.drop();
}

async function start(): Promise<Stack> {
  const catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, catalogText(TARIFFS[0] as (typeof TARIFFS)[number]));
  const stack = await Stack.start({ redisUrl: redis.url, postgresUrl: database.url, catalogFile }, clock);
  stacks.push(stack);
  return stack;
}

async function play(simulation: Simulation, days: number): Promise<void> {
  for (let day = 0; day < days; day++) await simulation.day();
}

describe('a simulation', () => {
  it(
    'of 200 accounts over 13 months agrees with the oracle on every answer, every wallet of every day, every line and every statement',
    async () => {
      const options = { seed: 20_240_115, accounts: 200, days: 396 };
      const simulation = new Simulation(await start(), clock, options);
      await play(simulation, options.days);
      await simulation.finish();
      // Enough of everything happened.
      expect(simulation.tally.calls).toBeGreaterThan(15_000);
      for (const word of ['starts: done', 'changes: done', 'converts: done', 'settles: done', 'gets: done'])
        expect(simulation.tally.said.get(word), word).toBeGreaterThan(100);
      for (const word of ['unlocks: done', 'activates: done', 'removes: done', 'reserves: AGENT_SUSPENDED'])
        expect(simulation.tally.said.get(word), word).toBeGreaterThan(30);
      for (const event of ['renewed', 'unpaid', 'suspended'])
        expect(simulation.tally.ofAgents.get(event), event).toBeGreaterThan(50);
    },
    YEAR_LIMIT_MS,
  );

  it('comes to the same when two sidecars sweep every partition at once', async () => {
    const options = { seed: 7, accounts: 30, days: 75 };
    const [one, other] = [await start(), await start()];
    const simulation = new Simulation(one, clock, options, async () => {
      await Promise.all([one.strayingSweeper.sweep(), other.strayingSweeper.sweep()]);
      // The simulation itself waits for what the first sidecar has seen.
      await other.durable();
    });
    await play(simulation, options.days);
    await simulation.finish();
    expect(simulation.tally.said.get('records: done')).toBeGreaterThan(100);
  });

  it('has the same wallets after a sweeper slept for two months and after one that never did', async () => {
    const options = { seed: 11, accounts: 40, days: 200 };
    const awake = await afterTwoMonths(options, true);
    await end();
    await begin();
    const asleep = await afterTwoMonths(options, false);
    expect(asleep.totals).toEqual(awake.totals);
    expect(asleep.accounts).toEqual(awake.accounts);
    // There was something to do: lots expired, periods began, plans changed.
    expect(asleep.expired).toBeGreaterThan(asleep.expiredBefore);
  });
});

/** Plays until customers have plans, holds and what is to come; then nobody calls for two months, at whose end somebody sweeps. */
async function afterTwoMonths(options: SimulationOptions, sweeps: boolean) {
  const stack = await start();
  const simulation = new Simulation(stack, clock, options);
  const expired = async () => {
    const { rows } = await stack.pool.query(
      "SELECT count(*) AS lines FROM entries WHERE kind IN ('lot_expired', 'hold_expired', 'plan_grant')",
    );
    return Number(rows[0]?.lines);
  };
  await play(simulation, 45);
  await simulation.sweep();
  await simulation.compare();
  const expiredBefore = await expired();
  await simulation.quietDays(61, sweeps);
  await simulation.sweep();
  await simulation.finish();
  const accounts = [...(await readPostgres(stack.pool))].map(([id, { account, promised }]) => {
    const { lines: _, ...rest } = account;
    return [id, rest, promised];
  });
  return {
    accounts: accounts.sort(),
    totals: await readTotals(stack.pool),
    expired: await expired(),
    expiredBefore,
  };
}
