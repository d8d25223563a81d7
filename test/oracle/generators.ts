// Sequences of batches for property tests: few accounts and few ids, so that repeats and conflicts are common; amounts
// where arithmetic breaks first; clock steps that pass deadlines and expiries.

import fc from 'fast-check';
import { availableOf } from './account.js';
import {
  AMOUNT_MAX,
  type Blocks,
  type Entry,
  type EntryKind,
  type Import,
  type LotChange,
  type Offer,
  type OfferedPlan,
  type Op,
  type Plan,
  type Price,
  type Tier,
  type Unit,
} from './model.js';
import { accountOf, type World } from './world.js';

export const ACCOUNTS = ['a', 'b', 'c'] as const;

const DAY_MS = 86_400_000;

/** The least time between the batches of a sequence and its start. */
export const START_MS = 1_700_000_000_000;

export interface Batch {
  nowMs: number;
  ops: Planned[];
}

/** An operation, or one that depends on the world in which its batch begins. */
export type Planned =
  | Op
  /** The reversal of a charge, counted back from the latest. */
  | { kind: 'reverseCharge'; account: string; id: string; payload: string; chargesBack: number }
  /** The rerating of a charge that was booked unrated, counted back from the latest. */
  | { kind: 'rerateCharge'; account: string; amount: bigint; chargesBack: number }
  /** The settle of a session that its deadline has charged: more than that, or less. */
  | { kind: 'settleLate'; account: string; pick: number; more: bigint; blocks: Blocks | undefined }
  /** A Reserve of a share of what is available, or an operation on a hold that is open, where the account has one. */
  | { kind: 'aimed'; op: Aimable; pick: number; share: Share };

type Aimable = Extract<Op, { hold: string }>;

/** How much of what is available (Reserve, Extend) or held (Settle); 'given' keeps what the operation says. */
type Share = 'given' | 'none' | 'part' | 'all' | 'more';

export interface Options {
  batchesMax?: number;
  opsPerBatchMax?: number;
  accountsMax?: number;
  /** Off where the product under test has no reversal. */
  reversals?: boolean;
  /** Mostly sessions, and what meets them. */
  sessions?: boolean;
}

/**
 * Batches with a clock that never goes back. The first batch creates the accounts and grants something to most, else
 * most sequences would only collect refusals.
 */
export function batches(options: Options = {}): fc.Arbitrary<Batch[]> {
  const {
    batchesMax = 12,
    opsPerBatchMax = 6,
    accountsMax = 3,
    reversals = true,
    sessions = false,
  } = options;
  return fc.integer({ min: 1, max: accountsMax }).chain((count) => {
    const names = ACCOUNTS.slice(0, count);
    const account = fc.constantFrom(...names);
    const planned = fc.record({
      stepMs: stepMs(),
      ops: fc.array(operation(account, { reversals, sessions }), { minLength: 1, maxLength: opsPerBatchMax }),
    });
    const beginning = fc.record({
      created: fc.oneof(
        { weight: 4, arbitrary: fc.constant(names) },
        { weight: 1, arbitrary: fc.subarray(names, { minLength: 1 }) },
      ),
      granted: fc.array(grant(account), { maxLength: 8 }),
      plans: fc.array(fc.option(plan(), { nil: undefined }), { maxLength: 3 }),
      imports: fc.array(fc.option(imported(), { nil: undefined, freq: 1 }), { maxLength: 3 }),
    });
    return fc
      .record({ beginning, rest: fc.array(planned, { minLength: 1, maxLength: batchesMax }) })
      .map(({ beginning: { created, granted, plans, imports }, rest }) => {
        let nowMs = START_MS;
        const first: Planned[] = [
          ...created.map((name, i): Op => {
            const begins = plans[i];
            const first = {
              kind: 'create',
              account: name,
              id: 'r0',
              payload: `first ${begins?.name}`,
            } as const;
            const brought = imports[i];
            if (begins === undefined)
              return brought ? { ...first, imported: { ...brought, period: undefined } } : first;
            const period = begins.kind === 'free' ? undefined : brought?.period;
            return { ...first, plan: begins, ...(brought && { imported: { ...brought, period } }) };
          }),
          ...granted.map((make) => make(nowMs)),
        ];
        const sequence: Batch[] = [{ nowMs, ops: first }];
        for (const { stepMs: step, ops } of rest) {
          nowMs += step;
          sequence.push({ nowMs, ops: ops.map((make) => make(nowMs)) });
        }
        return sequence;
      });
  });
}

