/** How far a quantity may go: the inverse of pricing, compared with pricing itself. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedThrough, nothingAllowed } from '../../src/catalog/allowed-through.js';
import type { WalletUnit } from '../../src/catalog/catalog.js';
import { type CompiledCatalog, type Usage, walletCosts } from '../../src/catalog/pricing.js';
import { catalogWith } from './catalog-sample.js';

const max = Number.MAX_SAFE_INTEGER;

/** Two quantities at the top, each with parts, some of which have a price of their own, also a lower one. */
const priceText = fc.constantFrom('0', '0.000001', '0.15', '0.6', '1', '2.5', '15', '999.999999', '1000000');
const catalogs = fc
  .record({ input: priceText, cached: priceText, output: priceText, audio: priceText, priced: fc.boolean() })
  .map(({ input, cached, output, audio, priced }) =>
    catalogWith([
      { name: 'input', price: input },
      { name: 'cached', partOf: 'input', price: cached },
      { name: 'output', price: output },
      { name: 'reasoning', partOf: 'output' },
      { name: 'audio', partOf: 'output', ...(priced ? { price: audio } : {}) },
    ]),
  );
const some = fc.oneof(fc.nat(50), fc.nat(100_000), fc.constant(0), fc.integer({ min: 0, max: 1e12 }));
const counts = fc.tuple(some, some, some, some, some).map(([cached, input, reasoning, audio, output]) => ({
  cached,
  input: input + cached,
  reasoning,
  audio,
  output: output + reasoning + audio,
}));
const amounts = fc.oneof(fc.nat(100), fc.nat(10_000_000), fc.maxSafeNat());

function costIn(catalog: CompiledCatalog, usage: Usage, unit: WalletUnit): number {
  const priced = walletCosts(catalog, usage);
  if (priced.kind === 'refused')
    return priced.reason === 'cost_too_large' ? Number.POSITIVE_INFINITY : Number.NaN;
  const amount = priced.costs.find((cost) => cost.unit === unit)?.amount;
  return amount === 'unrated' ? 0 : (amount ?? Number.NaN);
}

function withCount({ meter, model, quantities }: Usage, name: string, count: number): Usage {
  return {
    meter,
    model,
    quantities: quantities.map((pair) => (pair[0] === name ? ([name, count] as const) : pair)),
  };
}

/** What the price says of the answer; counts that parts forbid cost NaN, and no comparison with it holds. */
function expectInverse(
  catalog: CompiledCatalog,
  usage: Usage,
  counted: string,
  held: number,
  unit: WalletUnit,
): void {
  const allowed = allowedThrough(catalog, usage, counted, held, unit);
  const costAt = (count: number) => costIn(catalog, withCount(usage, counted, count), unit);
  if (allowed === nothingAllowed) {
    const present = usage.quantities.find(([name]) => name === counted)?.[1] ?? 0;
    for (const count of [0, present, present + 1]) expect(costAt(count) <= held).toBe(false);
    return;
  }
  expect(typeof allowed).toBe('number');
  expect(costAt(allowed as number)).toBeLessThanOrEqual(held);
  if (allowed !== max) expect(costAt((allowed as number) + 1) <= held).toBe(false);
}

describe('how far a quantity may go', () => {
  it('is where one more costs more than what is held', () => {
    fc.assert(
      fc.property(
        catalogs,
        counts,
        fc.constantFrom('output', 'input', 'cached', 'reasoning', 'audio'),
        amounts,
        (catalog, at, counted, held) => {
          const usage = { meter: 'm', model: 'x', quantities: Object.entries(at) };
          expectInverse(catalog, usage, counted, held, 'credits');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('is where one more costs more, from the price of what is used', () => {
    fc.assert(
      fc.property(catalogs, counts, fc.nat(5_000), (catalog, at, more) => {
        const usage = { meter: 'm', model: 'x', quantities: Object.entries(at) };
        const cost = costIn(catalog, usage, 'credits');
        fc.pre(Number.isSafeInteger(cost + more));
        const allowed = allowedThrough(catalog, usage, 'output', cost + more, 'credits');
        expect(allowed).toBeGreaterThanOrEqual(at.output);
        expectInverse(catalog, usage, 'output', cost + more, 'credits');
      }),
      { numRuns: 1_000 },
    );
  });

  it('has no end where the quantity is free, or the model has no price', () => {
    const catalog = catalogWith([
      { name: 'input', price: '1' },
      { name: 'output', price: '0' },
    ]);
    const at = (model: string) => ({ meter: 'm', model, quantities: [['input', 5]] as [string, number][] });
    expect(allowedThrough(catalog, at('x'), 'output', 5, 'credits')).toBe(max);
    expect(allowedThrough(catalog, at('unheard-of'), 'output', 0, 'credits')).toBe(max);
    expect(allowedThrough(catalog, at('x'), 'output', 4, 'credits')).toBe(nothingAllowed);
  });

  it('counts characters one to one, and in whole blocks where credits are held for them', () => {
    const characters = [{ name: 'characters', price: '15' }];
    const wallets = { wallets: ['tts_characters', 'credits'], one_to_one: { tts_characters: 'characters' } };
    const usage = { meter: 'm', model: 'x', quantities: [['characters', 3]] as [string, number][] };
    const plain = catalogWith(characters, wallets);
    expect(allowedThrough(plain, usage, 'characters', 1_000, 'tts_characters')).toBe(1_000);
    expect(allowedThrough(plain, usage, 'characters', 15_000, 'credits')).toBe(1_000);
    const blocks = catalogWith(characters, wallets, {
      allowances: { tts_characters: { units: 250, credits: 2, auto_convert: true, block_credits: 10 } },
    });
    expect(allowedThrough(blocks, usage, 'characters', 19_999_999, 'credits')).toBe(1_250);
    expect(allowedThrough(blocks, usage, 'characters', 20_000_000, 'credits')).toBe(2_500);
    expect(allowedThrough(blocks, usage, 'characters', 9_999_999, 'credits')).toBe(0);
  });

  it('uses messages whole', () => {
    const messages = catalogWith(
      [
        { name: 'input', price: '1' },
        { name: 'output', price: '2' },
      ],
      { wallets: ['llm_messages', 'credits'] },
      {
        model: { message: { weighted_tokens: 100, weights: { input: 1, output: 4 } } },
        allowances: { llm_messages: { units: 1, credits: 1, auto_convert: false } },
      },
    );
    const usage = { meter: 'm', model: 'x', quantities: [['input', 20]] as [string, number][] };
    expect(allowedThrough(messages, usage, 'output', 1, 'llm_messages')).toBe(20);
    expect(allowedThrough(messages, usage, 'output', 3, 'llm_messages')).toBe(70);
  });

  it('refuses what pricing refuses', () => {
    const catalog = catalogWith([
      { name: 'input', price: '1' },
      { name: 'cached', partOf: 'input' },
    ]);
    const usage = (quantities: [string, number][]) => ({ meter: 'm', model: 'x', quantities });
    expect(allowedThrough(catalog, usage([['cached', 1]]), 'input', 5, 'credits')).toMatchObject({
      reason: 'part_exceeds_parent',
    });
    expect(allowedThrough(catalog, usage([]), 'nothing', 5, 'credits')).toMatchObject({
      reason: 'unknown_quantity',
    });
    expect(
      allowedThrough(catalog, { meter: 'none', model: 'x', quantities: [] }, 'input', 5, 'credits'),
    ).toMatchObject({ reason: 'unknown_meter' });
  });
});
