import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { price } from '../../src/catalog/pricing.js';
import { catalogWith, type Quantity, usage } from './catalog-sample.js';

const max = Number.MAX_SAFE_INTEGER;

/** Micro-credits per million of a price written as text, by its digits alone. */
function oracleMicros(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(6, '0'));
}

/**
 * The rule as the documentation states it, without the shortcut of the product: take every part with a price
 * out of what contains it, price what is left, add, round up. Returns 'refused' where parts do not fit.
 */
function oracleCost(quantities: Quantity[], counts: Record<string, number>): bigint | 'refused' {
  const count = (name: string): bigint => BigInt(counts[name] ?? 0);
  const parts = (name: string): Quantity[] => quantities.filter((q) => q.partOf === name);
  const total = (names: Quantity[]): bigint => names.reduce((sum, q) => sum + count(q.name), 0n);
  const charged = (name: string): Quantity[] =>
    parts(name).flatMap((part) => (part.price === undefined ? charged(part.name) : [part]));
  let sum = 0n;
  for (const quantity of quantities) {
    if (total(parts(quantity.name)) > count(quantity.name)) return 'refused';
    if (quantity.price === undefined) continue;
    sum += (count(quantity.name) - total(charged(quantity.name))) * oracleMicros(quantity.price);
  }
  const quotient = sum / 1_000_000n;
  return quotient * 1_000_000n === sum ? quotient : quotient + 1n;
}

const near = (...centres: number[]): fc.Arbitrary<number> =>
  fc
    .tuple(fc.constantFrom(...centres), fc.integer({ min: -3, max: 3 }))
    .map(([centre, offset]) => Math.min(max, Math.max(0, centre + offset)));

const anyCount = fc.oneof(fc.nat(5000), near(0, 1_000_000, 1e14, 2 ** 52, max), fc.integer({ min: 0, max }));
const anyPrice = fc.oneof(
  fc.constantFrom('0', '0.000001', '0.15', '0.60', '1', '1.000001', '999999999.999999', '1000000000'),
  fc.nat(30_000_000).map((micros) => `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`),
);

/** Up to 6 quantities, each at the top or a part of an earlier one; parts may or may not have a price. */
const anyQuantities: fc.Arbitrary<Quantity[]> = fc
  .array(fc.record({ parent: fc.nat(9), price: anyPrice, priced: fc.boolean() }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((drawn) =>
    drawn.map(({ parent, price: text, priced }, index) => {
      if (parent >= index) return { name: `q${index}`, price: text };
      return { name: `q${index}`, partOf: `q${parent}`, ...(priced ? { price: text } : {}) };
    }),
  );

/** Counts that mostly fit: a part gets a share of what its parent has left. */
function countsThatFit(quantities: Quantity[], tops: number[], shares: number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const left: Record<string, number> = {};
  for (const [index, { name, partOf }] of quantities.entries()) {
    const room =
      partOf === undefined ? (tops[index] ?? 0) : Math.floor((left[partOf] ?? 0) * (shares[index] ?? 0));
    counts[name] = left[name] = Math.min(room, partOf === undefined ? max : (left[partOf] ?? 0));
    if (partOf !== undefined) left[partOf] = (left[partOf] ?? 0) - room;
  }
  return counts;
}

function expectSameAsOracle(quantities: Quantity[], counts: Record<string, number>): string {
  const expected = oracleCost(quantities, counts);
  const got = price(catalogWith(quantities), usage(counts));
  if (expected === 'refused') {
    expect(got).toMatchObject({ kind: 'refused', reason: 'part_exceeds_parent' });
    return 'refused';
  }
  if (expected > BigInt(max)) {
    expect(got).toMatchObject({ kind: 'refused', reason: 'cost_too_large' });
    return 'too large';
  }
  expect(got).toEqual({ kind: 'rated', costMicros: Number(expected) });
  return 'rated';
}

describe('pricing agrees with the rule computed in whole numbers', () => {
  const six = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { minLength: 6, maxLength: 6 });
  const share = fc.constantFrom(0, 0.01, 0.5, 0.99, 1);

  it('for parts that fit, however large', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyQuantities, six(anyCount), six(share), (quantities, tops, shares) => {
        seen.add(expectSameAsOracle(quantities, countsThatFit(quantities, tops, shares)));
      }),
      { numRuns: 1000 },
    );
    expect([...seen].sort()).toEqual(['rated', 'too large']);
  });

  it('for arbitrary counts, fitting or not', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyQuantities, six(anyCount), (quantities, tops) => {
        const counts = Object.fromEntries(quantities.map(({ name }, index) => [name, tops[index] ?? 0]));
        seen.add(expectSameAsOracle(quantities, counts));
      }),
      { numRuns: 1000 },
    );
    expect([...seen].sort()).toEqual(['rated', 'refused', 'too large']);
  });

  it('around the amount where doubles stop being exact', () => {
    // Two quantities whose products add up to a few units around 2^53, 10^14 and multiples of a million.
    fc.assert(
      fc.property(near(2 ** 53 - 4, 1e14, 9_007_199_254_000_000), fc.nat(2_000_000), (total, second) => {
        const quantities = [
          { name: 'a', price: '0.000001' },
          { name: 'b', price: '0.000003' },
        ];
        expectSameAsOracle(quantities, { a: total - second, b: second });
      }),
      { numRuns: 1000 },
    );
  });
});