/** Turns a planned operation into one that can be applied to `world`; undefined if there is nothing to reverse. */
export function resolve(planned: Planned, world: World): Op | undefined {
  if (planned.kind === 'aimed') return aim(planned, world);
  if (planned.kind === 'settleLate') return settleLate(planned, world);
  if (planned.kind !== 'reverseCharge' && planned.kind !== 'rerateCharge') return planned;
  const { account } = planned;
  const kinds: EntryKind[] = ['usage', 'settle', 'session_expired'];
  const wanted = (entry: Entry) =>
    entry.account === account &&
    kinds.includes(entry.kind) &&
    (planned.kind === 'reverseCharge' || entry.flags.includes('unrated'));
  const charge = world.ledger.filter(wanted).at(-1 - planned.chargesBack);
  if (charge?.unit === undefined) return undefined;
  const { unit } = charge;
  const name = `${charge.kind === 'usage' ? 'usage' : 'settle'}/${charge.id}`;
  if (planned.kind === 'rerateCharge')
    return { kind: 'rerate', account, id: name, unit, amount: planned.amount };
  const rerated = world.ledger.find(
    (entry) => entry.account === account && entry.kind === 'rerate' && entry.id === name,
  );
  // Of a session what its deadline charged and what its late settle did are one charge.
  const lines = world.ledger.filter(
    ({ account: of, kind, id }) =>
      of === account && id === charge.id && kind !== 'usage' && kinds.includes(kind),
  );
  const charged = charge.kind === 'usage' ? [charge] : lines;
  const all = [...charged, ...(rerated ? [rerated] : [])];
  const changes: LotChange[] = all.flatMap(({ lots }) => lots);
  return {
    kind: 'reversal',
    account,
    id: planned.id,
    payload: `${name} ${planned.payload}`,
    charge: name,
    unit,
    amount: all.reduce((sum, { spent }) => sum + spent, 0n),
    withRerate: rerated !== undefined,
    unsettled: charged.every(({ kind }) => kind === 'session_expired'),
    drawn: changes.map(({ lot, delta }) => ({ lot, amount: -delta })),
  };
}

function settleLate(
  { account, pick, more, blocks }: Extract<Planned, { kind: 'settleLate' }>,
  world: World,
): Op | undefined {
  const charged = [...accountOf(world, account).ids].flatMap(([key, { outcome }]) =>
    outcome.of === 'end' && outcome.state === 'expired' && outcome.charged > 0n
      ? [{ hold: key.split(' ')[1] as string, ...outcome }]
      : [],
  );
  const session = charged[pick % Math.max(1, charged.length)];
  if (session === undefined) return undefined;
  const { hold, unit } = session;
  const final = smaller(session.charged + more, AMOUNT_MAX);
  const amount = final > 0n ? final : 0n;
  const converts = unit === 'tts_characters' && blocks !== undefined && amount > 0n;
  const prices: Price[] = converts ? convertedPrices([], blocks, amount) : [{ unit, amount }];
  return { kind: 'settle', account, hold, payload: `late ${amount}`, prices, pricedWith: 0 };
}

