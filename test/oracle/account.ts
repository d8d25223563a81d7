// One account, one operation: (state, op, now) -> result, entries, state. From docs/accounting.md, section by section.
//
// Where the documents leave a choice, the reading taken here is marked READING.

import { DateTime } from 'luxon';
import {
  type AccountState,
  type Agent,
  type AgentNote,
  AMOUNT_MAX,
  type Blocks,
  type ChargedBefore,
  type EndOutcome,
  type Entry,
  type EntryKind,
  type Flag,
  type IdKind,
  LOTS_HOLDING_MAX,
  LOTS_MAX,
  type Lot,
  type LotChange,
  type LotOrigin,
  type Op,
  type OpenHold,
  type Outcome,
  OWN_LOTS_MAX,
  type Part,
  type Period,
  type Plan,
  type PlanNote,
  type Price,
  type Reason,
  type Result,
  type Session,
  type Shortfall,
  type Status,
  type Step,
  type StoredId,
  type Subscription,
  type Tier,
  TOP_UP_PRIORITY,
  UNITS,
  type Unit,
  type Wallet,
} from './model.js';

type OpOf<K extends Op['kind']> = Extract<Op, { kind: K }>;

export function emptyAccount(): AccountState {
  return {
    exists: false,
    status: 'active',
    wallets: {
      credits: { debt: 0n, lots: [] },
      tts_characters: { debt: 0n, lots: [] },
      llm_messages: { debt: 0n, lots: [] },
    },
    holds: new Map(),
    ids: new Map(),
    lotOrigins: new Map(),
    subscription: undefined,
    lastLot: 0,
    lastEntry: 0,
  };
}

/** Carries out one operation. The given state is left alone. */
export function apply(before: AccountState, op: Op, nowMs: number): Step {
  const state = structuredClone(before);
  return { ...applyTo(state, op, nowMs), state };
}

/** The same, on the state itself: for accounts with so long a past that a copy of it costs too much. */
export function applyTo(state: AccountState, op: Op, nowMs: number): Omit<Step, 'state'> {
  const work = new Work(state, op.account, nowMs);
  if (!state.exists && op.kind !== 'create') return { result: unknownAccount(op), entries: [] };
  work.doWhatIsDue();
  if ('hold' in op) work.expireDueHold(op.hold);
  // What the beginning did stays, even if the operation itself is a duplicate, a conflict, denied or refused. READING.
  return { result: decide(work, op), entries: work.entries };
}

function unknownAccount(op: Op): Result {
  switch (op.kind) {
    case 'expireHold':
    case 'touch':
      return { verdict: 'swept' };
    case 'reserve':
    case 'extend':
    case 'openSession':
    case 'checkpoint':
      return denied('ACCOUNT_UNKNOWN');
    default:
      return refused('ACCOUNT_UNKNOWN');
  }
}

function decide(work: Work, op: Op): Result {
  switch (op.kind) {
    case 'usage':
      return usage(work, op);
    case 'reserve':
      return reserve(work, op);
    case 'extend':
      return extend(work, op);
    case 'settle':
      return settle(work, op);
    case 'release':
      return release(work, op);
    case 'openSession':
      return openSession(work, op);
    case 'checkpoint':
      return checkpoint(work, op);
    case 'create':
      return create(work, op);
    case 'grant':
      return grant(work, op);
    case 'reversal':
      return reversal(work, op);
    case 'rerate':
      return rerate(work, op);
    case 'expireLot':
      return expireLot(work, op);
    case 'convert':
      return convert(work, op);
    case 'setStatus':
      return setStatus(work, op);
    case 'startPeriod':
      return startPeriod(work, op);
    case 'changePlan':
      return changePlan(work, op);
    case 'cancelChange':
      return cancelChange(work, op);
    case 'unlockAgent':
      return unlockAgent(work, op);
    case 'activateAgent':
      return activateAgent(work, op);
    case 'suspendAgent':
    case 'removeAgent':
      return endAgent(work, op);
    case 'expireHold':
    case 'touch':
      // The beginning, common to all, was all there is to do.
      return { verdict: 'swept' };
  }
}

// --- usage ------------------------------------------------------------------------------------------------------------

function usage(work: Work, op: OpOf<'usage'>): Result {
  const repeat = work.repeat('usage', op.id, op.payload);
  if (repeat) return repeat;
  work.workFor(op.agent);
  const payer = work.payer(op.prices);
  const booked = payer.blocks
    ? chargeConverting(work, 'usage', op.id, payer.amount, payer.blocks, [])
    : charge(work, 'usage', op.id, payer, []);
  if (!booked) return refused('AMOUNT_OUT_OF_RANGE');
  const outcome: Outcome = { of: 'usage', ...booked };
  return work.store('usage', op.id, op.payload, outcome);
}

interface Booked {
  unit: Unit;
  charged: bigint;
  overdrawn: bigint;
  available: bigint;
  flags: Flag[];
  converted?: bigint;
}

/** Books a charge without a hold: from what is available, the rest as debt. Undefined where the debt would exceed AMOUNT_MAX. */
function charge(
  work: Work,
  kind: 'usage' | 'settle',
  id: string,
  { unit, amount, unrated }: { unit: Unit; amount: bigint; unrated: boolean },
  why: Flag[],
  before?: ChargedBefore,
): Booked | undefined {
  const wallet = work.wallet(unit);
  const overdrawn = positive(amount - work.availableTo(wallet));
  if (wallet.debt + overdrawn > AMOUNT_MAX) return undefined;
  const drawn = work.draw(wallet, amount - overdrawn, work.agent);
  wallet.debt += overdrawn;
  const flags = [...flagList({ overdrawn: overdrawn > 0n, unrated }), ...why, ...work.statusFlags()];
  work.enter(kind, id, unit, { spent: amount, debt: overdrawn, lots: drawn, flags, before });
  return { unit, charged: amount, overdrawn, available: work.availableTo(wallet), flags };
}

/** Books characters without a hold: from what is available, then from blocks that are converted for it, then from debt. */
function chargeConverting(
  work: Work,
  kind: 'usage' | 'settle',
  id: string,
  amount: bigint,
  blocks: Blocks,
  why: Flag[],
  before?: ChargedBefore,
): Booked | undefined {
  const lacking = work.lacking(amount, blocks);
  if (lacking === undefined) return undefined;
  const credits = work.wallet('credits');
  const count = min(lacking, work.convertible() / blocks.micros);
  const cost = count * blocks.micros;
  let spendable = work.availableTo(work.wallet('tts_characters'));
  if (count > 0n) spendable += work.enterConversion(count, blocks, work.draw(credits, cost), 0n);
  const converted = count > 0n ? cost : undefined;
  return work.chargeCharacters(kind, id, { amount, spendable }, { why, before }, converted);
}

// --- holds ------------------------------------------------------------------------------------------------------------

function reserve(work: Work, op: OpOf<'reserve'>): Result {
  const open = work.state.holds.get(op.hold);
  if (open) {
    return open.payload === op.payload
      ? { verdict: 'duplicate', outcome: open.outcome }
      : { verdict: 'conflict' };
  }
  // READING: states.md wins over "returned to a repeat whatever happened to the hold since": once ended, HOLD_ENDED.
  if (work.ended(op.hold)) return denied('HOLD_ENDED');
  work.workFor(op.agent);
  const refusal = work.refusal();
  if (refusal) return denied(refusal);

  const rated = op.prices.filter((price) => price.amount !== 'unrated' && (!price.blocks || work.converts()));
  let shortfall: Shortfall | undefined;
  for (const price of rated) {
    const { unit, amount } = work.toHold(price, op.prices);
    if (amount === 'unrated') continue;
    if (amount > AMOUNT_MAX) return denied('AMOUNT_OUT_OF_RANGE');
    const wallet = work.wallet(unit);
    const available = price.blocks ? work.available(wallet) : work.availableTo(wallet);
    if (amount > available) {
      shortfall = { unit, available, missing: amount - available };
      continue;
    }
    if (unit === 'tts_characters' && wallet.lots.length >= LOTS_HOLDING_MAX) return denied('LIMIT_REACHED');
    const deadlineMs = work.nowMs + op.holdTimeMs;
    const parts = work.setAside(wallet, amount, price.blocks ? undefined : work.agent);
    const outcome = {
      of: 'reserve',
      unit,
      held: amount,
      available: work.availableTo(wallet),
      deadlineMs,
    } as const;
    const { payload, catalogVersion } = op;
    const agent = op.agent ?? '';
    work.state.holds.set(op.hold, {
      agent,
      unit,
      amount,
      parts,
      deadlineMs,
      catalogVersion,
      payload,
      outcome,
      terms: price.blocks,
      session: undefined,
    });
    return { verdict: 'done', outcome };
  }
  return shortfall ? denied('INSUFFICIENT_BALANCE', shortfall) : denied('MODEL_UNRATED');
}

