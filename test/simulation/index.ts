/**
 * `npm run simulate -- --seed N --months M [--accounts A] [--json FILE]`: plays a simulation on stores of its own, says how far it is,
 * and, where product and oracle differ, which command shows it again.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { startEmbedded } from '../../src/embedded/index.js';
import { Difference, Simulation, START_MS } from './simulation.js';
import { Stack } from './stack.js';
import { catalogText, TARIFFS } from './tariffs.js';

/** Of a mean month; 13 of them are a year and what comes after. */
const DAYS_PER_MONTH = 365.25 / 12;
const SAY_EVERY_DAYS = 30;

interface Wanted {
  readonly seed: number;
  readonly months: number;
  readonly accounts: number;
  readonly json: string | undefined;
}

function wanted(): Wanted {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      months: { type: 'string', default: '13' },
      accounts: { type: 'string', default: '200' },
      json: { type: 'string' },
    },
  });
  const whole = (name: string, text: string): number => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value === 0)
      throw new Error(`--${name}: a whole number above 0, not ${text}`);
    return value;
  };
  return {
    seed: values.seed === undefined ? 1 + Math.floor(Math.random() * 999_999) : whole('seed', values.seed),
    months: whole('months', values.months),
    accounts: whole('accounts', values.accounts),
    json: values.json,
  };
}

async function simulate({ seed, months, accounts, json }: Wanted): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'drawdown-simulation-'));
  const stores = await startEmbedded({
    dataDir: directory,
    logger: pino({ level: 'silent' }),
    redis: true,
    postgres: true,
  });
  const catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, catalogText(TARIFFS[0] as (typeof TARIFFS)[number]));
  const startedMs = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - startedMs) / 1000)} s`;
  const clock = new SimulatedClock(START_MS);
  try {
    const { redisUrl, postgresUrl } = stores;
    const stack = await Stack.start(
      { redisUrl: redisUrl as string, postgresUrl: postgresUrl as string, catalogFile },
      clock,
    );
    const days = Math.round(months * DAYS_PER_MONTH);
    const simulation = new Simulation(stack, clock, { seed, accounts, days });
    const { tally } = simulation;
    try {
      while (tally.days < days) {
        await simulation.day();
        if (tally.days % SAY_EVERY_DAYS === 0)
          console.log(
            `day ${tally.days} of ${days}: ${tally.calls} calls, ${tally.lines} lines of the ledger, ${seconds()}`,
          );
      }
      await simulation.finish();
    } finally {
      await stack.stop();
    }
    const { said, ofAgents, ...counts } = tally;
    console.log(
      `product and oracle agree on ${tally.calls} calls and ${tally.lines} lines over ${days} days, ${seconds()}`,
    );
    if (json !== undefined)
      writeFileSync(
        json,
        `${JSON.stringify({ seed, months, accounts, ...counts, said: Object.fromEntries(said), ofAgents: Object.fromEntries(ofAgents) }, null, 2)}\n`,
      );
  } finally {
    clock.restore();
    await stores.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const options = wanted();
  const { seed, months, accounts } = options;
  console.log(`seed ${seed}: ${accounts} accounts, ${months} months`);
  try {
    await simulate(options);
  } catch (error) {
    console.error(error instanceof Difference ? error.message : error);
    console.error(
      `To see it again: npm run simulate -- --seed ${seed} --months ${months} --accounts ${accounts}`,
    );
    process.exitCode = 1;
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
