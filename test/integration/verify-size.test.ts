/**
 * Verification needs the same memory whatever the size of the ledger. `VERIFY_LINES=2000000 npx vitest run test/integration/verify-size.test.ts`
 * prints how fast it is, and how much it took, on so many lines.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import { usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';

const CHECKED_LINES = 60_000;
const LINES = Number(process.env.VERIFY_LINES ?? CHECKED_LINES);
/** As lines are decoded, so many of them alone take more. What is measured has what Node.js gives it. */
const HEAP = LINES === CHECKED_LINES ? ['--max-old-space-size=32'] : [];
const ACCOUNTS = Math.max(10, LINES / 1_000);
const BATCH_EVENTS = 5_000;
const BATCHES_AT_ONCE = 16;
const LIMIT_MS = 60_000 + LINES / 5;

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  const accounts = Array.from({ length: ACCOUNTS }, (_, i) => `account-${i}`);
  for (const accountId of accounts) await sidecar.client.account(accountId, 1_000_000);
  let sent = 0;
  const send = async (): Promise<void> => {
    while (sent < LINES) {
      const first = sent;
      sent += BATCH_EVENTS;
      const events = Array.from({ length: BATCH_EVENTS }, (_, i) =>
        usageEvent(`account-${(first + i) % ACCOUNTS}`, `event-${first + i}`, 1),
      );
      await sidecar.client.record(events, 'ACK_LEVEL_DURABLE');
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, send));
  await sidecar.stop();
}, LIMIT_MS);
afterAll(async () => {
  await Promise.all([redis.stop(), database.drop()]);
});

/** The most memory that a process has had so far, in MiB; 0 where the system does not say. */
function peakMemoryMib(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

it(
  'verifies a ledger that is much larger than its memory',
  async () => {
    const places = ['--redis-url', redis.url, '--postgres-url', database.url];
    const startedMs = performance.now();
    const child = spawn(
      process.execPath,
      [...HEAP, join(packageRoot, 'dist/cli/index.js'), 'verify', '--json', ...places],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    let peakMib = 0;
    const watch = setInterval(() => {
      peakMib = Math.max(peakMib, peakMemoryMib(child.pid as number));
    }, 100);
    const code = await new Promise((resolve) => child.on('exit', resolve));
    clearInterval(watch);
    const seconds = (performance.now() - startedMs) / 1_000;
    expect(code).toBe(0);
    const report = JSON.parse(output);
    expect(report).toMatchObject({ clean: true, accounts: ACCOUNTS, lines: LINES + 2 * ACCOUNTS });
    const perSecond = Math.round(report.lines / seconds);
    process.stdout.write(
      `${report.lines} lines in ${report.parts.length} parts, ${seconds.toFixed(1)} s: ${perSecond} a second, at most ${Math.round(peakMib)} MiB\n`,
    );
  },
  LIMIT_MS,
);
