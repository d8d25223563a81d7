/** Plans and billing periods: the scripts against the oracle, and what holds whatever happens when. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { remainingOf } from '../oracle/account.js';
import { batches, PLANS, resolve, START_MS } from '../oracle/generators.js';
import type { Entry, Op, Plan } from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition, playOn } from './compared-partition.js';
import {
  account,
  changePlan,
  create,
  grant,
  release,
  reserve,
  reverse,
  setStatus,
  startPeriod,
  touch,
  usage,
} from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const DAY = 86_400_000;
const free = PLANS[0] as Plan;
const starter = PLANS[1] as Plan;
const pro: Plan = { name: 'pro', rank: 2, agentsMax: 10, credits: 200n, priority: 20, kind: 'expire' };
const kept = PLANS[3] as Plan;
const huge = PLANS[4] as Plan;
const day = (number: number): number => START_MS + number * DAY;

let ids = 0;
const start = (plan: Plan, startMs: number, endMs: number, id = `b${++ids}`): Op =>
  startPeriod(id, plan, startMs, endMs);
const change = (plan: Plan, endMs?: number): Op => changePlan(`b${++ids}`, plan, endMs);
const cancel = (): Op => ({ kind: 'cancelChange', account, id: `b${++ids}`, payload: 'cancel' });
const reserveLong = (hold: string, amount: bigint): Op => reserve(hold, amount, { holdTimeMs: 90 * DAY });
const status = (call: 'close' | 'reopen'): Op => setStatus(`s${++ids}`, call);

const giveBack = (event: string, amount: bigint, lot: number): Op =>
  reverse(`v-${event}`, `usage/${event}`, amount, [{ lot, amount }]);

const play = (steps: Parameters<typeof playOn>[1]) => playOn(scripts, steps);

function credits(world: World): { remaining: bigint; debt: bigint } {
  const wallet = accountOf(world, account).wallets.credits;
  return { remaining: remainingOf(wallet), debt: wallet.debt };
}

function lines(world: World, kind: Entry['kind']): Entry[] {
  return world.ledger.filter((entry) => entry.kind === kind);
}

/** Lots by source with what remains and the day of their expiry. */
function lots(world: World): unknown[] {
  return accountOf(world, account).wallets.credits.lots.map(({ source, remaining, expiresAtMs }) => [
    source,
    Number(remaining),
    expiresAtMs === undefined ? 'never' : (expiresAtMs - START_MS) / DAY,
  ]);
}

describe('free credits', () => {
  it('are granted when the account is on the free plan for the first time, and pay debt first', async () => {
    const { world } = await play([
      [day(0), create(free)],
      [day(1), usage('u', 3n)],
    ]);
    expect(lots(world)).toEqual([['free', 4, 'never']]);
    const later = await play([
      [day(0), create()],
      [day(0), usage('u', 3n)],
      [day(1), change(free)],
    ]);
    expect(credits(later.world)).toEqual({ remaining: 4n, debt: 0n });
  });

  it('are never granted again: not by closing and reopening, nor by leaving the plan and coming back', async () => {
    const { world, said } = await play([
      [day(0), create(free)],
      [day(1), status('close')],
      [day(2), change(starter, day(9))],
      [day(2), status('reopen')],
      [day(3), change(starter, day(9))],
      [day(4), change(free)],
      [day(20), touch],
      [day(21), change(kept, day(30))],
      [day(40), change(free)],
    ]);
    expect(said[2]).toBe('refused ACCOUNT_CLOSED');
    expect(lines(world, 'plan_grant').filter(({ plan }) => plan?.fromMs === undefined)).toHaveLength(1);
    expect(lots(world)).toEqual([
      ['free', 7, 'never'],
      ['plan', 30, 'never'],
    ]);
  });

  it('come when a paid plan ends in the free one for the first time', async () => {
    const { world } = await play([
      [day(0), create(starter)],
      [day(0), start(starter, day(0), day(10))],
      [day(5), change(free)],
      [day(30), touch],
    ]);
    expect(lots(world)).toEqual([['free', 7, 'never']]);
    expect(lines(world, 'plan_grant').at(-1)).toMatchObject({
      granted: 7n,
      dueMs: day(10),
      bookedMs: day(30),
    });
  });
});

