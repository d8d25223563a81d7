import { setTimeout as sleep } from 'node:timers/promises';
import { SidecarClient } from '../cli/client.js';
import { loadConfig } from '../config.js';
import { openStores } from '../stores.js';
import { type VerifyReport, verifyInstallation } from '../verify/index.js';
import { EventLoad, type LoadContext } from './event-load.js';
import type { Outcome } from './outcome.js';
import { createPopulation } from './population.js';
import type { Display } from './progress.js';
import { runReservations } from './reservation-load.js';
import { type SidecarProcess, startSidecarProcess } from './sidecar-process.js';
import { readSpent } from './spent.js';
import { Tally } from './tally.js';
import { randomSource } from './trace-shape.js';
import { watchJournal, watchWallets } from './watch.js';
import type { Workload } from './workload.js';

export interface DemoOptions {
  readonly workload: Workload;
  /** At least so long; files are replayed to their end. */
  readonly seconds: number;
  readonly seed: number;
  readonly display: Display;
  /** Stops everything and removes it. */
  readonly signal: AbortSignal;
}

/** Replays the workload on an installation of its own, verifies it and removes it. */
export async function runDemo(options: DemoOptions): Promise<Outcome> {
  options.display.step(`Replaying ${options.workload.source}`);
  options.display.step('Starting a sidecar with its own Redis and Postgres in a temporary folder ...');
  const sidecar = await startSidecarProcess({ name: 'drawdown-demo' });
  const client = new SidecarClient({ address: sidecar.grpcAddress, token: undefined });
  try {
    return await replay(options, sidecar, client);
  } finally {
    client.close();
    await sidecar.stop();
  }
}

async function replay(
  options: DemoOptions,
  sidecar: SidecarProcess,
  client: SidecarClient,
): Promise<Outcome> {
  const { workload, seconds, display } = options;
  const population = await createPopulation(client);
  const tally = new Tally();
  const failed = new AbortController();
  const startMs = performance.now();
  const context: LoadContext = {
    grpcAddress: sidecar.grpcAddress,
    workload,
    population,
    tally,
    random: randomSource(options.seed),
    isOver: () => performance.now() - startMs >= seconds * 1_000,
    signal: AbortSignal.any([options.signal, failed.signal]),
  };
  const events = new EventLoad(context);
  context.signal.addEventListener('abort', () => events.abort(context.signal.reason as Error));
  const watching = new AbortController();
  const watch = watchUntil(watching.signal, { ...options, context, sidecar, client, startMs });
  try {
    await Promise.all([events.run(), runReservations(client, context)]);
    const loadSeconds = (performance.now() - startMs) / 1_000;
    display.step('Waiting until everything is in Postgres ...');
    await events.finish();
    const appliedSeconds = (events.endsMs.applied - startMs) / 1_000;
    const durableSeconds = (events.endsMs.durable - startMs) / 1_000;
    watching.abort();
    await watch;
    display.step('Verifying ...');
    const { spent, report } = await audit(sidecar.dataDir, options.signal);
    const times = { loadSeconds, appliedSeconds, durableSeconds };
    return { workload, population, tally, passes: events.passes, ...times, spent, report };
  } catch (error) {
    failed.abort(error);
    watching.abort();
    await watch;
    throw error;
  }
}

const watchEveryMs = 1_000;

interface WatchContext extends DemoOptions {
  readonly context: LoadContext;
  readonly sidecar: SidecarProcess;
  readonly client: SidecarClient;
  readonly startMs: number;
}

/** Shows the run once a second. Never rejects: whoever makes the load says what is wrong. */
async function watchUntil(signal: AbortSignal, watched: WatchContext): Promise<void> {
  const { context, sidecar, client, startMs, seconds, display } = watched;
  const { tally, population } = context;
  let before = { atMs: startMs, applied: 0 };
  while (!signal.aborted) {
    try {
      const [wallets, journal] = await Promise.all([
        watchWallets(client, population),
        watchJournal(sidecar.httpAddress),
      ]);
      const now = { atMs: performance.now(), applied: tally.events.applied };
      const appliedPerSecond = ((now.applied - before.applied) / (now.atMs - before.atMs)) * 1_000;
      const elapsedSeconds = (now.atMs - startMs) / 1_000;
      display.show({ elapsedSeconds, seconds, appliedPerSecond, tally, population, wallets, journal });
      before = now;
      await sleep(watchEveryMs, undefined, { signal });
    } catch {
      if (!signal.aborted) await sleep(watchEveryMs);
    }
  }
  display.end();
}

async function audit(
  dataDir: string,
  signal: AbortSignal,
): Promise<{ spent: ReadonlyMap<string, bigint>; report: VerifyReport }> {
  const config = loadConfig({ flags: { dataDir }, environment: {} });
  const { pool, connection, close } = await openStores(config);
  try {
    const { redisKeyPrefix } = config;
    const report = await verifyInstallation({ pool, connection, redisKeyPrefix, signal });
    return { spent: await readSpent(pool), report };
  } finally {
    await close();
  }
}