function extend(work: Work, op: OpOf<'extend'>): Result {
  const repeat = work.repeat('extend', op.id, op.payload);
  if (repeat) return repeat;
  const hold = work.state.holds.get(op.hold);
  if (!hold) return denied(work.ended(op.hold) ? 'HOLD_ENDED' : 'HOLD_UNKNOWN');
  work.workFor(hold.agent);
  const refusal = work.refusal();
  if (refusal) return denied(refusal);
  const wallet = work.wallet(hold.unit);
  const available = work.growable(hold);
  if (op.addAmount > available) {
    return denied('INSUFFICIENT_BALANCE', { unit: hold.unit, available, missing: op.addAmount - available });
  }
  // Never so: the hold's amount and what is available are parts of a sum that stays within AMOUNT_MAX.
  if (hold.amount + op.addAmount > AMOUNT_MAX) return denied('AMOUNT_OUT_OF_RANGE');
  const isCrowded = hold.unit === 'tts_characters' && wallet.lots.length >= LOTS_HOLDING_MAX;
  if (op.addAmount > 0n && isCrowded) return denied('LIMIT_REACHED');
  work.grow(hold, op.addAmount);
  if (op.holdTimeMs > 0) hold.deadlineMs = Math.max(hold.deadlineMs, work.nowMs + op.holdTimeMs);
  const outcome: Outcome = {
    of: 'extend',
    unit: hold.unit,
    held: hold.amount,
    available: work.availableTo(wallet),
    deadlineMs: hold.deadlineMs,
  };
  return work.store('extend', op.id, op.payload, outcome);
}

function settle(work: Work, op: OpOf<'settle'>): Result {
  const ended = work.ended(op.hold);
  if (ended?.outcome.state === 'settled') {
    const same = ended.payload === op.payload;
    return same ? { verdict: 'duplicate', outcome: ended.outcome } : { verdict: 'conflict' };
  }
  const hold = work.state.holds.get(op.hold);
  if (hold && hasMoved(hold, op.generation)) return { verdict: 'stale' };
  work.settledFor = hold ? hold.agent : (op.agent ?? '');
  work.workFor(work.settledFor);
  const priced = hold?.catalogVersion ?? ended?.catalogVersion;
  if (op.pricedWith !== 0 && priced !== undefined && op.pricedWith !== priced) {
    return { verdict: 'reprice', catalogVersion: priced };
  }
  const blocks = op.prices.find((price) => price.blocks)?.blocks;
  if (hold && blocks && work.mayConvert(hold.unit)) return settleConverting(work, op, hold, blocks);
  if (hold) return settleOpen(work, op, hold);
  if (ended) return settleWithoutHold(work, op, 'late', ended.outcome);
  return settleWithoutHold(work, op, 'hold_unknown', undefined);
}

function settleOpen(work: Work, op: OpOf<'settle'>, hold: OpenHold): Result {
  const price = op.prices.find(({ unit }) => unit === hold.unit);
  if (!price) return refused('FIELD_INVALID');
  const unrated = price.amount === 'unrated';
  const final = price.amount === 'unrated' ? 0n : price.amount;
  const wallet = work.wallet(hold.unit);
  const excess = positive(final - hold.amount);
  const overdrawn = positive(excess - work.availableTo(wallet));
  // READING: the limit of debt holds for a settle as for usage; the hold stays open.
  if (wallet.debt + overdrawn > AMOUNT_MAX) return refused('AMOUNT_OUT_OF_RANGE');

  const flags = [
    ...flagList({ overHold: excess > 0n, overdrawn: overdrawn > 0n, unrated }),
    ...work.statusFlags(),
  ];
  work.end(op.hold, 'settle', { charge: final - excess, excess, overdrawn, flags });
  const outcome: EndOutcome = {
    of: 'end',
    state: 'settled',
    unit: hold.unit,
    charged: final,
    overdrawn,
    released: positive(hold.amount - final),
    available: work.availableTo(wallet),
    flags,
  };
  return work.store('hold', op.hold, op.payload, outcome);
}

/** An open hold of credits or characters, settled in characters on the terms of the call. */
function settleConverting(work: Work, op: OpOf<'settle'>, hold: OpenHold, blocks: Blocks): Result {
  const amount = charactersOf(op.prices);
  const ofCredits = hold.unit === 'credits';
  const lacking = work.lacking(ofCredits ? amount : positive(amount - hold.amount), blocks);
  if (lacking === undefined) return refused('AMOUNT_OUT_OF_RANGE');
  if (ofCredits) {
    const outcome = work.endConverting(op.hold, 'settle', hold, { amount, lacking, blocks });
    return work.store('hold', op.hold, op.payload, outcome);
  }
  const count = min(lacking, work.convertible() / blocks.micros);
  const cost = count * blocks.micros;
  if (count > 0n) work.enterConversion(count, blocks, work.draw(work.wallet('credits'), cost), 0n);
  const wallet = work.wallet('tts_characters');
  const excess = positive(amount - hold.amount);
  const overdrawn = positive(excess - work.availableTo(wallet));
  const flags: Flag[] = [
    ...flagList({ overHold: excess > 0n, overdrawn: overdrawn > 0n, unrated: false }),
    ...(count > 0n ? (['converted'] as const) : []),
    ...work.statusFlags(),
  ];
  work.end(op.hold, 'settle', { charge: amount - excess, excess, overdrawn, flags });
  const outcome: EndOutcome = {
    of: 'end',
    state: 'settled',
    unit: 'tts_characters',
    charged: amount,
    overdrawn,
    released: positive(hold.amount - amount),
    available: work.availableTo(wallet),
    flags,
    ...(count > 0n && { converted: cost }),
  };
  return work.store('hold', op.hold, op.payload, outcome);
}

function settleWithoutHold(
  work: Work,
  op: OpOf<'settle'>,
  why: 'late' | 'hold_unknown',
  ended: EndOutcome | undefined,
): Result {
  const unitOfHold = ended?.unit;
  const ofHold = op.prices.filter(({ unit, blocks }) => unit === unitOfHold && blocks === undefined);
  const blocks = op.prices.find((price) => price.blocks)?.blocks;
  const inCredits = ended?.unit === 'credits' && ended.charged > 0n;
  const converts =
    blocks !== undefined && unitOfHold !== undefined && !inCredits && work.mayConvert(unitOfHold);
  if (unitOfHold !== undefined && !converts && ofHold.length === 0) return refused('FIELD_INVALID');
  const whole = converts
    ? { unit: 'tts_characters' as const, amount: charactersOf(op.prices), unrated: false, blocks }
    : work.payer(unitOfHold === undefined ? op.prices : ofHold);
  // Only a session is charged by its deadline: the settle books what is missing to its own amount.
  const before: ChargedBefore | undefined =
    ended && ended.charged > 0n
      ? { charged: ended.charged, overdrawn: ended.overdrawn, converted: ended.converted ?? 0n }
      : undefined;
  const payer = { ...whole, amount: positive(whole.amount - (before?.charged ?? 0n)) };
  const flags: Flag[] = before ? [why, 'difference'] : [why];
  const booked = payer.blocks
    ? chargeConverting(work, 'settle', op.hold, payer.amount, payer.blocks, flags, before)
    : charge(work, 'settle', op.hold, payer, flags, before);
  if (!booked) return refused('AMOUNT_OUT_OF_RANGE');
  const outcome: EndOutcome = { of: 'end', state: 'settled', released: 0n, ...withBefore(booked, before) };
  return work.store('hold', op.hold, op.payload, outcome);
}

/** The sums of what a session was charged by its deadline and by its late settle. */
function withBefore(booked: Booked, before: ChargedBefore | undefined): Booked {
  if (!before) return booked;
  const sums = {
    ...booked,
    charged: booked.charged + before.charged,
    overdrawn: booked.overdrawn + before.overdrawn,
  };
  if (before.converted === 0n) return sums;
  const flags: Flag[] = booked.converted === undefined ? [...booked.flags, 'converted'] : booked.flags;
  return { ...sums, flags, converted: (booked.converted ?? 0n) + before.converted };
}

/** Has somebody newer opened it than whoever calls can be? */
function hasMoved({ session }: OpenHold, generation: number | undefined): boolean {
  return session !== undefined && generation !== undefined && session.generation > generation;
}

function openSession(work: Work, op: OpOf<'openSession'>): Result {
  const open = work.state.holds.get(op.hold);
  if (open) {
    if (open.session === undefined || open.payload !== op.payload) return { verdict: 'conflict' };
    if (hasMoved(open, op.generation)) return { verdict: 'stale' };
    work.workFor(open.agent);
    open.session.generation += 1;
    open.deadlineMs = work.nowMs + op.holdTimeMs;
    return { verdict: 'done', outcome: work.sessionOutcome(open, open.session, true) };
  }
  const ended = work.ended(op.hold);
  if (ended) return { verdict: 'ended', outcome: ended.outcome };
  work.workFor(op.agent);
  const refusal = work.refusal();
  if (refusal) return denied(refusal);

  let shortfall: Shortfall | undefined;
  for (const offer of op.offers) {
    const { blocks } = offer;
    if (blocks && !work.converts()) continue;
    const least = blocks ? work.creditsFor(offer.least, blocks) : offer.least;
    if (least === undefined) return denied('AMOUNT_OUT_OF_RANGE');
    const wanted = (blocks ? work.creditsFor(offer.wanted, blocks) : offer.wanted) ?? least;
    const unit = blocks ? 'credits' : offer.unit;
    const wallet = work.wallet(unit);
    const available = blocks ? work.available(wallet) : work.availableTo(wallet);
    if (least > available) {
      shortfall = { unit, available, missing: least - available };
      continue;
    }
    if (unit === 'tts_characters' && wallet.lots.length >= LOTS_HOLDING_MAX) return denied('LIMIT_REACHED');
    const session = { generation: 1, charge: offer.charge, quantities: op.quantities };
    const { payload, catalogVersion } = op;
    const deadlineMs = work.nowMs + op.holdTimeMs;
    const outcome: OpenHold['outcome'] = { of: 'reserve', unit, held: 0n, available: 0n, deadlineMs };
    const agent = op.agent ?? '';
    const more = { terms: blocks, session, outcome };
    const hold: OpenHold = {
      agent,
      unit,
      amount: 0n,
      parts: [],
      deadlineMs,
      catalogVersion,
      payload,
      ...more,
    };
    work.state.holds.set(op.hold, hold);
    const parts = 64n * BigInt(work.state.holds.size);
    work.grow(hold, share({ least, wanted, available, parts, step: blocks?.micros ?? 1n }));
    hold.outcome = { ...outcome, held: hold.amount, available: work.availableTo(wallet) };
    return { verdict: 'done', outcome: work.sessionOutcome(hold, session, false) };
  }
  return shortfall ? denied('INSUFFICIENT_BALANCE', shortfall) : denied('MODEL_UNRATED');
}

