/** Agents: the scripts against the oracle, and what holds whatever happens when. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { luaDirectory } from '../../src/paths.js';
import { CODE } from '../../src/redis/format.js';
import { accountScope } from '../../src/redis/keys.js';
import { heldOf, remainingOf } from '../oracle/account.js';
import { PLANS, START_MS } from '../oracle/generators.js';
import { AMOUNT_MAX, type Entry, type Op, type Plan, type Price, type Tier } from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition, packOperation, playOn, TestPartition } from './compared-partition.js';
import * as operations from './operations.js';
import {
  account,
  changePlan,
  convert,
  create,
  endAgent,
  extend,
  grant,
  reverse,
  setStatus,
  startPeriod,
  touch,
} from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const day = (number: number): number => START_MS + number * DAY;
const free = PLANS[0] as Plan;
const starter = PLANS[1] as Plan;
const standard: Tier = {
  name: 'standard',
  cycle: { unit: 'day', count: 30 },
  unlock: 50n,
  renewal: 30n,
  own: 0n,
  priority: 20,
  draws: true,
  graceMs: DAY,
};
const endowed: Tier = { ...standard, name: 'endowed', own: 20n };

let ids = 0;
const topUp = (amount: bigint, expiresAtMs?: number): Op =>
  grant(`g${++ids}`, amount, 'credits', expiresAtMs);
const usage = (cost: bigint | Price[], agent?: string, id = `u${++ids}`): Op =>
  operations.usage(id, cost, agent);
const unlock = (agent: string, tier = standard): Op => operations.unlock(`t${++ids}`, agent, tier);
const activate = (agent: string, tier = standard): Op => operations.activate(`t${++ids}`, agent, tier);
const suspend = (agent: string): Op => endAgent(`t${++ids}`, 'suspend', agent);
const remove = (agent: string): Op => endAgent(`t${++ids}`, 'remove', agent);
const status = (call: 'freeze' | 'close'): Op => setStatus(`s${++ids}`, call);
const start = (plan: Plan, startMs: number, endMs: number): Op =>
  startPeriod(`b${++ids}`, plan, startMs, endMs);
const change = (plan: Plan, endMs?: number): Op => changePlan(`b${++ids}`, plan, endMs);
const alone: Tier = { ...endowed, name: 'alone', unlock: 0n, draws: false };
const reserve = (prices: Price[], agent?: string, hold = 'h'): Op =>
  operations.reserve(hold, prices, { agent, holdTimeMs: 90 * DAY });
const settle = (prices: Price[], agent?: string, hold = 'h'): Op => operations.settle(hold, prices, agent);
const release: Op = operations.release('h');
const inCredits = (amount: bigint): Price[] => [{ unit: 'credits', amount }];

const play = (steps: Parameters<typeof playOn>[1]) => playOn(scripts, steps);

/** What happened to agents, and what was granted and expired between: kind or event, agent, the day on which it was due. */
function story(world: World): string[] {
  const told: Partial<Record<Entry['kind'], string>> = {
    grant: 'top up',
    plan_grant: 'plan',
    lot_expired: 'expired',
  };
  return world.ledger.flatMap(({ kind, agent, dueMs }) => {
    const when = (dueMs - START_MS) / DAY;
    if (agent) return kind === 'agent_grant' ? [] : [`${agent.event} ${agent.id} ${when}`];
    return told[kind] ? [`${told[kind]} ${when}`] : [];
  });
}

function remaining(world: World): bigint {
  return remainingOf(accountOf(world, account).wallets.credits);
}

