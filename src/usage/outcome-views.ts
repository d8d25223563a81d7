import { FLAG, STATE, type StoredOutcome } from '../redis/format.js';
import { type Position, type Settled, UNITS, type Unit, type UsageState, type UsageStatus } from './types.js';

/** Stored outcomes as callers see them. */

/** A hold of characters gives nothing back where credits were converted: more was charged than it held. */
function releasedUnitOf({ unit, extra, flags }: StoredOutcome): Unit {
  const heldCredits = (flags & FLAG.converted) !== 0 && extra > 0;
  return heldCredits ? UNITS.credits : (unit as Unit);
}

export function settledOf(outcome: StoredOutcome, duplicate: boolean, position: Position): Settled {
  return {
    unit: outcome.unit as Unit,
    charged: outcome.amount,
    released: outcome.extra,
    releasedUnit: releasedUnitOf(outcome),
    overdrawn: outcome.overdrawn,
    available: outcome.available,
    late: (outcome.flags & FLAG.late) !== 0,
    holdUnknown: (outcome.flags & FLAG.hold_unknown) !== 0,
    unrated: (outcome.flags & FLAG.unrated) !== 0,
    converted: outcome.converted,
    duplicate,
    catalogVersion: outcome.catalogVersion,
    position,
  };
}

/** What a session was charged by its deadline before the line that has this note. */
export function chargedBefore(note: Readonly<Record<string, string | number>> | null) {
  return {
    charged: Number(note?.charged_before ?? 0),
    overdrawn: Number(note?.overdrawn_before ?? 0),
    converted: Number(note?.converted_before ?? 0),
  };
}

const USAGE_STATES: Record<number, UsageState> = {
  [STATE.recorded]: 'recorded',
  [STATE.held]: 'held',
  [STATE.settled]: 'settled',
  [STATE.released]: 'released',
  [STATE.expired]: 'expired',
};

export function statusOf(outcome: StoredOutcome, durable: boolean): UsageStatus {
  const held = outcome.state === STATE.held;
  return {
    state: USAGE_STATES[outcome.state] as UsageState,
    unit: outcome.unit as Unit,
    charged: held ? 0 : outcome.amount,
    overdrawn: outcome.overdrawn,
    held: held ? outcome.amount : 0,
    deadlineMs: held ? outcome.extra : 0,
    converted: outcome.converted,
    durable,
  };
}