describe('a billing period', () => {
  it('grants credits that expire at its end, on the instant', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(10) - 1, usage('u', 20n)],
      [day(10), usage('v', 1n)],
    ]);
    expect(credits(world)).toEqual({ remaining: 0n, debt: 1n });
    expect(lines(world, 'lot_expired')).toMatchObject([{ expired: 30n, dueMs: day(10) }]);
  });

  it('leaves its credits where the plan keeps them', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(kept, day(0), day(10))],
      [day(20), touch],
    ]);
    expect(lots(world)).toEqual([['plan', 30, 'never']]);
  });

  it('that is stored begins at its start although nobody called, and its grant comes before what expires then', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), start(starter, day(10), day(20))],
      [day(1), reserveLong('h', 50n)],
      [day(2), usage('u', 30n)],
      [day(60), release('h')],
    ]);
    const story = world.ledger
      .filter(({ dueMs }) => dueMs >= day(10))
      .map(({ kind, granted, expired, debt, dueMs }) => [
        kind,
        granted,
        expired,
        debt,
        (dueMs - START_MS) / DAY,
      ]);
    expect(story).toEqual([
      ['plan_grant', 50n, 0n, -30n, 10],
      ['lot_expired', 0n, 20n, 0n, 20],
      ['release', 0n, 0n, 0n, 60],
      ['lot_expired', 0n, 50n, 0n, 60],
    ]);
  });

  it('is started once, whatever the request, and never over another one', async () => {
    const { said } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10), 'b')],
      [day(0), start(starter, day(0), day(10), 'b')],
      [day(0), start(starter, day(0), day(10), 'another request')],
      [day(0), start(pro, day(0), day(10))],
      [day(0), start(starter, day(0), day(11), 'b')],
      [day(1), start(starter, day(9), day(12))],
      [day(1), start(starter, day(12), day(20))],
      [day(1), start(starter, day(10), day(12))],
      [day(1), start(starter, day(20), day(30))],
      [day(1), start(starter, day(12), day(20), 'again')],
      [day(40), start(starter, day(20), day(30))],
    ]);
    expect(said).toEqual([
      'done',
      'done',
      'duplicate',
      'duplicate',
      'conflict',
      'conflict',
      'refused PERIOD_OVERLAPS',
      'done',
      'refused PERIOD_STORED',
      'refused PERIOD_STORED',
      'duplicate',
      'refused PERIOD_ENDED',
    ]);
  });

  it('whose end is now is over, and one that ends a millisecond later is not', async () => {
    const { said, world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(-5), day(0))],
      [day(0), start(starter, day(-5), day(0) + 1)],
    ]);
    expect(said.slice(1)).toEqual(['refused PERIOD_ENDED', 'done']);
    expect(lots(world)).toEqual([['plan', 50, 1 / DAY]]);
  });

  it('that is due is granted as far as the wallet can hold it', async () => {
    const { world, said } = await play([
      [day(0), create()],
      [day(0), grant('g', 10n)],
      [day(0), start(huge, day(0), day(9))],
      [day(0), start(huge, day(1), day(9))],
      [day(2), touch],
    ]);
    expect(said[2]).toBe('refused AMOUNT_OUT_OF_RANGE');
    expect(credits(world)).toEqual({ remaining: huge.credits, debt: 0n });
  });
});