describe('the calendar of the scripts', () => {
  /** Adds months to moments in Redis, as many at once as are given. */
  async function added(moments: readonly (readonly [ms: number, months: number])[]): Promise<number[]> {
    const calendar = readFileSync(join(luaDirectory, 'includes/calendar.lua'), 'utf8');
    const text = `local DAY_MS = 86400000
${calendar}
local sums = {}
for i = 1, #ARGV, 2 do sums[#sums + 1] = string.format('%.0f', add_months(tonumber(ARGV[i]), tonumber(ARGV[i + 1]))) end
return sums`;
    const { client } = scripts.connection;
    return ((await client.eval(text, 0, ...moments.flat())) as string[]).map(Number);
  }

  const expected = ([ms, months]: readonly [number, number]): number =>
    DateTime.fromMillis(ms, { zone: 'utc' }).plus({ months }).toMillis();

  it('adds months as a library does, to any moment from 1970 to 2200', async () => {
    const moment = fc.tuple(
      fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) }),
      fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2_400 })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(moment, { minLength: 1, maxLength: 200 }), async (moments) => {
        expect(await added(moments)).toEqual(moments.map(expected));
      }),
      { numRuns: 50 },
    );
  });

  it('knows the last days of every month, leap years and centuries included', async () => {
    for (const year of [1970, 1999, 2000, 2023, 2024, 2099, 2100, 2196, 2199]) {
      const moments: [number, number][] = [];
      for (let month = 0; month < 12; month += 1) {
        for (const dayOfMonth of [28, 29, 30, 31]) {
          for (const months of [1, 2, 11, 12, 13, 48])
            moments.push([Date.UTC(year, month, dayOfMonth, 23, 59), months]);
        }
      }
      expect(await added(moments)).toEqual(moments.map(expected));
    }
    const january = Date.UTC(2024, 0, 31, 12);
    const ends = await added([1, 2, 3, 12, 13].map((months) => [january, months] as const));
    expect(ends.map((ms) => new Date(ms).toISOString().slice(0, 10))).toEqual([
      '2024-02-29',
      '2024-03-31',
      '2024-04-30',
      '2025-01-31',
      '2025-02-28',
    ]);
  });
});

describe('cycles', () => {
  it('end by the calendar, counted from the day of unlocking', async () => {
    const monthly: Tier = { ...standard, cycle: { unit: 'month', count: 1 } };
    const compared = await ComparedPartition.open(scripts, START_MS);
    const begins = Date.UTC(2027, 11, 31, 10);
    await compared.batch([create(), topUp(1_000n), unlock('n1', monthly)], begins);
    await compared.batch([touch], Date.UTC(2028, 4, 1));
    const renewed = compared.world.ledger.filter(({ agent }) => agent?.event === 'renewed');
    expect(renewed.map(({ dueMs }) => new Date(dueMs).toISOString())).toEqual([
      '2028-01-31T10:00:00.000Z',
      '2028-02-29T10:00:00.000Z',
      '2028-03-31T10:00:00.000Z',
      '2028-04-30T10:00:00.000Z',
    ]);
  });

  it('are renewed at the same times whether somebody looks daily or after two months', async () => {
    const lives = async (looks: number[]) => {
      ids = 0;
      const steps: [number, Op][] = [
        [day(0), create(free)],
        [day(0), topUp(200n, day(62))],
        [day(0), unlock('n1', endowed)],
        [day(10), unlock('n2')],
        ...looks.map((at): [number, Op] => [day(at), touch]),
        [day(75), touch],
      ];
      const { world } = await play(steps);
      const lines = world.ledger.map(({ bookedMs: _, ...line }) => line);
      return { lines, state: accountOf(world, account) };
    };
    const daily = await lives(Array.from({ length: 60 }, (_, index) => 11 + index));
    const late = await lives([]);
    expect(late).toEqual(daily);
    expect(late.lines.filter(({ kind }) => kind === 'agent_renewal').length).toBeGreaterThan(1);
  });

  it('change nothing when two sweepers come at once, or one comes twice', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create(), topUp(200n), unlock('n1', endowed)], day(0));
    await compared.batch([touch, touch], day(31));
    const { ledger } = compared.world;
    await compared.batch([touch], day(31));
    expect(compared.world.ledger).toEqual(ledger);
    expect(ledger.filter(({ kind }) => kind === 'agent_renewal')).toHaveLength(1);
  });

  it('at one instant follow what is granted, the debt that it pays, and what expires; agents in the order of unlocking', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(200n, day(30))],
      [day(0), unlock('n2', endowed)],
      [day(0), unlock('n1', endowed)],
      [day(1), usage(120n)],
      // Debt of 20; the period that begins at day 30 pays it and leaves 30: one renewal.
      [day(20), start(starter, day(30), day(90))],
      [day(40), touch],
    ]);
    expect(story(world).slice(3)).toEqual([
      'plan 30',
      'expired 30',
      'expired 30',
      'renewed n2 30',
      'unpaid n1 30',
      'suspended n1 31',
    ]);
    expect(remaining(world)).toBe(20n);
  });

  it('of a frozen account go on, those of a closed one end in suspension without a charge', async () => {
    const steps = (call: 'freeze' | 'close'): [number, Op][] => [
      [day(0), create()],
      [day(0), topUp(200n)],
      [day(0), unlock('n1')],
      [day(1), status(call)],
      [day(31), touch],
    ];
    const frozen = await play(steps('freeze'));
    expect(story(frozen.world).at(-1)).toBe('renewed n1 30');
    const closed = await play(steps('close'));
    expect(story(closed.world).at(-1)).toBe('suspended n1 30');
    expect(remaining(closed.world)).toBe(150n);
  });
});

