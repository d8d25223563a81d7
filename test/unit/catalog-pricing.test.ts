import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { price, type QuantityCount, type Usage, walletCosts } from '../../src/catalog/pricing.js';
import { catalogWith, usage } from './catalog-sample.js';

const max = Number.MAX_SAFE_INTEGER;

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
  ])('of %s', (_title, quantities, costMicros) => {
    expect(price(llm, usage(quantities))).toEqual({ kind: 'rated', costMicros });
  });

  it('is rounded up once, and not per kind of token', () => {
    // 0.3 and 7.5 micro-credits.
    expect(price(llm, usage({ input: 3, cached: 1, write: 2 }))).toEqual({ kind: 'rated', costMicros: 8 });
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

  it('is exact where the sum of products passes 2^53', () => {
    // 3 x this count is 1 above a multiple of a million; as a double it would be that multiple.
    const three = catalogWith([{ name: 'a', price: '0.000003' }]);
    expect(price(three, usage({ a: 3_002_399_754_666_667 }))).toEqual({
      kind: 'rated',
      costMicros: 9_007_199_265,
    });
  });

  it('goes up to 2^53-1 micro-credits and is refused beyond', () => {
    const two = catalogWith([
      { name: 'a', price: '1' },
      { name: 'b', price: '1' },
    ]);
    expect(price(two, usage({ a: max - 1, b: 1 }))).toEqual({ kind: 'rated', costMicros: max });
    expect(price(two, usage({ a: max, b: 1 }))).toMatchObject({ kind: 'refused', reason: 'cost_too_large' });
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

describe('what messages cost', () => {
  const message = { weighted_tokens: 100, weights: { input: '1', cached: '0.1', output: '4' } };
  const quantities = [
    { name: 'input', price: '3' },
    { name: 'cached', partOf: 'input', price: '0.3' },
    { name: 'audio', partOf: 'input' },
    { name: 'output', price: '15' },
  ];
  const wallets = { wallets: ['llm_messages', 'credits'] };
  const withMessages = catalogWith(quantities, wallets, { model: { message } });
  const messages = (counts: Record<string, number>): unknown => {
    const priced = walletCosts(withMessages, usage(counts));
    return priced.kind === 'refused' ? priced : priced.costs[0];
  };

  it.each<[string, Record<string, number>, number]>([
    ['nothing', {}, 0],
    ['a single token, which uses a whole message', { input: 1 }, 1],
    ['as many weighted tokens as one holds', { input: 60, output: 10 }, 1],
    ['one token more', { input: 61, output: 10 }, 2],
    ['a long answer', { output: 1_000 }, 40],
    ['cached input at its own weight', { input: 1_000, cached: 1_000 }, 1],
    ['a hundredth of a token too much', { input: 1_001, cached: 1_000 }, 2],
    ['a part without a weight, inside its input', { input: 100, audio: 100 }, 1],
    ['kinds that are rounded up once, not each', { input: 50, cached: 10, output: 1 }, 1],
  ])('is counted whole: %s', (_title, counts, amount) => {
    expect(messages(counts)).toEqual({ unit: 'llm_messages', amount });
  });

  it('comes beside credits in the order of the meter, never as a part of both', () => {
    expect(walletCosts(withMessages, usage({ input: 1_000, output: 100 }))).toEqual({
      kind: 'rated',
      costs: [
        { unit: 'llm_messages', amount: 14 },
        { unit: 'credits', amount: 4_500 },
      ],
    });
  });

  it('is left out where the model has no price in messages, or none at all', () => {
    expect(walletCosts(withMessages, usage({ input: 1 }, 'new'))).toEqual({
      kind: 'unrated',
      costs: [{ unit: 'credits', amount: 'unrated' }],
    });
  });

  it('is exact where the sum of weighted tokens passes 2^53', () => {
    const fine = catalogWith([{ name: 'a', price: '0' }], wallets, {
      model: { message: { weighted_tokens: 1, weights: { a: '0.000003' } } },
    });
    expect(walletCosts(fine, usage({ a: 3_002_399_754_666_667 }))).toMatchObject({
      costs: [{ unit: 'llm_messages', amount: 9_007_199_265 }, { unit: 'credits' }],
    });
    const heavy = catalogWith([{ name: 'a', price: '0' }], wallets, {
      model: { message: { weighted_tokens: 1, weights: { a: '1000' } } },
    });
    expect(walletCosts(heavy, usage({ a: max }))).toMatchObject({ reason: 'cost_too_large' });
  });

  it('is rounded up exactly whatever the size of a message', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000_000 }),
        fc.integer({ min: 0, max: 9_000_000 }),
        fc.integer({ min: -2, max: 2 }),
        (weightedTokens, whole, near) => {
          const one = catalogWith([{ name: 'a', price: '0' }], wallets, {
            model: { message: { weighted_tokens: weightedTokens, weights: { a: '1' } } },
          });
          const count = Math.max(0, weightedTokens * whole + near);
          const amount = (BigInt(count) + BigInt(weightedTokens) - 1n) / BigInt(weightedTokens);
          expect(walletCosts(one, usage({ a: count }))).toMatchObject({
            costs: [{ unit: 'llm_messages', amount: Number(amount) }, {}],
          });
        },
      ),
    );
  });
});

describe('a model that is not on the rate card', () => {
  it('takes the price of the default, where the catalog names one', () => {
    const quantities = [{ name: 'input', price: '3' }];
    const catalog = catalogWith(quantities, undefined, { unknown: 'y' });
    expect(price(catalog, usage({ input: 10 }, 'unheard-of'))).toEqual({ kind: 'rated', costMicros: 30 });
    expect(walletCosts(catalog, usage({ input: 10 }, 'constructor'))).toEqual({
      kind: 'rated',
      costs: [{ unit: 'credits', amount: 30 }],
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
