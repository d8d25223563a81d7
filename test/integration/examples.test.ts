/** The examples, run as their first lines say, against a real sidecar. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { expectClean } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
});
afterAll(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

/** Runs it with the account that it names; imports `drawdown/client` from dist, as a program of others would. */
function run(example: string, accountId: string): Promise<{ code: number; lines: string[] }> {
  const parameters = [join(packageRoot, 'examples', example), sidecar.grpcAddress, accountId];
  return new Promise((resolve) => {
    execFile(process.execPath, parameters, { cwd: packageRoot }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), lines: (stdout + stderr).trim().split('\n').sort() });
    });
  });
}

it('report-usage.mjs charges what vendors answered at the prices of the catalog', async () => {
  const account = await sidecar.client.account('reporter', 1_000_000);
  const { code, lines } = await run('report-usage.mjs', account);
  // By the shipped catalog: gpt-4o-mini 93 x 0.15 + 1,024 x 0.075 + 46 x 0.6 = 118.35; gpt-5.4 328 x 2.5 + 900 x 15;
  // claude-sonnet-4-6 25 x 3 + 2,000 x 0.3 + 150 x 15; gemini-2.5-flash 800 x 0.3 + 390 x 2.5. Each rounded up.
  const charged = [119, 14_320, 2_925, 1_215];
  expect(lines.map((line) => line.replace(/, \d+ left/, ''))).toEqual([
    'everything is durable',
    ...charged.map((micros, i) => `request-${i + 1} recorded: ${micros} micro-credits`),
  ]);
  expect(code).toBe(0);
  const left = 1_000_000 - charged.reduce((sum, micros) => sum + micros, 0);
  await expectClean(sidecar.config, sidecar.client, new Map([[account, left]]));
});

it('reserve-characters.mjs settles what was spoken and releases what failed', async () => {
  const account = await sidecar.client.account('speaker');
  await sidecar.client.topUp(account, 1_000, { unit: 'UNIT_TTS_CHARACTERS' });
  const { code, lines } = await run('reserve-characters.mjs', account);
  expect(lines).toEqual([
    'everything is durable',
    'speech-1 settled: 31 characters',
    'speech-2 released: the vendor failed',
    expect.stringMatching(/^speech-3 denied: INSUFFICIENT_BALANCE, \d+ missing$/),
  ]);
  expect(code).toBe(0);
  expect(await sidecar.client.balance(account, 'UNIT_TTS_CHARACTERS')).toEqual({
    available: 969,
    held: 0,
    debt: 0,
  });
});