describe('a renewal that cannot be paid', () => {
  const unpaid: [number, Op][] = [
    [day(0), create()],
    [day(0), topUp(60n)],
    [day(0), unlock('n1')],
  ];
  const reversal = (charge: string, amount: bigint): Op =>
    reverse(`v${++ids}`, charge, amount, [{ lot: 1, amount }]);

  it.each<[string, Op, Op[]]>([
    ['a top-up', topUp(20n), []],
    ['a period of a plan', start(starter, day(30), day(60)), []],
    ['an upgrade', change(starter, day(60)), []],
    ['free credits', change({ ...free, credits: 20n }), []],
    ['a reversal', reversal('usage/mistake', 20n), [topUp(20n), usage(20n, undefined, 'mistake')]],
  ])('is tried again on %s within the grace, and the cycle follows the old one', async (_, grant, before) => {
    const { world, said } = await play([
      ...unpaid,
      ...before.map((op): [number, Op] => [day(1), op]),
      [day(30.25), touch],
      [day(30.5), grant],
      [day(60), touch],
    ]);
    expect(said).not.toContain('refused');
    const agentStory = story(world).filter((line) => line.includes('n1'));
    expect(agentStory).toEqual([
      'unlocked n1 0',
      'unpaid n1 30',
      'renewed n1 30.5',
      expect.stringMatching(/n1 60$/),
    ]);
    const [agent] = accountOf(world, account).subscription?.agents ?? [];
    expect(agent?.anchorMs).toBe(day(0));
  });

  it('is not tried again when a hold gives units back, or credits are converted', async () => {
    const { world } = await play([
      ...unpaid,
      [day(1), topUp(35n)],
      [day(1), reserve(inCredits(45n))],
      [day(30.5), release],
      [day(30.5), convert('k', 500n, 5n)],
      [day(31), touch],
    ]);
    expect(story(world).slice(-2)).toEqual(['unpaid n1 30', 'suspended n1 31']);
    expect(remaining(world)).toBe(40n);
  });

  it('is tried again on a top-up of any unit, and on a reversal of credits alone', async () => {
    const mistake: Price[] = [{ unit: 'tts_characters', amount: 5n }];
    const enough: [number, Op][] = [
      ...unpaid,
      [day(1), topUp(30n)],
      [day(1), reserve(inCredits(40n))],
      [day(1), grant('c', 5n, 'tts_characters')],
      [day(1), usage(mistake, undefined, 'mistake')],
      [day(30.5), release],
    ];
    const characters = { ...reversal('usage/mistake', 5n), unit: 'tts_characters' } as Op;
    const reversed = await play([...enough, [day(30.5), characters], [day(31), touch]]);
    expect(story(reversed.world).at(-1)).toBe('suspended n1 31');
    const toppedUp = await play([...enough, [day(30.5), grant('more', 1n, 'tts_characters')]]);
    expect(story(toppedUp.world).at(-1)).toBe('renewed n1 30.5');
  });

  it('is not tried again when a plan is taken that grants nothing', async () => {
    const { world } = await play([
      [day(0), create(free)],
      [day(0), start(starter, day(0), day(30.5))],
      [day(0), unlock('n1')],
      [day(0), topUp(40n)],
      [day(0), reserve(inCredits(40n))],
      [day(0), change(free)],
      [day(30), touch],
      [day(30.25), release],
      [day(31), touch],
    ]);
    expect(story(world).slice(-3)).toEqual(['unpaid n1 30', 'expired 30.5', 'suspended n1 31']);
    expect(remaining(world)).toBeGreaterThanOrEqual(30n);
  });

  it('suspends the agent at the end of the grace: a call at that instant comes too late, a grant that is due then does not', async () => {
    const late = await play([...unpaid, [day(31), topUp(100n)]]);
    expect(story(late.world).slice(-3)).toEqual(['unpaid n1 30', 'suspended n1 31', 'top up 31']);
    const stored = await play([...unpaid, [day(1), start(starter, day(31), day(60))], [day(32), touch]]);
    expect(story(stored.world).slice(-3)).toEqual(['unpaid n1 30', 'plan 31', 'renewed n1 31']);
  });

  it('draws all or nothing, makes no debt, and does not keep another from being paid', async () => {
    const dear: Tier = { ...standard, name: 'dear', renewal: 90n };
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(140n)],
      [day(0), unlock('n1', dear)],
      [day(0), unlock('n2')],
      [day(31), touch],
    ]);
    expect(story(world).slice(3)).toEqual(['unpaid n1 30', 'renewed n2 30', 'suspended n1 31']);
    expect(accountOf(world, account).wallets.credits.debt).toBe(0n);
    expect(remaining(world)).toBe(10n);
  });

  it('suspends at once where the tier has no grace', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(60n)],
      [day(0), unlock('n1', { ...standard, graceMs: 0 })],
      [day(30), touch],
    ]);
    expect(story(world).at(-1)).toBe('suspended n1 30');
  });
});

