import type { Result } from '../result.js';
import { runLoad } from '../run.js';
import type { StartOptions, System } from '../system.js';
import { startDrawdown } from '../variants/drawdown.js';
import { startPlain } from '../variants/plain.js';

/** Finished usage events as fast as they can be recorded: the batch reporter's job. */

export interface RecordOptions {
  readonly seconds: number;
  readonly ratePerSecond: number | null;
  readonly accounts: number;
  readonly streams: number;
  readonly batchEvents: number;
  readonly keptEventsMax: number;
  readonly callsInFlight: number;
  readonly seed: number;
  readonly partitions: number | null;
  readonly profileDir: string | undefined;
  readonly signal: AbortSignal;
}

interface Variant {
  start(options: StartOptions): Promise<System>;
  readonly clientFile: URL;
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

export function runRecord(
  name: string,
  options: RecordOptions,
  say: (line: string) => void,
): Promise<Result> {
  const variant = variants[name];
  if (variant === undefined) throw new Error(`record has no variant ${name}: ${recordVariants.join(', ')}`);
  const accountIds = Array.from({ length: options.accounts }, (_, i) => `acct-${String(i).padStart(6, '0')}`);
  const { streams, batchEvents, keptEventsMax, callsInFlight, seed, partitions, profileDir } = options;
  return runLoad(
    {
      scenario: 'record',
      variant: name,
      what: 'events',
      start: () => variant.start({ accountIds, partitions, profileDir }),
      clientFile: variant.clientFile,
      client: { accountIds, streams, batchEvents, keptEventsMax, callsInFlight, sessions: 0, seed },
      load: variant.load,
      seconds: options.seconds,
      ratePerSecond: options.ratePerSecond,
      config: variant.config(options),
      signal: options.signal,
    },
    say,
  );
}
