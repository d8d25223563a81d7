/**
 * What must not exist: no sequence of calls makes units out of nothing, moves them between accounts, or gives an account more than
 * was granted to it or taken from it by its own charge. Judged from what the product itself says and stores, without the oracle.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { DrawdownError } from '../../src/errors.js';
import { UNITS, type Unit } from '../../src/usage/types.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { catalogText, MODELS, TARIFFS, type Tariff } from '../simulation/tariffs.js';

const HOUR_MS = 3_600_000;
const CREDITS = UNITS.credits;
const CHARACTERS = UNITS.tts_characters;
const TARIFF = TARIFFS[0] as Tariff;
const BLOCK = { units: 100, micros: 1_000_000 };

let redis: TestRedis;
let database: TestDatabase;
let directory: string;
let clock: SimulatedClock;
let stack: Stack;

beforeAll(async () => {
  redis = await startRedis();
  database = await createDatabase();
  directory = mkdtempSync(join(tmpdir(), 'drawdown-no-gain-'));
  clock = new SimulatedClock(START_MS);
  const catalogFile = join(directory, 'catalog.yaml');
  writeFileSync(catalogFile, catalogText(TARIFF));
  stack = await Stack.start({ redisUrl: redis.url, postgresUrl: database.url, catalogFile }, clock);
});
afterAll(async () => {
  await stack.stop();
  clock.restore();
  await redis.stop();
  await database.drop();
  rmSync(directory, { recursive: true });
});

/** What a call may add to each wallet of its account; below 0: what it must at least take. */
type Gains = ReadonlyMap<Unit, number>;
const NOTHING: Gains = new Map();

/** What is to come to an account by itself. */
interface Promise_ {
  readonly atMs: number;
  readonly micros: number;
}

interface Owner {
  readonly accountId: string;
  /** What charges took, by their names, until they are reversed. */
  readonly taken: Map<string, { unit: Unit; amount: number }>;
  promises: Promise_[];
  /** When what has a name was first said: whoever repeats a call repeats its time. */
  readonly times: Map<string, number>;
}

interface Step {
  readonly who: number;
  readonly kind: Kind;
  readonly id: number;
  readonly amount: number;
  readonly pick: number;
  readonly hours: number;
}

type Kind = keyof typeof CALLS;

function timeOf({ times }: Owner, name: string): number {
  const timeMs = times.get(name) ?? clock.nowMs;
  times.set(name, timeMs);
  return timeMs;
}

const planMicros = (name: string): number => Number(TARIFF.plans.find((plan) => plan.name === name)?.credits);
const own = (owner: Owner, requestId: string) => ({
  accountId: owner.accountId,
  requestId,
  eventTimeMs: timeOf(owner, requestId),
});
const pickOf = <T>(items: readonly T[], pick: number): T => items[pick % items.length] as T;
const reason = { reasonCode: 'test', reasonText: '' };

/** A charge, and what it converted: so many credits went, and what they bought paid for it first. */
function charged(
  owner: Owner,
  name: string,
  { unit, amount, converted }: { unit: Unit; amount: number; converted: number },
): Gains {
  owner.taken.set(name, { unit, amount });
  if (converted === 0) return NOTHING;
  return new Map([
    [CREDITS, -converted],
    [CHARACTERS, (converted / BLOCK.micros) * BLOCK.units - amount],
  ]);
}

function usageOf({ pick, amount }: Step) {
  const [meter, model] = pickOf(MODELS, pick);
  const quantities: [string, number][] =
    meter === 'tts' ? [['characters', 1 + (amount % 5_000)]] : [['input_tokens', 1 + amount]];
  return { agentId: '', meter, model, quantities };
}

