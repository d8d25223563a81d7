import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalCatalog, catalogFromJson } from '../../src/catalog/canonical.js';
import * as limits from '../../src/catalog/limits.js';
import {
  formatCycle,
  formatDecimal,
  formatDuration,
  millionthsPerOne,
  parseCredits,
  parseCycle,
  parseDuration,
  parsePrice,
  parseWeight,
} from '../../src/catalog/numbers.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { base, catalogOf, edited, problemsOf, whole } from './catalog-sample.js';

describe('a catalog without mistakes', () => {
  it('is read with exact prices and defaults', () => {
    expect(catalogOf(parseCatalog(whole, 'catalog.yaml'))).toEqual({
      format: 1,
      plans: [
        { name: 'free', rank: 0, creditsMicros: 100_000_000, period: null, agentsMax: 1 },
        {
          name: 'paid',
          rank: 3,
          creditsMicros: 2_500_000,
          period: { length: { count: 1, unit: 'month' }, onEnd: 'keep' },
          agentsMax: null,
        },
      ],
      lotPriorities: { free: 20, plan: 20, top_up: 30, conversion: 20, agent_cycle: 20 },
      meters: [
        {
          name: 'llm',
          quantities: [{ name: 'input' }, { name: 'cached', partOf: 'input' }, { name: 'output' }],
          wallets: ['credits'],
          oneToOne: [],
        },
        {
          name: 'tts',
          quantities: [{ name: 'characters' }],
          wallets: ['tts_characters', 'credits'],
          oneToOne: [{ unit: 'tts_characters', quantity: 'characters' }],
        },
      ],
      defaultModels: [],
      models: [
        {
          name: 'small',
          meter: 'llm',
          aliases: ['little'],
          source: 'somewhere',
          date: '2026-02-28',
          prices: [
            { quantity: 'input', microsPerMillion: 150_000 },
            { quantity: 'output', microsPerMillion: 600_000 },
          ],
          message: null,
          counting: null,
        },
        {
          name: 'voice',
          meter: 'tts',
          aliases: [],
          source: 'elsewhere',
          date: '2026-02-28',
          prices: [{ quantity: 'characters', microsPerMillion: 15_000_000 }],
          message: null,
          counting: { count: 'utf16_units', markup: 'not_counted' },
        },
      ],
      allowances: [
        {
          unit: 'tts_characters',
          rate: { units: 250, creditsMicros: 2_000_000 },
          autoConvert: { blockMicros: 10_000_000, blockUnits: 1_250 },
        },
      ],
      agentTiers: [
        {
          name: 'standard',
          unlockMicros: 50_000_000,
          cycle: { count: 30, unit: 'day' },
          renewalMicros: 500_000,
          cycleCreditsMicros: 7_000_000,
          drawsOnAccount: false,
          renewalGraceMs: 86_400_000,
        },
      ],
      thresholds: { credits: [10_000_000, 500_000], tts_characters: [1_000], llm_messages: [] },
    });
  });

  it('is frozen through and through', () => {
    const catalog = catalogOf(parseCatalog(whole, 'c'));
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(catalog)).toBe(true);
  });

  it('needs no policy: meters and prices are enough', () => {
    const catalog = catalogOf(parseCatalog(base, 'c'));
    expect(catalog).toMatchObject({ plans: [], allowances: [], agentTiers: [] });
    expect(catalog.thresholds).toEqual({ credits: [], tts_characters: [], llm_messages: [] });
  });

  it('may use one model name in two meters', () => {
    expect(problemsOf(parseCatalog(edited('name: voice', 'name: small'), 'c'))).toEqual([]);
  });
});

