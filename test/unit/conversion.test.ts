/** What a conversion costs: exact, rounded up once, never more than was offered. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conversionOfCredits, conversionOfUnits } from '../../src/catalog/conversion.js';

const MAX = Number.MAX_SAFE_INTEGER;
const rates = fc.record({
  units: fc.integer({ min: 1, max: 1_000_000_000_000 }),
  creditsMicros: fc.integer({ min: 1, max: 1_000_000_000 }).map((credits) => credits * 1_000_000),
});

describe('a conversion', () => {
  it.each<
    [what: string, rate: [units: number, credits: number], credits: number, units: number, cost: number]
  >([
    ['200 credits at 100 characters a credit', [100, 1], 200_000_000, 20_000, 200_000_000],
    ['a rest that buys no whole unit stays', [100, 1], 10_999, 1, 10_000],
    ['a price below a micro-credit is rounded up once', [3, 1], 1_000_000, 3, 1_000_000],
    ['a third of a credit is rounded up to a micro-credit', [3, 1], 999_999, 2, 666_667],
    ['too little for one unit buys none', [1, 5], 4_999_999, 0, 0],
  ])('%s', (_, [units, credits], micros, bought, cost) => {
    const rate = { units, creditsMicros: credits * 1_000_000 };
    expect(conversionOfCredits(rate, micros)).toEqual({ units: bought, costMicros: cost });
    expect(conversionOfUnits(rate, bought)).toEqual({ units: bought, costMicros: cost });
  });

  it('costs at most what was offered, and one unit more would cost more than that', () => {
    fc.assert(
      fc.property(rates, fc.maxSafeNat(), (rate, micros) => {
        const bought = conversionOfCredits(rate, micros);
        if (bought === null) return;
        expect(bought.costMicros).toBeLessThanOrEqual(micros);
        const more = conversionOfUnits(rate, bought.units + 1);
        expect(more === null || more.costMicros > micros).toBe(true);
      }),
    );
  });

  it('that is made in two parts brings no more and costs no less', () => {
    fc.assert(
      fc.property(rates, fc.nat(1_000_000), fc.nat(1_000_000), (rate, a, b) => {
        const cost = (units: number): number => conversionOfUnits(rate, units)?.costMicros ?? MAX;
        expect(cost(a) + cost(b)).toBeGreaterThanOrEqual(cost(a + b));
      }),
    );
  });

  it('beyond 2^53-1 is none', () => {
    expect(conversionOfUnits({ units: 1, creditsMicros: 1_000_000 }, MAX)).toBeNull();
    expect(conversionOfCredits({ units: 1_000_000_000_000, creditsMicros: 1_000_000 }, MAX)).toBeNull();
  });
});