/** The least that is asked for, and of what is left beyond it one of so many parts at most, in whole steps. */
function share(of: {
  least: bigint;
  wanted: bigint;
  available: bigint;
  parts: bigint;
  step: bigint;
}): bigint {
  const part = (of.available - of.least) / of.parts;
  return of.least + min(of.wanted - of.least, part - (part % of.step));
}

function checkpoint(work: Work, op: OpOf<'checkpoint'>): Result {
  const hold = work.state.holds.get(op.hold);
  const ended = work.ended(op.hold);
  if (!hold) return ended ? { verdict: 'ended', outcome: ended.outcome } : denied('HOLD_UNKNOWN');
  if (!hold.session || op.generation < hold.session.generation) return { verdict: 'stale' };
  work.workFor(hold.agent);
  const before = hold.amount;
  const reason = work.refusal() ?? (op.growWanted > 0n ? growSession(work, op, hold) : undefined);
  hold.session = { generation: op.generation, charge: op.charge, quantities: op.quantities };
  if (op.holdTimeMs > 0) hold.deadlineMs = work.nowMs + op.holdTimeMs;
  const outcome: Outcome = {
    of: 'checkpoint',
    unit: hold.unit,
    grown: hold.amount - before,
    refused: reason,
    othersHold: heldOf(work.wallet(hold.unit)) > hold.amount,
    held: hold.amount,
    covers: work.covers(hold),
    available: work.availableTo(work.wallet(hold.unit)),
    deadlineMs: hold.deadlineMs,
  };
  return { verdict: 'done', outcome };
}

/** Returns why it did not grow. */
function growSession(
  work: Work,
  { growLeast, growWanted }: OpOf<'checkpoint'>,
  hold: OpenHold,
): Reason | undefined {
  const { terms, unit } = hold;
  if (unit === 'tts_characters' && work.wallet(unit).lots.length >= LOTS_HOLDING_MAX) return 'LIMIT_REACHED';
  const credits = (characters: bigint, blocks: Blocks) =>
    ceilDivide(characters, blocks.units) * blocks.micros;
  const least = terms ? credits(growLeast, terms) : growLeast;
  const wanted = terms ? credits(growWanted, terms) : growWanted;
  const available = work.growable(hold);
  if (least > available) return 'INSUFFICIENT_BALANCE';
  const holds = BigInt(work.state.holds.size);
  const parts = holds > 8n ? holds : 8n;
  work.grow(hold, share({ least, wanted, available, parts, step: terms?.micros ?? 1n }));
  return undefined;
}

function release(work: Work, op: OpOf<'release'>): Result {
  const ended = work.ended(op.hold);
  if (ended?.outcome.state === 'settled') return refused('HOLD_ENDED');
  // READING: a Release has one column in states.md; its other fields do not make a conflict.
  if (ended) return { verdict: 'duplicate', outcome: ended.outcome };
  const hold = work.state.holds.get(op.hold);
  if (!hold) return refused('HOLD_UNKNOWN');
  if (hasMoved(hold, op.generation)) return { verdict: 'stale' };
  return { verdict: 'done', outcome: work.endWithoutCharge(op.hold, 'released') };
}

// --- accounts ---------------------------------------------------------------------------------------------------------

function create(work: Work, op: OpOf<'create'>): Result {
  const repeat = work.repeat('create', op.id, op.payload);
  if (repeat) return repeat;
  if (work.state.exists) return refused('ACCOUNT_EXISTS');
  const { plan, imported } = op;
  if (plan?.kind === 'unknown') return refused('PLAN_UNKNOWN');
  const lots = imported?.lots ?? [];
  if (lots.some(({ expiresAtMs }) => expiresAtMs !== undefined && expiresAtMs <= work.nowMs))
    return refused('FIELD_INVALID');
  const total = (unit: Unit) =>
    sum(lots.filter((lot) => lot.unit === unit).map(({ remaining }) => remaining));
  if (UNITS.some((unit) => total(unit) > AMOUNT_MAX)) return refused('AMOUNT_OUT_OF_RANGE');
  work.state.exists = true;
  work.enter('account_created', op.id, undefined, {});
  if (imported) work.subscription().freeGranted = true;
  for (const { unit, source, priority, expiresAtMs, remaining } of lots) {
    const made = work.give(work.wallet(unit), work.newLot(unit, source, expiresAtMs, priority), remaining);
    work.enter('opening_lot', op.id, unit, { granted: remaining, lots: made });
  }
  if (plan) work.takePlan(op.id, plan, imported?.period);
  return work.store('create', op.id, op.payload, { of: 'create', createdMs: work.nowMs });
}

function grant(work: Work, op: OpOf<'grant'>): Result {
  const repeat = work.repeat('grant', op.id, op.payload);
  if (repeat) return repeat;
  if (work.state.status === 'closed') return refused('ACCOUNT_CLOSED');
  // READING: where both apply, the field is named.
  if (op.expiresAtMs !== undefined && op.expiresAtMs <= work.nowMs) return refused('FIELD_INVALID');
  const wallet = work.wallet(op.unit);
  if (remainingOf(wallet) + op.amount > AMOUNT_MAX) return refused('AMOUNT_OUT_OF_RANGE');
  if (isFull(wallet)) return refused('LIMIT_REACHED');
  const debtPaid = min(wallet.debt, op.amount);
  wallet.debt -= debtPaid;
  const origin = work.newLot(op.unit, 'top_up', op.expiresAtMs, TOP_UP_PRIORITY);
  const lots = work.give(wallet, origin, op.amount - debtPaid);
  work.enter('grant', op.id, op.unit, { granted: op.amount, debt: -debtPaid, lots });
  const outcome: Outcome = {
    of: 'grant',
    lot: origin.lot,
    unit: op.unit,
    granted: op.amount,
    debtPaid,
    available: work.available(wallet),
  };
  work.retryRenewals();
  return work.store('grant', op.id, op.payload, outcome);
}

function reversal(work: Work, op: OpOf<'reversal'>): Result {
  const repeat = work.repeat('reversal', op.id, op.payload);
  if (repeat) return repeat;
  const { charge } = op;
  if (charge !== '' && work.state.ids.has(scoped('reversed', charge))) return refused('ALREADY_REVERSED');
  if (charge !== '' && !op.withRerate && work.state.ids.has(scoped('rerate', charge)))
    return { verdict: 'stale' };
  const settled = op.unsettled ? work.ended(charge.slice('settle/'.length)) : undefined;
  if (settled?.outcome.state === 'settled') return { verdict: 'stale' };
  const wallet = work.wallet(op.unit);
  // READING: as for a grant, counted before debt is paid.
  if (remainingOf(wallet) + op.amount > AMOUNT_MAX) return refused('AMOUNT_OUT_OF_RANGE');
  if (charge !== '' && isFull(wallet)) return refused('LIMIT_REACHED');
  const isOwn = ({ lot }: Part): boolean => work.origin(lot).owner !== undefined;
  const own = sum(op.drawn.filter(isOwn).map(({ amount }) => amount));
  const debtPaid = min(wallet.debt, op.amount - own);
  wallet.debt -= debtPaid;
  let left = op.amount - debtPaid;
  const changes: LotChange[] = [];
  const expiring: Part[] = [];
  for (const part of [...op.drawn.filter(isOwn), ...op.drawn.filter((part) => !isOwn(part))]) {
    const back = min(left, part.amount);
    left -= back;
    const origin = work.origin(part.lot);
    changes.push(...work.give(wallet, origin, back));
    if (back > 0n && work.isExpired(origin)) expiring.push({ lot: part.lot, amount: back });
  }
  if (left > 0n)
    changes.push(...work.give(wallet, work.newLot(op.unit, 'correction', undefined, TOP_UP_PRIORITY), left));
  work.enter('reversal', op.id, op.unit, { spent: -op.amount, debt: -debtPaid, lots: changes });
  work.expireReturned(op.unit, expiring);
  const outcome: Outcome = {
    of: 'reversal',
    unit: op.unit,
    amount: op.amount,
    debtPaid,
    available: work.available(wallet),
  };
  if (op.unit === 'credits' && op.amount > 0n) work.retryRenewals();
  if (charge !== '') work.store('reversed', charge, op.payload, outcome);
  return work.store('reversal', op.id, op.payload, outcome);
}

function rerate(work: Work, op: OpOf<'rerate'>): Result {
  // A repetition has no payload that could differ.
  const repeat = work.repeat('rerate', op.id, '');
  if (repeat) return repeat;
  if (work.state.ids.has(scoped('reversed', op.id))) return refused('ALREADY_REVERSED');
  const { unit, amount } = op;
  const wallet = work.wallet(unit);
  const overdrawn = positive(amount - work.available(wallet));
  if (wallet.debt + overdrawn > AMOUNT_MAX) return refused('AMOUNT_OUT_OF_RANGE');
  const drawn = work.draw(wallet, amount - overdrawn);
  wallet.debt += overdrawn;
  const flags = [...flagList({ overdrawn: overdrawn > 0n, unrated: false }), ...work.statusFlags()];
  work.enter('rerate', op.id, unit, { spent: amount, debt: overdrawn, lots: drawn, flags });
  const available = work.available(wallet);
  return work.store('rerate', op.id, '', {
    of: 'rerate',
    unit,
    charged: amount,
    overdrawn,
    available,
    flags,
  });
}

