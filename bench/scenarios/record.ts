import { setTimeout as sleep } from 'node:timers/promises';
import { ClientProcess } from '../client-process.js';
import type { Counts, Window } from '../clients/protocol.js';
import { cpuMicros, percentiles, round, rssMegabytes } from '../measure.js';
import type { CpuPart, Result } from '../result.js';
import type { StartOptions, System } from '../system.js';
import { startDrawdown } from '../variants/drawdown.js';
import { startPlain } from '../variants/plain.js';

/** Finished usage events as fast as they can be recorded: the batch reporter's job. */

export interface RecordOptions {
  readonly seconds: number;
  /** Events a second; null: 90 % of what a short saturating ramp reaches. */
  readonly ratePerSecond: number | null;
  readonly accounts: number;
  readonly streams: number;
  readonly batchEvents: number;
  readonly keptEventsMax: number;
  readonly callsInFlight: number;
  readonly seed: number;
  readonly profileDir: string | undefined;
  /** Ends the run early, in order. */
  readonly signal: AbortSignal;
}

interface Variant {
  start(options: StartOptions): Promise<System>;
  readonly clientFile: URL;
  /** Closed: the next call follows an answer, so the rate finds itself. */
  readonly load: 'open' | 'closed';
  config(options: RecordOptions): Readonly<Record<string, unknown>>;
}

const variants: Readonly<Record<string, Variant>> = {
  drawdown: {
    start: startDrawdown,
    clientFile: new URL('../clients/usage-stream.js', import.meta.url),
    load: 'open',
    config: ({ streams, batchEvents, keptEventsMax }) => ({ streams, batchEvents, keptEventsMax }),
  },
  plain: {
    start: startPlain,
    clientFile: new URL('../clients/unary.js', import.meta.url),
    load: 'closed',
    config: ({ callsInFlight }) => ({ callsInFlight }),
  },
};

export const recordVariants = Object.keys(variants);

/** Of what the ramp reaches: leaves room for the work that comes in waves, such as checkpoints, and for what the ramp was too short to meet. */
const rateOfRamp = 0.9;
/** The sidecar's memory is compared between these seconds where the window is that long. */
const rssStartSeconds = 15;
const rssEndSeconds = 60;

export async function runRecord(
  name: string,
  options: RecordOptions,
  say: (line: string) => void,
): Promise<Result> {
  const variant = variants[name];
  if (variant === undefined) throw new Error(`record has no variant ${name}: ${recordVariants.join(', ')}`);
  const accountIds = Array.from({ length: options.accounts }, (_, i) => `acct-${String(i).padStart(6, '0')}`);
  say(`${name}: starting with ${options.accounts} accounts`);
  const system = await variant.start({ accountIds, profileDir: options.profileDir });
  const client = new ClientProcess(variant.clientFile);
  try {
    const { streams, batchEvents, keptEventsMax, callsInFlight, seed } = options;
    const limits = { streams, batchEvents, keptEventsMax, callsInFlight, seed };
    await client.ask({ type: 'start', config: { address: system.address, accountIds, ...limits } });
    const load = await warmUp(client, variant, options, say);
    say(
      `${name}: measuring for ${options.seconds} s${load.rate === null ? '' : ` at ${Math.round(load.rate)} events/s`}`,
    );
    const measured = await measure(client, system, options);
    const total = await client.ask({ type: 'stop' });
    if (total.refused > 0 || total.duplicate > 0) {
      throw new Error(`${total.refused} events were refused and ${total.duplicate} taken for duplicates`);
    }
    return resultOf(name, measured, {
      load: variant.load,
      ratePerSecond: load.rate === null ? null : Math.round(load.rate),
      rampPerSecond: load.ramp === null ? null : Math.round(load.ramp),
      seconds: options.seconds,
      accounts: options.accounts,
      ...variant.config(options),
      ...system.config,
    });
  } finally {
    client.kill();
    await system.stop();
  }
}

