/** Every call that can change an account, as random sequences make it, and the most that its answer says it may give. */
import { expect } from 'vitest';
import type { CycleBegun, CycleDenied } from '../../src/credits/agent-types.js';
import type { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { UNITS, type Unit } from '../../src/usage/types.js';
import type { Tier } from '../oracle/model.js';
import type { Stack } from '../simulation/stack.js';
import { MODELS, TARIFFS, type Tariff } from '../simulation/tariffs.js';

export const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const CREDITS = UNITS.credits;
const CHARACTERS = UNITS.tts_characters;
const BLOCK = { units: 100, micros: 1_000_000 };

const MICROS = 1_000_000n;
const endowed: Tier = {
  name: 'endowed',
  cycle: { unit: 'day', count: 1 },
  unlock: 3n * MICROS,
  renewal: 2n * MICROS,
  own: 5n * MICROS,
  priority: 5,
  draws: true,
  graceMs: 12 * HOUR_MS,
};
/** Cycles of days, so that many of them end in a sequence; own credits that are worth more than they cost, and less. */
const TIERS: readonly Tier[] = [
  endowed,
  { ...endowed, name: 'standard', unlock: 2n * MICROS, renewal: MICROS, own: 0n, graceMs: 24 * HOUR_MS },
  { ...endowed, name: 'alone', cycle: { unit: 'day', count: 2 }, own: MICROS, draws: false, graceMs: 0 },
];
export const TARIFF: Tariff = { ...(TARIFFS[0] as Tariff), tiers: TIERS };
const AGENTS = ['reader', 'writer', 'speaker'] as const;

/** What a call may add to each wallet of its account; below 0: what it must at least take. */
export type Gains = ReadonlyMap<Unit, number>;
const NOTHING: Gains = new Map();

/** What is to come to an account by itself. */
interface Promise_ {
  readonly atMs: number;
  readonly micros: number;
}

/** An agent's cycle, with credits of its own that end with it. */
interface Cycle {
  readonly endMs: number;
  readonly own: number;
}

export class Owner {
  /** What charges took, by their names, until they are reversed. */
  readonly taken = new Map<string, { unit: Unit; amount: number }>();
  promises: Promise_[] = [];
  readonly cycles: Cycle[] = [];
  readonly bornMs: number;
  /** When what has a name was first said: whoever repeats a call repeats its time. */
  readonly #times = new Map<string, number>();

  constructor(
    readonly accountId: string,
    readonly stack: Stack,
    readonly clock: SimulatedClock,
  ) {
    this.bornMs = clock.nowMs;
  }

  timeOf(name: string): number {
    const timeMs = this.#times.get(name) ?? this.clock.nowMs;
    this.#times.set(name, timeMs);
    return timeMs;
  }

  own(requestId: string) {
    return { accountId: this.accountId, requestId, eventTimeMs: this.timeOf(requestId) };
  }
}

export interface Step {
  readonly who: number;
  readonly kind: Kind;
  readonly id: number;
  readonly amount: number;
  readonly pick: number;
  readonly agent: number;
  readonly hours: number;
}

export type Kind = keyof typeof CALLS;

const planMicros = (name: string): number => Number(TARIFF.plans.find((plan) => plan.name === name)?.credits);
const pickOf = <T>(items: readonly T[], pick: number): T => items[pick % items.length] as T;
const reason = { reasonCode: 'test', reasonText: '' };

/** A charge takes what it says; what it converted: so many credits went, and what they bought paid for it first. */
function charged(
  owner: Owner,
  name: string,
  { unit, amount, converted }: { unit: Unit; amount: number; converted: number },
): Gains {
  owner.taken.set(name, { unit, amount });
  if (converted === 0) return new Map([[unit, -amount]]);
  return new Map([
    [CREDITS, -converted],
    [CHARACTERS, (converted / BLOCK.micros) * BLOCK.units - amount],
  ]);
}

/** For one of the agents, which may or may not be there, or for none. */
function usageOf({ pick, amount, agent }: Step) {
  const [meter, model] = pickOf(MODELS, pick);
  const quantities: [string, number][] =
    meter === 'tts' ? [['characters', 1 + (amount % 5_000)]] : [['input_tokens', 1 + amount]];
  return { agentId: AGENTS[agent] ?? '', meter, model, quantities };
}

export function tierOf(name: string): { own: number; renewal: number; lengthMs: number } {
  const { own, renewal, cycle } = TIERS.find((tier) => tier.name === name) as Tier;
  return { own: Number(own), renewal: Number(renewal), lengthMs: cycle.count * DAY_MS };
}

/** The agent that a call about agents names. */
export const agentOf = ({ agent }: Step): string => pickOf(AGENTS, agent);

function begun(owner: Owner, own: number, cost: number, answer: CycleBegun | CycleDenied): Gains {
  if (answer.verdict === 'denied' || answer.duplicate) return NOTHING;
  owner.cycles.push({ endMs: answer.cycleEndTimeMs, own });
  return new Map([[CREDITS, own - cost]]);
}

/** One entry for every call that can change an account; what each returns is the most that it may give. */
export const CALLS = {
  async create(owner: Owner, { pick, amount }: Step): Promise<Gains> {
    const plan = pickOf(['', 'free', 'starter'], pick);
    const lots =
      pick % 2 === 0
        ? []
        : [{ unit: CREDITS, amount: amount + 1, source: 'top_up' as const, expiresAtMs: 0 }];
    const imported = lots.length === 0 ? null : { lots, periodStartTimeMs: 0, periodEndTimeMs: 0 };
    const call = { ...owner.own('create'), plan, imported };
    const { duplicate } = await owner.stack.core.accounts.create(call, owner.stack.options);
    if (duplicate) return NOTHING;
    return new Map([[CREDITS, imported === null ? (plan === 'free' ? planMicros('free') : 0) : amount + 1]]);
  },
  async topUp(owner: Owner, { id, amount, pick, hours }: Step): Promise<Gains> {
    const unit = pickOf(Object.values(UNITS), pick);
    const expiresAtMs = pick % 2 === 0 ? 0 : owner.clock.nowMs + (hours + 1) * HOUR_MS;
    const call = { ...owner.own(`g${id}`), unit, amount: amount + 1, expiresAtMs };
    const { granted, duplicate } = await owner.stack.core.accounts.topUp(call, owner.stack.options);
    expect(granted).toBeLessThanOrEqual(duplicate ? Number.MAX_SAFE_INTEGER : amount + 1);
    return duplicate ? NOTHING : new Map([[unit, granted]]);
  },
  async convert(owner: Owner, { id, amount, pick }: Step): Promise<Gains> {
    const unit = pickOf([UNITS.tts_characters, UNITS.llm_messages], pick);
    const call = {
      ...owner.own(`k${id}`),
      unit,
      wish: { kind: 'credits' as const, value: 1_000_000 + amount },
    };
    const converted = await owner.stack.core.conversions.convert(call, owner.stack.options);
    if (converted.verdict === 'denied' || converted.duplicate) return NOTHING;
    const { convertedMicros, granted } = converted;
    const { units, credits } = TARIFF.rates[unit === CHARACTERS ? 'tts_characters' : 'llm_messages'];
    // Never cheaper than the rate.
    expect(BigInt(granted) * credits * 1_000_000n).toBeLessThanOrEqual(BigInt(convertedMicros) * units);
    return new Map<Unit, number>([
      [CREDITS, -convertedMicros],
      [unit, granted],
    ]);
  },
  async startPeriod(owner: Owner, { id, pick, hours }: Step): Promise<Gains> {
    const plan = pickOf(['starter', 'team', 'pro', 'kept'], pick);
    const startTimeMs = owner.bornMs + (hours * 3 - 20) * HOUR_MS;
    const call = {
      ...owner.own(`b${id}`),
      plan,
      startTimeMs,
      endTimeMs: startTimeMs + (24 + hours) * HOUR_MS,
    };
    const { outcome, granted, duplicate } = await owner.stack.core.plans.startPeriod(
      call,
      owner.stack.options,
    );
    if (duplicate) return NOTHING;
    if (outcome === 'period_stored') owner.promises.push({ atMs: startTimeMs, micros: planMicros(plan) });
    expect(granted).toBeLessThanOrEqual(planMicros(plan));
    return new Map([[CREDITS, granted]]);
  },
  async changePlan(owner: Owner, { id, pick, hours }: Step): Promise<Gains> {
    const plan = pickOf(['free', 'starter', 'team', 'pro', 'kept'], pick);
    const periodEndTimeMs = plan === 'free' ? 0 : owner.clock.nowMs + (1 + hours) * HOUR_MS;
    const call = { ...owner.own(`b${id}`), plan, periodEndTimeMs };
    const { outcome, granted, duplicate, effectiveTimeMs } = await owner.stack.core.plans.changePlan(
      call,
      owner.stack.options,
    );
    if (duplicate) return NOTHING;
    if (outcome === 'scheduled')
      owner.promises.push({ atMs: effectiveTimeMs, micros: plan === 'free' ? planMicros(plan) : 0 });
    expect(granted).toBeLessThanOrEqual(planMicros(plan));
    return new Map([[CREDITS, granted]]);
  },
  async cancelChange(owner: Owner, { id }: Step): Promise<Gains> {
    const { duplicate } = await owner.stack.core.plans.cancelChange(owner.own(`b${id}`), owner.stack.options);
    if (!duplicate) owner.promises = [];
    return NOTHING;
  },
  async record(owner: Owner, step: Step): Promise<Gains> {
    const eventId = `u${step.id}`;
    const event = {
      ...usageOf(step),
      eventId,
      accountId: owner.accountId,
      eventTimeMs: owner.timeOf(eventId),
    };
    const [result] = (await owner.stack.core.meter.record([event], owner.stack.options)).results;
    if (result?.outcome !== 'recorded') return NOTHING;
    return charged(owner, `usage/${eventId}`, { ...result, amount: result.charged });
  },
  async reserve(owner: Owner, step: Step): Promise<Gains> {
    const { quantities, ...usage } = usageOf(step);
    const estimate = { kind: 'quantities' as const, quantities };
    const hold = {
      accountId: owner.accountId,
      holdId: `h${step.id}`,
      startTimeMs: owner.timeOf(`h${step.id}`),
    };
    await owner.stack.core.meter.reserve(
      { ...usage, ...hold, estimate, holdTimeMs: (1 + step.hours) * HOUR_MS },
      owner.stack.options,
    );
    return NOTHING;
  },
  async extend(owner: Owner, { id, amount, hours }: Step): Promise<Gains> {
    const times = { holdTimeMs: (1 + hours) * HOUR_MS, eventTimeMs: owner.clock.nowMs };
    const call = {
      accountId: owner.accountId,
      holdId: `h${id}`,
      extendId: `x${amount % 5}`,
      addAmount: amount % 1_000,
      ...times,
    };
    await owner.stack.core.meter.extend(call, owner.stack.options);
    return NOTHING;
  },
  async settle(owner: Owner, step: Step): Promise<Gains> {
    const { quantities, ...usage } = usageOf(step);
    const holdId = `h${step.id}`;
    const final = { kind: 'quantities' as const, quantities };
    const call = { ...usage, accountId: owner.accountId, holdId, final, eventTimeMs: owner.clock.nowMs };
    const settled = await owner.stack.core.meter.settle(call, owner.stack.options);
    if (settled.duplicate) return NOTHING;
    return charged(owner, `settle/${holdId}`, { ...settled, amount: settled.charged });
  },
  async release(owner: Owner, { id }: Step): Promise<Gains> {
    const call = { accountId: owner.accountId, holdId: `h${id}`, eventTimeMs: owner.clock.nowMs };
    await owner.stack.core.meter.release(call, owner.stack.options);
    return NOTHING;
  },
  async reverse(owner: Owner, { id, pick }: Step): Promise<Gains> {
    const kind = pickOf(['usage', 'settle'] as const, pick);
    const charge = { kind, id: `${kind === 'usage' ? 'u' : 'h'}${id}` };
    const call = { ...owner.own(`v${id}`), ...reason, charge };
    const { unit, reversed, duplicate } = await owner.stack.core.corrections.reverseUsage(
      call,
      owner.stack.options,
    );
    if (duplicate) return NOTHING;
    const name = `${kind}/${charge.id}`;
    const taken = owner.taken.get(name);
    // Its own charge, once, and what that took.
    expect({ unit, amount: reversed }).toEqual(taken);
    owner.taken.delete(name);
    return new Map([[unit, reversed]]);
  },
  async rerate(owner: Owner): Promise<Gains> {
    const all = { meter: '', model: '', fromTimeMs: 0, toTimeMs: 0, limit: 100, cursor: '' };
    await owner.stack.core.corrections.rerateUsage(
      { accountId: owner.accountId, ...all },
      owner.stack.options,
    );
    return NOTHING;
  },
  async expireLot(owner: Owner, { id }: Step): Promise<Gains> {
    await owner.stack.core.corrections.expireLot(
      { ...owner.own(`l${id}`), ...reason, lotId: id },
      owner.stack.options,
    );
    return NOTHING;
  },
  async setStatus(owner: Owner, { id, pick }: Step): Promise<Gains> {
    const change = pickOf(['freeze', 'unfreeze', 'unfreeze', 'close', 'reopen', 'reopen'] as const, pick);
    await owner.stack.core.corrections.setStatus(
      { ...owner.own(`s${id}`), ...reason, change },
      owner.stack.options,
    );
    return NOTHING;
  },
  async unlock(owner: Owner, step: Step): Promise<Gains> {
    const tier = pickOf(TIERS, step.pick);
    const call = { ...owner.own(`t${step.id}`), agentId: agentOf(step), tier: tier.name };
    const answer = await owner.stack.core.agents.unlock(call, owner.stack.options);
    return begun(owner, Number(tier.own), Number(tier.unlock), answer);
  },
  async activate(owner: Owner, step: Step): Promise<Gains> {
    const { agents } = owner.stack.core;
    const agent = { accountId: owner.accountId, agentId: agentOf(step) };
    const { own, renewal } = tierOf((await agents.get(agent, owner.stack.options)).tier);
    const call = { ...owner.own(`t${step.id}`), ...agent };
    return begun(owner, own, renewal, await agents.activate(call, owner.stack.options));
  },
  async suspend(owner: Owner, step: Step): Promise<Gains> {
    const call = { ...owner.own(`t${step.id}`), agentId: agentOf(step) };
    await owner.stack.core.agents.suspend(call, owner.stack.options);
    return NOTHING;
  },
  async remove(owner: Owner, step: Step): Promise<Gains> {
    const call = { ...owner.own(`t${step.id}`), agentId: agentOf(step) };
    await owner.stack.core.agents.remove(call, owner.stack.options);
    return NOTHING;
  },
} as const;
