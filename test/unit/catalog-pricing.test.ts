import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogFromJson } from '../../src/catalog/canonical.js';
import {
  type CompiledCatalog,
  compileCatalog,
  price,
  type QuantityCount,
  type Usage,
  walletCosts,
} from '../../src/catalog/pricing.js';
import { catalogOf } from './catalog-sample.js';

const max = Number.MAX_SAFE_INTEGER;

interface Quantity {
  name: string;
  partOf?: string;
  /** Credits per million units as text. */
  price?: string;
}

/** A catalog with one meter `m` and one model `x`, made the way a stored version is. */
function catalogWith(quantities: Quantity[], wallets: object = { wallets: ['credits'] }): CompiledCatalog {
  const json = {
    format: 1,
    meters: {
      m: {
        quantities: Object.fromEntries(
          quantities.map(({ name, partOf }) => [name, partOf === undefined ? {} : { part_of: partOf }]),
        ),
        ...wallets,
      },
    },
    rate_card: {
      unknown_models: 'unrated',
      models: [
        {
          name: 'x',
          meter: 'm',
          aliases: ['y'],
          source: 's',
          date: '2026-01-01',
          prices: Object.fromEntries(
            quantities.flatMap((q) => (q.price === undefined ? [] : [[q.name, q.price]])),
          ),
        },
      ],
    },
  };
  return compileCatalog(catalogOf(catalogFromJson(JSON.stringify(json))), 7);
}

function usage(quantities: Record<string, number>, model = 'x'): Usage {
  return { meter: 'm', model, quantities: Object.entries(quantities) };
}

const llm = catalogWith([
  { name: 'input', price: '3' },
  { name: 'cached', partOf: 'input', price: '0.3' },
  { name: 'write', partOf: 'input', price: '3.75' },
  { name: 'output', price: '15' },
  { name: 'reasoning', partOf: 'output' },
]);

describe('the price of an event', () => {
  it.each<[string, Record<string, number>, number]>([
    ['nothing', {}, 0],
    ['zeros', { input: 0, output: 0 }, 0],
    ['input and output', { input: 1000, output: 100 }, 4500],
    ['cached input, which is inside input', { input: 1000, cached: 1000 }, 300],
    ['cached and written input', { input: 1000, cached: 600, write: 300 }, 300 + 180 + 1125],
    ['reasoning, which has no price of its own and is inside output', { output: 100, reasoning: 80 }, 1500],
    ['a part of a micro-credit, rounded up', { input: 1, cached: 1 }, 1],
    ['two parts of a micro-credit, rounded up once', { input: 3, cached: 3 }, 1],
    ['several kinds, rounded up once and not per kind', { input: 2, cached: 1, write: 1 }, 5],
  ])('of %s', (_title, quantities, costMicros) => {
    expect(price(llm, usage(quantities))).toEqual({ kind: 'rated', costMicros });
  });

  it('is the same by an alias', () => {
    expect(price(llm, usage({ input: 10 }, 'y'))).toEqual({ kind: 'rated', costMicros: 30 });
  });

  it('does not depend on the order of quantities or on what was priced before', () => {
    price(llm, usage({ input: 5, cached: 5, output: 9, reasoning: 9 }));
    const quantities: QuantityCount[] = [
      ['cached', 600],
      ['output', 10],
      ['input', 1000],
    ];
    expect(price(llm, { meter: 'm', model: 'x', quantities })).toEqual({ kind: 'rated', costMicros: 1530 });
  });

  it('is below one credit to the last micro-credit', () => {
    const tiny = catalogWith([{ name: 'a', price: '0.000001' }]);
    expect(price(tiny, usage({ a: 1 }))).toEqual({ kind: 'rated', costMicros: 1 });
    expect(price(tiny, usage({ a: 1_000_000 }))).toEqual({ kind: 'rated', costMicros: 1 });
    expect(price(tiny, usage({ a: 1_000_001 }))).toEqual({ kind: 'rated', costMicros: 2 });
  });

  it('charges a part with a price inside a part without one', () => {
    const nested = catalogWith([
      { name: 'a', price: '10' },
      { name: 'b', partOf: 'a' },
      { name: 'c', partOf: 'b', price: '1' },
    ]);
    expect(price(nested, usage({ a: 100, b: 50, c: 20 }))).toEqual({
      kind: 'rated',
      costMicros: 80 * 10 + 20,
    });
  });

  it('may make a part dearer than its parent, or free', () => {
    const dear = catalogWith([
      { name: 'a', price: '0' },
      { name: 'b', partOf: 'a', price: '2' },
    ]);
    expect(price(dear, usage({ a: 100, b: 50 }))).toEqual({ kind: 'rated', costMicros: 100 });
    const free = catalogWith([
      { name: 'a', price: '2' },
      { name: 'b', partOf: 'a', price: '0' },
    ]);
    expect(price(free, usage({ a: 100, b: 50 }))).toEqual({ kind: 'rated', costMicros: 100 });
  });

  it.each([
    [9_007_199_254_000_000, 9_007_199_254],
    [9_007_199_254_000_001, 9_007_199_255],
    [9_007_199_253_999_999, 9_007_199_254],
    [8_589_934_592_000_001, 8_589_934_593],
    [max, 9_007_199_255],
  ])('rounds %d units up exactly, as far as doubles are exact', (count, costMicros) => {
    const tiny = catalogWith([{ name: 'a', price: '0.000001' }]);
    expect(price(tiny, usage({ a: count }))).toEqual({ kind: 'rated', costMicros });
  });

  it('goes up to 2^53-1 micro-credits and is refused beyond', () => {
    const one = catalogWith([{ name: 'a', price: '1' }]);
    expect(price(one, usage({ a: max }))).toEqual({ kind: 'rated', costMicros: max });
    const more = catalogWith([{ name: 'a', price: '1.000001' }]);
    expect(price(more, usage({ a: max }))).toEqual({
      kind: 'refused',
      field: 'quantities',
      reason: 'cost_too_large',
    });
    expect(price(more, usage({ a: max - 9_007_200_000 }))).toEqual({
      kind: 'rated',
      costMicros: 9_007_199_254_731_239,
    });
  });
});

