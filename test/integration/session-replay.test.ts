/** A day's traffic as live sessions: every request opens one, its tokens come over time, and it is settled on its counts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Meter } from '../../src/client/index.js';
import { drawTokenCounts, randomSource, type TokenCounts } from '../../src/demo/trace-shape.js';
import { readTrace } from '../../src/demo/workload.js';
import { packageRoot } from '../../src/paths.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

const trace = join(packageRoot, '../shared/data/azure-llm-2023-conv.csv');
const requestsCount = 19_366;
/** The model costs 0.15 and 0.60 credits per million. */
const model = 'example-small';
const accountsCount = 50;
/** What a model says in a second of the trace's clock, of which one passes with each turn. */
const tokensPerSecond = 40;
const liveMax = 2_000;

interface Request extends TokenCounts {
  readonly second: number;
}

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar(
    { redisUrl: redis.url, postgresUrl: database.url },
    { checkpointIntervalMs: 100 },
  );
});
afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

function readRequests(): readonly Request[] {
  if (existsSync(trace)) {
    const rows = readTrace(trace);
    const startMs = rows[0]?.arrivalMs ?? 0;
    return rows.map((row) => ({ ...row, second: Math.floor((row.arrivalMs - startMs) / 1_000) }));
  }
  process.stdout.write(`session-replay: ${trace} is not here; a workload of its shape instead\n`);
  const random = randomSource(1);
  return Array.from({ length: requestsCount }, (_, i) => ({
    ...drawTokenCounts(random),
    second: Math.floor(i / 5.5),
  }));
}

/** A clock of the trace: whoever waits for the next second is called when all have done with this one. */
class TraceClock {
  second = 0;
  #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async pass(): Promise<void> {
    this.second += 1;
    for (const resolve of this.#waiting.splice(0)) resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('a trace of chat requests, replayed as live sessions, costs what its counts cost', async () => {
  const requests = readRequests();
  const sum = (of: (one: Request) => number) => requests.reduce((total, one) => total + of(one), 0);
  const priceOf = ({ inputTokens, outputTokens }: TokenCounts) =>
    Math.ceil((inputTokens * 15 + outputTokens * 60) / 100);
  const price = sum(priceOf);
  if (existsSync(trace)) {
    expect([requests.length, sum((one) => one.inputTokens), sum((one) => one.outputTokens), price]).toEqual([
      19_366, 22_361_870, 4_088_665, 5_816_672,
    ]);
  }
  const funds = 2_000_000;
  const accounts = await Promise.all(
    Array.from({ length: accountsCount }, (_, i) => sidecar.client.account(`replay-${i}`, funds)),
  );
  const meter = new Meter({ addresses: [sidecar.grpcAddress] });
  const clock = new TraceClock();
  let live = 0;
  let charged = 0n;

  async function replay({ inputTokens, outputTokens }: Request, index: number): Promise<void> {
    const session = await meter.open({
      sessionId: `request-${index}`,
      accountId: accounts[index % accountsCount] as string,
      meter: 'llm',
      model,
      known: { input_tokens: inputTokens },
      counted: ['output_tokens'],
      timeoutMs: 60_000,
    });
    expect(session.allowed).toBe(true);
    for (let tokens = 0; tokens < outputTokens; ) {
      await clock.next();
      tokens = Math.min(outputTokens, tokens + tokensPerSecond);
      expect(await session.room(tokens)).toBe(true);
      session.report({ output_tokens: tokens });
    }
    const quantities = { input_tokens: inputTokens, output_tokens: outputTokens };
    const settled = await session.settle(quantities, { timeoutMs: 60_000 });
    if (settled.outcome === 'settled') charged += settled.charged;
    live -= 1;
  }

  const all: Promise<void>[] = [];
  for (const [index, request] of requests.entries()) {
    while (clock.second < request.second || live >= liveMax) await clock.pass();
    live += 1;
    all.push(replay(request, index));
  }
  let areDone = false;
  const done = Promise.all(all).finally(() => {
    areDone = true;
  });
  while (!areDone) await clock.pass();
  await done;
  expect(charged).toBe(BigInt(price));
  await until('all is durable', () => meter.kept.events === 0);
  expect(await meter.close()).toMatchObject({ isDrained: true });
  const balances = await Promise.all(accounts.map((account) => sidecar.client.balance(account)));
  for (const balance of balances) expect(balance).toMatchObject({ held: 0, debt: 0 });
  const left = balances.reduce((total, { available }) => total + available, 0);
  expect(accountsCount * funds - left).toBe(price);
});
