import { type Column, formatTable } from '../src/cli/format.js';
import type { Machine } from './machine.js';
import { canMeasure } from './measure.js';
import type { CpuPart, Result } from './result.js';

const parts: readonly CpuPart[] = ['client', 'sidecar', 'redis', 'postgres'];

export function machineLines(machine: Machine): string[] {
  const { cores, processor, memoryGigabytes, system, node, redis } = machine;
  const lines = [`${cores} x ${processor}, ${memoryGigabytes} GB, ${system}; node ${node}, ${redis}`];
  if (!canMeasure)
    lines.push('CPU and memory per process are measured on Linux only: they are missing here.');
  return lines;
}

export function resultLines(results: readonly Result[]): string[] {
  const right = (title: string): Column => ({ title, right: true });
  const columns = [
    { title: 'scenario' },
    { title: 'variant' },
    right('applied/s'),
    right('durable/s'),
    ...parts.map((part) => right(`${part} us`)),
    right('p50 ms'),
    right('p95'),
    right('p99'),
    right('max'),
    right('durable p50 ms'),
    right('p99'),
    right('rss MB'),
    right('backlog'),
  ];
  const rows = results.map((result) => [
    result.scenario,
    result.variant,
    String(result.eventsPerSecond),
    String(result.durablePerSecond),
    ...parts.map((part) => String(result.cpuMicrosPerEvent[part])),
    ...(['p50', 'p95', 'p99', 'max'] as const).map((name) => String(result.latencyMs[name])),
    String(result.durableLatencyMs.p50),
    String(result.durableLatencyMs.p99),
    `${result.rssMegabytes.start} -> ${result.rssMegabytes.end}`,
    `${result.backlogEvents.start} -> ${result.backlogEvents.end}`,
  ]);
  return [
    formatTable(columns, rows),
    'us: microseconds of CPU per durable event. backlog: applied events not known to be durable, start and end.',
    ...results.map(({ scenario, variant, config }) => `${scenario}/${variant}: ${JSON.stringify(config)}`),
    ...ratioLines(results),
  ];
}

/** Drawdown against each of the others, of the same run. */
function ratioLines(results: readonly Result[]): string[] {
  return results.flatMap((base) => {
    const ours = results.find((one) => one.scenario === base.scenario && one.variant === 'drawdown');
    if (ours === undefined || base.variant === 'drawdown') return [];
    const ratio = ours.durablePerSecond / base.durablePerSecond;
    return [
      `${base.scenario}: drawdown makes ${ratio.toFixed(1)} times as many events durable as ${base.variant}`,
    ];
  });
}