function aim({ op, pick, share }: Extract<Planned, { kind: 'aimed' }>, world: World): Op {
  const state = accountOf(world, op.account);
  const available = (unit: Unit) => availableOf(state.wallets[unit], world.nowMs);
  if (op.kind === 'reserve') {
    const unit = op.prices[0]?.unit ?? 'credits';
    const blocks = op.prices.find((price) => price.blocks)?.blocks;
    if (blocks && share !== 'given') {
      const capacity = (available('credits') / blocks.micros) * blocks.units;
      return { ...op, prices: convertedPrices(op.prices, blocks, shareOf(capacity, share)) };
    }
    return share === 'given' ? op : { ...op, prices: [{ unit, amount: shareOf(available(unit), share) }] };
  }
  if (op.kind === 'openSession') {
    const offers = op.offers.map((offer): Offer => {
      const of = offer.blocks ? available('credits') / offer.blocks.micros : available(offer.unit);
      const there = offer.blocks ? of * offer.blocks.units : of;
      const least = share === 'given' ? offer.least : shareOf(there, share);
      const charge = smaller(offer.charge, least);
      return {
        ...offer,
        charge,
        least,
        wanted: least + offer.wanted > AMOUNT_MAX ? least : least + offer.wanted,
      };
    });
    return { ...op, offers };
  }
  const sessions = [...state.holds].filter(([, { session }]) => session !== undefined);
  if (op.kind === 'checkpoint' && sessions.length > 0) {
    const [id, hold] = sessions[pick % sessions.length] as (typeof sessions)[number];
    const generation = (hold.session?.generation ?? 1) + op.generation - 2;
    const charge = share === 'given' ? op.charge : shareOf(hold.amount, share);
    const growLeast =
      share === 'given' || share === 'none' ? op.growLeast : shareOf(available(hold.unit), share) / 2n;
    const growWanted = growLeast > op.growWanted ? growLeast : op.growWanted;
    return { ...op, hold: id, generation: Math.max(1, generation), charge, growLeast, growWanted };
  }
  const [id, hold] = [...state.holds][pick % Math.max(1, state.holds.size)] ?? [];
  if (id === undefined || hold === undefined) return op;
  switch (op.kind) {
    case 'settle': {
      if (share === 'given') return { ...op, hold: id };
      const blocks = op.prices.find((price) => price.blocks)?.blocks;
      if (blocks && hold.unit !== 'llm_messages') {
        const held = hold.unit === 'credits' ? (hold.amount / blocks.micros) * blocks.units : hold.amount;
        return { ...op, hold: id, prices: convertedPrices(op.prices, blocks, shareOf(held, share)) };
      }
      return { ...op, hold: id, prices: [{ unit: hold.unit, amount: shareOf(hold.amount, share) }] };
    }
    case 'extend': {
      const payload = `${id} ${op.payload}`;
      if (share === 'given' || share === 'none') return { ...op, hold: id, payload };
      return { ...op, hold: id, payload, addAmount: shareOf(available(hold.unit), share) };
    }
    default:
      return { ...op, hold: id };
  }
}

function shareOf(amount: bigint, share: Exclude<Share, 'given'>): bigint {
  const shares = { none: 0n, part: (amount + 1n) / 2n, all: amount, more: amount + 1n };
  return shares[share] > AMOUNT_MAX ? AMOUNT_MAX : shares[share];
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

type Make = (nowMs: number) => Planned;

/** Around 0, small, where doubles print badly, and at the limit. */
export function amount(): fc.Arbitrary<bigint> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: 3n }) },
    { weight: 6, arbitrary: fc.bigInt({ min: 1n, max: 100n }) },
    { weight: 2, arbitrary: fc.bigInt({ min: 10n ** 14n - 2n, max: 10n ** 14n + 2n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: AMOUNT_MAX / 2n, max: AMOUNT_MAX / 2n + 2n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: AMOUNT_MAX - 2n, max: AMOUNT_MAX }) },
  );
}

function stepMs(): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 20 }) },
    { weight: 2, arbitrary: fc.constantFrom(100, 999, 1_000, 1_001) },
    { weight: 1, arbitrary: fc.constantFrom(60_000, 3_600_000) },
    // Cycles of agents, and more than one of them.
    { weight: 1, arbitrary: fc.constantFrom(DAY_MS, DAY_MS, 3 * DAY_MS, 31 * DAY_MS) },
  );
}

/** How long a hold or a lot lasts; from the same numbers as the steps, so that "exactly now" happens. */
function lifeMs(): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) },
    { weight: 2, arbitrary: fc.constantFrom(100, 999, 1_000, 1_001, 60_000, 3_600_000) },
  );
}

