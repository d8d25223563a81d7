import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, availableOf, emptyAccount, heldOf, remainingOf } from '../oracle/account.js';
import { batches, resolve } from '../oracle/generators.js';
import { conservation } from '../oracle/ledger.js';
import {
  AMOUNT_MAX,
  type Entry,
  type Op,
  type Price,
  type Result,
  UNITS,
  type Unit,
} from '../oracle/model.js';
import { accountOf, applyBatch, emptyWorld, type World } from '../oracle/world.js';

// Hand-computed cases: the numbers below were worked out from docs/accounting.md, not from the oracle.

const account = 'a';
const T = 1_000_000;

/** An account that exists, and what was done to it. */
class Case {
  state = emptyAccount();
  entries: Entry[] = [];
  nowMs = T;

  constructor() {
    this.do({ kind: 'create', account, id: 'r', payload: 'p' });
  }

  at(nowMs: number): this {
    this.nowMs = nowMs;
    return this;
  }

  do(op: Op): Result {
    const before = structuredClone(this.state);
    const step = apply(this.state, op, this.nowMs);
    expect(this.state).toEqual(before);
    this.state = step.state;
    this.entries.push(...step.entries);
    expect(conservation(this.entries, this.state)).toEqual([]);
    return step.result;
  }

  grant(id: string, amount: bigint, options: { unit?: Unit; expiresAtMs?: number } = {}): Result {
    const { unit = 'credits', expiresAtMs } = options;
    return this.do({ kind: 'grant', account, id, payload: 'p', unit, amount, expiresAtMs });
  }

  usage(id: string, prices: Price[], payload = 'p'): Result {
    return this.do({ kind: 'usage', account, id, payload, prices });
  }

  reserve(hold: string, prices: Price[], holdTimeMs = 1_000, payload = 'p'): Result {
    return this.do({ kind: 'reserve', account, hold, payload, prices, holdTimeMs, catalogVersion: 1 });
  }

  extend(id: string, hold: string, addAmount: bigint, holdTimeMs = 0, payload = 'p'): Result {
    return this.do({ kind: 'extend', account, id, hold, payload, addAmount, holdTimeMs });
  }

  settle(hold: string, prices: Price[], payload = 'p', pricedWith = 0): Result {
    return this.do({ kind: 'settle', account, hold, payload, prices, pricedWith });
  }

  release(hold: string): Result {
    return this.do({ kind: 'release', account, hold });
  }

  sweep(hold: string): Result {
    return this.do({ kind: 'expireHold', account, hold });
  }

  touch(): Result {
    return this.do({ kind: 'touch', account });
  }

  reverse(id: string, amount: bigint, drawn: { lot: number; amount: bigint }[]): Result {
    return this.do({
      kind: 'reversal',
      account,
      id,
      payload: 'p',
      charge: '',
      unit: 'credits',
      amount,
      withRerate: false,
      drawn,
    });
  }

  /** remaining, held, debt of a wallet. */
  wallet(unit: Unit = 'credits'): [bigint, bigint, bigint] {
    const wallet = this.state.wallets[unit];
    return [remainingOf(wallet), heldOf(wallet), wallet.debt];
  }

  lots(unit: Unit = 'credits'): [number, bigint, bigint][] {
    return this.state.wallets[unit].lots.map((lot) => [lot.lot, lot.remaining, lot.held]);
  }

  kinds(): string[] {
    return this.entries.map((entry) => entry.kind);
  }

  last(): Entry {
    const entry = this.entries.at(-1);
    if (!entry) throw new Error('no entry');
    return entry;
  }
}

const credits = (amount: bigint | 'unrated'): Price => ({ unit: 'credits', amount });
const characters = (amount: bigint): Price => ({ unit: 'tts_characters', amount });

