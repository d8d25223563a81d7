import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What the system says about processes. Only Linux tells; elsewhere every figure is NaN, and the report says so. */

export const canMeasure = process.platform === 'linux';

/** /proc counts CPU time in these. */
const ticksPerSecond = canMeasure
  ? Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  : Number.NaN;

interface Stat {
  readonly parent: number;
  readonly ownTicks: number;
  /** Of children that have ended and were waited for. */
  readonly endedTicks: number;
}

function readStat(pid: number | string): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; the fields behind it begin with the third, the state.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number) as number[];
    const field = (number: number): number => fields[number - 3] as number;
    return { parent: field(4), ownTicks: field(14) + field(15), endedTicks: field(16) + field(17) };
  } catch {
    return undefined; // It has just ended.
  }
}

/**
 * CPU time of a process in microseconds. With children: those alive, one level deep, and those that have ended; for a
 * Postgres this is the whole cluster, because the postmaster is the parent of every process of it.
 */
export function cpuMicros(pid: number, { withChildren }: { withChildren: boolean }): number {
  const stat = canMeasure ? readStat(pid) : undefined;
  if (stat === undefined) return Number.NaN;
  let ticks = stat.ownTicks;
  if (withChildren) {
    ticks += stat.endedTicks;
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const other = readStat(name);
      if (other?.parent === pid) ticks += other.ownTicks + other.endedTicks;
    }
  }
  return (ticks * 1_000_000) / ticksPerSecond;
}

/** Memory of a process that is not swapped out. */
export function rssMegabytes(pid: number): number {
  if (!canMeasure) return Number.NaN;
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) / 1024;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (part: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN, 2);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