function expireLot(work: Work, op: OpOf<'expireLot'>): Result {
  const repeat = work.repeat('expire_lot', op.id, op.payload);
  if (repeat) return repeat;
  const origin = work.state.lotOrigins.get(op.lot);
  if (!origin) return refused('LOT_UNKNOWN');
  const wallet = work.wallet(origin.unit);
  const lot = wallet.lots.find((candidate) => candidate.lot === op.lot);
  if (!lot || work.isExpired(lot)) return refused('LOT_ENDED');
  const expired = lot.remaining - lot.held;
  lot.remaining -= expired;
  lot.expiresAtMs = work.nowMs;
  origin.expiresAtMs = work.nowMs;
  dropEmptyLots(wallet);
  const lots = expired === 0n ? [] : [{ lot: op.lot, delta: -expired }];
  work.enter('expire_lot', op.id, origin.unit, { expired, lots });
  const outcome = {
    of: 'expire_lot',
    unit: origin.unit,
    expired,
    available: work.available(wallet),
  } as const;
  work.store('ended_lot', String(op.lot), op.payload, { ...outcome, atMs: work.nowMs });
  return work.store('expire_lot', op.id, op.payload, outcome);
}

function convert(work: Work, op: OpOf<'convert'>): Result {
  const repeat = work.repeat('convert', op.id, op.payload);
  if (repeat) return repeat;
  const refusal = work.refusal();
  if (refusal) return denied(refusal);
  const { unit, units, cost, priority } = op;
  const credits = work.wallet('credits');
  const available = work.available(credits);
  if (available < cost) {
    return denied('INSUFFICIENT_BALANCE', { unit: 'credits', available, missing: cost - available });
  }
  // READING: as for a grant, counted before debt is paid.
  if (remainingOf(work.wallet(unit)) + units > AMOUNT_MAX) return denied('AMOUNT_OUT_OF_RANGE');
  if (isFull(work.wallet(unit))) return denied('LIMIT_REACHED');
  work.enter('conversion', op.id, 'credits', { converted: cost, lots: work.draw(credits, cost) });
  const { lot, debtPaid } = work.bring(op.id, unit, units, priority);
  return work.store('convert', op.id, op.payload, {
    of: 'convert',
    lot,
    unit,
    granted: units,
    debtPaid,
    converted: cost,
    available: work.available(work.wallet(unit)),
  });
}

const TRANSITIONS: Record<OpOf<'setStatus'>['call'], { from: Status[]; to: Status }> = {
  freeze: { from: ['active'], to: 'frozen' },
  unfreeze: { from: ['frozen'], to: 'active' },
  close: { from: ['active', 'frozen'], to: 'closed' },
  reopen: { from: ['closed'], to: 'active' },
};
const STATUS_REASONS = {
  active: 'ACCOUNT_ACTIVE',
  frozen: 'ACCOUNT_FROZEN',
  closed: 'ACCOUNT_CLOSED',
} as const;

function setStatus(work: Work, op: OpOf<'setStatus'>): Result {
  const repeat = work.repeat('status', op.id, op.payload);
  if (repeat) return repeat;
  const { from, to } = TRANSITIONS[op.call];
  if (!from.includes(work.state.status)) return refused(STATUS_REASONS[work.state.status]);
  work.state.status = to;
  work.enter('account_status', op.id, undefined, {});
  return work.store('status', op.id, op.payload, { of: 'status' });
}

// --- plans ------------------------------------------------------------------------------------------------------------

function startPeriod(work: Work, op: OpOf<'startPeriod'>): Result {
  const repeat = work.repeat('plan', op.id, op.payload);
  if (repeat) return repeat;
  const { plan, startMs, endMs } = op;
  const { period, next } = work.state.subscription ?? {};
  const known = [period, next].filter((one) => one !== undefined);
  const same = known.find((one) => one.startMs === startMs);
  if (same) {
    if (same.plan.name !== plan.name || same.endMs !== endMs) return { verdict: 'conflict' };
    return { verdict: 'duplicate', outcome: periodOutcome(work, same) };
  }
  if (plan.kind === 'unknown') return refused('PLAN_UNKNOWN');
  if (work.state.status === 'closed') return refused('ACCOUNT_CLOSED');
  if (endMs <= work.nowMs) return refused('PERIOD_ENDED');
  if (known.some((one) => startMs < one.endMs && one.startMs < endMs)) return refused('PERIOD_OVERLAPS');
  const wanted: Period = { plan, startMs, endMs, granted: undefined };
  if (startMs > work.nowMs) {
    if (next) return refused('PERIOD_STORED');
    if (isFull(work.wallet('credits'))) return refused('LIMIT_REACHED');
    work.subscription().next = wanted;
    work.enterPlanChange(op.id, { plan: plan.name, event: 'period_stored', fromMs: startMs, toMs: endMs });
  } else {
    if (remainingOf(work.wallet('credits')) + plan.credits > AMOUNT_MAX)
      return refused('AMOUNT_OUT_OF_RANGE');
    if (isFull(work.wallet('credits'))) return refused('LIMIT_REACHED');
    work.beginPeriod(op.id, wanted, []);
  }
  const outcome = periodOutcome(work, wanted);
  if (wanted.granted) work.retryRenewals();
  return work.store('plan', op.id, op.payload, outcome);
}

function periodOutcome(work: Work, { granted, startMs }: Period): Outcome {
  return {
    of: 'plan',
    what: granted ? 'started' : 'stored',
    granted: granted?.amount ?? 0n,
    debtPaid: granted?.debtPaid ?? 0n,
    available: granted ? work.available(work.wallet('credits')) : 0n,
    extra: granted?.lot ?? startMs,
  };
}

function changePlan(work: Work, op: OpOf<'changePlan'>): Result {
  const repeat = work.repeat('plan', op.id, op.payload);
  if (repeat) return repeat;
  const { plan, endMs } = op;
  if (plan.kind === 'unknown') return refused('PLAN_UNKNOWN');
  if (work.state.status === 'closed') return refused('ACCOUNT_CLOSED');
  const present = work.state.subscription;
  if (present?.plan?.name === plan.name) return refused('PLAN_UNCHANGED');
  if (present?.next) return refused('PERIOD_STORED');
  const running = work.runningPeriod();
  const wallet = work.wallet('credits');
  if (running && plan.rank < (present?.plan?.rank ?? 0)) {
    work.subscription().change = plan;
    const note = { plan: plan.name, event: 'scheduled', fromMs: running.endMs, toMs: undefined } as const;
    work.enterPlanChange(op.id, note);
    const nothing = { granted: 0n, debtPaid: 0n, available: 0n, extra: running.endMs };
    return work.store('plan', op.id, op.payload, { of: 'plan', what: 'scheduled', ...nothing });
  }
  if (plan.kind !== 'free' && endMs === undefined) return refused('FIELD_INVALID');
  if (plan.kind !== 'free' && (endMs as number) <= work.nowMs) return refused('PERIOD_ENDED');
  if (remainingOf(wallet) + plan.credits > AMOUNT_MAX) return refused('AMOUNT_OUT_OF_RANGE');
  if (isFull(wallet)) return refused('LIMIT_REACHED');
  if (plan.kind === 'free') {
    const { lot, amount, debtPaid } = work.takePlan(op.id, plan);
    const available = lot === 0 ? 0n : work.available(wallet);
    const outcome = {
      of: 'plan',
      what: 'changed',
      granted: amount,
      debtPaid,
      available,
      extra: lot,
    } as const;
    if (amount > 0n) work.retryRenewals();
    return work.store('plan', op.id, op.payload, outcome);
  }
  const period: Period = { plan, startMs: work.nowMs, endMs: endMs as number, granted: undefined };
  const carried = carryForward(work, running, op, lotExpiry(period));
  work.subscription().change = undefined;
  work.beginPeriod(op.id, period, carried);
  const outcome = periodOutcome(work, period);
  work.retryRenewals();
  return work.store('plan', op.id, op.payload, outcome);
}

/** Of a period that was imported. */
const NOTHING = { lot: 0, amount: 0n, debtPaid: 0n };

/** The lots of the period that ran take the new one's expiry. */
function carryForward(
  work: Work,
  running: Period | undefined,
  op: OpOf<'changePlan'>,
  expiresAtMs: number | undefined,
): Lot[] {
  const lots = burnDown(work.wallet('credits').lots).filter(
    (lot) => running && lot.source === 'plan' && lot.expiresAtMs === running.endMs,
  );
  for (const lot of lots) {
    lot.expiresAtMs = expiresAtMs;
    work.origin(lot.lot).expiresAtMs = expiresAtMs;
    work.store('ended_lot', String(lot.lot), op.payload, { of: 'carried', expiresAtMs });
  }
  return lots;
}

function cancelChange(work: Work, op: OpOf<'cancelChange'>): Result {
  const repeat = work.repeat('plan', op.id, op.payload);
  if (repeat) return repeat;
  const { subscription } = work.state;
  if (!subscription?.change && !subscription?.next) return refused('NOTHING_SCHEDULED');
  subscription.change = undefined;
  subscription.next = undefined;
  const plan = subscription.plan?.name ?? '';
  work.enterPlanChange(op.id, { plan, event: 'withdrawn', fromMs: undefined, toMs: undefined });
  return work.store('plan', op.id, op.payload, { of: 'withdrawn' });
}