describe('oracle: accounts and grants', () => {
  it('an unknown account is unknown to every call', () => {
    const result = (op: Op) => apply(emptyAccount(), op, T).result;
    const unknown = { reason: 'ACCOUNT_UNKNOWN' };
    const prices = [credits(1n)];
    expect(result({ kind: 'usage', account, id: 'u', payload: 'p', prices })).toMatchObject(unknown);
    expect(
      result({ kind: 'reserve', account, hold: 'h', payload: 'p', prices, holdTimeMs: 1, catalogVersion: 1 }),
    ).toEqual({ verdict: 'denied', ...unknown });
    expect(result({ kind: 'settle', account, hold: 'h', payload: 'p', prices, pricedWith: 0 })).toMatchObject(
      unknown,
    );
    expect(result({ kind: 'release', account, hold: 'h' })).toMatchObject(unknown);
    expect(result({ kind: 'touch', account })).toEqual({ verdict: 'swept' });
  });

  it('an account is created once; the same request is a duplicate, another payload a conflict', () => {
    const c = new Case();
    expect(c.do({ kind: 'create', account, id: 'r', payload: 'p' })).toMatchObject({ verdict: 'duplicate' });
    expect(c.do({ kind: 'create', account, id: 'r', payload: 'q' })).toEqual({ verdict: 'conflict' });
    expect(c.do({ kind: 'create', account, id: 'other', payload: 'p' })).toEqual({
      verdict: 'refused',
      reason: 'ACCOUNT_EXISTS',
    });
    expect(c.kinds()).toEqual(['account_created']);
    expect(c.last()).toMatchObject({ accountSeq: 1, unit: undefined, after: undefined });
  });

  it('a grant makes a lot; a repeat grants nothing', () => {
    const c = new Case();
    const outcome = {
      of: 'grant',
      lot: 1,
      unit: 'credits',
      granted: 100n,
      debtPaid: 0n,
      available: 100n,
    };
    expect(c.grant('g1', 100n)).toEqual({ verdict: 'done', outcome });
    expect(c.grant('g2', 5n)).toMatchObject({ outcome: { lot: 2, available: 105n } });
    expect(c.grant('g1', 100n)).toEqual({ verdict: 'duplicate', outcome });
    expect(c.wallet()).toEqual([105n, 0n, 0n]);
    expect(c.last().after).toEqual({ remaining: 105n, held: 0n, debt: 0n });
  });

  it('a grant pays debt first, and its lot is numbered even if nothing remains', () => {
    const c = new Case();
    c.usage('u1', [credits(30n)]);
    expect(c.wallet()).toEqual([0n, 0n, 30n]);
    expect(c.grant('g1', 10n)).toMatchObject({
      outcome: { lot: 1, granted: 10n, debtPaid: 10n, available: 0n },
    });
    expect(c.lots()).toEqual([]);
    expect(c.last()).toMatchObject({ kind: 'grant', granted: 10n, debt: -10n, lots: [] });
    expect(c.grant('g2', 25n)).toMatchObject({ outcome: { lot: 2, debtPaid: 20n, available: 5n } });
    expect(c.lots()).toEqual([[2, 5n, 0n]]);
    expect(c.wallet()).toEqual([5n, 0n, 0n]);
  });

  it('a grant beyond 2^53-1 is refused, debt or not, and so is one that has expired', () => {
    const c = new Case();
    expect(c.grant('g1', AMOUNT_MAX)).toMatchObject({ outcome: { available: AMOUNT_MAX } });
    expect(c.grant('g2', 1n)).toEqual({ verdict: 'refused', reason: 'AMOUNT_OUT_OF_RANGE' });
    expect(c.grant('g3', 1n, { unit: 'llm_messages', expiresAtMs: T })).toMatchObject({
      reason: 'FIELD_INVALID',
    });
    expect(c.grant('g3', 1n, { unit: 'llm_messages', expiresAtMs: T + 1 })).toMatchObject({
      verdict: 'done',
    });
    // All of it held, 1 in debt: the grant would only pay the debt, but is counted before.
    c.reserve('h', [credits(AMOUNT_MAX)]);
    c.usage('u', [credits(1n)]);
    expect(c.grant('g4', 1n)).toEqual({ verdict: 'refused', reason: 'AMOUNT_OUT_OF_RANGE' });
    expect(c.wallet()).toEqual([AMOUNT_MAX, AMOUNT_MAX, 1n]);
  });
});