describe('a catalog that is too much', () => {
  const model = (name: string): string =>
    `    - { name: ${name}, meter: tts, source: s, date: 2026-01-01, prices: { characters: 1 }, counting: { count: bytes, markup: counted } }\n`;
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}${i}`);

  it.each([
    [
      'models',
      base +
        names('m', limits.modelsMax - 1)
          .map(model)
          .join(''),
      '17:3 rate_card.models: must have at most 500 items',
    ],
    [
      'aliases',
      edited('[little]', `[${names('a', limits.aliasesPerModelMax + 1)}]`),
      '20:7 rate_card.models[0].aliases: must have at most 16 items',
    ],
    [
      'quantities',
      edited(
        '      input: {}\n',
        `      input: {}\n${names('q', limits.quantitiesPerMeterMax - 2)
          .map((q) => `      ${q}: { part_of: input }\n`)
          .join('')}`,
      ),
      '4:5 meters.llm.quantities: must have at most 24 entries',
    ],
    [
      'meters',
      edited(
        'meters:\n',
        `meters:\n${names('m', limits.metersMax - 1)
          .map((m) => `  ${m}: { quantities: { a: {} }, wallets: [credits] }\n`)
          .join('')}`,
      ),
      '2:1 meters: must have at most 16 entries',
    ],
    [
      'characters',
      `${base}#${'x'.repeat(limits.catalogTextLengthMax)}`,
      '1:1 the catalog is longer than 524288 characters',
    ],
    [
      'tokens',
      `${base}${'\n'.repeat(limits.catalogTokensMax)}`,
      '1:1 the catalog has more than 100000 tokens',
    ],
    ['nesting in brackets', '['.repeat(200_000), '1:1 the catalog nests too deeply'],
    ['nesting in dashes', '- '.repeat(200_000), '1:1 the catalog nests too deeply'],
  ])('has too many %s and is refused', (_title, text, explained) => {
    expect(problemsOf(parseCatalog(text, 'c'))).toEqual([`c:${explained}`]);
  });

  it('is accepted at exactly the allowed number of models, aliases, quantities and meters', () => {
    const meters = names('m', limits.metersMax - 2).map(
      (m) => `  ${m}: { quantities: { a: {} }, wallets: [credits] }\n`,
    );
    const parts = names('q', limits.quantitiesPerMeterMax - 3).map((q) => `      ${q}: { part_of: input }\n`);
    const text = edited('[little]', `[${names('a', limits.aliasesPerModelMax)}]`)
      .replace('meters:\n', `meters:\n${meters.join('')}`)
      .replace('      input: {}\n', `      input: {}\n${parts.join('')}`);
    const full = catalogOf(
      parseCatalog(
        text +
          names('m', limits.modelsMax - 2)
            .map(model)
            .join(''),
        'c',
      ),
    );
    expect([full.models.length, full.meters.length]).toEqual([500, 16]);
    expect(full.models[0]?.aliases).toHaveLength(16);
    expect(full.meters.find((meter) => meter.name === 'llm')?.quantities).toHaveLength(24);
  });

  it('lists a bounded number of mistakes and counts the rest', () => {
    const text =
      base +
      names('m', 250)
        .map((name) => model(name).replace('meter: tts', 'meter: x'))
        .join('');
    const problems = problemsOf(parseCatalog(text, 'c'));
    expect(problems).toHaveLength(limits.catalogProblemsMax + 1);
    expect(problems.at(-1)).toContain('150 more mistakes are not listed');
  });

  it('has limits that fit each other', () => {
    expect(limits.quantitiesPerMeterMax).toBeLessThanOrEqual(31);
    for (const max of [limits.pricePerMillionCreditsMax, limits.amountCreditsMax, limits.weightedTokensMax]) {
      expect(max * millionthsPerOne).toBeLessThan(2 ** 53);
    }
    expect(limits.weightMax * millionthsPerOne).toBeLessThan(2 ** 53);
    expect(limits.modelsMax * 1_000).toBeLessThanOrEqual(limits.catalogTextLengthMax);
    expect(limits.modelsMax * 200).toBeLessThanOrEqual(limits.catalogTokensMax);
    expect(10 ** limits.decimalsMax).toBe(millionthsPerOne);
  });
});

describe('prices', () => {
  it.each([
    ['0', 0],
    ['0.000001', 1],
    ['0.15', 150_000],
    ['0.150', 150_000],
    ['1000000000', 1_000_000_000_000_000],
    ['999999999.999999', 999_999_999_999_999],
  ])('%s is exact', (written, micros) => {
    expect(parsePrice(written)).toEqual({ value: micros });
  });

  it.each(['', '.5', '5.', '00.5', '+1', '1_000', '1,5', '0x10', 'NaN', ' 1', '٣', '12abc'])(
    '%j is refused',
    (written) => {
      expect(parsePrice(written)).toHaveProperty('mistake');
    },
  );

  it('are read back from what formatDecimal writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000_000_000_000 }), (micros) => {
        expect(parsePrice(formatDecimal(micros))).toEqual({ value: micros });
      }),
    );
  });
});

describe('other numbers', () => {
  it.each([
    ['credits', parseCredits('1000'), { value: 1_000_000_000 }],
    [
      'credits beyond the maximum',
      parseCredits('1000000000.000001'),
      { mistake: 'must be at most 1000000000 credits' },
    ],
    ['a weight', parseWeight('0.1'), { value: 100_000 }],
    ['a weight beyond the maximum', parseWeight('1001'), { mistake: 'must be at most 1000' }],
    ['a month', parseCycle('month'), { value: { count: 1, unit: 'month' } }],
    ['days', parseCycle('30d'), { value: { count: 30, unit: 'day' } }],
    ['too many days', parseCycle('367d'), { mistake: 'must be month, year, or days from 1d to 366d' }],
    ['no days', parseCycle('0d'), { mistake: 'must be month, year, or days from 1d to 366d' }],
    ['hours', parseDuration('24h'), { value: 86_400_000 }],
    ['no time', parseDuration('0s'), { value: 0 }],
    ['a time without a unit', parseDuration('24'), { mistake: 'must be a duration such as 30m, 24h or 7d' }],
  ])('are exact or explained: %s', (_title, parsed, expected) => {
    expect(parsed).toEqual(expected);
  });

  it('are read back from what is written for them', () => {
    for (const text of ['0s', '90s', '30m', '25h', '7d']) {
      const parsed = parseDuration(text);
      expect('value' in parsed && formatDuration(parsed.value)).toBe(text);
    }
    for (const text of ['month', 'year', '30d']) {
      const parsed = parseCycle(text);
      expect('value' in parsed && formatCycle(parsed.value)).toBe(text);
    }
  });
});