/** One entry for every call that can change an account; what each returns is the most that it may give. */
const CALLS = {
  async create(owner: Owner, { pick, amount }: Step): Promise<Gains> {
    const plan = pickOf(['', 'free', 'starter'], pick);
    const lots =
      pick % 2 === 0
        ? []
        : [{ unit: CREDITS, amount: amount + 1, source: 'top_up' as const, expiresAtMs: 0 }];
    const imported = lots.length === 0 ? null : { lots, periodStartTimeMs: 0, periodEndTimeMs: 0 };
    const call = { ...own(owner, 'create'), plan, imported };
    const { duplicate } = await stack.core.accounts.create(call, stack.options);
    if (duplicate) return NOTHING;
    return new Map([[CREDITS, imported === null ? (plan === 'free' ? planMicros('free') : 0) : amount + 1]]);
  },
  async topUp(owner: Owner, { id, amount, pick, hours }: Step): Promise<Gains> {
    const unit = pickOf(Object.values(UNITS), pick);
    const expiresAtMs = pick % 2 === 0 ? 0 : clock.nowMs + (hours + 1) * HOUR_MS;
    const call = { ...own(owner, `g${id}`), unit, amount: amount + 1, expiresAtMs };
    const { granted, duplicate } = await stack.core.accounts.topUp(call, stack.options);
    expect(granted).toBeLessThanOrEqual(duplicate ? Number.MAX_SAFE_INTEGER : amount + 1);
    return duplicate ? NOTHING : new Map([[unit, granted]]);
  },
  async convert(owner: Owner, { id, amount, pick }: Step): Promise<Gains> {
    const unit = pickOf([UNITS.tts_characters, UNITS.llm_messages], pick);
    const call = {
      ...own(owner, `k${id}`),
      unit,
      wish: { kind: 'credits' as const, value: 1_000_000 + amount },
    };
    const converted = await stack.core.conversions.convert(call, stack.options);
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
    const startTimeMs = START_MS + (hours * 3 - 20) * HOUR_MS;
    const call = {
      ...own(owner, `b${id}`),
      plan,
      startTimeMs,
      endTimeMs: startTimeMs + (24 + hours) * HOUR_MS,
    };
    const { outcome, granted, duplicate } = await stack.core.plans.startPeriod(call, stack.options);
    if (duplicate) return NOTHING;
    if (outcome === 'period_stored') owner.promises.push({ atMs: startTimeMs, micros: planMicros(plan) });
    expect(granted).toBeLessThanOrEqual(planMicros(plan));
    return new Map([[CREDITS, granted]]);
  },
  async changePlan(owner: Owner, { id, pick, hours }: Step): Promise<Gains> {
    const plan = pickOf(['free', 'starter', 'team', 'pro', 'kept'], pick);
    const periodEndTimeMs = plan === 'free' ? 0 : clock.nowMs + (1 + hours) * HOUR_MS;
    const call = { ...own(owner, `b${id}`), plan, periodEndTimeMs };
    const { outcome, granted, duplicate, effectiveTimeMs } = await stack.core.plans.changePlan(
      call,
      stack.options,
    );
    if (duplicate) return NOTHING;
    if (outcome === 'scheduled')
      owner.promises.push({ atMs: effectiveTimeMs, micros: plan === 'free' ? planMicros(plan) : 0 });
    expect(granted).toBeLessThanOrEqual(planMicros(plan));
    return new Map([[CREDITS, granted]]);
  },
  async cancelChange(owner: Owner, { id }: Step): Promise<Gains> {
    const { duplicate } = await stack.core.plans.cancelChange(own(owner, `b${id}`), stack.options);
    if (!duplicate) owner.promises = [];
    return NOTHING;
  },
  async record(owner: Owner, step: Step): Promise<Gains> {
    const eventId = `u${step.id}`;
    const event = {
      ...usageOf(step),
      eventId,
      accountId: owner.accountId,
      eventTimeMs: timeOf(owner, eventId),
    };
    const [result] = (await stack.core.meter.record([event], stack.options)).results;
    if (result?.outcome !== 'recorded') return NOTHING;
    return charged(owner, `usage/${eventId}`, { ...result, amount: result.charged });
  },
  async reserve(owner: Owner, step: Step): Promise<Gains> {
    const { quantities, ...usage } = usageOf(step);
    const estimate = { kind: 'quantities' as const, quantities };
    const hold = {
      accountId: owner.accountId,
      holdId: `h${step.id}`,
      startTimeMs: timeOf(owner, `h${step.id}`),
    };
    await stack.core.meter.reserve(
      { ...usage, ...hold, estimate, holdTimeMs: (1 + step.hours) * HOUR_MS },
      stack.options,
    );
    return NOTHING;
  },
  async extend(owner: Owner, { id, amount, hours }: Step): Promise<Gains> {
    const times = { holdTimeMs: (1 + hours) * HOUR_MS, eventTimeMs: clock.nowMs };
    const call = {
      accountId: owner.accountId,
      holdId: `h${id}`,
      extendId: `x${amount % 5}`,
      addAmount: amount % 1_000,
      ...times,
    };
    await stack.core.meter.extend(call, stack.options);
    return NOTHING;
  },
  async settle(owner: Owner, step: Step): Promise<Gains> {
    const { quantities, ...usage } = usageOf(step);
    const holdId = `h${step.id}`;
    const final = { kind: 'quantities' as const, quantities };
    const call = { ...usage, accountId: owner.accountId, holdId, final, eventTimeMs: clock.nowMs };
    const settled = await stack.core.meter.settle(call, stack.options);
    if (settled.duplicate) return NOTHING;
    return charged(owner, `settle/${holdId}`, { ...settled, amount: settled.charged });
  },
  async release(owner: Owner, { id }: Step): Promise<Gains> {
    const call = { accountId: owner.accountId, holdId: `h${id}`, eventTimeMs: clock.nowMs };
    await stack.core.meter.release(call, stack.options);
    return NOTHING;
  },
  async reverse(owner: Owner, { id, pick }: Step): Promise<Gains> {
    const kind = pickOf(['usage', 'settle'] as const, pick);
    const charge = { kind, id: `${kind === 'usage' ? 'u' : 'h'}${id}` };
    const call = { ...own(owner, `v${id}`), ...reason, charge };
    const { unit, reversed, duplicate } = await stack.core.corrections.reverseUsage(call, stack.options);
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
    await stack.core.corrections.rerateUsage({ accountId: owner.accountId, ...all }, stack.options);
    return NOTHING;
  },
  async expireLot(owner: Owner, { id }: Step): Promise<Gains> {
    await stack.core.corrections.expireLot({ ...own(owner, `l${id}`), ...reason, lotId: id }, stack.options);
    return NOTHING;
  },
  async setStatus(owner: Owner, { id, pick }: Step): Promise<Gains> {
    const change = pickOf(['freeze', 'unfreeze', 'unfreeze', 'close', 'reopen', 'reopen'] as const, pick);
    await stack.core.corrections.setStatus({ ...own(owner, `s${id}`), ...reason, change }, stack.options);
    return NOTHING;
  },
} as const;