describe('an upgrade', () => {
  it('opens a period now, grants in full, and carries what is left forward, held parts included', async () => {
    const { world } = await play([
      [day(0), create(free)],
      [day(0), grant('g', 11n, 'credits', day(15))],
      [day(0), start(starter, day(0), day(10))],
      [day(1), reserveLong('h', 40n)],
      [day(4), change(pro, day(14))],
      [day(12), release('h')],
    ]);
    expect(lots(world)).toEqual([
      ['free', 7, 'never'],
      ['top_up', 11, 15],
      ['plan', 50, 14],
      ['plan', 200, 14],
    ]);
    // The new lot, then the one that was carried.
    expect(lines(world, 'plan_grant').at(-1)?.lots).toEqual([
      { lot: 4, delta: 200n },
      { lot: 3, delta: 0n },
    ]);
  });

  it('leaves a top-up alone that expires with the period', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), grant('g', 11n, 'credits', day(10))],
      [day(0), start(starter, day(0), day(10))],
      [day(4), change(pro, day(14))],
      [day(10), touch],
    ]);
    expect(lots(world)).toEqual([
      ['plan', 50, 14],
      ['plan', 200, 14],
    ]);
  });

  it('carries forward twice, and leaves nothing at the last end', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(4), change(pro, day(14))],
      [day(13), change({ ...pro, name: 'lateral' }, day(23))],
      [day(22), touch],
    ]);
    expect(lots(world)).toEqual([
      ['plan', 50, 23],
      ['plan', 200, 23],
      ['plan', 200, 23],
    ]);
  });

  it('at the very end is too late to carry anything, and one millisecond before is not', async () => {
    const before: [number, Op][] = [
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
    ];
    const late = await play([...before, [day(10), change(pro, day(20))]]);
    expect(lots(late.world)).toEqual([['plan', 200, 20]]);
    const early = await play([...before, [day(10) - 1, change(pro, day(20))]]);
    expect(lots(early.world)).toEqual([
      ['plan', 50, 20],
      ['plan', 200, 20],
    ]);
  });

  it('at the very end does not carry what holds have set aside either', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), reserveLong('h', 40n)],
      [day(10), change(pro, day(20))],
      [day(12), release('h')],
    ]);
    expect(lots(world)).toEqual([['plan', 200, 20]]);
    expect(lines(world, 'lot_expired').map(({ expired }) => expired)).toEqual([10n, 40n]);
  });

  it('carries nothing of a lot that was spent in full: what a reversal gives back to it expires when it would have', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), usage('u', 20n)],
      [day(1), usage('rest', 30n)],
      [day(4), change(pro, day(14))],
      [day(5), giveBack('u', 20n, 1)],
    ]);
    expect(lines(world, 'plan_grant').at(-1)?.lots).toEqual([{ lot: 2, delta: 200n }]);
    expect(lots(world)).toEqual([
      ['plan', 200, 14],
      ['plan', 20, 10],
    ]);
  });

  it('leaves nothing to spend of such a lot where the reversal comes after its time', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), usage('u', 50n)],
      [day(4), change(pro, day(14))],
      [day(10), giveBack('u', 50n, 1)],
    ]);
    expect(lots(world)).toEqual([['plan', 200, 14]]);
    expect(lines(world, 'lot_expired').map(({ expired }) => expired)).toEqual([50n]);
  });

  it('carries a lot of which one unit is left, and with it what a reversal gives back to it', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), usage('u', 49n)],
      [day(4), change(pro, day(14))],
      [day(11), giveBack('u', 49n, 1)],
    ]);
    expect(lots(world)).toEqual([
      ['plan', 50, 14],
      ['plan', 200, 14],
    ]);
  });

  it('to a plan that keeps its credits keeps what is carried, too', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(4), change(kept, day(14))],
      [day(30), touch],
    ]);
    expect(lots(world)).toEqual([
      ['plan', 50, 'never'],
      ['plan', 30, 'never'],
    ]);
  });

  it('is in place of a downgrade that was scheduled: its own end changes no plan', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), change(free)],
      [day(4), change(pro, day(14))],
      [day(14), touch],
    ]);
    expect(accountOf(world, account).subscription?.plan?.name).toBe('pro');
    expect(lots(world)).toEqual([]);
  });

  it('is refused while a period is stored; a scheduled downgrade and that period are withdrawn together', async () => {
    const { said, world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(1), change(free)],
      [day(2), start(starter, day(10), day(20))],
      [day(3), change(pro, day(13))],
      [day(3), cancel()],
      [day(4), change(pro)],
      [day(4), change(pro, day(4))],
      [day(4), change(pro, day(14))],
      [day(4), change(pro, day(15))],
      [day(14), touch],
    ]);
    expect(said.slice(4)).toEqual([
      'refused PERIOD_STORED',
      'done',
      'refused FIELD_INVALID',
      'refused PERIOD_ENDED',
      'done',
      'refused PLAN_UNCHANGED',
      'swept',
    ]);
    expect(accountOf(world, account).subscription?.plan?.name).toBe('pro');
  });
});