describe('agents', () => {
  it('are at most as many as the plan allows; after a downgrade those that are there go on', async () => {
    const { said } = await play([
      [day(0), create()],
      [day(0), topUp(10_000n)],
      [day(0), start(starter, day(0), day(20))],
      [day(0), unlock('n1')],
      [day(0), unlock('n2')],
      [day(0), unlock('n3')],
      [day(0), unlock('n4')],
      [day(1), suspend('n1')],
      [day(1), unlock('n4')],
      [day(1), remove('n1')],
      [day(1), unlock('n4')],
      [day(21), change(free)],
      [day(21), unlock('n5')],
      [day(22), suspend('n2')],
      [day(22), activate('n2')],
      [day(22), remove('n2')],
      [day(22), remove('n3')],
      [day(22), unlock('n5')],
      [day(22), remove('n4')],
      [day(22), unlock('n5')],
    ]);
    const denied = 'denied AGENTS_MAX';
    expect(said.slice(3)).toEqual([
      ...['done', 'done', 'done', denied, 'done', denied, 'done', 'done'],
      ...['done', denied, 'done', 'done', 'done', 'done', denied, 'done', 'done'],
    ]);
  });

  it('are not unlocked, activated or suspended twice; the id of one that was removed is free for another', async () => {
    const steps: [Op, string][] = [
      [unlock('n1'), 'done'],
      [unlock('n1'), 'refused AGENT_EXISTS'],
      [activate('n1'), 'refused AGENT_ACTIVE'],
      [suspend('n1'), 'done'],
      [suspend('n1'), 'refused AGENT_SUSPENDED'],
      [unlock('n1'), 'refused AGENT_EXISTS'],
      // Whoever saw it in another tier looks again.
      [activate('n1', endowed), 'stale'],
      [status('freeze'), 'done'],
      [activate('n1'), 'denied ACCOUNT_FROZEN'],
      [unlock('n2'), 'denied ACCOUNT_FROZEN'],
      [remove('n1'), 'done'],
      [remove('n1'), 'refused AGENT_UNKNOWN'],
      [suspend('n1'), 'refused AGENT_UNKNOWN'],
      [setStatus('thaw', 'unfreeze'), 'done'],
      [activate('n1'), 'refused AGENT_UNKNOWN'],
      [unlock('n1'), 'done'],
    ];
    const begin = [create(), topUp(1_000n)];
    const ops = [...begin, ...steps.map(([op]) => op)];
    const { said, world } = await play(ops.map((op) => [day(0), op]));
    expect(said.slice(begin.length)).toEqual(steps.map(([, words]) => words));
    const agents = accountOf(world, account).subscription?.agents ?? [];
    expect(agents.map(({ number, state }) => [number, state])).toEqual([[2, 'active']]);
  });

  it('have their finished usage booked, and flagged while they are suspended', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(200n)],
      [day(0), unlock('n1')],
      [day(0), usage(1n, 'n1')],
      [day(0), suspend('n1')],
      [day(0), usage(2n, 'n1')],
      [day(0), usage(4n)],
    ]);
    const booked = world.ledger.filter(({ kind }) => kind === 'usage');
    expect(booked.map(({ spent, flags }) => [spent, flags])).toEqual([
      [1n, []],
      [2n, ['agent_suspended']],
      [4n, []],
    ]);
  });

  it('cost the account all that it has, and no more: unlocked and activated for what is there, denied for one less', async () => {
    const insufficient = 'denied INSUFFICIENT_BALANCE';
    const { said, world } = await play([
      [day(0), create()],
      [day(0), topUp(49n)],
      [day(0), unlock('n1')],
      [day(0), topUp(1n)],
      [day(0), unlock('n1')],
      [day(1), suspend('n1')],
      [day(1), topUp(29n)],
      [day(1), activate('n1')],
      [day(1), topUp(1n)],
      [day(1), activate('n1')],
    ]);
    expect(said.slice(2)).toEqual([
      insufficient,
      'done',
      'done',
      'done',
      'done',
      insufficient,
      'done',
      'done',
    ]);
    expect(remaining(world)).toBe(0n);
  });

  it('are activated for what a renewal costs now, on the new terms', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(100n)],
      [day(0), unlock('n1')],
      [day(1), suspend('n1')],
      [day(1), activate('n1', { ...endowed, name: 'standard', renewal: 45n })],
    ]);
    expect(accountOf(world, account).wallets.credits.lots.map((lot) => lot.remaining)).toEqual([5n, 20n]);
  });

  it('are paid for by the account, never from what is left of their own', async () => {
    const { said, world } = await play([
      [day(0), create()],
      [day(0), topUp(79n)],
      [day(0), unlock('n1', endowed)],
      [day(1), suspend('n1')],
      [day(1), activate('n1', endowed)],
      [day(1), topUp(1n)],
      [day(1), activate('n1', endowed)],
    ]);
    expect(said.slice(4)).toEqual(['denied INSUFFICIENT_BALANCE', 'done', 'done']);
    // The first cycle's own credits are there beside those of the new one.
    expect(accountOf(world, account).wallets.credits.lots.map((lot) => lot.remaining)).toEqual([20n, 20n]);
  });

  it('get own credits that pay no debt', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), usage(5n)],
      [day(0), unlock('n1', alone)],
    ]);
    expect([remaining(world), accountOf(world, account).wallets.credits.debt]).toEqual([20n, 5n]);
  });

  it('get of their own credits what the wallet can hold', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(AMOUNT_MAX - 12n)],
      [day(0), unlock('n1', alone)],
    ]);
    expect(remaining(world)).toBe(AMOUNT_MAX);
    expect(world.ledger.at(-1)?.granted).toBe(12n);
  });

  it('are at most 1,000 without a plan, and of those that are removed the last 100 are remembered', async () => {
    const cheap: Tier = { ...standard, unlock: 0n };
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create(), topUp(10n)], START_MS);
    const names = Array.from({ length: 1_001 }, (_, index) => `n${index}`);
    const unlocked = await compared.batch(
      names.map((name) => unlock(name, cheap)),
      START_MS,
    );
    expect(unlocked.map(({ verdict }) => verdict)).toEqual([...Array(1_000).fill('done'), 'denied']);
    await compared.batch(names.slice(0, 102).map(remove), START_MS);
    const works = (agent: string): Op => reserve(inCredits(1n), agent, `h-${agent}`);
    const results = await compared.batch(['n1', 'n2', 'n101', 'n102'].map(works), START_MS);
    // The first two are forgotten: their ids are labels.
    expect(results.map(({ verdict }) => verdict)).toEqual(['done', 'denied', 'denied', 'done']);
  });

  it('that have credits of their own leave room for as many lots of the account as ever', async () => {
    const cheap: Tier = { ...endowed, unlock: 0n };
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create(), ...['n1', 'n2', 'n3'].map((name) => unlock(name, cheap))], START_MS);
    const grants = Array.from({ length: 1_000 }, () => topUp(1n, day(1)));
    const results = await compared.batch(grants, START_MS);
    expect(new Set(results.map(({ verdict }) => verdict))).toEqual(new Set(['done']));
  });

  it('draw their own credits first, with every kind of work, whatever else a batch holds', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create(), topUp(100n), unlock('n1', endowed)], START_MS);
    await compared.batch(
      [usage(5n), usage(5n, 'n1'), usage(5n, 'label'), usage(10n, 'n1'), usage(10n, 'n1'), usage(4n)],
      START_MS,
    );
    const drawn = compared.world.ledger
      .filter(({ kind }) => kind === 'usage')
      .map(({ lots }) => lots.map(({ lot }) => lot));
    expect(drawn).toEqual([[1], [2], [1], [2], [2, 1], [1]]);
    expect(remaining(compared.world)).toBe(31n);
  });

  it('get back by a reversal all that it drew of their own; only the rest pays debt and returns to the account', async () => {
    const drawn = [
      { lot: 2, amount: 20n },
      { lot: 1, amount: 10n },
    ];
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(10n)],
      [day(0), unlock('n1', { ...endowed, unlock: 0n })],
      [day(0), usage(30n, 'n1', 'mistake')],
      [day(0), usage(15n)],
      [day(0), reverse('v', 'usage/mistake', 30n, drawn)],
    ]);
    const { lots, debt } = accountOf(world, account).wallets.credits;
    expect(lots.map(({ lot, remaining }) => [lot, remaining])).toEqual([[2, 20n]]);
    expect(debt).toBe(5n);
  });

  it('alone draw on own credits that a reversal brings back, also in the batch of the reversal', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const cheap: Tier = { ...endowed, unlock: 0n, renewal: 0n };
    await compared.batch([create(), unlock('n1', cheap), usage(20n, 'n1', 'mistake')], START_MS);
    // From now on it has nothing of its own, and the account nothing at all.
    await compared.batch([suspend('n1'), activate('n1', { ...cheap, own: 0n })], START_MS);
    const reversal = reverse('v', 'usage/mistake', 20n, [{ lot: 1, amount: 20n }]);
    await compared.batch([reversal, usage(5n), usage(5n, 'n1')], START_MS);
    expect(remaining(compared.world)).toBe(15n);
    expect(accountOf(compared.world, account).wallets.credits.debt).toBe(5n);
  });
});