describe('usage that cannot be priced', () => {
  it('is unrated where the rate card does not know the model', () => {
    expect(price(llm, usage({ input: 5 }, 'gpt-unknown'))).toEqual({ kind: 'unrated' });
    expect(price(llm, usage({ input: 5 }, 'constructor'))).toEqual({ kind: 'unrated' });
  });

  it.each<[string, Usage, string, string]>([
    ['an unknown meter', { meter: 'toString', model: 'x', quantities: [] }, 'meter', 'unknown_meter'],
    ['an unknown quantity', usage({ inputs: 1 }), 'quantities.inputs', 'unknown_quantity'],
    [
      'a quantity that objects have anyway',
      usage({ constructor: 1 } as never),
      'quantities.constructor',
      'unknown_quantity',
    ],
    [
      'text where a name should be, which is not repeated',
      usage({ 'my secret': 1 }),
      'quantities',
      'unknown_quantity',
    ],
    ['a name that is too long to repeat', usage({ ['a'.repeat(65)]: 1 }), 'quantities', 'unknown_quantity'],
    [
      'a quantity twice',
      {
        meter: 'm',
        model: 'x',
        quantities: [
          ['input', 1],
          ['input', 1],
        ],
      },
      'quantities.input',
      'repeated_quantity',
    ],
    ['a negative count', usage({ input: -1 }), 'quantities.input', 'count_out_of_range'],
    ['a fraction', usage({ input: 1.5 }), 'quantities.input', 'count_out_of_range'],
    ['not a number', usage({ input: Number.NaN }), 'quantities.input', 'count_out_of_range'],
    ['infinity', usage({ input: Number.POSITIVE_INFINITY }), 'quantities.input', 'count_out_of_range'],
    ['2^53', usage({ input: max + 1 }), 'quantities.input', 'count_out_of_range'],
    ['a bigint', usage({ input: 1n as never }), 'quantities.input', 'count_out_of_range'],
    ['text', usage({ input: '1' as never }), 'quantities.input', 'count_out_of_range'],
    ['a part without its parent', usage({ cached: 1 }), 'quantities.cached', 'part_exceeds_parent'],
    [
      'a part larger than its parent',
      usage({ output: 5, reasoning: 6 }),
      'quantities.reasoning',
      'part_exceeds_parent',
    ],
    [
      'parts that are together larger',
      usage({ input: 5, cached: 3, write: 3 }),
      'quantities.write',
      'part_exceeds_parent',
    ],
    [
      'parts whose sum would not be exact',
      usage({ input: max, cached: max, write: 1 }),
      'quantities.write',
      'part_exceeds_parent',
    ],
  ])('is refused for %s', (_title, sent, field, reason) => {
    expect(price(llm, sent)).toEqual({ kind: 'refused', field, reason });
    expect(walletCosts(llm, sent)).toEqual({ kind: 'refused', field, reason });
    // The same for a model without prices, so that rating it later cannot fail.
    if (sent.meter === 'm')
      expect(price(llm, { ...sent, model: 'new' })).toEqual({ kind: 'refused', field, reason });
  });
});

describe('what each wallet would be charged', () => {
  const tts = catalogWith(
    [
      { name: 'characters', price: '15' },
      { name: 'audio', price: '12' },
    ],
    { wallets: ['tts_characters', 'credits'], one_to_one: { tts_characters: 'characters' } },
  );

  it('comes in the order of the meter: characters one to one, credits by price', () => {
    expect(walletCosts(tts, usage({ characters: 100, audio: 10 }))).toEqual({
      kind: 'rated',
      costs: [
        { unit: 'tts_characters', amount: 100 },
        { unit: 'credits', amount: 1620 },
      ],
    });
  });

  it('counts characters of an unrated model too', () => {
    expect(walletCosts(tts, usage({ characters: 100 }, 'new'))).toEqual({
      kind: 'unrated',
      costs: [
        { unit: 'tts_characters', amount: 100 },
        { unit: 'credits', amount: 'unrated' },
      ],
    });
  });

  it('is a plain 0 where nothing was counted, whatever sign the zero had', () => {
    const costs = walletCosts(tts, usage({ characters: -0 }));
    expect(costs).toStrictEqual({
      kind: 'rated',
      costs: [
        { unit: 'tts_characters', amount: 0 },
        { unit: 'credits', amount: 0 },
      ],
    });
  });
});

describe('a compiled catalog', () => {
  it('carries its version and its meters', () => {
    expect(llm.version).toBe(7);
    expect(llm.meter('m')?.quantities).toEqual(['input', 'cached', 'write', 'output', 'reasoning']);
    expect(llm.meter('m')?.wallets).toEqual(['credits']);
    expect(llm.meter('nope')).toBeUndefined();
  });
});

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
