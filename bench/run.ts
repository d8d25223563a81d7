import { setTimeout as sleep } from 'node:timers/promises';
import { ClientProcess } from './client-process.js';
import type { ClientConfig, Counts, Window } from './clients/protocol.js';
import { cpuMicros, percentiles, round, rssMegabytes } from './measure.js';
import { type Metrics, readMetrics } from './metrics.js';
import type { CpuPart, Result } from './result.js';
import type { System } from './system.js';

/** One variant of a scenario on its way: a system, a client that loads it, and the window over which both are measured. */
export interface LoadRun {
  readonly scenario: string;
  readonly variant: string;
  /** What is counted, in the plural. */
  readonly what: string;
  start(): Promise<System>;
  readonly clientFile: URL;
  readonly clientArguments?: readonly string[];
  readonly client: Omit<ClientConfig, 'address' | 'redisUrl'>;
  /** Counts by the system's own metrics, where they say more than the client can. */
  counts?(metrics: Metrics): Partial<Pick<Counts, 'applied' | 'durable'>>;
  /** Closed: the next call follows an answer, so the rate finds itself. */
  readonly load: 'open' | 'closed';
  readonly seconds: number;
  /** A second; null: 80 % of what a short saturating ramp reaches. */
  readonly ratePerSecond: number | null;
  /** What a reader of the report must know beside the system's own. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Ends the run early, in order. */
  readonly signal: AbortSignal;
}

/** Of what the ramp reaches: leaves room for the work that comes in waves, such as checkpoints, and for what the ramp was too short to meet. */
const rateOfRamp = 0.8;
/** The sidecar's memory is compared between these seconds where the window is that long. */
const rssStartSeconds = 15;
const rssEndSeconds = 60;
/** Each the mean over so many seconds up to it: a collector's sawtooth is wider than what is looked for. */
const rssMeanSeconds = 5;

export async function runLoad(run: LoadRun, say: (line: string) => void): Promise<Result> {
  const { variant, what, seconds, load } = run;
  say(`${variant}: starting with ${run.client.accountIds.length} accounts`);
  const system = await run.start();
  const client = new ClientProcess(run.clientFile, run.clientArguments);
  try {
    await client.ask({
      type: 'start',
      config: { address: system.address, redisUrl: system.redisUrl, ...run.client },
    });
    const { rate, ramp } = await warmUp(client, run, say);
    say(`${variant}: measuring for ${seconds} s${rate === null ? '' : ` at ${Math.round(rate)} ${what}/s`}`);
    const measured = await measure(client, system, run);
    const total = await client.ask({ type: 'stop' });
    if (total.refused > 0 || total.duplicate > 0) {
      throw new Error(`${total.refused} ${what} were refused and ${total.duplicate} taken for duplicates`);
    }
    return resultOf(run, measured, {
      load,
      ratePerSecond: rate === null ? null : Math.round(rate),
      rampPerSecond: ramp === null ? null : Math.round(ramp),
      seconds,
      accounts: run.client.accountIds.length,
      ...run.config,
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
  { load, what, seconds, ratePerSecond, signal }: LoadRun,
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
  say(`ramp: ${Math.round(ramp)} durable ${what}/s`);
  // What the ramp left behind would count as durable in the window.
  await client.ask({ type: 'load', ratePerSecond: 0 });
  await drained(client, what, signal);
  const rate = ramp * rateOfRamp;
  await client.ask({ type: 'load', ratePerSecond: rate });
  await sleep(partMs / 2, undefined, { signal });
  return { rate, ramp };
}

const drainLimitMs = 60_000;

async function drained(client: ClientProcess, what: string, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + drainLimitMs;
  for (;;) {
    const { applied, durable } = await client.ask({ type: 'count' });
    if (durable >= applied) return;
    if (performance.now() > untilMs)
      throw new Error(`${applied - durable} ${what} are not durable after the ramp`);
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
  { seconds, counts, signal }: LoadRun,
): Promise<Measured> {
  const rss: number[] = [];
  const sample = (): void => void rss.push(rssMegabytes(system.pids.sidecar));
  const before = cpuOf(client, system);
  const from = { ...(await client.ask({ type: 'openWindow' })), ...(await countsOf(system, counts)) };
  const startMs = performance.now();
  for (let second = 0; second <= seconds; second++) {
    await sleep(Math.max(0, startMs + second * 1_000 - performance.now()), undefined, { signal });
    sample();
  }
  const closed = await client.ask({ type: 'closeWindow' });
  const window = { ...closed, counts: { ...closed.counts, ...(await countsOf(system, counts)) } };
  const after = cpuOf(client, system);
  const cpu = Object.fromEntries(
    Object.keys(after).map((part) => [part, after[part as CpuPart] - before[part as CpuPart]]),
  ) as Record<CpuPart, number>;
  return { from, window, cpu, rss };
}

async function countsOf(
  { metricsUrl }: System,
  counts: LoadRun['counts'],
): Promise<Partial<Pick<Counts, 'applied' | 'durable'>>> {
  return counts === undefined || metricsUrl === null ? {} : counts(await readMetrics(metricsUrl));
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
  { scenario, variant }: LoadRun,
  { from, window, cpu, rss }: Measured,
  config: Record<string, unknown>,
): Result {
  const to = window.counts;
  const events = to.durable - from.durable;
  const startAt = rss.length > rssEndSeconds ? rssStartSeconds : 0;
  const endAt = rss.length > rssEndSeconds ? rssEndSeconds : rss.length - 1;
  return {
    scenario,
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
    rssMegabytes: { start: meanUpTo(rss, startAt), end: meanUpTo(rss, endAt) },
    backlogEvents: { start: from.applied - from.durable, end: to.applied - to.durable },
    config: { ...config, rssAtSeconds: [startAt, endAt], ...besideOf(window) },
  };
}

function meanUpTo(rss: readonly number[], second: number): number {
  const samples = rss.slice(Math.max(0, second + 1 - rssMeanSeconds), second + 1);
  return round(samples.reduce((sum, one) => sum + one, 0) / samples.length, 1);
}

/** Medians of what was measured in turns with it, and how many times their sum it took. */
function besideOf({ besideMs, latenciesMs }: Window): Record<string, unknown> {
  const medians = Object.entries(besideMs).map(([name, values]) => [name, percentiles(values).p50] as const);
  if (medians.length === 0) return {};
  const sum = medians.reduce((total, [, median]) => total + median, 0);
  return {
    besideP50Ms: Object.fromEntries(medians),
    timesBeside: round(percentiles(latenciesMs).p50 / sum, 2),
  };
}
