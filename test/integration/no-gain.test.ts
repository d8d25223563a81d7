/**
 * What must not exist: no sequence of calls makes units out of nothing, moves them between accounts, or gives an account more than
 * was granted to it or taken from it by its own charge. Judged from what the product itself says and stores, without the oracle.
 * What agents have of their own is their account's worth: a cycle may add them, less what it costs, and they end with it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AgentView } from '../../src/credits/agent-types.js';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { DrawdownError } from '../../src/errors.js';
import type { Unit } from '../../src/usage/types.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { catalogText } from '../simulation/tariffs.js';
import {
  agentOf,
  CALLS,
  CREDITS,
  type Gains,
  HOUR_MS,
  type Kind,
  Owner,
  type Step,
  TARIFF,
  tierOf,
} from './no-gain-calls.js';

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

interface Worth {
  /** What every wallet has available and held, for the account and its agents, less its debt. */
  readonly wallets: ReadonlyMap<Unit, number>;
  /** What all agents have available of their own, those that are forgotten included. */
  readonly own: number;
  readonly agents: readonly AgentView[];
}

async function worth({ accountId }: Owner): Promise<Worth> {
  const { accounts, agents } = stack.core;
  const known = await accounts.balance(accountId, stack.options).catch((error: unknown) => {
    if (error instanceof DrawdownError && error.code === 'ACCOUNT_UNKNOWN') return undefined;
    throw error;
  });
  if (known === undefined) return { wallets: new Map(), own: 0, agents: [] };
  const page = await agents.list({ accountId, pageSize: 10, pageToken: '' }, stack.options);
  const own = known.agentCredits.reduce((sum, { available }) => sum + available, 0);
  const ownHeld = known.agentCredits.reduce((sum, { held }) => sum + held, 0);
  const ofAccount = known.balances.map(
    ({ unit, available, held, debt }) => [unit, available + held - debt] as const,
  );
  const wallets = new Map(
    ofAccount.map(([unit, sum]) => [unit, unit === CREDITS ? sum + own + ownHeld : sum]),
  );
  return { wallets, own, agents: page.items };
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

/** How many cycles began that no call asked for: as time passed, and where a call granted something. */
const renewals = { time: 0, calls: 0 };

/** What the cycles bring that began so: own credits, less what they cost. `called` is the agent whose cycle a call began. */
function renewed(
  owner: Owner,
  before: Worth,
  after: Worth,
  by: keyof typeof renewals,
  called: string,
): number {
  let gain = 0;
  for (const { agentId, tier, cycleStartTimeMs, cycleEndTimeMs } of after.agents) {
    if (agentId === called) continue;
    const was = before.agents.find((agent) => agent.agentId === agentId) as AgentView;
    const { own, renewal, lengthMs } = tierOf(tier);
    const cycles = (cycleStartTimeMs - was.cycleStartTimeMs) / lengthMs;
    if (cycles > 0) owner.cycles.push({ endMs: cycleEndTimeMs, own });
    gain += cycles * (own - renewal);
    renewals[by] += cycles;
  }
  return gain;
}

function expectGains(before: Worth, after: Worth, gains: Gains, what: string): void {
  for (const [unit, is] of after.wallets) {
    const gain = is - (before.wallets.get(unit) ?? 0);
    const most = gains.get(unit) ?? 0;
    expect(gain <= most, `${what}: unit ${unit} gained ${gain}, at most ${most}`).toBe(true);
  }
}

/** Own credits are never more than the cycles that run brought. */
function expectOwnEnded({ cycles }: Owner, { own }: Worth): void {
  const running = cycles.filter(({ endMs }) => endMs > clock.nowMs);
  expect(own).toBeLessThanOrEqual(running.reduce((sum, cycle) => sum + cycle.own, 0));
}

function plus(gains: Gains, credits: number): Gains {
  return new Map([...gains, [CREDITS, (gains.get(CREDITS) ?? 0) + credits]]);
}

async function sweep(owners: readonly Owner[], hours: number): Promise<void> {
  const before = await Promise.all(owners.map(worth));
  await clock.set(clock.nowMs + hours * HOUR_MS);
  await stack.core.sweeper.sweep();
  for (const [i, owner] of owners.entries()) {
    const [was, is] = [before[i] as Worth, await worth(owner)];
    const due = owner.promises.filter(({ atMs }) => atMs <= clock.nowMs);
    owner.promises = owner.promises.filter(({ atMs }) => atMs > clock.nowMs);
    const granted = due.reduce((sum, { micros }) => sum + micros, 0);
    expectGains(was, is, new Map([[CREDITS, granted + renewed(owner, was, is, 'time', '')]]), 'time');
    expectOwnEnded(owner, is);
  }
}

/** Returns whether the call changed anything. */
async function take(owners: readonly Owner[], step: Step): Promise<boolean> {
  const owner = owners[step.who] as Owner;
  const before = await Promise.all(owners.map(worth));
  let gains: Gains = new Map();
  let answered = true;
  try {
    gains = await CALLS[step.kind](owner, step);
  } catch (error) {
    if (!(error instanceof DrawdownError) || error.code === 'INTERNAL') throw error;
    answered = false;
  }
  const after = await Promise.all(owners.map(worth));
  for (const [i, other] of owners.entries()) {
    const [was, is] = [before[i] as Worth, after[i] as Worth];
    if (other === owner) {
      // These two begin no cycle but that of the agent that they name.
      const called = step.kind === 'unlock' || step.kind === 'activate' ? agentOf(step) : '';
      expectGains(was, is, plus(gains, renewed(owner, was, is, 'calls', called)), step.kind);
      expectOwnEnded(owner, is);
    } else expect(is, `${step.kind} of ${owner.accountId} changed ${other.accountId}`).toEqual(was);
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
      'unlock' as const,
      'unlock' as const,
    ),
    id: fc.integer({ min: 1, max: 4 }),
    amount: fc.oneof(fc.nat({ max: 1_000 }), fc.nat({ max: 30_000_000 })),
    pick: fc.nat({ max: 59 }),
    agent: fc.nat({ max: 3 }),
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
  agent: 0,
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
  step('unlock'),
  step('suspend', { id: 2 }),
  step('activate', { id: 3 }),
  step('remove', { id: 4 }),
  step('setStatus'),
];

/** An agent spends of its own, is renewed, cannot be, is renewed by a top-up, and at last is suspended. */
const AGENT_LIFE: Step[] = [
  step('topUp', { amount: 5_999_999 }),
  step('unlock'),
  step('record', { amount: 1_000_000 }),
  step('record', { amount: 1_000_000, id: 2, hours: 24 }),
  step('reserve', { amount: 2_000_000, hours: 24 }),
  step('topUp', { amount: 1_999_999, id: 2, hours: 6 }),
  step('settle', { amount: 1_000_000, hours: 40 }),
  step('reverse', { id: 2, hours: 12 }),
];

it('no account gains but by a grant to it or the reversal of its own charge, and every wallet is conserved after every call', async () => {
  let runs = 0;
  const answered = new Set<Kind>();
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      runs += 1;
      const owners = [0, 1, 2].map((number) => new Owner(`run${runs}-${number}`, stack, clock));
      const births = owners.map((_, who) => step('create', { who, amount: 5_000_000, pick: runs + who }));
      for (const one of [...births, ...sequence]) {
        if (one.hours > 0) await sweep(owners, one.hours);
        if (await take(owners, one)) answered.add(one.kind);
        await expectConserved(owners);
      }
    }),
    { numRuns: 40, examples: [[EVERY_CALL], [AGENT_LIFE]] },
  );
  // Every kind of call was made and judged.
  expect([...answered].sort()).toEqual(Object.keys(CALLS).sort());
  expect(renewals.time).toBeGreaterThan(0);
  expect(renewals.calls).toBeGreaterThan(0);
});
