import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonicalCatalog, catalogFromJson } from '../../src/catalog/canonical.js';
import { compileCatalog, walletCosts } from '../../src/catalog/pricing.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { catalogOf } from './catalog-sample.js';

const file = new URL('../fixtures/other-company.yaml', import.meta.url);
const catalog = catalogOf(parseCatalog(readFileSync(file, 'utf8'), 'other-company.yaml'));
const compiled = compileCatalog(catalog, 1);

describe("another company's policy in the same schema", () => {
  it('has plans by the year and month, side by side, whose credits stay or expire', () => {
    expect(
      catalog.plans.map(({ name, rank, creditsMicros, agentsMax }) => [name, rank, creditsMicros, agentsMax]),
    ).toEqual([
      ['trial', 10, 500_000, 0],
      ['team', 20, 12_000_000_000, 5],
      ['team_monthly', 20, 900_000_000, 5],
      ['enterprise', 30, 1_000_000_000_000, null],
    ]);
    expect(catalog.plans.map(({ period }) => period && [period.length.unit, period.onEnd])).toEqual([
      null,
      ['year', 'keep'],
      ['month', 'expire'],
      ['year', 'keep'],
    ]);
    expect(catalog.lotPriorities).toEqual({ free: 0, plan: 10, top_up: 90, conversion: 20, agent_cycle: 5 });
  });

  it('has agents with cycles, graces and credits of their own', () => {
    expect(catalog.agentTiers).toEqual([
      {
        name: 'intern',
        unlockMicros: 0,
        cycle: { count: 7, unit: 'day' },
        renewalMicros: 1_250_000,
        cycleCreditsMicros: 1_000_000,
        drawsOnAccount: false,
        renewalGraceMs: 5_400_000,
      },
      {
        name: 'partner',
        unlockMicros: 500_000_000,
        cycle: { count: 1, unit: 'year' },
        renewalMicros: 400_000_000,
        cycleCreditsMicros: 100_000_000,
        drawsOnAccount: true,
        renewalGraceMs: 0,
      },
    ]);
  });

  it('converts at rates of its own and never by itself', () => {
    expect(catalog.allowances).toEqual([
      { unit: 'tts_characters', rate: { units: 333, creditsMicros: 2_000_000 }, autoConvert: null },
      { unit: 'llm_messages', rate: { units: 7, creditsMicros: 3_000_000 }, autoConvert: null },
    ]);
    expect(catalog.thresholds).toEqual({
      credits: [2_500_000, 0],
      tts_characters: [333],
      llm_messages: [],
    });
  });

  it.each([
    // 600 at half weight, 100 of it from the cache at none: 250; 40 at 2.5: 100. 350 of 500 are one message.
    [
      'house-model@2',
      [
        ['credits', 720],
        ['llm_messages', 1],
      ],
    ],
    [
      'a-model-nobody-listed',
      [
        ['credits', 720],
        ['llm_messages', 1],
      ],
    ],
    ['vip-model', [['credits', 6_300]]],
  ])('pays with credits first, with messages where %s has a price in them', (model, costs) => {
    const quantities = [
      ['prompt', 600],
      ['prompt_from_cache', 100],
      ['reply', 40],
    ] as const;
    expect(walletCosts(compiled, { meter: 'dialogue', model, quantities })).toEqual({
      kind: 'rated',
      costs: costs.map(([unit, amount]) => ({ unit, amount })),
    });
  });

  it('measures other things: octets, seconds', () => {
    expect(
      walletCosts(compiled, { meter: 'narration', model: 'narrator', quantities: [['octets', 9]] }),
    ).toEqual({ kind: 'rated', costs: [{ unit: 'tts_characters', amount: 9 }] });
    expect(
      walletCosts(compiled, { meter: 'transcription', model: 'new', quantities: [['seconds', 9]] }),
    ).toEqual({ kind: 'unrated', costs: [{ unit: 'credits', amount: 'unrated' }] });
  });

  it('survives being stored', () => {
    const { json, hash } = canonicalCatalog(catalog);
    expect(canonicalCatalog(catalogOf(catalogFromJson(json)))).toEqual({ json, hash });
  });
});