describe('oracle: usage', () => {
  it('draws in burn-down order: soonest expiry, never-expiring last, then the oldest', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.grant('g2', 10n, { expiresAtMs: T + 200 });
    c.grant('g3', 10n, { expiresAtMs: T + 100 });
    c.grant('g4', 10n);
    c.usage('u1', [credits(33n)]);
    expect(c.last()).toMatchObject({
      kind: 'usage',
      spent: 33n,
      debt: 0n,
      lots: [
        { lot: 3, delta: -10n },
        { lot: 2, delta: -10n },
        { lot: 1, delta: -10n },
        { lot: 4, delta: -3n },
      ],
      after: { remaining: 7n, held: 0n, debt: 0n },
    });
    expect(c.lots()).toEqual([[4, 7n, 0n]]);
  });

  it('is charged once; another payload is a conflict', () => {
    const c = new Case();
    c.grant('g1', 10n);
    const outcome = {
      of: 'usage',
      unit: 'credits',
      charged: 4n,
      overdrawn: 0n,
      available: 6n,
      flags: [],
    };
    expect(c.usage('u1', [credits(4n)])).toEqual({ verdict: 'done', outcome });
    c.usage('u2', [credits(1n)]);
    expect(c.usage('u1', [credits(4n)])).toEqual({ verdict: 'duplicate', outcome });
    expect(c.usage('u1', [credits(4n)], 'q')).toEqual({ verdict: 'conflict' });
    expect(c.wallet()).toEqual([5n, 0n, 0n]);
  });

  it('beyond what is available becomes debt, up to 2^53-1', () => {
    const c = new Case();
    c.grant('g1', 10n);
    expect(c.usage('u1', [credits(25n)])).toMatchObject({
      outcome: { charged: 25n, overdrawn: 15n, available: 0n },
    });
    expect(c.last()).toMatchObject({ spent: 25n, debt: 15n, flags: ['overdrawn'] });
    expect(c.usage('u2', [credits(AMOUNT_MAX - 14n)])).toEqual({
      verdict: 'refused',
      reason: 'AMOUNT_OUT_OF_RANGE',
    });
    expect(c.usage('u2', [credits(AMOUNT_MAX - 15n)])).toMatchObject({ verdict: 'done' });
    expect(c.wallet()).toEqual([0n, 0n, AMOUNT_MAX]);
    expect(c.usage('u3', [credits(1n)])).toMatchObject({ reason: 'AMOUNT_OUT_OF_RANGE' });
    expect(c.usage('u3', [credits(0n)])).toMatchObject({ verdict: 'done' });
  });

  it('is paid by the first wallet that covers it, else by the last', () => {
    const c = new Case();
    c.grant('g1', 10n, { unit: 'tts_characters' });
    c.grant('g2', 100n);
    expect(c.usage('u1', [characters(10n), credits(50n)])).toMatchObject({
      outcome: { unit: 'tts_characters' },
    });
    expect(c.usage('u2', [characters(1n), credits(50n)])).toMatchObject({ outcome: { unit: 'credits' } });
    expect(c.usage('u3', [characters(1n), credits(60n)])).toMatchObject({
      outcome: { unit: 'credits', charged: 60n, overdrawn: 10n },
    });
    // What would pay nothing does not pay for what costs something.
    expect(c.usage('u4', [characters(0n), credits(60n)])).toMatchObject({
      outcome: { unit: 'credits', charged: 60n, overdrawn: 60n },
    });
  });

  it('without a price is booked as 0 and flagged, unless an allowance pays', () => {
    const c = new Case();
    expect(c.usage('u1', [characters(5n), credits('unrated')])).toMatchObject({
      outcome: { unit: 'credits', charged: 0n, flags: ['unrated'] },
    });
    expect(c.last()).toMatchObject({ spent: 0n, debt: 0n, flags: ['unrated'], lots: [] });
    c.grant('g1', 5n, { unit: 'tts_characters' });
    expect(c.usage('u2', [characters(5n), credits('unrated')])).toMatchObject({
      outcome: { unit: 'tts_characters', charged: 5n, flags: [] },
    });
  });
});

