/** What characters beyond the allowance cost where the catalog converts automatically, and how the terms travel to the scripts. */
import { describe, expect, it } from 'vitest';
import { compileCatalog, walletCosts } from '../../src/catalog/pricing.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { appendCosts, blocksToHold } from '../../src/usage/pricing.js';

function compiled(autoConvert: boolean) {
  const parsed = parseCatalog(
    `format: 1
lot_priorities: { conversion: 7 }
meters:
  tts:
    quantities: { characters: {}, audio_tokens: {} }
    wallets: [tts_characters, credits]
    one_to_one: { tts_characters: characters }
rate_card:
  unknown_models: unrated
  models:
    - name: voice
      meter: tts
      source: here
      date: 2026-01-01
      prices: { characters: 15, audio_tokens: 12 }
      counting: { count: code_points, markup: counted }
allowances:
  tts_characters: { units: 250, credits: 2, auto_convert: ${autoConvert}, block_credits: 10 }
`,
    'test',
  );
  if (!('catalog' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  return compileCatalog(parsed.catalog, 1);
}

const usage = (counts: Record<string, number>, model = 'voice') => ({
  meter: 'tts',
  model,
  quantities: Object.entries(counts),
});
const pairs = (counts: Record<string, number>, model?: string, autoConvert = true): (number | string)[] => {
  const packed: (number | string)[] = [];
  expect(appendCosts(packed, compiled(autoConvert), usage(counts, model))).toBeNull();
  return packed;
};

/** 1,250 characters for 10 credits, as a lot of priority 7. */
const terms = [-1_250, 10 * 2 ** 20 + 7];

describe('characters that are converted automatically', () => {
  it('cost their blocks in credits, of an unknown model too, and are never unrated', () => {
    for (const model of ['voice', 'unheard-of']) {
      expect(walletCosts(compiled(true), usage({ characters: 1_251 }, model))).toMatchObject({
        kind: 'rated',
        costs: [{ amount: 1_251 }, { unit: 'credits', amount: 20_000_000 }],
      });
      expect(pairs({ characters: 1_251 }, model)).toEqual([2, 1_251, ...terms]);
    }
  });

  it('leave usage without characters to the rate card', () => {
    expect(pairs({ audio_tokens: 1_000_000 })).toEqual([1, 12_000_000]);
    expect(pairs({ characters: 0 })).toEqual([2, 0, 1, 0]);
  });

  it('are refused where the blocks would cost more than 2^53-1', () => {
    expect(walletCosts(compiled(true), usage({ characters: Number.MAX_SAFE_INTEGER }))).toMatchObject({
      reason: 'cost_too_large',
    });
  });

  it('are held with whole blocks, the debt of characters included', () => {
    const [unit, packed] = terms as [number, number];
    expect(blocksToHold([unit, packed], 1_250, 0)).toBe(10_000_000);
    expect(blocksToHold([unit, packed], 1_250, 1)).toBe(20_000_000);
  });
});

it('without automatic conversion credits pay the price of the rate card', () => {
  expect(pairs({ characters: 100 }, 'voice', false)).toEqual([2, 100, 1, 1_500]);
  expect(pairs({ characters: 100 }, 'unheard-of', false)).toEqual([2, 100, 1, -1]);
});