describe('a downgrade', () => {
  it('takes effect at the end of the period, carries nothing, and can be withdrawn until then', async () => {
    const begin: [number, Op][] = [
      [day(0), create()],
      [day(0), start(pro, day(0), day(10))],
      [day(1), change(starter)],
    ];
    const plans = (world: World) =>
      lines(world, 'plan_change').map(({ plan, dueMs }) => [plan?.event, dueMs]);
    const left = await play([...begin, [day(2), usage('u', 150n)], [day(25), touch]]);
    expect(lots(left.world)).toEqual([]);
    expect(accountOf(left.world, account).subscription?.plan?.name).toBe('starter');
    expect(plans(left.world)).toEqual([
      ['scheduled', day(1)],
      ['changed', day(10)],
    ]);
    const stayed = await play([...begin, [day(10) - 1, cancel()], [day(25), touch], [day(26), cancel()]]);
    expect(accountOf(stayed.world, account).subscription?.plan?.name).toBe('pro');
    expect(stayed.said.at(-1)).toBe('refused NOTHING_SCHEDULED');
  });

  it('at the very end of the period waits for nothing', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(starter, day(0), day(10))],
      [day(10), change(free)],
    ]);
    expect(lines(world, 'plan_change').at(-1)?.plan?.event).toBe('changed');
    expect(lots(world)).toEqual([['free', 7, 'never']]);
  });

  it('is overruled by a period that begins at the same instant', async () => {
    const { world } = await play([
      [day(0), create()],
      [day(0), start(pro, day(0), day(10))],
      [day(1), change(free)],
      [day(2), start(starter, day(10), day(20))],
      [day(12), touch],
    ]);
    expect(accountOf(world, account).subscription?.plan?.name).toBe('starter');
    expect(lots(world)).toEqual([
      ['free', 7, 'never'],
      ['plan', 50, 20],
    ]);
  });
});

describe('an account that is imported', () => {
  const lot = (source: 'free' | 'plan' | 'top_up', remaining: bigint, expiresAtMs?: number) => ({
    unit: 'credits' as const,
    source,
    priority: 20,
    expiresAtMs,
    remaining,
  });
  const running = { startMs: day(-5), endMs: day(5) };
  const bring = (plan: Plan, ...lots: ReturnType<typeof lot>[]): Op => ({
    kind: 'create',
    account,
    id: 'r',
    payload: 'p',
    plan,
    imported: { lots, period: plan.kind === 'free' ? undefined : running },
  });

  it('brings its lots and its period, which an upgrade carries forward, and is granted nothing for either', async () => {
    const { world, said } = await play([
      [day(0), bring(starter, lot('free', 3n), lot('plan', 40n, day(5)), lot('plan', 9n, day(4)))],
      [day(0), start(starter, day(-5), day(5))],
      [day(1), start(starter, day(4), day(9))],
      [day(2), change(pro, day(12))],
      [day(4), touch],
    ]);
    expect(said).toEqual(['done', 'duplicate', 'refused PERIOD_OVERLAPS', 'done', 'swept']);
    expect(lots(world)).toEqual([
      ['free', 3, 'never'],
      ['plan', 40, 12],
      ['plan', 200, 12],
    ]);
  });

  it('is never granted free credits, with or without a lot of them', async () => {
    const { world } = await play([
      [day(0), bring(free)],
      [day(1), change(starter, day(9))],
      [day(10), change(free)],
    ]);
    expect(lots(world)).toEqual([]);
  });

  it('is refused where a lot has expired or a wallet cannot hold them', async () => {
    const { said } = await play([
      [day(0), bring(starter, lot('plan', 1n, day(0)))],
      [day(0), bring(starter, lot('plan', huge.credits), lot('top_up', 1n))],
      [day(0), bring(starter, lot('plan', huge.credits))],
    ]);
    expect(said).toEqual(['refused FIELD_INVALID', 'refused AMOUNT_OUT_OF_RANGE', 'done']);
  });
});