describe('oracle: holds', () => {
  it('a reserve sets aside in burn-down order and a settle gives the rest back', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.grant('g2', 10n);
    expect(c.reserve('h1', [credits(15n)])).toEqual({
      verdict: 'done',
      outcome: { of: 'reserve', unit: 'credits', held: 15n, available: 5n, deadlineMs: T + 1_000 },
    });
    expect(c.lots()).toEqual([
      [1, 10n, 10n],
      [2, 10n, 5n],
    ]);
    expect(c.kinds()).toEqual(['account_created', 'grant', 'grant']);
    expect(c.settle('h1', [credits(12n)])).toEqual({
      verdict: 'done',
      outcome: {
        of: 'end',
        state: 'settled',
        unit: 'credits',
        charged: 12n,
        overdrawn: 0n,
        released: 3n,
        available: 8n,
        flags: [],
      },
    });
    expect(c.last()).toMatchObject({
      kind: 'settle',
      id: 'h1',
      spent: 12n,
      debt: 0n,
      lots: [
        { lot: 1, delta: -10n },
        { lot: 2, delta: -2n },
      ],
      after: { remaining: 8n, held: 0n, debt: 0n },
    });
  });

  it('a denial says what is missing, changes nothing, and the same id is judged afresh', () => {
    const c = new Case();
    c.grant('g1', 10n);
    expect(c.reserve('h1', [characters(3n), credits(12n)])).toEqual({
      verdict: 'denied',
      reason: 'INSUFFICIENT_BALANCE',
      shortfall: { unit: 'credits', available: 10n, missing: 2n },
    });
    expect(c.state.holds.size + c.state.ids.size).toBe(2);
    expect(c.reserve('h1', [credits(10n)], 1_000, 'q')).toMatchObject({ verdict: 'done' });
  });

  it('unrated wallets are skipped by a reserve', () => {
    const c = new Case();
    expect(c.reserve('h1', [credits('unrated')])).toEqual({ verdict: 'denied', reason: 'MODEL_UNRATED' });
    expect(c.reserve('h1', [characters(3n), credits('unrated')])).toEqual({
      verdict: 'denied',
      reason: 'INSUFFICIENT_BALANCE',
      shortfall: { unit: 'tts_characters', available: 0n, missing: 3n },
    });
  });

  it('a repeated reserve answers as the first did, also after an extend; once ended it is denied', () => {
    const c = new Case();
    c.grant('g1', 100n);
    const first = c.reserve('h1', [credits(10n)]);
    c.extend('x1', 'h1', 5n, 9_000);
    expect(c.reserve('h1', [credits(10n)])).toEqual({ ...first, verdict: 'duplicate' });
    expect(c.reserve('h1', [credits(10n)], 1_000, 'q')).toEqual({ verdict: 'conflict' });
    c.settle('h1', [credits(1n)]);
    expect(c.reserve('h1', [credits(10n)])).toEqual({ verdict: 'denied', reason: 'HOLD_ENDED' });
  });

  it('an extend adds parts and time, all or nothing', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.grant('g2', 10n);
    c.reserve('h1', [credits(4n)]);
    expect(c.extend('x1', 'h1', 3n, 500)).toEqual({
      verdict: 'done',
      outcome: { of: 'extend', unit: 'credits', held: 7n, available: 13n, deadlineMs: T + 1_000 },
    });
    expect(c.state.holds.get('h1')?.parts).toEqual([{ lot: 1, amount: 7n }]);
    expect(c.extend('x2', 'h1', 14n, 5_000)).toEqual({
      verdict: 'denied',
      reason: 'INSUFFICIENT_BALANCE',
      shortfall: { unit: 'credits', available: 13n, missing: 1n },
    });
    expect(c.state.holds.get('h1')?.deadlineMs).toBe(T + 1_000);
    expect(c.extend('x2', 'h1', 13n, 5_000)).toMatchObject({ outcome: { held: 20n, deadlineMs: T + 5_000 } });
    expect(c.extend('x1', 'h1', 3n, 500)).toMatchObject({ verdict: 'duplicate', outcome: { held: 7n } });
    expect(c.extend('x1', 'h1', 3n, 500, 'q')).toEqual({ verdict: 'conflict' });
    expect(c.extend('x4', 'h9', 1n)).toEqual({ verdict: 'denied', reason: 'HOLD_UNKNOWN' });
    c.release('h1');
    expect(c.extend('x4', 'h1', 1n)).toEqual({ verdict: 'denied', reason: 'HOLD_ENDED' });
    expect(c.extend('x1', 'h1', 3n, 500)).toMatchObject({ verdict: 'duplicate' });
    expect(c.lots()).toEqual([
      [1, 10n, 0n],
      [2, 10n, 0n],
    ]);
  });

  it('the parts of a hold keep the order in which they were taken', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(4n)]);
    c.grant('g2', 3n, { expiresAtMs: T + 100 });
    c.extend('x1', 'h1', 5n);
    expect(c.state.holds.get('h1')?.parts).toEqual([
      { lot: 1, amount: 4n },
      { lot: 2, amount: 3n },
      { lot: 1, amount: 2n },
    ]);
    c.settle('h1', [credits(5n)]);
    expect(c.last().lots).toEqual([
      { lot: 1, delta: -4n },
      { lot: 2, delta: -1n },
    ]);
  });

  it('a settle beyond the hold draws what is available, then debt', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(6n)]);
    c.reserve('h2', [credits(1n)]);
    expect(c.settle('h1', [credits(12n)])).toMatchObject({
      outcome: {
        charged: 12n,
        overdrawn: 3n,
        released: 0n,
        available: 0n,
        flags: ['over_hold', 'overdrawn'],
      },
    });
    expect(c.last()).toMatchObject({ spent: 12n, debt: 3n, after: { remaining: 1n, held: 1n, debt: 3n } });
    // What comes back from a hold pays no debt.
    expect(c.release('h2')).toMatchObject({ outcome: { state: 'released', released: 1n, available: 1n } });
    expect(c.wallet()).toEqual([1n, 0n, 3n]);
  });

  it('a settle in another unit than the hold changes nothing', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(6n)]);
    expect(c.settle('h1', [characters(1n)])).toEqual({ verdict: 'refused', reason: 'FIELD_INVALID' });
    expect(c.wallet()).toEqual([10n, 6n, 0n]);
    expect(c.settle('h1', [characters(1n), credits('unrated')])).toMatchObject({
      outcome: { unit: 'credits', charged: 0n, released: 6n, flags: ['unrated'] },
    });
  });

  it('a settle that would take the debt beyond 2^53-1 leaves the hold open', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(10n)]);
    c.usage('u1', [credits(AMOUNT_MAX - 1n)]);
    expect(c.settle('h1', [credits(12n)])).toEqual({ verdict: 'refused', reason: 'AMOUNT_OUT_OF_RANGE' });
    expect(c.wallet()).toEqual([10n, 10n, AMOUNT_MAX - 1n]);
    expect(c.settle('h1', [credits(11n)])).toMatchObject({ verdict: 'done', outcome: { overdrawn: 1n } });
    expect(c.wallet()).toEqual([0n, 0n, AMOUNT_MAX]);
  });

  it('a settle of an unknown hold books as usage does', () => {
    const c = new Case();
    c.grant('g1', 10n);
    expect(c.settle('h1', [characters(3n), credits(4n)])).toMatchObject({
      outcome: { unit: 'credits', charged: 4n, released: 0n, available: 6n, flags: ['hold_unknown'] },
    });
    expect(c.last()).toMatchObject({ kind: 'settle', id: 'h1', spent: 4n });
    expect(c.settle('h1', [credits(4n)])).toMatchObject({ verdict: 'duplicate' });
    expect(c.settle('h1', [credits(4n)], 'q')).toEqual({ verdict: 'conflict' });
    expect(c.reserve('h1', [credits(1n)])).toMatchObject({ reason: 'HOLD_ENDED' });
    expect(c.release('h1')).toEqual({ verdict: 'refused', reason: 'HOLD_ENDED' });
    expect(c.release('h2')).toEqual({ verdict: 'refused', reason: 'HOLD_UNKNOWN' });
  });

  it('a hold expires at its deadline, swept or not, and a late settle books once', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(6n)], 100);
    c.reserve('h2', [credits(3n)], 100);
    c.at(T + 99);
    expect(c.sweep('h1')).toEqual({ verdict: 'swept' });
    expect(c.wallet()).toEqual([10n, 9n, 0n]);
    c.at(T + 100).sweep('h1');
    expect(c.wallet()).toEqual([10n, 3n, 0n]);
    expect(c.last()).toMatchObject({ kind: 'hold_expired', id: 'h1', spent: 0n, lots: [] });
    expect(c.release('h1')).toMatchObject({
      verdict: 'duplicate',
      outcome: { state: 'expired', released: 6n },
    });
    expect(c.settle('h1', [characters(8n)])).toEqual({ verdict: 'refused', reason: 'FIELD_INVALID' });
    expect(c.settle('h1', [characters(8n), credits(8n)])).toMatchObject({
      outcome: {
        state: 'settled',
        unit: 'credits',
        charged: 8n,
        overdrawn: 1n,
        released: 0n,
        flags: ['overdrawn', 'late'],
      },
    });
    expect(c.settle('h1', [characters(8n), credits(8n)])).toMatchObject({ verdict: 'duplicate' });
    // Nobody swept h2: the call on it finds it expired.
    expect(c.reserve('h2', [credits(3n)], 100)).toEqual({ verdict: 'denied', reason: 'HOLD_ENDED' });
    expect(c.last()).toMatchObject({ kind: 'hold_expired', id: 'h2' });
  });

  it('a settle priced with another catalog version than its hold is to be priced again, also when late', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(6n)]);
    expect(c.settle('h1', [credits(2n)], 'p', 2)).toEqual({ verdict: 'reprice', catalogVersion: 1 });
    c.release('h1');
    expect(c.settle('h1', [credits(2n)], 'p', 2)).toEqual({ verdict: 'reprice', catalogVersion: 1 });
    expect(c.settle('h1', [credits(2n)], 'p', 1)).toMatchObject({ verdict: 'done' });
    expect(c.settle('h1', [credits(2n)], 'p', 2)).toMatchObject({ verdict: 'duplicate' });
    expect(c.settle('h2', [credits(2n)], 'p', 2)).toMatchObject({ verdict: 'done' });
  });

  it('a settle after a release is late', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.reserve('h1', [credits(6n)]);
    c.release('h1');
    expect(c.release('h1')).toMatchObject({ verdict: 'duplicate', outcome: { released: 6n } });
    expect(c.settle('h1', [credits(2n)])).toMatchObject({ verdict: 'done', outcome: { flags: ['late'] } });
    expect(c.wallet()).toEqual([8n, 0n, 0n]);
  });
});

