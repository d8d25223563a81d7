/** A sidecar is told to stop while Postgres stands still: its connections stay open, and nothing answers on them. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { usageEvent } from '../helpers/client.js';
import { type SidecarProcess, spawnSidecar } from '../helpers/sidecar.js';
import { startPostgres, startRedis, type TestRedis, type TestStore } from '../helpers/stores.js';
import { until } from '../helpers/until.js';

let redis: TestRedis;
let postgres: TestStore;
let sidecar: SidecarProcess;
let standing: number[];
beforeEach(async () => {
  standing = [];
  redis = await startRedis();
  postgres = await startPostgres();
  sidecar = await spawnSidecar(
    { redisUrl: redis.url, postgresUrl: postgres.url },
    { postgresStatementTimeoutMs: 1_000, drainTimeoutMs: 1_000 },
  );
});
afterEach(async () => {
  for (const pid of standing) process.kill(pid, 'SIGCONT');
  await sidecar.kill9();
  await postgres.stop();
  await redis.stop();
});

/** Of a process that may end meanwhile: 0. */
function parentOf(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1]);
  } catch {
    return 0;
  }
}

function standStill(): void {
  const children = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && parentOf(name) === postgres.pid,
  );
  standing = [postgres.pid, ...children.map(Number)];
  for (const pid of standing) process.kill(pid, 'SIGSTOP');
}

it.each([
  ['with all flushed', false],
  ['with entries that are not durable', true],
])('a sidecar %s ends all the same', { timeout: 60_000 }, async (_, pending) => {
  const { client } = sidecar;
  const account = await client.account('stopped', 1_000);
  await client.record([usageEvent(account, 'first', 10)], 'ACK_LEVEL_DURABLE');
  // Connections that nobody uses when it stops, and that Postgres does not close.
  await Promise.all(Array.from({ length: 8 }, () => client.ledger(account)));
  standStill();
  if (pending) await client.record([usageEvent(account, 'last', 10)]);
  process.kill(sidecar.pid, 'SIGTERM');
  await until('it has ended', () => sidecar.exited() !== undefined, 45_000);
  expect(sidecar.exited()).toBe(0);
});