describe('a hold', () => {
  it('of an agent is settled for that agent, whomever the call names', async () => {
    for (const named of ['n2', 'label', undefined]) {
      const { world } = await play([
        [day(0), create()],
        [day(0), topUp(100n)],
        [day(0), unlock('n1', { ...alone, own: 5n })],
        [day(0), unlock('n2', { ...alone, draws: true })],
        [day(0), reserve(inCredits(5n), 'n1')],
        [day(0), settle(inCredits(9n), named)],
      ]);
      const { credits } = accountOf(world, account).wallets;
      expect([remaining(world), credits.debt]).toEqual([120n, 4n]);
    }
  });

  it('of no agent is settled for the account, whomever the call names', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(10n)],
      [day(0), unlock('n1', alone)],
      [day(0), reserve(inCredits(5n))],
      [day(0), settle(inCredits(9n), 'n1')],
    ]);
    expect(accountOf(world, account).wallets.credits.lots.map((lot) => lot.remaining)).toEqual([1n, 20n]);
  });

  it('is flagged where its agent is suspended, and not where the one that the call names is', async () => {
    for (const [suspended, flags] of [
      ['n1', ['agent_suspended']],
      ['n2', []],
    ] as const) {
      const { world } = await play([
        [day(0), create()],
        [day(0), unlock('n1', alone)],
        [day(0), unlock('n2', alone)],
        [day(0), reserve(inCredits(5n), 'n1')],
        [day(0), suspend(suspended)],
        [day(0), settle(inCredits(5n), 'n2')],
      ]);
      expect(world.ledger.at(-1)?.flags).toEqual(flags);
    }
  });
});