describe('oracle: expiry', () => {
  it('due lots expire first, held parts stay, and what comes back from a hold expires at once', () => {
    const c = new Case();
    c.grant('g1', 10n, { expiresAtMs: T + 50 });
    c.grant('g2', 5n, { unit: 'llm_messages', expiresAtMs: T + 50 });
    c.grant('g3', 7n);
    c.reserve('h1', [credits(4n)]);
    c.at(T + 50);
    expect(availableOf(c.state.wallets.credits, c.nowMs)).toBe(7n);
    c.touch();
    expect(c.entries.slice(4)).toMatchObject([
      { kind: 'lot_expired', unit: 'credits', expired: 6n, after: { remaining: 11n, held: 4n } },
      { kind: 'lot_expired', unit: 'llm_messages', expired: 5n, after: { remaining: 0n, held: 0n } },
    ]);
    expect(c.settle('h1', [credits(1n)])).toMatchObject({
      outcome: { charged: 1n, released: 3n, available: 7n },
    });
    expect(c.entries.slice(6)).toMatchObject([
      { kind: 'settle', spent: 1n, expired: 0n, after: { remaining: 10n, held: 0n } },
      { kind: 'lot_expired', spent: 0n, expired: 3n, after: { remaining: 7n, held: 0n } },
    ]);
  });

  it('a lot that is in a hold twice expires in one entry', () => {
    const c = new Case();
    c.grant('g1', 10n, { expiresAtMs: T + 50 });
    c.reserve('h1', [credits(4n)]);
    c.grant('g2', 3n, { expiresAtMs: T + 40 });
    c.extend('x1', 'h1', 9n);
    c.at(T + 50).release('h1');
    expect(c.entries.slice(3).map(({ kind, expired, lots }) => [kind, expired, lots])).toEqual([
      ['release', 0n, []],
      ['lot_expired', 10n, [{ lot: 1, delta: -10n }]],
      ['lot_expired', 3n, [{ lot: 2, delta: -3n }]],
    ]);
    expect(c.wallet()).toEqual([0n, 0n, 0n]);
  });

  it('lots expire in the order in which a hold first gives something back to them', () => {
    const c = new Case();
    c.grant('g1', 10n, { expiresAtMs: T + 50 });
    c.reserve('h1', [credits(4n)]);
    c.grant('g2', 3n, { expiresAtMs: T + 40 });
    c.extend('x1', 'h1', 5n);
    // The parts are 4 of lot 1, 3 of lot 2, 2 of lot 1: the charge takes all of the first and one of the second.
    c.at(T + 50).settle('h1', [credits(5n)]);
    expect(c.entries.slice(3).map(({ kind, lots }) => [kind, lots])).toEqual([
      ['lot_expired', [{ lot: 1, delta: -4n }]],
      [
        'settle',
        [
          { lot: 1, delta: -4n },
          { lot: 2, delta: -1n },
        ],
      ],
      ['lot_expired', [{ lot: 2, delta: -2n }]],
      ['lot_expired', [{ lot: 1, delta: -2n }]],
    ]);
  });
});