/** Compiles the hot code, fills the caches and finds the rate. */
async function warmUp(
  client: ClientProcess,
  { load }: Variant,
  { seconds, ratePerSecond, signal }: RecordOptions,
  say: (line: string) => void,
): Promise<{ rate: number | null; ramp: number | null }> {
  const partMs = Math.min(10, Math.max(1, seconds / 4)) * 1_000;
  const findsRate = load === 'open' && ratePerSecond === null;
  await client.ask({ type: 'load', ratePerSecond: load === 'open' ? ratePerSecond : null });
  await sleep(partMs, undefined, { signal });
  if (!findsRate) {
    await sleep(partMs, undefined, { signal });
    return { rate: load === 'open' ? ratePerSecond : null, ramp: null };
  }
  const from = await client.ask({ type: 'count' });
  await sleep(partMs, undefined, { signal });
  const to = await client.ask({ type: 'count' });
  const ramp = Math.max(1_000, perSecond(from, to, 'durable'));
  say(`ramp: ${Math.round(ramp)} durable events/s`);
  // What the ramp left behind would count as durable in the window.
  await client.ask({ type: 'load', ratePerSecond: 0 });
  await drained(client, signal);
  const rate = ramp * rateOfRamp;
  await client.ask({ type: 'load', ratePerSecond: rate });
  await sleep(partMs / 2, undefined, { signal });
  return { rate, ramp };
}

const drainLimitMs = 60_000;

async function drained(client: ClientProcess, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + drainLimitMs;
  for (;;) {
    const { applied, durable } = await client.ask({ type: 'count' });
    if (durable >= applied) return;
    if (performance.now() > untilMs)
      throw new Error(`${applied - durable} events are not durable after the ramp`);
    await sleep(50, undefined, { signal });
  }
}

function perSecond(from: Counts, to: Counts, what: 'applied' | 'durable'): number {
  return ((to[what] - from[what]) / (to.atMs - from.atMs)) * 1_000;
}

interface Measured {
  readonly from: Counts;
  readonly window: Window;
  readonly cpu: Readonly<Record<CpuPart, number>>;
  readonly rss: readonly number[];
}

async function measure(
  client: ClientProcess,
  system: System,
  { seconds, signal }: RecordOptions,
): Promise<Measured> {
  const rss: number[] = [];
  const sample = (): void => void rss.push(rssMegabytes(system.pids.sidecar));
  const before = cpuOf(client, system);
  const from = await client.ask({ type: 'openWindow' });
  const startMs = performance.now();
  for (let second = 0; second <= seconds; second++) {
    await sleep(Math.max(0, startMs + second * 1_000 - performance.now()), undefined, { signal });
    sample();
  }
  const window = await client.ask({ type: 'closeWindow' });
  const after = cpuOf(client, system);
  const cpu = Object.fromEntries(
    Object.keys(after).map((part) => [part, after[part as CpuPart] - before[part as CpuPart]]),
  ) as Record<CpuPart, number>;
  return { from, window, cpu, rss };
}

function cpuOf(client: ClientProcess, { pids }: System): Record<CpuPart, number> {
  return {
    client: cpuMicros(client.pid, { withChildren: false }),
    // The stores may be children of the sidecar: they count on their own.
    sidecar: cpuMicros(pids.sidecar, { withChildren: false }),
    redis: cpuMicros(pids.redis, { withChildren: true }),
    postgres: cpuMicros(pids.postgres, { withChildren: true }),
  };
}

function resultOf(
  variant: string,
  { from, window, cpu, rss }: Measured,
  config: Record<string, unknown>,
): Result {
  const to = window.counts;
  const events = to.durable - from.durable;
  const startAt = rss.length > rssEndSeconds ? rssStartSeconds : 0;
  const endAt = rss.length > rssEndSeconds ? rssEndSeconds : rss.length - 1;
  return {
    scenario: 'record',
    variant,
    eventsPerSecond: Math.round(perSecond(from, to, 'applied')),
    durablePerSecond: Math.round(perSecond(from, to, 'durable')),
    cpuMicrosPerEvent: {
      client: round(cpu.client / events, 2),
      sidecar: round(cpu.sidecar / events, 2),
      redis: round(cpu.redis / events, 2),
      postgres: round(cpu.postgres / events, 2),
    },
    latencyMs: percentiles(window.latenciesMs),
    durableLatencyMs: percentiles(window.durableLatenciesMs),
    rssMegabytes: { start: round(rss[startAt] ?? Number.NaN, 1), end: round(rss[endAt] ?? Number.NaN, 1) },
    backlogEvents: { start: from.applied - from.durable, end: to.applied - to.durable },
    config: { ...config, rssAtSeconds: [startAt, endAt] },
  };
}