/** Two of the free kind, two ranks that are equal, one whose credits stay. */
export const PLANS: readonly Plan[] = [
  { name: 'free', rank: 0, agentsMax: 1, credits: 7n, priority: 5, kind: 'free' },
  { name: 'starter', rank: 1, agentsMax: 3, credits: 50n, priority: 20, kind: 'expire' },
  { name: 'other', rank: 1, agentsMax: undefined, credits: 10n ** 14n, priority: 10, kind: 'expire' },
  { name: 'kept', rank: 2, agentsMax: 3, credits: 30n, priority: 20, kind: 'keep' },
  { name: 'huge', rank: 3, agentsMax: undefined, credits: AMOUNT_MAX, priority: 20, kind: 'expire' },
];

const plan = (): fc.Arbitrary<Plan> =>
  fc
    .oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) },
      { weight: 1, arbitrary: fc.constant(4) },
    )
    .map((index) => PLANS[index] as Plan);

/** Lots, some of which belong to the period that runs. */
function imported(): fc.Arbitrary<Import> {
  const period = { startMs: START_MS - 5, endMs: START_MS + 100 };
  const lot = fc.record({
    unit: unit(),
    source: fc.constantFrom('free' as const, 'plan' as const, 'top_up' as const, 'conversion' as const),
    priority: fc.constantFrom(10, 20),
    expiresAtMs: fc.constantFrom(undefined, START_MS + 50, period.endMs, period.endMs),
    remaining: amount().filter((value) => value > 0n),
  });
  return fc.record({
    lots: fc.array(lot, { maxLength: 4 }),
    period: fc.option(fc.constant(period), { nil: undefined }),
  });
}

/** Cheap and dear, with and without credits of their own, grace, and a right to draw on the account. */
export const TIERS: readonly Tier[] = [
  {
    name: 'plain',
    cycle: { unit: 'day', count: 1 },
    unlock: 5n,
    renewal: 3n,
    own: 0n,
    priority: 20,
    draws: true,
    graceMs: DAY_MS,
  },
  {
    name: 'endowed',
    cycle: { unit: 'month', count: 1 },
    unlock: 7n,
    renewal: 4n,
    own: 25n,
    priority: 10,
    draws: true,
    graceMs: 3_600_000,
  },
  {
    name: 'alone',
    cycle: { unit: 'day', count: 3 },
    unlock: 0n,
    renewal: 2n,
    own: 40n,
    priority: 20,
    draws: false,
    graceMs: 0,
  },
  {
    name: 'dear',
    cycle: { unit: 'month', count: 12 },
    unlock: 10n ** 14n,
    renewal: 10n ** 14n,
    own: AMOUNT_MAX / 2n,
    priority: 20,
    draws: true,
    graceMs: 1_000,
  },
];

/** What the catalog says of a tier by now. */
const TERMS = ['known', 'known', 'dearer', 'dearer', 'lost'] as const;

const AGENT_IDS = ['n1', 'n2', 'n3'];

/** For whom work is: mostly for nobody, else for an agent that may have been unlocked. */
/** The newest that a caller can be the owner of; most do not say. */
const generation = () => fc.constantFrom(undefined, 1, 1, 2);
const forAgent = () => fc.option(fc.constantFrom(...AGENT_IDS), { nil: undefined, freq: 2 });

const paidPlan = (): fc.Arbitrary<Plan> => plan().filter(({ kind }) => kind !== 'free');

/** Now and then the catalog has lost the plan since. */
const offered = (known: fc.Arbitrary<Plan>): fc.Arbitrary<OfferedPlan> =>
  fc.oneof(
    { weight: 9, arbitrary: known },
    { weight: 1, arbitrary: known.map(({ name }): OfferedPlan => ({ name, kind: 'unknown' })) },
  );

const id = (letter: string) => fc.integer({ min: 1, max: 8 }).map((number) => `${letter}${number}`);
const payload = () =>
  fc.oneof({ weight: 4, arbitrary: fc.constant('p') }, { weight: 1, arbitrary: fc.constant('q') });
const unit = (): fc.Arbitrary<Unit> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Unit>('credits') },
    { weight: 1, arbitrary: fc.constantFrom<Unit>('tts_characters', 'llm_messages') },
  );

