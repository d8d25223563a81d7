/** Holds whose deadline passes before somebody looks: they end among all else that is due of their account. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CODE, OP, type PackedOperation } from '../../src/redis/format.js';
import { accountScope } from '../../src/redis/keys.js';
import { PLANS, START_MS } from '../oracle/generators.js';
import { conservation } from '../oracle/ledger.js';
import type { Op, Plan, Tier } from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition, packOperation, TestPartition } from './compared-partition.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const account = 'a';
const DAY = 86_400_000;
const day = (number: number): number => START_MS + number * DAY;
const monthly: Tier = {
  name: 'monthly',
  cycle: { unit: 'day', count: 30 },
  unlock: 0n,
  renewal: 30n,
  own: 0n,
  priority: 20,
  draws: true,
  graceMs: DAY,
};

let ids = 0;
const head = () => ({ account, id: `i${++ids}`, payload: 'p' });
const create: Op = { kind: 'create', account, id: 'r', payload: 'p' };
const topUp = (amount: bigint, expiresAtMs?: number): Op => ({
  kind: 'grant',
  ...head(),
  unit: 'credits',
  amount,
  expiresAtMs,
});
const unlock = (agent: string, tier = monthly): Op => ({ kind: 'unlockAgent', ...head(), agent, tier });
const start = (plan: Plan, startMs: number, endMs: number): Op => ({
  kind: 'startPeriod',
  ...head(),
  plan,
  startMs,
  endMs,
});
const reserve = (hold: string, amount: bigint, days: number, agent?: string): Op => ({
  kind: 'reserve',
  account,
  hold,
  payload: 'p',
  prices: [{ unit: 'credits', amount }],
  holdTimeMs: days * DAY,
  catalogVersion: 1,
  ...(agent && { agent }),
});
const extend = (hold: string, amount: bigint, days: number): Op => ({
  kind: 'extend',
  ...head(),
  hold,
  addAmount: amount,
  holdTimeMs: days * DAY,
});
const settle = (hold: string, amount: bigint): Op => ({
  kind: 'settle',
  account,
  hold,
  payload: 'p',
  prices: [{ unit: 'credits', amount }],
  pricedWith: 0,
});
const usage = (id: string, amount: bigint): Op => ({
  kind: 'usage',
  account,
  id,
  payload: 'p',
  prices: [{ unit: 'credits', amount }],
});
const touch: Op = { kind: 'touch', account };
const expireHold = (hold: string): Op => ({ kind: 'expireHold', account, hold });

type Steps = readonly (readonly [atMs: number, op: Op])[];

async function play(steps: Steps): Promise<World> {
  const compared = await ComparedPartition.open(scripts, START_MS);
  for (const [atMs, op] of steps) await compared.batch([op], atMs);
  return compared.world;
}

/** What happened by itself, and on which day. */
function story({ ledger }: World): string[] {
  const kinds = ['hold_expired', 'lot_expired', 'plan_grant', 'agent_renewal', 'agent_status'];
  return ledger
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ kind, agent, dueMs }) => `${agent?.event ?? kind} ${(dueMs - START_MS) / DAY}`);
}

const begun: Steps = [
  [day(0), create],
  [day(0), topUp(40n)],
  [day(0), unlock('n1')],
];

describe('an agent whose renewal needs what a hold gave back', () => {
  const looks: readonly (readonly [string, Op])[] = [
    ['a look', touch],
    ['the sweeper', expireHold('h')],
    ['a late settle', settle('h', 3n)],
    ['a reservation', reserve('other', 1n, 1)],
  ];

  it.each(looks)('is renewed, though %s on day 40 is the first', async (_, look) => {
    const world = await play([...begun, [day(0), reserve('h', 40n, 1)], [day(40), look]]);
    expect(story(world)).toEqual(['hold_expired 1', 'renewed 30']);
  });

  it('is renewed, though usage is the first look: what the hold ended with is remembered beside the usage', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    for (const [atMs, op] of begun) await compared.batch([op], atMs);
    await compared.batch([topUp(100n)], day(0));
    await compared.batch([reserve('h', 40n, 1)], day(0));
    // What Redis remembers is compared with the oracle.
    await compared.batch([usage('u1', 1n), usage('u2', 2n)], day(40));
    expect(story(compared.world)).toEqual(['hold_expired 1', 'renewed 30']);
  });

  it('is renewed where the hold ends at that very instant, and not where it ends later', async () => {
    const at = await play([...begun, [day(0), reserve('h', 40n, 30)], [day(40), touch]]);
    expect(story(at)).toEqual(['hold_expired 30', 'renewed 30']);
    const after = await play([...begun, [day(0), reserve('h', 40n, 30.5)], [day(40), touch]]);
    // The end of a hold is no grant: nothing is tried again.
    expect(story(after)).toEqual(['unpaid 30', 'hold_expired 30.5', 'suspended 31']);
  });

  it('is renewed from a hold that was extended, from its last deadline on', async () => {
    const extended: Steps = [...begun, [day(0), reserve('h', 30n, 1)], [day(0.5), extend('h', 10n, 35)]];
    expect(story(await play([...extended, [day(40), touch]]))).toEqual([
      'unpaid 30',
      'suspended 31',
      'hold_expired 35.5',
    ]);
  });
});