// --- agents -----------------------------------------------------------------------------------------------------------

/** Agents of an account that are not removed, and removed ones that are remembered. */
const AGENTS_MAX = 1_000;
const AGENTS_REMOVED_MAX = 100;

function unlockAgent(work: Work, op: OpOf<'unlockAgent'>): Result {
  const repeat = work.repeat('agent', op.id, op.payload);
  if (repeat) return repeat;
  const { tier } = op;
  if ('kind' in tier) return refused('TIER_UNKNOWN');
  const refusal = work.refusal();
  if (refusal) return denied(refusal);
  const { agents, plan } = work.state.subscription ?? { agents: [], plan: undefined };
  const present = agents.filter(({ state }) => state !== 'removed');
  if (present.some(({ id }) => id === op.agent)) return refused('AGENT_EXISTS');
  if (present.length >= Math.min(AGENTS_MAX, plan?.agentsMax ?? AGENTS_MAX)) return denied('AGENTS_MAX');
  const shortfall = work.shortOf(tier.unlock);
  if (shortfall) return denied('INSUFFICIENT_BALANCE', shortfall);
  if (tier.own > 0n && ownLotsFull(work.wallet('credits'))) return denied('LIMIT_REACHED');
  const subscription = work.subscription();
  subscription.agents = subscription.agents.filter(({ id }) => id !== op.agent);
  subscription.agentsMade += 1;
  const agent: Agent = {
    number: subscription.agentsMade,
    id: op.agent,
    state: 'active',
    tier,
    anchorMs: work.nowMs,
    cycles: 0,
    startMs: work.nowMs,
    endMs: work.nowMs,
    dueMs: undefined,
  };
  subscription.agents.push(agent);
  work.beginCycle(op.id, agent, 'unlocked', tier.unlock);
  return work.store('agent', op.id, op.payload, agentOutcome(work, agent, 'unlocked', tier.unlock));
}

function activateAgent(work: Work, op: OpOf<'activateAgent'>): Result {
  const repeat = work.repeat('agent', op.id, op.payload);
  if (repeat) return repeat;
  const refusal = work.refusal();
  if (refusal) return denied(refusal);
  const agent = work.findAgent(op.agent);
  if (!agent || agent.state === 'removed') return refused('AGENT_UNKNOWN');
  if (agent.tier.name !== op.tier.name) return { verdict: 'stale' };
  if (agent.state === 'active') return refused('AGENT_ACTIVE');
  const tier = 'kind' in op.tier ? agent.tier : op.tier;
  const shortfall = work.shortOf(tier.renewal);
  if (shortfall) return denied('INSUFFICIENT_BALANCE', shortfall);
  if (tier.own > 0n && ownLotsFull(work.wallet('credits'))) return denied('LIMIT_REACHED');
  Object.assign(agent, { tier, anchorMs: work.nowMs, cycles: 0, endMs: work.nowMs });
  work.beginCycle(op.id, agent, 'activated', tier.renewal);
  return work.store('agent', op.id, op.payload, agentOutcome(work, agent, 'activated', tier.renewal));
}

function endAgent(work: Work, op: OpOf<'suspendAgent'> | OpOf<'removeAgent'>): Result {
  const repeat = work.repeat('agent', op.id, op.payload);
  if (repeat) return repeat;
  const agent = work.findAgent(op.agent);
  if (!agent || agent.state === 'removed') return refused('AGENT_UNKNOWN');
  if (op.kind === 'suspendAgent' && agent.state === 'suspended') return refused('AGENT_SUSPENDED');
  const what = op.kind === 'suspendAgent' ? 'suspended' : 'removed';
  work.endAgent(op.id, agent, what);
  const { agents } = work.subscription();
  const removed = agents.filter(({ state }) => state === 'removed');
  if (removed.length > AGENTS_REMOVED_MAX) agents.splice(agents.indexOf(removed[0] as Agent), 1);
  return work.store('agent', op.id, op.payload, { ...agentOutcome(work, agent, what, 0n), available: 0n });
}

function agentOutcome(
  work: Work,
  { startMs, endMs }: Agent,
  what: 'unlocked' | 'activated' | 'suspended' | 'removed',
  cost: bigint,
) {
  return {
    of: 'agent',
    what,
    cost,
    available: work.available(work.wallet('credits')),
    startMs,
    endMs,
  } as const;
}

/** Where the k-th cycle since the anchor ends. */
function cycleEnd(anchorMs: number, { unit, count }: Tier['cycle'], cycles: number): number {
  const length = unit === 'day' ? { days: cycles * count } : { months: cycles * count };
  return DateTime.fromMillis(anchorMs, { zone: 'utc' }).plus(length).toMillis();
}

function lotExpiry({ plan, endMs }: Period): number | undefined {
  return plan.kind === 'keep' ? undefined : endMs;
}

// --- what the operations are made of ----------------------------------------------------------------------------------

class Work {
  readonly entries: Entry[] = [];
  /** The time at which what is being done was due. */
  atMs: number;
  /** For whom the operation is, where that is an agent that was unlocked. */
  agent: Agent | undefined;
  /** Whom the settle names that is being done, or its hold. */
  settledFor = '';

  constructor(
    readonly state: AccountState,
    readonly account: string,
    readonly nowMs: number,
  ) {
    this.atMs = nowMs;
  }

  wallet(unit: Unit): Wallet {
    return this.state.wallets[unit];
  }

  /** Why the account takes no new work, if it does not. */
  refusal(): 'ACCOUNT_FROZEN' | 'ACCOUNT_CLOSED' | 'AGENT_SUSPENDED' | undefined {
    if (this.state.status === 'frozen') return 'ACCOUNT_FROZEN';
    if (this.state.status === 'closed') return 'ACCOUNT_CLOSED';
    return this.agent && this.agent.state !== 'active' ? 'AGENT_SUSPENDED' : undefined;
  }

  statusFlags(): Flag[] {
    const flags: Flag[] = this.state.status === 'active' ? [] : [this.state.status];
    return this.agent && this.agent.state !== 'active' ? [...flags, 'agent_suspended'] : flags;
  }

  isExpired(lot: LotOrigin): boolean {
    return lot.expiresAtMs !== undefined && this.atMs >= lot.expiresAtMs;
  }

  availableOfLot(lot: Lot): bigint {
    return this.isExpired(lot) ? 0n : lot.remaining - lot.held;
  }

  /** Without what agents have of their own. */
  available(wallet: Wallet): bigint {
    return sum(wallet.lots.filter((lot) => !lot.owner).map((lot) => this.availableOfLot(lot)));
  }

  /** To the agent for whom the operation is: its own, and the account's if it draws on it. */
  availableTo(wallet: Wallet): bigint {
    const { agent } = this;
    if (!agent) return this.available(wallet);
    const own = wallet.lots
      .filter((lot) => lot.owner === agent.number)
      .map((lot) => this.availableOfLot(lot));
    return sum(own) + (agent.tier.draws ? this.available(wallet) : 0n);
  }

  workFor(agent: string | undefined): void {
    this.agent = agent ? this.findAgent(agent) : undefined;
  }

  findAgent(id: string): Agent | undefined {
    return this.state.subscription?.agents.find((agent) => agent.id === id);
  }

  /** Is anything converted for the agent? */
  converts(): boolean {
    return !this.agent || this.agent.tier.draws;
  }

  /** The credits that may be converted beyond what a hold has. */
  convertible(): bigint {
    return this.converts() ? this.available(this.wallet('credits')) : 0n;
  }

  /** The parts of a hold that are the account's. */
  accountParts(hold: OpenHold): Part[] {
    return hold.parts.filter(({ lot }) => !findLot(this.wallet(hold.unit), lot).owner);
  }

  /** May a hold of this unit be settled on conversion terms? */
  mayConvert(unit: Unit): boolean {
    return unit === 'credits' || (unit === 'tts_characters' && this.converts());
  }

  /** What credits are missing to pay a cost; undefined where there are enough. */
  shortOf(cost: bigint): Shortfall | undefined {
    const available = this.available(this.wallet('credits'));
    return available < cost ? { unit: 'credits', available, missing: cost - available } : undefined;
  }

  /** The wallet that pays: the first that covers its amount, else the last of the order. */
  payer(prices: Price[]): { unit: Unit; amount: bigint; unrated: boolean; blocks?: Blocks } {
    const isFree = ({ amount, blocks }: Price): boolean => amount === 0n && !blocks;
    const paying = (prices.every(isFree) ? prices : prices.filter((price) => !isFree(price))).filter(
      ({ blocks }) => !blocks || this.converts(),
    );
    const counted = paying.map(({ unit, amount, blocks }) => {
      if (blocks)
        return { unit: 'tts_characters' as const, amount: charactersOf(prices), unrated: false, blocks };
      return amount === 'unrated' ? { unit, amount: 0n, unrated: true } : { unit, amount, unrated: false };
    });
    const covers = ({ unit, amount, blocks }: (typeof counted)[number]): boolean => {
      if (!blocks) return amount <= this.availableTo(this.wallet(unit));
      const lacking = this.lacking(amount, blocks);
      return lacking !== undefined && lacking * blocks.micros <= this.available(this.wallet('credits'));
    };
    const payer = counted.find(covers) ?? counted.at(-1);
    if (!payer) throw new Error('a meter names at least one wallet');
    return payer;
  }

