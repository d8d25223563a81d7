import type { Result } from '../result.js';
import { type LoadRun, runLoad } from '../run.js';
import { startDrawdown } from '../variants/drawdown.js';

/** Requests that are metered while they are answered: the model gateway's job. */

export interface SessionsOptions {
  readonly seconds: number;
  readonly ratePerSecond: number | null;
  readonly accounts: number;
  readonly streams: number;
  readonly sessions: number;
  readonly seed: number;
  readonly partitions: number | null;
  readonly profileDir: string | undefined;
  readonly signal: AbortSignal;
}

type Variant = Pick<LoadRun, 'what' | 'load' | 'counts'>;

/** Opens under way at once while sessions are opened, before anything is measured. */
const openingAtOnce = 256;

const variants: Readonly<Record<string, Variant>> = {
  // An update is one when the sidecar has received it.
  progress: {
    what: 'updates',
    load: 'open',
    counts: (metrics) => {
      const updates = metrics('drawdown_session_updates_total');
      return { applied: updates, durable: updates };
    },
  },
  // The ledger has a line for each settle, and nothing else makes lines here.
  pairs: {
    what: 'pairs',
    load: 'open',
    counts: (metrics) => ({ durable: metrics('drawdown_flush_rows_total', 'table="entries"') }),
  },
  light: { what: 'opens', load: 'closed' },
};

export const sessionsVariants = Object.keys(variants);

export function runSessions(
  name: string,
  options: SessionsOptions,
  say: (line: string) => void,
): Promise<Result> {
  const variant = variants[name];
  if (variant === undefined)
    throw new Error(`sessions has no variant ${name}: ${sessionsVariants.join(', ')}`);
  const accountIds = Array.from({ length: options.accounts }, (_, i) => `acct-${String(i).padStart(6, '0')}`);
  const { streams, sessions, seed, seconds, ratePerSecond, partitions, profileDir, signal } = options;
  return runLoad(
    {
      scenario: 'sessions',
      variant: name,
      ...variant,
      start: () => startDrawdown({ accountIds, partitions, profileDir }),
      clientFile: new URL('../clients/sessions.js', import.meta.url),
      clientArguments: [name],
      client: {
        accountIds,
        streams,
        sessions,
        seed,
        callsInFlight: openingAtOnce,
        batchEvents: 0,
        keptEventsMax: 0,
      },
      seconds,
      ratePerSecond,
      config: { streams, ...(name === 'progress' ? { sessions } : {}) },
      signal,
    },
    say,
  );
}