describe('at one instant', () => {
  it('credits are granted, lots expire, then holds end in the order of their making, then agents are renewed', async () => {
    const world = await play([
      [day(0), create],
      [day(0), topUp(20n, day(30))],
      [day(0), unlock('n1')],
      [day(0), reserve('h2', 5n, 30)],
      [day(0), reserve('h1', 5n, 30)],
      [day(20), start(PLANS[1] as Plan, day(30), day(90))],
      [day(40), touch],
    ]);
    expect(story(world)).toEqual([
      'plan_grant 30',
      'lot_expired 30',
      'hold_expired 30',
      'lot_expired 30',
      'hold_expired 30',
      'lot_expired 30',
      'renewed 30',
    ]);
    const ended = world.ledger.filter(({ kind }) => kind === 'hold_expired').map(({ id }) => id);
    expect(ended).toEqual(['h2', 'h1']);
  });

  it('an agent is renewed twice, where its grace is as long as its cycle and ends with a grant', async () => {
    const tier: Tier = {
      ...monthly,
      cycle: { unit: 'day', count: 2 },
      unlock: 0n,
      renewal: 9n,
      graceMs: 2 * DAY,
    };
    const world = await play([
      [day(0), create],
      [day(0), unlock('n1', tier)],
      [day(0), start(PLANS[1] as Plan, day(4), day(90))],
      [day(5), touch],
    ]);
    expect(story(world)).toEqual(['unpaid 2', 'plan_grant 4', 'renewed 4', 'renewed 4']);
  });
});

it('what a hold gives back to a lot expires with it, not before', async () => {
  const begin: Steps = [
    [day(0), create],
    [day(0), topUp(10n, day(3))],
    [day(0), reserve('h1', 5n, 1)],
    [day(0), reserve('h2', 5n, 4)],
  ];
  // Nothing but ends of holds is due of it: they end when somebody looks.
  const late = await play([...begin, [day(9), expireHold('h1')], [day(9), expireHold('h2')]]);
  const right = ['hold_expired 1', 'lot_expired 3', 'hold_expired 4', 'lot_expired 4'];
  expect(story(late)).toEqual(right);
  expect(story(await play([...begin, [day(9), settle('h1', 1n)]]))).toEqual(right);
});

it('what is released into a lot whose time is over is there for nobody, nor said to be', async () => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  await compared.batch([create, topUp(10n, day(3)), reserve('h', 6n, 9)], day(0));
  const release: Op = { kind: 'release', account, hold: 'h' };
  const [released, next] = await compared.batch([release, reserve('next', 1n, 1)], day(5));
  expect(released).toMatchObject({ verdict: 'done', outcome: { released: 6n, available: 0n } });
  expect(next).toMatchObject({ verdict: 'denied', reason: 'INSUFFICIENT_BALANCE' });
});