  /** What a Reserve holds where this price pays. */
  toHold({ unit, amount, blocks }: Price, prices: Price[]): Price {
    if (!blocks) return { unit, amount };
    const count = ceilDivide(charactersOf(prices) + this.wallet('tts_characters').debt, blocks.units);
    const sum = remainingOf(this.wallet('tts_characters')) + count * blocks.units;
    return { unit: 'credits', amount: sum > AMOUNT_MAX ? AMOUNT_MAX + 1n : count * blocks.micros };
  }

  /** The blocks that characters lack to pay `amount`, their debt included; undefined where a balance would be out of range. */
  lacking(amount: bigint, blocks: Blocks): bigint | undefined {
    const wallet = this.wallet('tts_characters');
    const available = this.availableTo(wallet);
    if (available >= amount) return 0n;
    const needed = amount - available + wallet.debt;
    const count = ceilDivide(needed, blocks.units);
    const sums = [needed, count * blocks.micros, remainingOf(wallet) + count * blocks.units];
    return sums.every((sum) => sum <= AMOUNT_MAX) ? count : undefined;
  }

  /**
   * Ends a hold of credits and takes `charge` from its parts that are the account's, and `beyond` from what is available to the account. What came back to
   * expired lots is still to expire.
   */
  takeHold(id: string, charge: bigint, beyond: bigint): { changes: LotChange[]; expiring: Part[] } {
    const hold = this.state.holds.get(id);
    if (!hold) throw new Error(`hold ${id} is not open`);
    this.state.holds.delete(id);
    const wallet = this.wallet('credits');
    const { changes, expiring } = this.takeParts(wallet, hold, charge, this.accountParts(hold));
    changes.push(...this.draw(wallet, beyond));
    return { changes, expiring };
  }

  /** Ends a hold of credits with a charge in characters: converts what the allowance lacks, the rest of the hold goes back. */
  endConverting(
    id: string,
    kind: 'settle' | 'session_expired',
    hold: OpenHold,
    { amount, lacking, blocks }: { amount: bigint; lacking: bigint; blocks: Blocks },
  ): EndOutcome {
    const ofAccount = sum(this.accountParts(hold).map((part) => part.amount));
    const count = min(lacking, (ofAccount + this.convertible()) / blocks.micros);
    const cost = count * blocks.micros;
    const why: Flag[] = lacking * blocks.micros > ofAccount ? ['over_hold'] : [];
    let spendable = this.availableTo(this.wallet('tts_characters'));
    const { changes, expiring } = this.takeHold(id, min(cost, ofAccount), positive(cost - ofAccount));
    const released = hold.amount - min(cost, ofAccount);
    spendable += this.enterConversion(count, blocks, changes, released);
    const told =
      kind === 'settle' ? {} : { holdAgent: hold.agent, quantities: hold.session?.quantities ?? '' };
    const booked = this.chargeCharacters(kind, id, { amount, spendable }, { why, ...told }, cost);
    this.expireReturned('credits', expiring);
    return { of: 'end', state: kind === 'settle' ? 'settled' : 'expired', ...booked, released };
  }

  /** What a hold may grow by. */
  growable(hold: OpenHold): bigint {
    return hold.terms ? this.convertible() : this.availableTo(this.wallet(hold.unit));
  }

  grow(hold: OpenHold, amount: bigint): void {
    const agent = hold.terms ? undefined : this.agent;
    for (const part of this.setAside(this.wallet(hold.unit), amount, agent)) {
      const last = hold.parts.at(-1);
      if (last && last.lot === part.lot) last.amount += part.amount;
      else hold.parts.push(part);
    }
    hold.amount += amount;
  }

  /** The credits of the whole blocks for characters and the debt of them; undefined where a balance would be out of range. */
  creditsFor(characters: bigint, blocks: Blocks): bigint | undefined {
    if (characters === 0n) return 0n;
    const wallet = this.wallet('tts_characters');
    const needed = characters + wallet.debt;
    const count = ceilDivide(needed, blocks.units);
    const sums = [needed, count * blocks.micros, remainingOf(wallet) + count * blocks.units];
    return sums.every((one) => one <= AMOUNT_MAX) ? count * blocks.micros : undefined;
  }

  /** What a session's hold has for its charge. */
  covers({ terms, amount }: OpenHold): bigint {
    if (!terms) return amount;
    const bought = (amount / terms.micros) * terms.units;
    return positive(min(bought, AMOUNT_MAX) - this.wallet('tts_characters').debt);
  }

  sessionOutcome(hold: OpenHold, session: Session, tookOver: boolean): Outcome {
    const { unit, amount: held, deadlineMs } = hold;
    const available = this.availableTo(this.wallet(unit));
    return {
      of: 'session',
      tookOver,
      unit,
      held,
      covers: this.covers(hold),
      available,
      deadlineMs,
      session: { ...session },
    };
  }

  /** Nobody ended the session: it is charged what its last checkpoint says. */
  expireSession(id: string, hold: OpenHold, session: Session): void {
    this.workFor(hold.agent);
    const unit = hold.terms ? 'tts_characters' : hold.unit;
    const wallet = this.wallet(unit);
    const there = this.availableTo(wallet) + (hold.terms ? 0n : hold.amount);
    const bookable = min(session.charge, there + AMOUNT_MAX - wallet.debt);
    const { terms: blocks, catalogVersion } = hold;
    if (blocks) {
      const lacking = this.lacking(session.charge, blocks);
      const amount = lacking === undefined ? bookable : session.charge;
      const how = { amount, lacking: lacking ?? 0n, blocks };
      const outcome = this.endConverting(id, 'session_expired', hold, how);
      this.store('hold', id, undefined, outcome, catalogVersion);
    } else {
      const excess = positive(bookable - hold.amount);
      const overdrawn = positive(excess - this.availableTo(wallet));
      const flags = [
        ...flagList({ overHold: excess > 0n, overdrawn: overdrawn > 0n, unrated: false }),
        ...this.statusFlags(),
      ];
      const { quantities } = session;
      this.end(id, 'session_expired', { charge: bookable - excess, excess, overdrawn, flags, quantities });
      const released = positive(hold.amount - bookable);
      const available = this.availableTo(wallet);
      const sums = { charged: bookable, overdrawn, released, available };
      this.store(
        'hold',
        id,
        undefined,
        { of: 'end', state: 'expired', unit, ...sums, flags },
        catalogVersion,
      );
    }
    this.workFor(undefined);
  }

  /** Charges characters that no hold of them set aside: from the account's, as far as they are `spendable`; the rest is debt. */
  chargeCharacters(
    kind: 'usage' | 'settle' | 'session_expired',
    id: string,
    { amount, spendable }: { amount: bigint; spendable: bigint },
    {
      why,
      ...more
    }: { why: Flag[]; before?: ChargedBefore | undefined; holdAgent?: string; quantities?: string },
    converted: bigint | undefined,
  ): Booked {
    const wallet = this.wallet('tts_characters');
    const overdrawn = positive(amount - spendable);
    const lots = this.draw(wallet, amount - overdrawn);
    wallet.debt += overdrawn;
    const flags: Flag[] = [
      ...why,
      ...flagList({ overdrawn: overdrawn > 0n, unrated: false }),
      ...(converted === undefined ? [] : (['converted'] as const)),
      ...this.statusFlags(),
    ];
    this.enter(kind, id, 'tts_characters', { spent: amount, debt: overdrawn, lots, flags, ...more });
    const available = this.availableTo(wallet);
    const booked = { unit: 'tts_characters', charged: amount, overdrawn, available, flags } as const;
    return converted === undefined ? booked : { ...booked, converted };
  }

  /** Returns what came into the allowance beyond its debt. */
  enterConversion(count: bigint, blocks: Blocks, lots: LotChange[], released: bigint): bigint {
    this.enter('conversion', undefined, 'credits', { converted: count * blocks.micros, lots, released });
    if (count === 0n) return 0n;
    const brought = count * blocks.units;
    return brought - this.bring(undefined, 'tts_characters', brought, blocks.priority).debtPaid;
  }

  /** Takes `charge` from the parts of a hold that pay and gives the rest back to their lots. */
  takeParts(
    wallet: Wallet,
    hold: OpenHold,
    charge: bigint,
    paying: Part[] = hold.parts,
  ): { changes: LotChange[]; expiring: Part[] } {
    const changes: LotChange[] = [];
    const expiring: Part[] = [];
    let left = charge;
    for (const part of hold.parts) {
      const lot = findLot(wallet, part.lot);
      const taken = paying.includes(part) ? min(left, part.amount) : 0n;
      left -= taken;
      lot.held -= part.amount;
      lot.remaining -= taken;
      if (taken > 0n) changes.push({ lot: part.lot, delta: -taken });
      const returned = part.amount - taken;
      if (returned > 0n && this.isExpired(lot)) expiring.push({ lot: part.lot, amount: returned });
    }
    if (left !== 0n) throw new Error('the charge exceeds the parts of the hold');
    return { changes, expiring };
  }

  /** Takes `amount` (which is available) from the lots in burn-down order. */
  draw(wallet: Wallet, amount: bigint, agent?: Agent): LotChange[] {
    const changes: LotChange[] = [];
    for (const { lot, amount: taken } of this.pick(wallet, amount, agent)) {
      lot.remaining -= taken;
      changes.push({ lot: lot.lot, delta: -taken });
    }
    dropEmptyLots(wallet);
    return changes;
  }

  /** Sets `amount` (which is available) aside in burn-down order. */
  setAside(wallet: Wallet, amount: bigint, agent?: Agent): Part[] {
    const parts: Part[] = [];
    for (const { lot, amount: taken } of this.pick(wallet, amount, agent)) {
      lot.held += taken;
      parts.push({ lot: lot.lot, amount: taken });
    }
    return parts;
  }