/** What the wallets of a meter would pay: one, or an allowance first and credits after it; credits may be unrated. */
export function prices(): fc.Arbitrary<Price[]> {
  const credits = fc.oneof(
    { weight: 5, arbitrary: amount() },
    { weight: 1, arbitrary: fc.constant<'unrated'>('unrated') },
  );
  const creditsPrice = credits.map((value): Price => ({ unit: 'credits', amount: value }));
  const allowance = fc
    .record({ unit: fc.constantFrom<Unit>('tts_characters', 'llm_messages'), amount: amount() })
    .map((price): Price => price);
  return fc.oneof(
    { weight: 4, arbitrary: creditsPrice.map((price) => [price]) },
    { weight: 3, arbitrary: fc.tuple(allowance, creditsPrice) },
    { weight: 1, arbitrary: allowance.map((price) => [price]) },
    { weight: 1, arbitrary: fc.tuple(creditsPrice, allowance) },
    { weight: 4, arbitrary: converting() },
  );
}

/** Characters, and credits that are converted for them; messages may come between. */
function converting(): fc.Arbitrary<Price[]> {
  return fc
    .record({
      characters: fc.oneof(
        fc.bigInt({ min: 1n, max: 200n }),
        amount().filter((value) => value > 0n),
      ),
      messages: fc.option(fc.bigInt({ min: 1n, max: 3n }), { freq: 5 }),
      units: fc.constantFrom(1n, 7n, 100n, 1_000_000_000_000n),
      credits: fc.constantFrom(1n, 2n, 1_000_000_000n),
      priority: fc.constantFrom(0, 20, 1_000_000),
    })
    .map(({ characters, messages, units, credits, priority }): Price[] => [
      { unit: 'tts_characters', amount: characters },
      ...(messages === null ? [] : [{ unit: 'llm_messages' as const, amount: messages }]),
      { unit: 'credits', amount: 0n, blocks: { units, micros: credits * 1_000_000n, priority } },
    ]);
}

/** What the wallets of a meter would pay for a session. */
function offers(): fc.Arbitrary<Offer[]> {
  const parts = fc
    .tuple(amount(), amount(), amount())
    .map((three) => three.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)) as [bigint, bigint, bigint])
    .map(([charge, least, wanted]) => ({ charge, least, wanted }));
  const credits = parts.map((three): Offer => ({ unit: 'credits', ...three }));
  const characters = parts.map((three): Offer => ({ unit: 'tts_characters', ...three }));
  const messages = parts.map((three): Offer => ({ unit: 'llm_messages', ...three }));
  const speech = fc
    .tuple(
      fc.tuple(
        fc.bigInt({ min: 0n, max: 50n }),
        fc.bigInt({ min: 0n, max: 200n }),
        fc.bigInt({ min: 0n, max: 900n }),
      ),
      parts,
      fc.boolean(),
      fc.constantFrom(1n, 7n, 100n, 1_000_000_000_000n),
      fc.constantFrom(1n, 2n, 1_000_000_000n),
    )
    .map(([[charge, least, more], large, few, units, count]): Offer[] => {
      const small = { charge: smaller(charge, least), least, wanted: least + more };
      const three = few ? small : large;
      const blocks = { units, micros: count * 1_000_000n, priority: 20 };
      return [
        { unit: 'tts_characters', ...three },
        { unit: 'credits', ...three, blocks },
      ];
    });
  return fc.oneof(
    { weight: 3, arbitrary: credits.map((offer) => [offer]) },
    { weight: 2, arbitrary: fc.tuple(messages, credits) },
    { weight: 1, arbitrary: characters.map((offer) => [offer]) },
    { weight: 4, arbitrary: speech },
    { weight: 1, arbitrary: fc.constant<Offer[]>([]) },
  );
}

/** The characters that a share of a hold or of what is available comes to. */
function convertedPrices(prices: readonly Price[], blocks: Blocks, amount: bigint): Price[] {
  const characters = amount > AMOUNT_MAX ? AMOUNT_MAX : amount < 1n ? 1n : amount;
  return [
    { unit: 'tts_characters', amount: characters },
    ...prices.filter(({ unit }) => unit === 'llm_messages'),
    { unit: 'credits', amount: 0n, blocks },
  ];
}

