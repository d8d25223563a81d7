import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { type CommandRun, runCompiled } from '../helpers/command.js';
import { compileAll } from '../helpers/compiled.js';

const limitMs = 180_000;
const small = ['--seconds', '1', '--accounts', '50', '--in-flight', '20', '--sessions', '200'];

let directory: string;
beforeAll(() => {
  directory = compileAll('bench-test');
}, limitMs);

function bench(...parameters: string[]): Promise<CommandRun> {
  return runScenario('record', ...parameters);
}

function runScenario(scenario: string, ...parameters: string[]): Promise<CommandRun> {
  return runCompiled(join(directory, 'bench/index.js'), ['--scenario', scenario, ...small, ...parameters]);
}

const figure = expect.any(Number);
const percentiles = { p50: figure, p95: figure, p99: figure, max: figure };
const result = {
  scenario: 'record',
  eventsPerSecond: figure,
  durablePerSecond: figure,
  cpuMicrosPerEvent: { client: figure, sidecar: figure, redis: figure, postgres: figure },
  latencyMs: percentiles,
  durableLatencyMs: percentiles,
  rssMegabytes: { start: figure, end: figure },
  backlogEvents: { start: figure, end: figure },
};

it(
  'both variants of record run small, say what they ran on, and leave nothing behind',
  async () => {
    const { code, output, json, left } = await bench('--rate', '2000', '--batch', '100');
    expect([code, output]).toEqual([0, expect.stringContaining('drawdown makes')]);
    expect(output).toMatch(/node v\d+.*redis-server|valkey-server/);
    expect(json).toEqual([
      {
        ...result,
        variant: 'drawdown',
        config: expect.objectContaining({ load: 'open', ratePerSecond: 2_000 }),
      },
      { ...result, variant: 'plain', config: expect.objectContaining({ load: 'closed', callsInFlight: 20 }) },
    ]);
    for (const { eventsPerSecond, durablePerSecond } of json as {
      eventsPerSecond: number;
      durablePerSecond: number;
    }[]) {
      expect(eventsPerSecond).toBeGreaterThan(0);
      expect(durablePerSecond).toBeGreaterThan(0);
    }
    expect(left).toEqual([]);
  },
  limitMs,
);

it(
  'the variants of sessions run small, count what the sidecar has counted, and leave nothing behind',
  async () => {
    const { code, output, json, left } = await runScenario('sessions', '--rate', '400');
    expect([code, output]).toEqual([0, expect.stringContaining('light')]);
    const runs = json as { variant: string; eventsPerSecond: number; durablePerSecond: number }[];
    expect(runs.map(({ variant }) => variant)).toEqual(['progress', 'pairs', 'light']);
    for (const { eventsPerSecond, durablePerSecond } of runs) {
      expect(eventsPerSecond).toBeGreaterThan(0);
      expect(durablePerSecond).toBeGreaterThan(0);
    }
    expect(runs[2]).toMatchObject({
      config: { besideP50Ms: { 'bare EVALSHA': figure, 'bare stream': figure }, timesBeside: figure },
    });
    expect(left).toEqual([]);
  },
  limitMs,
);

it(
  'without a rate a ramp finds one',
  async () => {
    const { code, output, json } = await bench('--variant', 'drawdown', '--batch', '200', '--kept', '5000');
    expect([code, output]).toEqual([0, expect.stringMatching(/ramp: \d+ durable/)]);
    expect(json).toEqual([
      expect.objectContaining({
        config: expect.objectContaining({ ratePerSecond: figure, rampPerSecond: figure }),
      }),
    ]);
  },
  limitMs,
);

it('names what it does not know', async () => {
  expect(await bench('--variant', 'other')).toMatchObject({
    code: 1,
    output: expect.stringContaining('record has no variant other: drawdown, plain'),
  });
  expect(await bench('--rate', '0')).toMatchObject({
    code: 1,
    output: expect.stringContaining('--rate needs'),
  });
});