describe('oracle: reversal', () => {
  it('pays debt, then goes back to the lots, and brings a lot back that had left', () => {
    const c = new Case();
    c.grant('g1', 10n);
    c.grant('g2', 10n);
    c.usage('u1', [credits(25n)]);
    expect(c.wallet()).toEqual([0n, 0n, 5n]);
    const drawn = [
      { lot: 1, amount: 10n },
      { lot: 2, amount: 10n },
    ];
    expect(c.reverse('v1', 25n, drawn)).toMatchObject({
      outcome: { amount: 25n, debtPaid: 5n, available: 20n },
    });
    expect(c.lots()).toEqual([
      [1, 10n, 0n],
      [2, 10n, 0n],
    ]);
    expect(c.last()).toMatchObject({ kind: 'reversal', spent: -25n, debt: -5n });
    expect(c.reverse('v1', 25n, drawn)).toMatchObject({ verdict: 'duplicate' });
  });

  it('beyond what the lots gave becomes a lot of its own', () => {
    const c = new Case();
    c.usage('u1', [credits(25n)]);
    c.grant('g1', 30n);
    expect(c.reverse('v1', 25n, [])).toMatchObject({ outcome: { debtPaid: 0n, available: 30n } });
    expect(c.lots()).toEqual([
      [1, 5n, 0n],
      [2, 25n, 0n],
    ]);
    expect(c.state.wallets.credits.lots[1]).toMatchObject({ source: 'correction', expiresAtMs: undefined });
  });

  it('into a lot that has expired expires at once', () => {
    const c = new Case();
    c.grant('g1', 10n, { expiresAtMs: T + 50 });
    c.usage('u1', [credits(10n)]);
    c.at(T + 50);
    expect(c.reverse('v1', 10n, [{ lot: 1, amount: 10n }])).toMatchObject({ outcome: { available: 0n } });
    expect(c.entries.slice(3)).toMatchObject([
      { kind: 'reversal', spent: -10n, lots: [{ lot: 1, delta: 10n }], after: { remaining: 10n } },
      { kind: 'lot_expired', expired: 10n, after: { remaining: 0n } },
    ]);
    expect(c.lots()).toEqual([]);
  });
});