describe('the canonical form', () => {
  it('is the same whatever order, comments and spelling of prices the file has', () => {
    const text = edited('[little]', '[little, tiny]');
    const llm = text.slice(text.indexOf('  llm:'), text.indexOf('  tts:'));
    const small = text.slice(text.indexOf('    - name: small'), text.indexOf('    - name: voice'));
    const moved = text.replace(llm, '').replace('rate_card:', `${llm}rate_card:`);
    const respelled = small
      .replace(
        "        input: 0.15\n        output: '0.60'\n",
        '        output: 0.6\n        input: 0.150000\n',
      )
      .replace('[little, tiny]', '[tiny, little]');
    const shuffled = `# a comment\n${moved.replace(small, '')}${respelled}`;
    expect(shuffled).toContain('output: 0.6\n        input: 0.150000');
    expect(canonicalCatalog(catalogOf(parseCatalog(shuffled, 'c')))).toEqual(
      canonicalCatalog(catalogOf(parseCatalog(text, 'c'))),
    );
  });

  it('keeps the order of wallets, which means something', () => {
    const swapped = edited('[tts_characters, credits]', '[credits, tts_characters]');
    expect(canonicalCatalog(catalogOf(parseCatalog(swapped, 'c'))).hash).not.toBe(
      canonicalCatalog(catalogOf(parseCatalog(base, 'c'))).hash,
    );
  });

  it('changes with a price, a source, a date and every figure of the policy', () => {
    const texts = [
      whole,
      edited('0.15', '0.16', whole),
      edited('elsewhere', 'here', whole),
      whole.replace('2026-02-28', '2026-03-01'),
      edited('rank: 3', 'rank: 4', whole),
      edited('agents_max: unlimited', 'agents_max: 3', whole),
      edited('on_period_end: keep', 'on_period_end: expire', whole),
      edited('top_up: 30', 'top_up: 31', whole),
      edited('units: 250', 'units: 251', whole),
      edited('block_credits: 10', 'block_credits: 12', whole),
      edited('cycle: 30d', 'cycle: month', whole),
      edited('renewal_credits: 0.5', 'renewal_credits: 0.6', whole),
      edited('renewal_grace: 24h', 'renewal_grace: 23h', whole),
      edited('draws_on_account: false', 'draws_on_account: true', whole),
      edited('[0.5, 10]', '[0.5, 11]', whole),
      edited('utf16_units', 'bytes', whole),
      edited('unknown_models: unrated', 'unknown_models: { default: { llm: little } }', whole),
    ];
    const hashes = texts.map((text) => canonicalCatalog(catalogOf(parseCatalog(text, 'c'))).hash);
    expect(new Set(hashes).size).toBe(texts.length);
  });

  it('has a hash that stays the same from release to release', () => {
    expect(canonicalCatalog(catalogOf(parseCatalog(whole, 'c'))).hash).toBe(
      'fcf628230189df49dc293109f911f9a85f9fa03c90dc099ec4552288ff6848e2',
    );
  });

  it('is read back as the same catalog', () => {
    const { json, hash } = canonicalCatalog(catalogOf(parseCatalog(whole, 'c')));
    const again = catalogOf(catalogFromJson(json));
    expect(canonicalCatalog(again)).toEqual({ json, hash });
    expect(again).toEqual(catalogOf(parseCatalog(json, 'c')));
  });

  it.each([
    ['no JSON', '{', 'stored catalog:1:1 not valid JSON'],
    ['null', 'null', 'stored catalog:1:1 must be a mapping'],
    ['a future format', '{"format":2}', 'stored catalog:1:1 format: must be 1, the only format known here'],
  ])('of %s is refused, not trusted', (_title, json, explained) => {
    expect(problemsOf(catalogFromJson(json))[0]).toBe(explained);
  });
});

describe('no text makes parsing throw', () => {
  const pieces = fc.constantFrom(
    ...base.split(/(\s+|[{}[\]:,])/),
    '&a',
    '*a',
    '!!map',
    '__proto__',
    '?',
    '|',
    '"',
    '%YAML',
    '\u0000',
    '\ud800',
  );

  it('random pieces of YAML', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        expect(parseCatalog(parts.join(''), 'c')).toBeDefined();
      }),
    );
  });

  it('a valid catalog with a random piece inserted is read or explained with a line that exists', () => {
    fc.assert(
      fc.property(fc.nat(base.length), pieces, (at, piece) => {
        const text = base.slice(0, at) + piece + base.slice(at);
        const parsed = parseCatalog(text, 'c');
        if ('catalog' in parsed) return;
        expect(parsed.problems.length).toBeGreaterThan(0);
        for (const problem of parsed.problems) {
          expect(problem.line).toBeGreaterThanOrEqual(1);
          expect(problem.line).toBeLessThanOrEqual(text.split('\n').length);
        }
      }),
    );
  });

  it('any JSON as a stored version', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(catalogFromJson(json)).toHaveProperty('problems');
      }),
    );
  });
});
