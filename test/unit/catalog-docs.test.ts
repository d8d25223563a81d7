import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/catalog/document.js';
import * as limits from '../../src/catalog/limits.js';
import { compileCatalog, price, type RefusalReason, walletCosts } from '../../src/catalog/pricing.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { catalogOf } from './catalog-sample.js';

const fromTop = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = fromTop('docs/catalog.md');

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    (match) => match[1] ?? '',
  );
}

describe('docs/catalog.md', () => {
  it('shows catalogs that are valid, but for the one that shows mistakes', () => {
    const shown = blocks('yaml').map((text) => parseCatalog(text, 'prices.yaml'));
    expect(shown.map((parsed) => 'catalog' in parsed)).toEqual([true, false]);
  });

  it('shows the answer that those mistakes get', () => {
    const parsed = parseCatalog(blocks('yaml').at(-1) ?? '', 'prices.yaml');
    const answer = 'problems' in parsed ? parsed.problems.map(formatProblem) : [];
    expect(blocks('text')).toEqual([`${answer.join('\n')}\n`]);
  });

  it('shows prices that the shipped catalog computes', () => {
    const shipped = compileCatalog(catalogOf(parseCatalog(fromTop('catalog.yaml'), 'catalog.yaml')), 1);
    const shown = blocks('json').map((text) => JSON.parse(text));
    expect(shown).toHaveLength(2);
    for (const { meter, model, quantities, costMicros } of shown) {
      const usage = { meter, model, quantities: Object.entries<number>(quantities) };
      expect(price(shipped, usage)).toEqual({ kind: 'rated', costMicros });
    }
  });

  it('counts messages as its small catalog does', () => {
    const small = compileCatalog(catalogOf(parseCatalog(blocks('yaml')[0] ?? '', 'small.yaml')), 1);
    const counts = /([\d,]+) input tokens, ([\d,]+) of them from the cache, and ([\d,]+) output tokens/.exec(
      page,
    );
    const [input = 0, cached = 0, output = 0] = (counts ?? [])
      .slice(1)
      .map((n) => Number(n.replace(',', '')));
    const quantities = [
      ['input_tokens', input],
      ['cached_input_tokens', cached],
      ['output_tokens', output],
    ] as const;
    expect(page).toContain('two messages');
    expect(walletCosts(small, { meter: 'llm', model: 'example-small', quantities })).toMatchObject({
      costs: [{ unit: 'llm_messages', amount: 2 }, { unit: 'credits' }],
    });
  });

  it('lists every limit with its value', () => {
    const listed = Object.fromEntries(
      [...page.matchAll(/^\| `(\w+Max)` \| (\d+)/gm)].map(([, name = '', value]) => [name, Number(value)]),
    );
    expect(listed).toEqual(
      Object.fromEntries(Object.entries(limits).filter(([name]) => name.endsWith('Max'))),
    );
  });

  it('lists every reason of a refusal', () => {
    const reasons: Record<RefusalReason, true> = {
      unknown_meter: true,
      unknown_quantity: true,
      repeated_quantity: true,
      count_out_of_range: true,
      part_exceeds_parent: true,
      cost_too_large: true,
    };
    const table = page.slice(page.indexOf('| refused as |'), page.indexOf('The first five'));
    expect([...table.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1])).toEqual(Object.keys(reasons));
  });

  it('names every key of the schema', () => {
    const tables = page.slice(page.indexOf('## Keys'), page.indexOf('| limit |'));
    const listed = [...tables.matchAll(/^\| (`[^|]*)\|/gm)].map((match) => match[1]).join(' ');
    const keys = [
      'format plans name rank credits granted on_period_end agents_max',
      'lot_priorities quantities wallets one_to_one tts_characters',
      'unknown_models name aliases meter source date prices message weighted_tokens weights counting count markup',
      'allowances units credits auto_convert block_credits',
      'agents tiers unlock_credits cycle renewal_credits cycle_credits draws_on_account renewal_grace thresholds',
    ].join(' ');
    for (const key of keys.split(' ')) expect(listed, key).toMatch(new RegExp(`\\b${key}\\b`));
  });
});
