/** Operations on one account, short enough to tell a story with them. What matters to nobody is the same in all of them. */
import type { Op, Part, Plan, Price, Tier, Unit } from '../oracle/model.js';

export const account = 'a';

/** Credits, or what each wallet of the meter would pay. */
type Cost = bigint | 'unrated' | Price[];

const pricesOf = (cost: Cost): Price[] => (Array.isArray(cost) ? cost : [{ unit: 'credits', amount: cost }]);

export const touch: Op = { kind: 'touch', account };

export function create(plan?: Plan): Op {
  const op = { kind: 'create', account, id: 'r', payload: 'p' } as const;
  return plan === undefined ? op : { ...op, plan };
}

export function grant(id: string, amount: bigint, unit: Unit = 'credits', expiresAtMs?: number): Op {
  return { kind: 'grant', account, id, payload: 'p', unit, amount, expiresAtMs };
}

export function convert(id: string, units: bigint, cost: bigint): Op {
  const priced = { unit: 'tts_characters', units, cost, priority: 20, catalogVersion: 1 } as const;
  return { kind: 'convert', account, id, payload: 'p', ...priced };
}

export function usage(id: string, cost: Cost, agent?: string): Op {
  return { kind: 'usage', account, id, payload: 'p', prices: pricesOf(cost), ...(agent && { agent }) };
}

export function reserve(
  hold: string,
  cost: Cost,
  { agent, holdTimeMs = 1_000 }: { agent?: string | undefined; holdTimeMs?: number } = {},
): Op {
  const op = { kind: 'reserve', account, hold, payload: 'p', prices: pricesOf(cost) } as const;
  return { ...op, holdTimeMs, catalogVersion: 1, ...(agent && { agent }) };
}

export function extend(id: string, hold: string, addAmount: bigint): Op {
  return { kind: 'extend', account, id, hold, payload: 'p', addAmount, holdTimeMs: 0 };
}

/** An amount in credits is one that the caller names: it was priced with no version of the catalog. */
export function settle(hold: string, cost: Cost, agent?: string): Op {
  const pricedWith = Array.isArray(cost) ? 1 : 0;
  const op = { kind: 'settle', account, hold, payload: 'p', prices: pricesOf(cost), pricedWith } as const;
  return { ...op, ...(agent && { agent }) };
}

export function release(hold: string): Op {
  return { kind: 'release', account, hold };
}

/** `drawn` is what the charge took of each lot. */
export function reverse(id: string, charge: string, amount: bigint, drawn: Part[], withRerate = false): Op {
  const of = { charge, unit: 'credits', amount, withRerate, drawn } as const;
  return { kind: 'reversal', account, id, payload: charge, ...of };
}

export function startPeriod(id: string, plan: Plan, startMs: number, endMs: number): Op {
  const payload = `${plan.name} ${startMs} ${endMs}`;
  return { kind: 'startPeriod', account, id, payload, plan, startMs, endMs };
}

export function changePlan(id: string, plan: Plan, endMs?: number): Op {
  return { kind: 'changePlan', account, id, payload: `${plan.name} ${endMs}`, plan, endMs };
}

export function setStatus(id: string, call: 'freeze' | 'unfreeze' | 'close' | 'reopen'): Op {
  return { kind: 'setStatus', account, id, payload: call, call };
}

export function unlock(id: string, agent: string, tier: Tier): Op {
  return { kind: 'unlockAgent', account, id, payload: 'p', agent, tier };
}

export function activate(id: string, agent: string, tier: Tier): Op {
  return { kind: 'activateAgent', account, id, payload: 'p', agent, tier };
}

export function endAgent(id: string, how: 'suspend' | 'remove', agent: string): Op {
  return { kind: `${how}Agent`, account, id, payload: 'p', agent };
}