describe('conversions', () => {
  const CREDIT = 1_000_000n;
  /** 100 characters a block of one credit. */
  const speech = (characters: bigint): Price[] => [
    { unit: 'tts_characters', amount: characters },
    { unit: 'credits', amount: 0n, blocks: { units: 100n, micros: CREDIT, priority: 30 } },
  ];
  const characters = (amount: bigint): Op => grant(`c${++ids}`, amount, 'tts_characters');
  const costless: Tier = { ...endowed, unlock: 0n, renewal: 0n, own: 20n * CREDIT };
  const apart: Tier = { ...costless, draws: false };

  /** What is left: credits by lot, those that agents have of their own behind the account's; characters; their debt. */
  function left(world: World) {
    const { credits, tts_characters: allowance } = accountOf(world, account).wallets;
    const byLot = (owned: boolean) =>
      credits.lots.filter(({ owner }) => Boolean(owner) === owned).map(({ remaining }) => remaining / CREDIT);
    return {
      credits: byLot(false),
      own: byLot(true),
      characters: remainingOf(allowance),
      debt: allowance.debt,
      held: heldOf(credits),
    };
  }

  it('take nothing from an agent that does not draw on the account, and give it none of its characters', async () => {
    const begun = [
      [day(0), create()],
      [day(0), topUp(3n * CREDIT)],
      [day(0), characters(500n)],
      [day(0), unlock('n1', apart)],
      [day(0), reserve(inCredits(5n * CREDIT), 'n1')],
    ] as const;
    const untouched = { credits: [3n], own: [20n], characters: 500n, debt: 600n, held: 0n };
    const open = await play([...begun, [day(0), settle(speech(600n), 'n1')]]);
    expect(left(open.world)).toEqual(untouched);
    const last = open.world.ledger.at(-1);
    expect([last?.kind, last?.spent, last?.debt]).toEqual(['settle', 600n, 600n]);
    expect(last?.flags).toContain('overdrawn');
    const late = await play([...begun, [day(0), release], [day(0), settle(speech(600n), 'n1')]]);
    expect(left(late.world)).toEqual(untouched);
  });

  it('are no terms for an agent that does not draw on the account: nothing is held on them, and the next wallet pays', async () => {
    const withMessages = [...speech(100n), { unit: 'llm_messages' as const, amount: 1n }];
    const { said, world } = await play([
      [day(0), create()],
      [day(0), topUp(3n * CREDIT)],
      [day(0), unlock('n1', apart)],
      [day(0), reserve(speech(100n), 'n1')],
      [day(0), usage(withMessages, 'n1')],
    ]);
    expect(said.slice(-2)).toEqual(['denied INSUFFICIENT_BALANCE', 'done']);
    expect(left(world)).toEqual({ credits: [3n], own: [20n], characters: 0n, debt: 0n, held: 0n });
    expect(accountOf(world, account).wallets.llm_messages.debt).toBe(1n);
  });

  it('are paid by what a hold has of the account, which is all that it grows by: the own credits of an agent that draws on it stay', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(5n * CREDIT)],
      [day(0), unlock('n1', costless)],
      [day(0), reserve(speech(200n), 'n1')],
      [day(0), extend('x', 'h', 3n * CREDIT)],
      [day(0), settle(speech(400n), 'n1')],
    ]);
    expect(left(world)).toEqual({ credits: [1n], own: [20n], characters: 0n, debt: 0n, held: 0n });
    const conversion = world.ledger.find(({ kind }) => kind === 'conversion');
    expect([conversion?.converted, conversion?.released]).toEqual([4n * CREDIT, 1n * CREDIT]);
    expect(world.ledger.at(-1)?.flags).not.toContain('over_hold');
  });

  it('of usage are paid by the account alone, also for an agent that draws on it and has more of its own', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), topUp(3n * CREDIT)],
      [day(0), unlock('n1', costless)],
      [day(0), usage(speech(150n), 'n1')],
      [day(0), usage(speech(250n), 'n1')],
    ]);
    // 50 were left of the first two blocks; two more are lacking, and credits pay for one.
    expect(left(world)).toEqual({ credits: [], own: [20n], characters: 0n, debt: 100n, held: 0n });
  });

  it('let own credits expire that a hold gives back after their cycle', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), unlock('n1', apart)],
      [day(29.5), reserve(inCredits(5n * CREDIT), 'n1')],
      [day(30.2), settle(speech(100n), 'n1')],
    ]);
    expect(left(world)).toEqual({ credits: [], own: [20n], characters: 0n, debt: 100n, held: 0n });
    const expired = world.ledger.filter(({ kind }) => kind === 'lot_expired').map((entry) => entry.expired);
    expect(expired).toEqual([15n * CREDIT, 5n * CREDIT]);
  });

  it('are paid by what was set aside for an agent while it drew on the account, and by no more', async () => {
    const begun = [
      [day(0), create()],
      [day(0), topUp(5n * CREDIT)],
      [day(0), unlock('n1', costless)],
      [day(0), reserve(speech(200n), 'n1')],
      [day(0), characters(500n)],
      [day(0), suspend('n1')],
      [day(0), activate('n1', { ...apart, name: costless.name })],
    ] as const;
    const own = [20n, 20n];
    const within = await play([...begun, [day(0), settle(speech(150n), 'n1')]]);
    expect(left(within.world)).toEqual({ credits: [3n], own, characters: 550n, debt: 0n, held: 0n });
    const beyond = await play([...begun, [day(0), settle(speech(350n), 'n1')]]);
    expect(left(beyond.world)).toEqual({ credits: [3n], own, characters: 500n, debt: 150n, held: 0n });
  });
});

describe('an account whose subscription is lost', () => {
  it('says so to whoever asks once something is due of it, and those beside it go on', async () => {
    const partition = await TestPartition.open(scripts, START_MS);
    const accounts = [account, 'beside'];
    const run = async (ops: readonly Op[], nowMs: number) => {
      await scripts.setClock(nowMs);
      const packed = ops.map((op) => packOperation(op, accounts.indexOf(op.account) + 1, nowMs, []));
      return (await partition.apply(accounts, packed)).results.map(({ code }) => code);
    };
    const beside = (op: Op): Op => ({ ...op, account: 'beside' });
    const begin = [create(), topUp(100n), unlock('n1')];
    await run([...begin, ...begin.map(beside)], day(0));
    await scripts.connection.client.hdel(partition.keys[2], accountScope(account));

    expect(await run([usage(1n)], day(29))).toEqual([CODE.ok]);
    const due = [touch, topUp(1n), beside(touch), usage(1n), beside(usage(1n))];
    const { broken, ok } = CODE;
    expect(await run(due, day(31))).toEqual([broken, broken, 'account', broken, ok]);
  });
});
