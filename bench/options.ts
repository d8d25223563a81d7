import { parseArgs } from 'node:util';
import type { RecordOptions } from './scenarios/record.js';
import type { SessionsOptions } from './scenarios/sessions.js';

export interface BenchOptions {
  readonly scenarios: readonly string[];
  /** Empty: all that the scenario has. */
  readonly variants: readonly string[];
  readonly jsonFile: string | undefined;
  readonly record: Omit<RecordOptions, 'signal'>;
  readonly sessions: Omit<SessionsOptions, 'signal'>;
}

export const help = `npm run bench -- [options]

  --scenario NAME   record: finished usage events over RecordUsage
                    sessions: requests metered while they are answered, over MeterUsage (default: all)
  --variant LIST    of record: drawdown, plain; of sessions: progress, pairs, light; with commas
                    (default: all of the scenario, in the same run)
  --seconds N       length of the measured window (default 20); warm-up and ramp come before it
  --rate N          events (updates, pairs) a second for the open-loop load (default: 80 % of what a saturating ramp reaches)
  --accounts N      accounts that the events are spread over (default 1000)
  --partitions N    partitions of the sidecar (default: the sidecar's own); plain has none
  --streams N       streams, or connections of unary calls (default 2)
  --batch N         events in a batch (default 1000)
  --kept N          events that a client keeps because they are not durable; past it it waits (default 100000)
  --sessions N      sessions that are open while they make progress (default 10000)
  --in-flight N     unary calls on their way at once (default 200)
  --seed N          of everything random (default 1)
  --profile DIR     have the sidecar write a CPU profile there (which costs it some CPU)
  --json FILE       write the results there as an array
  --help            this text`;

/** Null: help was asked for. Throws an Error that says what is wrong. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | null {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      scenario: text,
      variant: text,
      seconds: text,
      rate: text,
      accounts: text,
      partitions: text,
      streams: text,
      batch: text,
      kept: text,
      'in-flight': text,
      sessions: text,
      seed: text,
      profile: text,
      json: text,
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return null;
  const whole = (name: Exclude<keyof typeof values, 'help'>, preset: number): number => {
    const given = values[name];
    if (given === undefined) return preset;
    if (!/^[1-9]\d{0,8}$/.test(given))
      throw new Error(`--${name} needs a whole number from 1 on, not ${given}`);
    return Number(given);
  };
  const list = (given: string | undefined): string[] => (given === undefined ? [] : given.split(','));
  const common = {
    seconds: whole('seconds', 20),
    ratePerSecond: values.rate === undefined ? null : whole('rate', 1),
    accounts: whole('accounts', 1_000),
    partitions: values.partitions === undefined ? null : whole('partitions', 1),
    streams: whole('streams', 2),
    seed: whole('seed', 1),
    profileDir: values.profile,
  };
  return {
    scenarios: list(values.scenario),
    variants: list(values.variant),
    jsonFile: values.json,
    record: {
      ...common,
      batchEvents: whole('batch', 1_000),
      keptEventsMax: whole('kept', 100_000),
      callsInFlight: whole('in-flight', 200),
    },
    sessions: { ...common, sessions: whole('sessions', 10_000) },
  };
}