describe('whatever happens', () => {
  /** Ends of holds alone wait for the sweeper, which calls do not: overdue-holds.test.ts is about them. */
  const LONGER_THAN_ANY_SEQUENCE_MS = 100 * 366 * 86_400_000;

  it('a sweeper that slept and whoever comes first reach what one reaches that never slept', async () => {
    let slept = 0;
    await fc.assert(
      fc.asyncProperty(batches({ batchesMax: 10, opsPerBatchMax: 3 }), async (sequence) => {
        const awake = await ComparedPartition.open(scripts, START_MS);
        const played: { nowMs: number; ops: Op[] }[] = [];
        for (const { nowMs, ops } of sequence) {
          for (let atMs = nextDue(awake.world); atMs <= nowMs; atMs = nextDue(awake.world)) {
            const touches = [...awake.world.accounts.keys()].map((name) => ({ ...touch, account: name }));
            await awake.batch(touches, atMs);
            slept += 1;
          }
          const own = ops.map((op) => resolve(op, awake.world)).filter((op) => op !== undefined);
          for (const op of own) {
            if (op.kind === 'reserve' || op.kind === 'openSession')
              op.holdTimeMs = LONGER_THAN_ANY_SEQUENCE_MS;
            if (op.kind === 'checkpoint') op.holdTimeMs = 0;
          }
          await awake.batch(own, nowMs);
          played.push({ nowMs, ops: own });
        }
        const asleep = await ComparedPartition.open(scripts, START_MS);
        for (const { nowMs, ops } of played) await asleep.batch(ops, nowMs);
        const last = played.at(-1)?.nowMs ?? START_MS;
        const touches = [...asleep.world.accounts.keys()].map((name) => ({ ...touch, account: name }));
        await asleep.batch(touches, last);
        for (const [name, state] of awake.world.accounts) {
          expect(accountOf(asleep.world, name)).toEqual(state);
          expect(story(asleep.world, name)).toEqual(story(awake.world, name));
        }
      }),
      { numRuns: 120 },
    );
    expect(slept).toBeGreaterThan(50);
  });

  it('free credits are granted once in the life of an account', async () => {
    await fc.assert(
      fc.asyncProperty(batches({ batchesMax: 20 }), async (sequence) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        for (const { nowMs, ops } of sequence) {
          const own = ops.map((op) => resolve(op, compared.world)).filter((op) => op !== undefined);
          await compared.batch(own, nowMs);
        }
        for (const name of compared.world.accounts.keys()) {
          const own = compared.world.ledger.filter((entry) => entry.account === name);
          const granted = own.filter(({ kind, plan }) => kind === 'plan_grant' && plan?.toMs === undefined);
          const elsewhere = own.some(({ kind }) => kind === 'opening_lot') ? 1 : 0;
          expect(granted.length + elsewhere).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 80 },
    );
  });
});

/** The soonest moment at which something happens by itself to any account. */
function nextDue(world: World): number {
  const times = [...world.accounts.values()].flatMap(({ wallets, subscription }) => {
    const { period, next, change: scheduled, agents = [] } = subscription ?? {};
    const renewals = agents.flatMap(({ dueMs }) => dueMs ?? []);
    const expiries = Object.values(wallets)
      .flatMap(({ lots: all }) => all)
      .filter((lot) => lot.remaining > lot.held && lot.expiresAtMs !== undefined)
      .map(({ expiresAtMs }) => expiresAtMs as number);
    return [
      ...expiries,
      ...renewals,
      ...(next ? [next.startMs] : []),
      ...(scheduled && period ? [period.endMs] : []),
    ];
  });
  return Math.min(...times);
}

/** The account's lines without when they were booked. */
function story(world: World, name: string): unknown[] {
  return world.ledger
    .filter((entry) => entry.account === name)
    .map(({ bookedMs: _, dueMs, ...entry }) => ({ ...entry, dueMs: entry.id === undefined ? dueMs : 0 }));
}