  /** From the lots of the account; for an agent from its own first. */
  pick(wallet: Wallet, amount: bigint, agent?: Agent): { lot: Lot; amount: bigint }[] {
    const picked: { lot: Lot; amount: bigint }[] = [];
    let missing = amount;
    const lots = burnDown(wallet.lots);
    const own = lots.filter((lot) => agent && lot.owner === agent.number);
    const ofAccount = agent?.tier.draws === false ? [] : lots.filter((lot) => !lot.owner);
    for (const lot of [...own, ...ofAccount]) {
      const taken = min(missing, this.availableOfLot(lot));
      if (taken > 0n) picked.push({ lot, amount: taken });
      missing -= taken;
    }
    if (missing !== 0n) throw new Error('picked more than was available');
    return picked;
  }

  /** What credits bought: debt first, then a lot that never expires. */
  bring(
    id: string | undefined,
    unit: Unit,
    units: bigint,
    priority: number,
  ): { lot: number; debtPaid: bigint } {
    const wallet = this.wallet(unit);
    const debtPaid = min(wallet.debt, units);
    wallet.debt -= debtPaid;
    const origin = this.newLot(unit, 'conversion', undefined, priority);
    const lots = this.give(wallet, origin, units - debtPaid);
    this.enter('conversion_grant', id, unit, { granted: units, debt: -debtPaid, lots, priority });
    return { lot: origin.lot, debtPaid };
  }

  newLot(
    unit: Unit,
    source: LotOrigin['source'],
    expiresAtMs: number | undefined,
    priority: number,
    owner?: number,
  ): LotOrigin {
    this.state.lastLot += 1;
    const origin = { lot: this.state.lastLot, unit, source, priority, expiresAtMs, owner };
    this.state.lotOrigins.set(origin.lot, origin);
    return origin;
  }

  origin(lot: number): LotOrigin {
    const origin = this.state.lotOrigins.get(lot);
    if (!origin) throw new Error(`lot ${lot} was never granted`);
    return origin;
  }

  /** Puts `amount` into a lot, which comes (back) into the state if it is not there. */
  give(wallet: Wallet, origin: LotOrigin, amount: bigint): LotChange[] {
    if (amount === 0n) return [];
    const lot = wallet.lots.find((candidate) => candidate.lot === origin.lot);
    if (lot) lot.remaining += amount;
    else wallet.lots.push({ ...origin, remaining: amount, held: 0n });
    return [{ lot: origin.lot, delta: amount }];
  }

  /**
   * One instant after the other, the soonest first; at one instant what comes first in the list of `dueParts`, then holds end, then renewals. Where nothing but
   * ends of holds is due, nothing is done.
   */
  doWhatIsDue(): void {
    if (this.soonestDue() > this.nowMs) return;
    for (;;) {
      const deadlines = [...this.state.holds.values()].map(({ deadlineMs }) => deadlineMs);
      const soonest = Math.min(this.soonestDue(), ...deadlines);
      if (soonest > this.nowMs) break;
      this.atMs = soonest;
      const entries = this.entries.length;
      for (;;) {
        const first = this.dueParts().find(({ atMs }) => atMs === soonest);
        if (!first) break;
        first.run();
      }
      for (const [id, hold] of [...this.state.holds]) if (hold.deadlineMs === soonest) this.endDue(id, hold);
      const granted = this.entries.slice(entries).some(({ kind }) => kind === 'plan_grant');
      this.renewAgents(granted);
    }
    this.atMs = this.nowMs;
  }

  soonestDue(): number {
    const agentsDue = (this.state.subscription?.agents ?? []).map(({ dueMs }) => dueMs ?? Infinity);
    return Math.min(...this.dueParts().map(({ atMs }) => atMs), ...agentsDue);
  }

  dueParts(): { atMs: number; run: () => void }[] {
    const { subscription } = this.state;
    const due: { atMs: number; run: () => void }[] = [];
    if (subscription?.change && subscription.period) {
      const { change } = subscription;
      due.push({ atMs: subscription.period.endMs, run: () => this.takePlan(undefined, change) });
    }
    if (subscription?.next) {
      const { next } = subscription;
      due.push({
        atMs: next.startMs,
        run: () => {
          subscription.next = undefined;
          this.beginPeriod(undefined, next, []);
        },
      });
    }
    for (const unit of UNITS) {
      for (const { lot, expiresAtMs, remaining, held } of burnDown(this.wallet(unit).lots)) {
        if (expiresAtMs === undefined || remaining === held) continue;
        due.push({ atMs: expiresAtMs, run: () => this.expireFromLot(unit, lot, remaining - held) });
      }
    }
    return due;
  }

  /** In the order of unlocking: what is due now and, after a grant, what could not be paid before. */
  renewAgents(granted: boolean): void {
    for (const agent of this.state.subscription?.agents ?? []) {
      const { dueMs, endMs, tier } = agent;
      if (dueMs === undefined) continue;
      const isDue = dueMs <= this.atMs;
      if (!isDue && !(granted && dueMs > endMs)) continue;
      const closed = this.state.status === 'closed';
      if ((granted || dueMs === endMs) && !closed && !this.shortOf(tier.renewal)) {
        this.beginCycle(undefined, agent, 'renewed', tier.renewal);
      } else if (isDue && (closed || dueMs > endMs || tier.graceMs === 0)) {
        this.endAgent(undefined, agent, 'suspended');
      } else if (isDue) {
        agent.dueMs = endMs + tier.graceMs;
        this.enterAgent('agent_status', undefined, agent, 'unpaid', {});
      }
    }
  }

  retryRenewals(): void {
    this.renewAgents(true);
  }

  /** The next cycle begins where the last one ended, and its own credits are granted. */
  beginCycle(
    id: string | undefined,
    agent: Agent,
    event: 'unlocked' | 'activated' | 'renewed',
    cost: bigint,
  ): void {
    const wallet = this.wallet('credits');
    const lots = this.draw(wallet, cost);
    agent.state = 'active';
    agent.cycles += 1;
    agent.startMs = agent.endMs;
    agent.endMs = cycleEnd(agent.anchorMs, agent.tier.cycle, agent.cycles);
    agent.dueMs = agent.endMs;
    const kind = event === 'unlocked' ? 'agent_unlock' : 'agent_renewal';
    this.enterAgent(kind, id, agent, event, { unit: 'credits', spent: cost, lots });
    const { own, priority } = agent.tier;
    if (own === 0n) return;
    const amount = min(own, AMOUNT_MAX - remainingOf(wallet));
    const origin = this.newLot('credits', 'agent_cycle', agent.endMs, priority, agent.number);
    const granted = this.give(wallet, origin, amount);
    this.enterAgent('agent_grant', id, agent, event, { unit: 'credits', granted: amount, lots: granted });
  }

  endAgent(id: string | undefined, agent: Agent, state: 'suspended' | 'removed'): void {
    agent.state = state;
    agent.dueMs = undefined;
    this.enterAgent('agent_status', id, agent, state, {});
  }

  enterAgent(
    kind: EntryKind,
    id: string | undefined,
    { number, id: agentId, tier, startMs, endMs }: Agent,
    event: AgentNote['event'],
    { unit, ...change }: { unit?: Unit; spent?: bigint; granted?: bigint; lots?: LotChange[] },
  ): void {
    const { name, priority } = tier;
    const agent = { number, id: agentId, tier: name, event, fromMs: startMs, toMs: endMs, priority };
    this.enter(kind, id, unit, { ...change, agent });
  }

  subscription(): Subscription {
    this.state.subscription ??= {
      plan: undefined,
      period: undefined,
      next: undefined,
      change: undefined,
      freeGranted: false,
      agentsMade: 0,
      agents: [],
    };
    return this.state.subscription;
  }

  /** The account is on a plan, without a period. Returns what was granted. */
  takePlan(
    id: string | undefined,
    plan: Plan,
    running?: { startMs: number; endMs: number },
  ): { lot: number; amount: bigint; debtPaid: bigint } {
    const subscription = this.subscription();
    subscription.plan = plan;
    subscription.change = undefined;
    this.enterPlanChange(id, {
      plan: plan.name,
      event: 'changed',
      fromMs: running?.startMs,
      toMs: running?.endMs,
    });
    if (running)
      subscription.period = {
        plan: { ...plan, credits: 0n, priority: 0, kind: 'expire' },
        ...running,
        granted: NOTHING,
      };
    if (plan.kind !== 'free' || subscription.freeGranted) return { lot: 0, amount: 0n, debtPaid: 0n };
    subscription.freeGranted = true;
    const note = { plan: plan.name, event: undefined, fromMs: undefined, toMs: undefined };
    return this.grantPlan(id, plan, 'free', undefined, note, []);
  }

  beginPeriod(id: string | undefined, period: Period, carried: Lot[]): void {
    const { plan, startMs, endMs } = period;
    const subscription = this.subscription();
    subscription.plan = plan;
    subscription.period = period;
    const note = { plan: plan.name, event: undefined, fromMs: startMs, toMs: endMs };
    period.granted = this.grantPlan(id, plan, 'plan', lotExpiry(period), note, carried);
  }