describe('oracle: for any sequence of operations', () => {
  const options = { numRuns: 300 };

  it('every unit is accounted for after every batch', () => {
    fc.assert(
      fc.property(batches(), (sequence) => {
        play(sequence, (world) => {
          for (const [name, state] of world.accounts) {
            const entries = world.ledger.filter((entry) => entry.account === name);
            expect(conservation(entries, state)).toEqual([]);
          }
        });
      }),
      options,
    );
  });

  it('what remains rises only by a grant, a plan, a conversion or a reversal, what can be spent also by the end of a hold', () => {
    const granting = [
      'grant',
      'convert',
      'reversal',
      'create',
      'startPeriod',
      'changePlan',
      'unlockAgent',
      'activateAgent',
    ];
    // A charge may convert credits for it, and leaves the rest of a block.
    const bringing = (op: Op): boolean =>
      granting.includes(op.kind) ||
      ((op.kind === 'usage' || op.kind === 'settle') && op.prices.some((price) => price.blocks));
    const freeing = ['reserve', 'extend', 'settle', 'release', 'expireHold'];
    fc.assert(
      fc.property(batches({ opsPerBatchMax: 1 }), (sequence) => {
        play(sequence, (world, before, ops) => {
          if (ops.length !== 1) return;
          for (const [name, state] of world.accounts) {
            // What was stored or scheduled is granted when its time has come, whatever the call.
            const booked = world.ledger.slice(before.ledger.length);
            if (booked.some(isDuePlanGrant)) continue;
            // The deadline of a session may convert for it; what a hold gives back by its deadline is free, whatever the call.
            const ended = booked.some(({ kind }) => kind === 'session_expired' || kind === 'hold_expired');
            const old = accountOf(before, name);
            for (const unit of UNITS) {
              const [was, is] = [old.wallets[unit], state.wallets[unit]];
              const converted =
                unit === 'tts_characters' && booked.some(({ kind }) => kind === 'session_expired');
              if (remainingOf(is) > remainingOf(was) && !converted) expect(bringing(ops[0] as Op)).toBe(true);
              const freed = availableOf(is, world.nowMs) > availableOf(was, before.nowMs);
              if (freed && !ended && !bringing(ops[0] as Op)) expect(freeing).toContain(ops[0]?.kind);
            }
          }
        });
      }),
      options,
    );
  });

  it('what was allowed and settled within the hold makes no debt', () => {
    fc.assert(
      fc.property(batches({ reversals: false }), (sequence) => {
        play(sequence, (_world, _before, ops, results) => {
          results.forEach((result, index) => {
            if (ops[index]?.kind !== 'settle' || result.verdict !== 'done' || result.outcome.of !== 'end')
              return;
            const { flags, overdrawn } = result.outcome;
            if (overdrawn > 0n)
              expect(flags).toSatisfy((f: string[]) => /over_hold|late|unknown/.test(f.join()));
          });
        });
      }),
      options,
    );
  });

  it('whatever was done once is not done again by a repetition', () => {
    fc.assert(
      fc.property(batches(), (sequence) => {
        play(sequence, (world, _before, ops, results) => {
          ops.forEach((op, index) => {
            if (results[index]?.verdict !== 'done') return;
            // The same open takes the session over, the same checkpoint notes the same again: neither charges.
            if (op.kind === 'openSession' || op.kind === 'checkpoint') return;
            const again = applyBatch(world, [op], world.nowMs);
            expect(again.results[0]?.verdict).not.toBe('done');
            expect(again.entries).toEqual([]);
          });
        });
      }),
      options,
    );
  });
});

function play(
  sequence: { nowMs: number; ops: Parameters<typeof resolve>[0][] }[],
  each: (world: World, before: World, ops: Op[], results: Result[]) => void,
): void {
  let world = emptyWorld();
  for (const { nowMs, ops: planned } of sequence) {
    const ops = planned.map((op) => resolve(op, world)).filter((op) => op !== undefined);
    const before = world;
    const step = applyBatch(world, ops, nowMs);
    world = step.world;
    each(world, before, ops, step.results);
  }
}

function isDuePlanGrant(entry: Entry): boolean {
  return (entry.kind === 'plan_grant' || entry.kind === 'agent_grant') && entry.id === undefined;
}