describe('somebody who looks every day and somebody who looks at last', () => {
  const half = (max: number) => fc.integer({ min: 1, max: 2 * max }).map((count) => count / 2);
  const credits = fc.bigInt({ min: 1n, max: 60n });
  const agent = fc.constantFrom(undefined, 'n1', 'n2');
  const tier = fc.record({
    count: fc.integer({ min: 2, max: 9 }),
    renewal: fc.bigInt({ min: 0n, max: 30n }),
    own: fc.constantFrom(0n, 0n, 15n),
    graceMs: fc.constantFrom(0, DAY / 2, 2 * DAY),
    draws: fc.boolean(),
  });
  const step = fc.oneof(
    fc.tuple(credits, fc.option(half(20))).map(
      ([amount, days]) =>
        (atMs: number) =>
          topUp(amount, days === null ? undefined : atMs + days * DAY),
    ),
    fc.tuple(fc.constantFrom('h1', 'h2', 'h3', 'h4'), credits, half(20), agent).map(
      ([hold, amount, days, whose]) =>
        () =>
          reserve(hold, amount, days, whose),
    ),
    fc.tuple(fc.constantFrom('h1', 'h2', 'h3'), credits, half(20)).map(
      ([hold, amount, days]) =>
        () =>
          extend(hold, amount, days),
    ),
    fc.tuple(fc.constantFrom('n1', 'n2'), tier).map(
      ([whose, { count, ...terms }]) =>
        () =>
          unlock(whose, { ...monthly, ...terms, cycle: { unit: 'day', count } }),
    ),
    fc.tuple(half(9), half(9)).map(
      ([from, days]) =>
        (atMs: number) =>
          start(PLANS[1] as Plan, atMs + from * DAY, atMs + (from + days) * DAY),
    ),
  );
  const life = fc.record({
    steps: fc.array(fc.tuple(fc.constantFrom(0, 0, 0, 0.5), step), { minLength: 5, maxLength: 16 }),
    firstLooks: fc.constantFrom<'sweep' | 'touch'>('sweep', 'touch'),
  });

  it('find the same account, with the same lines at the same times', async () => {
    let endings = 0;
    await fc.assert(
      fc.asyncProperty(life, async ({ steps, firstLooks }) => {
        ids = 0;
        let nowMs = START_MS;
        const planned: [number, Op][] = [
          [nowMs, create],
          [nowMs, topUp(80n)],
        ];
        for (const [afterDays, make] of steps) {
          nowMs += afterDays * DAY;
          planned.push([nowMs, make(nowMs)]);
        }
        /** The sweeper's list: in the order of deadlines. */
        const sweep = async (compared: ComparedPartition, atMs: number) => {
          const due = [...accountOf(compared.world, account).holds]
            .filter(([, { deadlineMs }]) => deadlineMs <= atMs)
            .sort(([, one], [, other]) => one.deadlineMs - other.deadlineMs);
          const list = due.map(([hold]) => expireHold(hold));
          await compared.batch(firstLooks === 'sweep' ? [...list, touch] : [touch, ...list], atMs);
        };
        const found = ({ world }: ComparedPartition) => ({
          state: accountOf(world, account),
          lines: world.ledger.map(({ bookedMs: _, ...line }) => line),
        });
        const lives: ReturnType<typeof found>[] = [];
        for (const daily of [true, false]) {
          const compared = await ComparedPartition.open(scripts, START_MS);
          for (const [atMs, op] of planned) await compared.batch([op], atMs);
          for (let atMs = nowMs + DAY; daily && atMs < day(40); atMs += DAY) await sweep(compared, atMs);
          await sweep(compared, day(40));
          lives.push(found(compared));
          const { ledger } = compared.world;
          expect(conservation(ledger, accountOf(compared.world, account))).toEqual([]);
          endings += ledger.filter(({ kind }) => kind === 'hold_expired').length;
        }
        expect(lives[1]).toEqual(lives[0]);
      }),
      { numRuns: 40 },
    );
    expect(endings).toBeGreaterThan(40);
  });
});

describe('where more deadlines have passed in a partition than one call looks at', () => {
  const OVERDUE = 5_001;

  it('whoever asks waits for the sweeper, and the sweeper for nobody', async () => {
    const partition = await TestPartition.open(scripts, START_MS);
    const { client } = scripts.connection;
    const run = async (ops: readonly (Op | PackedOperation)[], nowMs: number) => {
      await scripts.setClock(nowMs);
      const packed = ops.map((op) => ('kind' in op ? packOperation(op, 1, nowMs, []) : op));
      return (await partition.apply([account], packed)).results.map(({ code }) => code);
    };
    const sweepAccount: PackedOperation = [OP.expireHold, 1, '', 0, 0, -1];
    await run([...begun.map(([, op]) => op), reserve('first', 10n, 1), reserve('last', 30n, 29)], day(0));
    // Holds of others, whose deadlines lie between.
    const others = Array.from({ length: OVERDUE }, (_, i) => [
      String(day(2) + i),
      `h${accountScope('b')}x${i}`,
    ]);
    await client.zadd(partition.keys[6], ...others.flat());

    const { behind, ok } = CODE;
    expect(await run([touch, reserve('h', 1n, 1)], day(40))).toEqual([behind, behind]);
    expect(await run([expireHold('last')], day(40))).toEqual(['swept']);
    expect(await run([expireHold('first'), sweepAccount], day(40))).toEqual(['swept', 'swept']);
    const open = await client.zrange(partition.keys[6], '0', '-1');
    expect(open.filter((member) => member.startsWith(`h${accountScope(account)}`))).toEqual(['h1:alast']);
    expect(await run([touch], day(40))).toEqual([behind]);

    await client.zrem(partition.keys[6], ...others.map(([, member]) => member as string));
    expect(await run([touch, expireHold('last')], day(40))).toEqual(['account', 'swept']);
    // Renewed on day 30, from what both gave back.
    expect(await partition.wallet(account, 1)).toEqual({ remaining: 10n, debt: 0n });
    expect(await run([reserve('h', 10n, 1)], day(40))).toEqual([ok]);
  });

  it('an account of which nothing is due up to now is judged all the same', async () => {
    const partition = await TestPartition.open(scripts, START_MS);
    const others = Array.from({ length: OVERDUE }, (_, i) => [
      String(day(2) + i),
      `h${accountScope('b')}x${i}`,
    ]);
    await scripts.connection.client.zadd(partition.keys[6], ...others.flat());
    const packed = (ops: readonly Op[], nowMs: number) => ops.map((op) => packOperation(op, 1, nowMs, []));
    await partition.apply([account], packed([...begun.map(([, op]) => op), reserve('h', 5n, 9)], day(0)));
    await scripts.setClock(day(20));
    const { results } = await partition.apply([account], packed([topUp(1n), settle('h', 5n)], day(20)));
    expect(results.map(({ code }) => code)).toEqual([CODE.ok, CODE.ok]);
  });
});
