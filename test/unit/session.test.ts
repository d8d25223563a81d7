/** One session at its end: when it is over, and how long it waits for what others may give back. */
import { describe, expect, it } from 'vitest';
import { Session } from '../../src/sessions/session.js';
import { SessionPrice } from '../../src/sessions/session-price.js';
import { lastTriesMax } from '../../src/sessions/slices.js';
import { UNITS } from '../../src/usage/types.js';
import { catalogWith } from './catalog-sample.js';

const intervalMs = 1_000;
/** A micro-credit an output token. */
const catalog = catalogWith([{ name: 'output', price: '1' }]);
const work = { accountId: 'a', agentId: '', meter: 'm', model: 'x', startTimeMs: 0, known: [] };
const listener = {
  acknowledged: () => undefined,
  stopped: () => undefined,
  countsRefused: () => undefined,
};

/** A session that is held for 10 tokens. */
class Stage {
  readonly session = new Session(
    { ...work, number: 1, sessionId: 's', counted: ['output'], expectedMax: 0, whole: false, generation: 0 },
    listener,
    1,
  );
  #covers = 10;

  constructor() {
    const price = new SessionPrice(catalog, this.session.opened, UNITS.credits);
    this.session.begin(price, this.#covers, 1, [], 0);
  }

  /** It was open before, and had so much acknowledged. */
  takenOver(acknowledged: number): void {
    const price = new SessionPrice(catalog, this.session.opened, UNITS.credits);
    this.session.begin(price, this.#covers, 2, [acknowledged], 0);
  }

  /** Is it to grow before the next tick? */
  count(count: number): boolean {
    return this.session.update(Float64Array.of(count), 1, 0) === 1;
  }

  /** A checkpoint that asks for growth, and what becomes of it. */
  refused(mayComeBack: boolean): string {
    const stand = this.session.stand(0, intervalMs);
    expect(typeof stand === 'string' ? 0 : stand.growWanted).toBeGreaterThan(0);
    this.session.confirm(this.#covers, 0);
    return this.session.refuseGrowth(mayComeBack);
  }

  granted(more: number): void {
    this.session.stand(0, intervalMs);
    this.#covers += more;
    this.session.confirm(this.#covers, 0);
  }
}

const waits = Array.from({ length: lastTriesMax }, () => 'goes on');

describe('a session that may not grow', () => {
  it('is not at its end while it has something left', () => {
    const stage = new Stage();
    for (const count of [6, 8, 9]) {
      stage.count(count);
      expect(stage.refused(false)).toBe('goes on');
    }
  });

  it('is at its end at once where nobody has anything that may come back', () => {
    const stage = new Stage();
    expect(stage.count(10)).toBe(true);
    expect(stage.refused(false)).toBe('at its end');
  });

  it('waits for what others may give back, so many ticks and no longer', () => {
    const stage = new Stage();
    stage.count(10);
    expect(waits.map(() => stage.refused(true))).toEqual(waits);
    expect(stage.session.isDue(0, 60_000)).toBe(true);
    expect(stage.refused(true)).toBe('at its end');
  });

  it('is at its end as soon as nobody has anything left', () => {
    const stage = new Stage();
    stage.count(10);
    expect([stage.refused(true), stage.refused(true), stage.refused(false)]).toEqual([
      'goes on',
      'goes on',
      'at its end',
    ]);
  });

  it('waits anew where it stands the next time', () => {
    const stage = new Stage();
    stage.count(10);
    for (const expected of waits) expect(stage.refused(true)).toBe(expected);
    stage.granted(1);
    expect(stage.session.allowedThrough).toBe(11);
    stage.count(11);
    expect(waits.map(() => stage.refused(true))).toEqual(waits);
    expect(stage.refused(true)).toBe('at its end');
  });

  it('does not wait where it goes past what is allowed, and says so at once', () => {
    const stage = new Stage();
    stage.count(10);
    expect(stage.refused(true)).toBe('goes on');
    expect(stage.count(10)).toBe(false);
    expect(stage.count(11)).toBe(true);
    expect(stage.refused(true)).toBe('at its end');
  });
});

it('a session that counts leaves the counts of those that do not as they are', () => {
  const [one, other, again] = [new Stage(), new Stage(), new Stage()];
  one.count(4);
  one.granted(1);
  expect([...one.session.counts, ...one.session.acknowledged]).toEqual([4, 4]);
  other.granted(1);
  expect([...other.session.counts, ...other.session.acknowledged]).toEqual([0, 0]);
  again.takenOver(6);
  expect([...again.session.counts, ...again.session.acknowledged]).toEqual([6, 6]);
  again.count(7);
  expect([...again.session.counts, ...again.session.acknowledged]).toEqual([7, 6]);
  expect([...new Stage().session.counts]).toEqual([0]);
});