/** What every wallet is worth: available, held, and less its debt. */
async function worth({ accountId }: Owner): Promise<Map<Unit, number>> {
  const known = await stack.core.accounts.balance(accountId, stack.options).catch((error: unknown) => {
    if (error instanceof DrawdownError && error.code === 'ACCOUNT_UNKNOWN') return { balances: [] };
    throw error;
  });
  return new Map(known.balances.map(({ unit, available, held, debt }) => [unit, available + held - debt]));
}

/** Every wallet's own sums, and the sums of its lines beside them. */
async function expectConserved(owners: readonly Owner[]): Promise<void> {
  await stack.durable();
  const text = `
    SELECT w.*, l.*, e.* FROM accounts a JOIN wallets w USING (account_key)
    CROSS JOIN LATERAL (SELECT coalesce(sum(remaining), 0) AS remaining FROM lots WHERE account_key = w.account_key AND unit = w.unit) l
    CROSS JOIN LATERAL (SELECT sum(granted) AS granted, sum(spent) AS spent, sum(expired) AS expired, sum(converted) AS converted, sum(debt) AS debt
                        FROM entries WHERE account_key = w.account_key AND unit = w.unit) e
    WHERE a.account_id = ANY ($1) AND (w.granted + w.debt <> l.remaining + w.spent + w.expired + w.converted
      OR (w.granted, w.spent, w.expired, w.converted, w.debt) IS DISTINCT FROM (e.granted, e.spent, e.expired, e.converted, e.debt))`;
  const { rows } = await stack.pool.query(text, [owners.map(({ accountId }) => accountId)]);
  expect(rows).toEqual([]);
}