function grant(account: fc.Arbitrary<string>): fc.Arbitrary<(nowMs: number) => Op> {
  return fc
    .record({
      account,
      id: id('g'),
      payload: payload(),
      unit: unit(),
      // Some of it enough for blocks.
      amount: fc.oneof(
        { weight: 3, arbitrary: amount().filter((value) => value > 0n) },
        { weight: 2, arbitrary: fc.bigInt({ min: 500_000n, max: 9_000_000n }) },
      ),
      lifeMs: fc.oneof(
        { weight: 3, arbitrary: fc.constant(undefined) },
        { weight: 3, arbitrary: lifeMs() },
        { weight: 1, arbitrary: fc.constantFrom(-1, 0) },
      ),
    })
    .map(({ lifeMs: life, ...rest }) => (nowMs: number) => ({
      kind: 'grant' as const,
      ...rest,
      expiresAtMs: life === undefined ? undefined : nowMs + life,
    }));
}

function operation(
  account: fc.Arbitrary<string>,
  { reversals, sessions }: { reversals: boolean; sessions: boolean },
): fc.Arbitrary<Make> {
  const hold = id('h');
  const plain = <T extends Op>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<Make> =>
    arbitrary.map((op) => () => op);

  const usage = fc.record({
    kind: fc.constant('usage' as const),
    account,
    id: id('u'),
    payload: payload(),
    prices: prices(),
    agent: forAgent(),
  });
  const reserve = fc.record({
    kind: fc.constant('reserve' as const),
    account,
    hold,
    payload: payload(),
    prices: prices(),
    holdTimeMs: lifeMs(),
    catalogVersion: fc.integer({ min: 1, max: 2 }),
    agent: forAgent(),
  });
  const extend = fc
    .record({
      kind: fc.constant('extend' as const),
      account,
      id: id('x'),
      hold,
      payload: payload(),
      addAmount: fc.oneof(fc.constant(0n), amount()),
      holdTimeMs: fc.oneof(fc.constant(0), lifeMs()),
    })
    // An Extend that adds nothing is none.
    .filter((op) => op.addAmount > 0n || op.holdTimeMs > 0);
  const settle = fc.record({
    kind: fc.constant('settle' as const),
    account,
    hold,
    payload: payload(),
    prices: prices(),
    pricedWith: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 2 }) },
    ),
    agent: forAgent(),
    generation: generation(),
  });
  const quantities = fc.constantFrom('{}', '{"input_tokens":1}', '{"input_tokens":1,"output_tokens":2}');
  const openSession = fc.record({
    kind: fc.constant('openSession' as const),
    account,
    // Of their own, but for one: Reserve and settle meet them now and then.
    hold: fc.oneof({ weight: 1, arbitrary: fc.constant('h8') }, { weight: 9, arbitrary: id('s') }),
    payload: fc.constantFrom('session', 'session', 'session', 'session', 'session', 'other session'),
    offers: offers(),
    holdTimeMs: lifeMs(),
    catalogVersion: fc.integer({ min: 1, max: 2 }),
    quantities,
    agent: forAgent(),
    generation: generation(),
  });
  const checkpoint = fc
    .record({
      kind: fc.constant('checkpoint' as const),
      account,
      hold: fc.constantFrom('h1', 's1', 's2'),
      generation: fc.constantFrom(1, 2, 2, 2, 3),
      charge: amount(),
      quantities,
      holdTimeMs: fc.oneof(fc.constant(0), lifeMs()),
      growLeast: amount(),
      growWanted: fc.oneof(fc.constant(0n), amount()),
    })
    .map((op) => ({ ...op, growLeast: smaller(op.growWanted, op.growLeast) }));
  const endSession = fc.record({
    kind: fc.constantFrom('settle' as const),
    account,
    hold: fc.constantFrom('s1', 's2', 's3'),
    payload: payload(),
    prices: prices(),
    pricedWith: fc.constantFrom(0, 0, 1, 2),
    agent: forAgent(),
    generation: generation(),
  });
  const release = fc.record({
    kind: fc.constant('release' as const),
    account,
    hold,
    generation: generation(),
  });
  const expireHold = fc.record({ kind: fc.constant('expireHold' as const), account, hold });
  const touch = fc.record({ kind: fc.constant('touch' as const), account });
  const create = fc.record({
    kind: fc.constant('create' as const),
    account,
    id: id('r'),
    payload: payload(),
    plan: offered(plan()),
  });
  const reversal = fc.record({
    kind: fc.constant('reverseCharge' as const),
    account,
    id: id('v'),
    payload: payload(),
    chargesBack: fc.integer({ min: 0, max: 3 }),
  });
  const rerate = fc.record({
    kind: fc.constant('rerateCharge' as const),
    account,
    amount: amount(),
    chargesBack: fc.integer({ min: 0, max: 2 }),
  });
  const expireLot = fc.record({
    kind: fc.constant('expireLot' as const),
    account,
    id: id('l'),
    payload: payload(),
    lot: fc.integer({ min: 1, max: 6 }),
  });
  const convert = fc.record({
    kind: fc.constant('convert' as const),
    account,
    id: id('k'),
    payload: payload(),
    unit: fc.constantFrom<Unit>('tts_characters', 'llm_messages'),
    units: amount().filter((value) => value > 0n),
    cost: amount().filter((value) => value > 0n),
    priority: fc.constantFrom(10, 20, 30),
    catalogVersion: fc.integer({ min: 1, max: 2 }),
  });
  const setStatus = fc.record({
    kind: fc.constant('setStatus' as const),
    account,
    id: id('s'),
    payload: payload(),
    // Back to work more often than away from it: else most of a sequence would only collect denials.
    call: fc.constantFrom('freeze', 'unfreeze', 'unfreeze', 'close', 'reopen', 'reopen', 'reopen' as const),
  });

  // Starts from the same few numbers as the steps, so that repeated, adjacent and overlapping periods happen.
  const startPeriod = fc
    .record({
      account,
      id: id('b'),
      plan: offered(paidPlan()),
      startsIn: fc.oneof(fc.constant(0), fc.integer({ min: -20, max: 20 }), lifeMs()),
      lifeMs: lifeMs(),
      absolute: fc.boolean(),
    })
    .map(({ startsIn, lifeMs: life, absolute, ...rest }) => (nowMs: number): Op => {
      const startMs = (absolute ? START_MS : nowMs) + startsIn;
      const payload = `${rest.plan.name} ${startMs} ${life}`;
      return { kind: 'startPeriod', ...rest, payload, startMs, endMs: startMs + life };
    });
  const changePlan = fc
    .record({
      account,
      id: id('b'),
      plan: offered(plan()),
      lifeMs: fc.oneof(lifeMs(), fc.constantFrom(0, -1)),
    })
    .map(({ lifeMs: life, ...rest }) => (nowMs: number): Op => {
      const endMs = life < 0 ? undefined : nowMs + life;
      return { kind: 'changePlan', ...rest, payload: `${rest.plan.name} ${endMs}`, endMs };
    });
  const cancelChange = fc.record({
    kind: fc.constant('cancelChange' as const),
    account,
    id: id('b'),
    payload: fc.constant('cancel'),
  });

  const agentCall = fc.record({ account, id: id('t'), agent: fc.constantFrom(...AGENT_IDS) });
  const tier = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 2 }) },
    { weight: 1, arbitrary: fc.constant(3) },
  );
  const beginning = (kind: 'unlockAgent' | 'activateAgent'): fc.Arbitrary<Make> =>
    fc.tuple(agentCall, tier, fc.constantFrom(...TERMS)).map(([call, index, terms]) => () => {
      const known = TIERS[index] as Tier;
      const dearer = { ...known, renewal: known.renewal + 1n, own: known.own / 2n };
      const offered = { known, dearer, lost: { name: known.name, kind: 'unknown' as const } }[terms];
      return { kind, ...call, payload: `${kind} ${call.agent} ${known.name} ${terms}`, tier: offered };
    });
  const ending = (kind: 'suspendAgent' | 'removeAgent'): fc.Arbitrary<Make> =>
    agentCall.map((call) => () => ({ kind, ...call, payload: `${kind} ${call.agent}` }));

  const aimed = (arbitrary: fc.Arbitrary<Aimable>): fc.Arbitrary<Make> =>
    fc
      .record({
        kind: fc.constant('aimed' as const),
        op: arbitrary,
        pick: fc.nat({ max: 3 }),
        share: fc.constantFrom<Share>('given', 'none', 'part', 'part', 'all', 'more'),
      })
      .map((planned) => () => planned);

  const late = fc
    .record({
      kind: fc.constant('settleLate' as const),
      account,
      pick: fc.nat({ max: 3 }),
      more: fc.bigInt({ min: -20n, max: 300n }),
      blocks: fc.option(fc.constant({ units: 100n, micros: 1_000_000n, priority: 20 }), { nil: undefined }),
    })
    .map(
      (planned): Make =>
        () =>
          planned,
    );
  const reverse = reversal.map(
    (planned): Make =>
      () =>
        planned,
  );
  if (sessions)
    return fc.oneof(
      { weight: 4, arbitrary: plain(openSession) },
      { weight: 14, arbitrary: aimed(openSession) },
      { weight: 24, arbitrary: aimed(checkpoint) },
      { weight: 2, arbitrary: plain(endSession) },
      { weight: 10, arbitrary: late },
      { weight: 3, arbitrary: aimed(settle) },
      { weight: 2, arbitrary: aimed(extend) },
      { weight: 1, arbitrary: aimed(release) },
      { weight: 2, arbitrary: plain(touch) },
      { weight: 2, arbitrary: aimed(expireHold) },
      { weight: 3, arbitrary: plain(usage) },
      { weight: 2, arbitrary: plain(expireLot) },
      { weight: 1, arbitrary: plain(setStatus) },
      { weight: 3, arbitrary: beginning('unlockAgent') },
      { weight: 1, arbitrary: ending('suspendAgent') },
      { weight: 8, arbitrary: grant(account) },
      { weight: 4, arbitrary: reverse },
    );
  return fc.oneof(
    { weight: 6, arbitrary: plain(usage) },
    { weight: 3, arbitrary: plain(reserve) },
    { weight: 7, arbitrary: aimed(reserve) },
    { weight: 1, arbitrary: plain(extend) },
    { weight: 6, arbitrary: aimed(extend) },
    { weight: 1, arbitrary: plain(settle) },
    { weight: 5, arbitrary: aimed(settle) },
    { weight: 4, arbitrary: plain(openSession) },
    { weight: 5, arbitrary: aimed(openSession) },
    { weight: 1, arbitrary: plain(checkpoint) },
    { weight: 9, arbitrary: aimed(checkpoint) },
    { weight: 3, arbitrary: plain(endSession) },
    { weight: 1, arbitrary: plain(release) },
    { weight: 2, arbitrary: aimed(release) },
    { weight: 1, arbitrary: plain(expireHold) },
    { weight: 2, arbitrary: aimed(expireHold) },
    { weight: 1, arbitrary: plain(touch) },
    { weight: 1, arbitrary: plain(create) },
    { weight: 2, arbitrary: plain(expireLot) },
    { weight: 4, arbitrary: plain(convert) },
    { weight: 2, arbitrary: plain(setStatus) },
    { weight: 6, arbitrary: startPeriod },
    { weight: 6, arbitrary: changePlan },
    { weight: 2, arbitrary: plain(cancelChange) },
    { weight: 5, arbitrary: beginning('unlockAgent') },
    { weight: 3, arbitrary: beginning('activateAgent') },
    { weight: 2, arbitrary: ending('suspendAgent') },
    { weight: 1, arbitrary: ending('removeAgent') },
    {
      weight: 2,
      arbitrary: rerate.map(
        (planned): Make =>
          () =>
            planned,
      ),
    },
    { weight: 6, arbitrary: grant(account) },
    ...(reversals ? [{ weight: 6, arbitrary: reverse }] : []),
  );
}
