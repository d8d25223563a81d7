import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/catalog/document.js';
import * as limits from '../../src/catalog/limits.js';
import { compileCatalog, price, type RefusalReason } from '../../src/catalog/pricing.js';
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
    const table = page.slice(page.indexOf('| key |'), page.indexOf('A top-level quantity must'));
    const keys =
      'format quantities part_of wallets one_to_one unknown_models name aliases meter source date prices';
    for (const key of keys.split(' ')) expect(table, key).toMatch(new RegExp(`\\b${key}\\b`));
  });
});
