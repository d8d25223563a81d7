/** Sessions as their gateways know them, and what may be charged for them. */
import { expect } from 'vitest';
import type { Config } from '../../src/config.js';
import type { TestSidecar } from './sidecar.js';
import { until } from './until.js';
import { expectVerified } from './verified.js';

/** Sidecars whose sessions are soon acknowledged, and soon ended where nobody has them. */
export const quickSessions: Partial<Config> = {
  leaseMs: 500,
  checkpointIntervalMs: 50,
  sessionHoldMs: 3_000,
  sessionGraceMs: 500,
};

/** What is known at the open of each. */
export const inputTokens = 100;

/** In micro-credits: 1 an input token and 5 an output token. */
const costOf = (output: number): number => inputTokens + 5 * output;

/** One session as its gateways know it. */
export interface KnownSession {
  readonly id: string;
  /** The largest count that was reported. */
  sent: number;
  /** The largest count that was acknowledged; -1: not even its open. */
  acknowledged: number;
  /** What it was to be settled on, as long as that has no answer: it may have been booked or not. */
  settling: number[];
  settled: { readonly count: number; readonly charged: number; readonly isLate: boolean } | null;
}

export function makeSessions(prefix: string, count: number): KnownSession[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${prefix}-${index + 1}`,
    sent: 0,
    acknowledged: -1,
    settling: [],
    settled: null,
  }));
}

/** Acknowledged <= charged <= sent for each, once, or exactly what it was settled on; nothing else was charged; verify is clean. */
export async function expectCharged(
  sidecar: Pick<TestSidecar, 'client' | 'config'>,
  accountId: string,
  sessions: readonly KnownSession[],
  granted: number,
): Promise<void> {
  let total = 0;
  for (const session of sessions) {
    const { id } = session;
    const usage = await until(`${id} has ended`, async () => {
      const found = await sidecar.client.call('UsageService/GetUsage', { accountId, holdId: id });
      return found.state === 'USAGE_STATE_HELD' ? null : found;
    });
    const charged = Number(usage.charged);
    total += charged;
    expect(problemOf(session, charged), `${id}: ${JSON.stringify(session)}`).toBeNull();
  }
  expect(await sidecar.client.balance(accountId)).toEqual({ available: granted - total, held: 0, debt: 0 });
  await expectVerified(sidecar.config);
}

function problemOf({ sent, acknowledged, settling, settled }: KnownSession, charged: number): string | null {
  const least = acknowledged < 0 ? 0 : costOf(acknowledged);
  if (settled !== null) {
    if (charged !== settled.charged) return `its settle said ${settled.charged}, charged is ${charged}`;
    const cost = costOf(settled.count);
    // The deadline had charged it before, and nothing of that is given back.
    const most = settled.isLate ? Math.max(cost, costOf(sent)) : cost;
    return charged >= cost && charged <= most ? null : `settled for ${cost}, charged ${charged}`;
  }
  if (settling.some((count) => costOf(count) === charged)) return null;
  return charged >= least && charged <= costOf(sent)
    ? null
    : `charged ${charged}, not ${least} to ${costOf(sent)}`;
}