function expectGains(before: Map<Unit, number>, after: Map<Unit, number>, gains: Gains, what: string): void {
  for (const [unit, is] of after) {
    const gain = is - (before.get(unit) ?? 0);
    const most = gains.get(unit) ?? 0;
    expect(gain <= most, `${what}: unit ${unit} gained ${gain}, at most ${most}`).toBe(true);
  }
}

async function sweep(owners: readonly Owner[], hours: number): Promise<void> {
  const before = await Promise.all(owners.map(worth));
  await clock.set(clock.nowMs + hours * HOUR_MS);
  await stack.core.sweeper.sweep();
  for (const [i, owner] of owners.entries()) {
    const due = owner.promises.filter(({ atMs }) => atMs <= clock.nowMs);
    owner.promises = owner.promises.filter(({ atMs }) => atMs > clock.nowMs);
    const micros = due.reduce((sum, one) => sum + one.micros, 0);
    expectGains(before[i] as Map<Unit, number>, await worth(owner), new Map([[CREDITS, micros]]), 'time');
  }
}

/** Returns whether the call changed anything. */
async function take(owners: readonly Owner[], step: Step): Promise<boolean> {
  const owner = owners[step.who] as Owner;
  const before = await Promise.all(owners.map(worth));
  let gains = NOTHING;
  let answered = true;
  try {
    gains = await CALLS[step.kind](owner, step);
  } catch (error) {
    if (!(error instanceof DrawdownError) || error.code === 'INTERNAL') throw error;
    answered = false;
  }
  const after = await Promise.all(owners.map(worth));
  for (const [i, other] of owners.entries()) {
    const [was, is] = [before[i] as Map<Unit, number>, after[i] as Map<Unit, number>];
    if (other === owner) expectGains(was, is, gains, step.kind);
    else expect(is, `${step.kind} of ${owner.accountId} changed ${other.accountId}`).toEqual(was);
  }
  return answered;
}

const steps = fc.array(
  fc.record({
    who: fc.nat({ max: 2 }),
    kind: fc.constantFrom(
      ...(Object.keys(CALLS) as Kind[]),
      'record' as const,
      'topUp' as const,
      'settle' as const,
    ),
    id: fc.integer({ min: 1, max: 4 }),
    amount: fc.oneof(fc.nat({ max: 1_000 }), fc.nat({ max: 30_000_000 })),
    pick: fc.nat({ max: 59 }),
    hours: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 40 }) }),
  }),
  { minLength: 10, maxLength: 30 },
);

const step = (kind: Kind, more: Partial<Step> = {}): Step => ({
  who: 0,
  kind,
  id: 1,
  amount: 1_000,
  pick: 0,
  hours: 0,
  ...more,
});

/** A sequence in which every call succeeds once. */
const EVERY_CALL: Step[] = [
  step('topUp', { amount: 20_000_000 }),
  step('record', { amount: 1_000_000 }),
  step('reserve', { id: 2 }),
  step('extend', { id: 2 }),
  step('settle', { id: 2 }),
  step('reserve', { id: 3 }),
  step('release', { id: 3 }),
  step('convert'),
  step('startPeriod', { hours: 20 }),
  step('cancelChange', { id: 2 }),
  step('changePlan', { id: 3, pick: 3 }),
  step('reverse'),
  step('rerate'),
  step('expireLot'),
  step('setStatus'),
];

it('no account gains but by a grant to it or the reversal of its own charge, and every wallet is conserved after every call', async () => {
  let runs = 0;
  const answered = new Set<Kind>();
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      runs += 1;
      const owners = [0, 1, 2].map(
        (number): Owner => ({
          accountId: `run${runs}-${number}`,
          taken: new Map(),
          times: new Map(),
          promises: [],
        }),
      );
      const births = owners.map((_, who) => step('create', { who, amount: 5_000_000, pick: runs + who }));
      for (const one of [...births, ...sequence]) {
        if (one.hours > 0) await sweep(owners, one.hours);
        if (await take(owners, one)) answered.add(one.kind);
        await expectConserved(owners);
      }
    }),
    { numRuns: 60, examples: [[EVERY_CALL]] },
  );
  // Every kind of call was made and judged.
  expect([...answered].sort()).toEqual(Object.keys(CALLS).sort());
});
