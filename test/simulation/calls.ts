/**
 * What can be done to an account: each call as the sidecar takes it, and as the oracle does. Both sides say what came of it in the
 * same words, so that a difference shows at the call that made it.
 */
import type { Core } from '../../src/core.js';
import { DrawdownError } from '../../src/errors.js';
import type { CallOptions } from '../../src/usage/types.js';
import type { AccountState, Entry, OfferedPlan, Op, Outcome, Result, Unit } from '../oracle/model.js';
import type { Tariff } from './tariffs.js';

/** An account as the oracle knows it, at the time of a call. */
export interface Scene {
  readonly state: AccountState;
  /** Its lines so far. */
  readonly lines: readonly Entry[];
  readonly tariff: Tariff;
}

export interface Call {
  readonly account: string;
  /** For people. */
  readonly what: string;
  /** What the oracle is to do, given how things are now. */
  ops(scene: Scene): Op[];
  /** How the results of those are told; one after the other where nothing is said. */
  tell?(results: readonly Result[]): string;
  send(core: Core, options: CallOptions): Promise<string>;
}

export const NAMES: Record<number, Unit> = { 1: 'credits', 2: 'tts_characters', 3: 'llm_messages' };

export function done(...values: (number | bigint | string)[]): string {
  return `done ${values.map((value) => String(value)).join(' ')}`;
}

export function unless(duplicate: boolean, ...values: (number | bigint | string)[]): string {
  return duplicate ? 'duplicate' : done(...values);
}

/** How the oracle's word sounds. */
export function told(result: Result): string {
  switch (result.verdict) {
    case 'done':
      return toldOutcome(result.outcome);
    case 'denied':
    case 'refused':
      return result.reason;
    default:
      return result.verdict;
  }
}

function toldOutcome(outcome: Outcome): string {
  switch (outcome.of) {
    case 'usage':
      return done(
        outcome.unit,
        outcome.charged,
        outcome.overdrawn,
        outcome.available,
        outcome.converted ?? 0,
      );
    case 'reserve':
    case 'extend':
      return done(outcome.unit, outcome.held, outcome.available, outcome.deadlineMs);
    case 'end': {
      const { state, unit, charged, overdrawn, released, available, converted = 0 } = outcome;
      if (state === 'settled') return done(unit, charged, overdrawn, released, available, converted);
      return done(unit, state === 'expired' ? 0 : released, available);
    }
    case 'grant':
      return done(outcome.lot, outcome.granted, outcome.debtPaid, outcome.available);
    case 'reversal':
      return done(outcome.unit, outcome.amount, outcome.debtPaid, outcome.available);
    case 'rerate':
      return done(outcome.unit, outcome.charged, outcome.overdrawn);
    case 'expire_lot':
      return done(outcome.unit, outcome.expired, outcome.available);
    case 'convert':
      return done(outcome.converted, outcome.granted, outcome.debtPaid, outcome.lot, outcome.available);
    case 'plan':
      return done(outcome.what, outcome.granted, outcome.debtPaid, outcome.extra, outcome.available);
    case 'agent': {
      const { what, cost, startMs, endMs, available } = outcome;
      return what === 'unlocked' || what === 'activated' ? done(cost, startMs, endMs, available) : done();
    }
    default:
      return done();
  }
}

/** A call that could not be judged says why; anything else ends the simulation. */
export async function heard(answer: Promise<string>): Promise<string> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof DrawdownError)) throw error;
    return error.code === 'ID_CONFLICT' ? 'conflict' : error.code;
  }
}

export function offeredPlan({ plans }: Tariff, name: string): OfferedPlan {
  return plans.find((one) => one.name === name) ?? { name, kind: 'unknown' };
}
