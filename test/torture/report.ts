/** What a run says of itself. */
import type { Finding } from './findings.js';

export interface Figures {
  readonly seed: number;
  seconds: number;
  rounds: number;
  /** Usage events, settles and sessions whose charge was compared with the ledger. */
  eventsChecked: number;
  /** Operations of clients, of every kind, with their last word. */
  operationsChecked: number;
  linesChecked: number;
  faultsFired: Readonly<Record<string, number>>;
  /** By kind: why it cannot be played here. */
  skipped: Readonly<Record<string, string>>;
  losses: number;
  doubles: number;
  /** Places where an amount is not what it must be, and by how many micro-credits in all. */
  drifts: number;
  driftMicros: number;
  /** Other broken promises. */
  broken: number;
  /** Charged again by a Redis that had forgotten, noticed by Postgres, and given back. */
  givenBack: number;
  longestRecoveryMs: number;
  sidecarBytesMax: number;
  redisBytesMax: number;
}

export function newFigures(seed: number): Figures {
  return {
    seed,
    seconds: 0,
    rounds: 0,
    eventsChecked: 0,
    operationsChecked: 0,
    linesChecked: 0,
    faultsFired: {},
    skipped: {},
    losses: 0,
    doubles: 0,
    drifts: 0,
    driftMicros: 0,
    broken: 0,
    givenBack: 0,
    longestRecoveryMs: 0,
    sidecarBytesMax: 0,
    redisBytesMax: 0,
  };
}

const COUNTERS = { loss: 'losses', double: 'doubles', drift: 'drifts', broken: 'broken' } as const;

export function countFinding(figures: Figures, { kind, amount = 0 }: Finding): void {
  figures[COUNTERS[kind]]++;
  figures.driftMicros += amount;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`;

export function linesOf(figures: Figures): string[] {
  const fired = Object.entries(figures.faultsFired);
  const width = Math.max(...fired.map(([kind]) => kind.length), 0);
  const total = fired.reduce((sum, [, times]) => sum + times, 0);
  return [
    `faults fired: ${total} of ${fired.length} kinds`,
    ...fired.map(([kind, times]) => `  ${kind.padEnd(width)} ${String(times).padStart(5)}`),
    ...Object.entries(figures.skipped).map(([kind, why]) => `  ${kind.padEnd(width)} SKIPPED: ${why}`),
    `events checked ${figures.eventsChecked}, operations ${figures.operationsChecked}, lines of the ledger ${figures.linesChecked}, rounds ${figures.rounds}`,
    `losses ${figures.losses}, doubles ${figures.doubles}, drift ${figures.driftMicros} micro-credits in ${figures.drifts} places, other findings ${figures.broken}`,
    `charged twice by a Redis that had forgotten, and given back: ${figures.givenBack}`,
    `longest recovery ${figures.longestRecoveryMs} ms, most memory: sidecar ${megabytes(figures.sidecarBytesMax)}, Redis ${megabytes(figures.redisBytesMax)}`,
  ];
}