  grantPlan(
    id: string | undefined,
    plan: Plan,
    source: 'free' | 'plan',
    expiresAtMs: number | undefined,
    note: PlanNote,
    carried: Lot[],
  ): { lot: number; amount: bigint; debtPaid: bigint } {
    const wallet = this.wallet('credits');
    const amount = min(plan.credits, AMOUNT_MAX - remainingOf(wallet));
    const debtPaid = min(wallet.debt, amount);
    wallet.debt -= debtPaid;
    const origin = this.newLot('credits', source, expiresAtMs, plan.priority);
    const lots = [
      ...this.give(wallet, origin, amount - debtPaid),
      ...carried.map(({ lot }) => ({ lot, delta: 0n })),
    ];
    this.enter('plan_grant', id, 'credits', { granted: amount, debt: -debtPaid, lots, plan: note });
    return { lot: origin.lot, amount, debtPaid };
  }

  enterPlanChange(id: string | undefined, plan: PlanNote): void {
    this.enter('plan_change', id, undefined, { plan });
  }

  /** The period that runs now, if one does. */
  runningPeriod(): Period | undefined {
    const period = this.state.subscription?.period;
    return period && this.nowMs < period.endMs ? period : undefined;
  }

  /** One entry for all that each lot loses, in the order in which the lots first lose something. */
  expireReturned(unit: Unit, returned: Part[]): void {
    for (const lot of new Set(returned.map((part) => part.lot))) {
      this.expireFromLot(
        unit,
        lot,
        sum(returned.filter((part) => part.lot === lot).map((part) => part.amount)),
      );
    }
  }

  expireFromLot(unit: Unit, number: number, amount: bigint): void {
    if (amount === 0n) return;
    const wallet = this.wallet(unit);
    const lot = findLot(wallet, number);
    lot.remaining -= amount;
    dropEmptyLots(wallet);
    this.enter('lot_expired', undefined, unit, { expired: amount, lots: [{ lot: number, delta: -amount }] });
  }

  expireDueHold(id: string): void {
    const hold = this.state.holds.get(id);
    if (!hold || this.nowMs < hold.deadlineMs) return;
    this.atMs = hold.deadlineMs;
    this.endDue(id, hold);
    this.atMs = this.nowMs;
    this.doWhatIsDue();
  }

  endDue(id: string, hold: OpenHold): void {
    if (hold.session) this.expireSession(id, hold, hold.session);
    else this.endWithoutCharge(id, 'expired');
  }

  endWithoutCharge(id: string, state: 'released' | 'expired'): EndOutcome {
    const hold = this.end(id, state === 'released' ? 'release' : 'hold_expired', {
      charge: 0n,
      excess: 0n,
      overdrawn: 0n,
      flags: [],
    });
    const outcome: EndOutcome = {
      of: 'end',
      state,
      unit: hold.unit,
      charged: 0n,
      overdrawn: 0n,
      released: hold.amount,
      available: this.available(this.wallet(hold.unit)),
      flags: [],
    };
    this.store('hold', id, undefined, outcome, hold.catalogVersion);
    return outcome;
  }

  /**
   * Ends an open hold. `charge` is taken from its parts, `excess` beyond them from what is available then, but for
   * `overdrawn`, which becomes debt.
   */
  end(
    id: string,
    kind: 'settle' | 'release' | 'hold_expired' | 'session_expired',
    how: { charge: bigint; excess: bigint; overdrawn: bigint; flags: Flag[]; quantities?: string },
  ): OpenHold {
    const hold = this.state.holds.get(id);
    if (!hold) throw new Error(`hold ${id} is not open`);
    this.state.holds.delete(id);
    const wallet = this.wallet(hold.unit);
    const { changes, expiring } = this.takeParts(wallet, hold, how.charge);
    changes.push(...this.draw(wallet, how.excess - how.overdrawn, this.agent));
    wallet.debt += how.overdrawn;
    dropEmptyLots(wallet);
    const spent = how.charge + how.excess;
    this.enter(kind, id, hold.unit, {
      spent,
      debt: how.overdrawn,
      released: hold.amount - how.charge,
      lots: changes,
      flags: how.flags,
      holdAgent: hold.agent,
      quantities: how.quantities ?? '',
    });
    this.expireReturned(hold.unit, expiring);
    return hold;
  }

  enter(
    kind: EntryKind,
    id: string | undefined,
    unit: Unit | undefined,
    change: Partial<
      Pick<
        Entry,
        | 'granted'
        | 'spent'
        | 'expired'
        | 'converted'
        | 'debt'
        | 'released'
        | 'lots'
        | 'flags'
        | 'priority'
        | 'plan'
        | 'agent'
        | 'holdAgent'
        | 'quantities'
        | 'before'
      >
    >,
  ): void {
    this.state.lastEntry += 1;
    const wallet = unit === undefined ? undefined : this.wallet(unit);
    this.entries.push({
      account: this.account,
      accountSeq: this.state.lastEntry,
      kind,
      id,
      unit,
      granted: 0n,
      spent: 0n,
      expired: 0n,
      converted: 0n,
      debt: 0n,
      released: 0n,
      lots: [],
      flags: [],
      priority: 0,
      plan: undefined,
      agent: undefined,
      holdAgent: kind === 'settle' ? this.settledFor : '',
      quantities: '',
      before: undefined,
      ...change,
      ...(change.lots && { lots: merged(change.lots) }),
      after: wallet && { remaining: remainingOf(wallet), held: heldOf(wallet), debt: wallet.debt },
      bookedMs: this.nowMs,
      dueMs: this.atMs,
    });
  }

  repeat(kind: IdKind, id: string, payload: string): Result | undefined {
    const stored = this.state.ids.get(scoped(kind, id));
    if (!stored) return undefined;
    return stored.payload === payload
      ? { verdict: 'duplicate', outcome: stored.outcome }
      : { verdict: 'conflict' };
  }

  store(
    kind: IdKind,
    id: string,
    payload: string | undefined,
    outcome: Outcome,
    catalogVersion?: number,
  ): Result {
    this.state.ids.set(scoped(kind, id), { payload, outcome, catalogVersion });
    return { verdict: 'done', outcome };
  }

  ended(hold: string): (StoredId & { outcome: EndOutcome }) | undefined {
    const stored = this.state.ids.get(scoped('hold', hold));
    if (!stored) return undefined;
    if (stored.outcome.of !== 'end') throw new Error('the id of a hold stores how it ended');
    return { ...stored, outcome: stored.outcome };
  }
}

/** The same lot twice in a row is one change. */
function merged(changes: readonly LotChange[]): LotChange[] {
  const result: LotChange[] = [];
  for (const { lot, delta } of changes) {
    const last = result.at(-1);
    if (last?.lot === lot) last.delta += delta;
    else result.push({ lot, delta });
  }
  return result;
}

/** Priority, then soonest expiry (never last), then lowest number; those of agents behind the account's. */
export function burnDown(lots: readonly Lot[]): Lot[] {
  const expiry = (lot: Lot) => lot.expiresAtMs ?? Number.POSITIVE_INFINITY;
  return [...lots].sort((a, b) => {
    if (a.owner !== b.owner) return (a.owner ?? 0) - (b.owner ?? 0);
    if (a.priority !== b.priority) return a.priority - b.priority;
    if (expiry(a) !== expiry(b)) return expiry(a) < expiry(b) ? -1 : 1;
    return a.lot - b.lot;
  });
}

/** What the account could spend or hold of the wallet at `nowMs`. */
export function availableOf(wallet: Wallet, nowMs: number): bigint {
  return sum(
    wallet.lots
      .filter((lot) => !lot.owner && (lot.expiresAtMs === undefined || nowMs < lot.expiresAtMs))
      .map((lot) => lot.remaining - lot.held),
  );
}

function isFull(wallet: Wallet): boolean {
  return wallet.lots.filter(({ owner }) => owner === undefined).length >= LOTS_MAX;
}

function ownLotsFull(wallet: Wallet): boolean {
  return wallet.lots.filter(({ owner }) => owner !== undefined).length >= OWN_LOTS_MAX;
}

export function remainingOf(wallet: Wallet): bigint {
  return sum(wallet.lots.map((lot) => lot.remaining));
}

export function heldOf(wallet: Wallet): bigint {
  return sum(wallet.lots.map((lot) => lot.held));
}

export function scoped(kind: IdKind, id: string): string {
  return `${kind} ${id}`;
}

function findLot(wallet: Wallet, number: number): Lot {
  const lot = wallet.lots.find((candidate) => candidate.lot === number);
  if (!lot) throw new Error(`lot ${number} is not in the state`);
  return lot;
}

function dropEmptyLots(wallet: Wallet): void {
  wallet.lots = wallet.lots.filter((lot) => lot.remaining > 0n);
}

function flagList(flags: { overHold?: boolean; overdrawn: boolean; unrated: boolean }): Flag[] {
  const list: Flag[] = [];
  if (flags.overHold) list.push('over_hold');
  if (flags.overdrawn) list.push('overdrawn');
  if (flags.unrated) list.push('unrated');
  return list;
}

function denied(reason: Extract<Result, { reason: unknown }>['reason'], shortfall?: Shortfall): Result {
  return shortfall ? { verdict: 'denied', reason, shortfall } : { verdict: 'denied', reason };
}

function refused(reason: Extract<Result, { reason: unknown }>['reason']): Result {
  return { verdict: 'refused', reason };
}

/** What the allowance of a price with blocks would pay. */
function charactersOf(prices: readonly Price[]): bigint {
  const price = prices.find(({ unit }) => unit === 'tts_characters');
  if (price === undefined || price.amount === 'unrated') throw new Error('blocks without characters');
  return price.amount;
}

function ceilDivide(amount: bigint, divisor: bigint): bigint {
  return (amount + divisor - 1n) / divisor;
}

function sum(amounts: bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function positive(amount: bigint): bigint {
  return amount > 0n ? amount : 0n;
}
