import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonicalCatalog, catalogFromJson } from '../../src/catalog/canonical.js';
import { compileCatalog, price, walletCosts } from '../../src/catalog/pricing.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { catalogOf } from './catalog-sample.js';

const fromTop = (path: string): URL => new URL(`../../${path}`, import.meta.url);
const catalog = catalogOf(parseCatalog(readFileSync(fromTop('catalog.yaml'), 'utf8'), 'catalog.yaml'));
const compiled = compileCatalog(catalog, 1);

describe('the shipped catalog', () => {
  it('measures what the vocabulary names', () => {
    expect(compiled.meter('llm')?.quantities).toEqual(
      expect.arrayContaining([
        'input_tokens',
        'cached_input_tokens',
        'cache_write_tokens',
        'output_tokens',
        'reasoning_tokens',
        'audio_tokens',
      ]),
    );
    expect(compiled.meter('tts')?.quantities).toContain('characters');
  });

  it('lets an allowance pay before credits: characters for speech, messages for models', () => {
    expect(compiled.meter('tts')?.wallets).toEqual(['tts_characters', 'credits']);
    expect(compiled.meter('llm')?.wallets).toEqual(['llm_messages', 'credits']);
  });

  it('has models of several vendors for both meters', () => {
    expect(catalog.models.filter((model) => model.meter === 'llm').length).toBeGreaterThanOrEqual(8);
    expect(catalog.models.filter((model) => model.meter === 'tts').length).toBeGreaterThanOrEqual(4);
    expect(new Set(catalog.models.map((model) => model.source)).size).toBeGreaterThanOrEqual(4);
  });

  it('prices cached input below input, so that a price in the wrong column is noticed', () => {
    for (const model of catalog.models) {
      const prices = new Map(model.prices.map((entry) => [entry.quantity, entry.microsPerMillion]));
      const input = prices.get('input_tokens') ?? 0;
      expect(prices.get('cached_input_tokens') ?? 0, model.name).toBeLessThanOrEqual(input);
      expect(prices.get('cache_write_tokens') ?? input, model.name).toBeGreaterThanOrEqual(input);
      if (model.meter === 'llm') expect(prices.get('output_tokens'), model.name).toBeGreaterThan(input);
    }
  });

  it('has the plans, conversion and agents that the worked example of the policy counts with', () => {
    expect(catalog.plans).toEqual([
      { name: 'free', rank: 0, creditsMicros: 100_000_000, period: null, agentsMax: 1 },
      {
        name: 'starter',
        rank: 1,
        creditsMicros: 1_000_000_000,
        period: { length: { count: 1, unit: 'month' }, onEnd: 'expire' },
        agentsMax: 3,
      },
      {
        name: 'pro',
        rank: 2,
        creditsMicros: 3_000_000_000,
        period: { length: { count: 1, unit: 'month' }, onEnd: 'expire' },
        agentsMax: 20,
      },
    ]);
    expect(new Set(Object.values(catalog.lotPriorities)).size).toBe(1);
    expect(catalog.allowances.find(({ unit }) => unit === 'tts_characters')?.rate).toEqual({
      units: 100,
      creditsMicros: 1_000_000,
    });
    expect(catalog.agentTiers).toEqual([
      {
        name: 'standard',
        unlockMicros: 50_000_000,
        cycle: { count: 1, unit: 'month' },
        renewalMicros: 30_000_000,
        cycleCreditsMicros: 0,
        drawsOnAccount: true,
        renewalGraceMs: 24 * 3_600_000,
      },
    ]);
  });

  it('sells both allowances, says when they run low, and how every model of speech counts', () => {
    expect(catalog.allowances.map(({ unit }) => unit)).toEqual(['tts_characters', 'llm_messages']);
    for (const amounts of Object.values(catalog.thresholds)) expect(amounts.length).toBeGreaterThan(0);
    for (const model of catalog.models) {
      if (model.meter === 'tts') expect(model.counting, model.name).not.toBeNull();
      else expect(model.message, model.name).not.toBeNull();
    }
  });

  it('survives being stored', () => {
    const { json, hash } = canonicalCatalog(catalog);
    expect(canonicalCatalog(catalogOf(catalogFromJson(json))).hash).toBe(hash);
  });

  it('charges speech in characters and, without an allowance, in whole blocks of credits, whatever the model', () => {
    const usage = { meter: 'tts', model: 'tts-1', quantities: [['characters', 1234]] } as const;
    const conversion = { blockUnits: 100, blockMicros: 1_000_000, priority: 20 };
    const costs = [
      { unit: 'tts_characters', amount: 1234 },
      { unit: 'credits', amount: 13_000_000, conversion },
    ];
    expect(walletCosts(compiled, usage)).toEqual({ kind: 'rated', costs });
    expect(walletCosts(compiled, { ...usage, model: 'unheard-of' })).toEqual({ kind: 'rated', costs });
  });
});

/** Production traffic of one day (the file is not part of the repository). Lines end in CRLF, the last in none. */
const trace = fromTop('../shared/data/azure-llm-2023-conv.csv');

describe('a day of real traffic', () => {
  it.skipIf(!existsSync(trace))(
    'costs 5,816,672 micro-credits (skipped where ../shared/data is not there)',
    () => {
      const rows = readFileSync(trace, 'utf8').trimEnd().split('\r\n').slice(1);
      const total = { requests: 0, input: 0, output: 0, costMicros: 0 };
      for (const row of rows) {
        const [, input = Number.NaN, output = Number.NaN] = row.split(',').map(Number);
        const priced = price(compiled, {
          meter: 'llm',
          model: 'example-small',
          quantities: [
            ['input_tokens', input],
            ['output_tokens', output],
          ],
        });
        if (priced.kind !== 'rated') throw new Error(`${row}: ${JSON.stringify(priced)}`);
        total.requests += 1;
        total.input += input;
        total.output += output;
        total.costMicros += priced.costMicros;
      }
      expect(total).toEqual({
        requests: 19_366,
        input: 22_361_870,
        output: 4_088_665,
        costMicros: 5_816_672,
      });
    },
  );
});
