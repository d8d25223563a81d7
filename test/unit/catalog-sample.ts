import { expect } from 'vitest';
import { formatProblem } from '../../src/catalog/document.js';
import type { Catalog, ParsedCatalog } from '../../src/catalog/schema.js';

/** A small catalog that uses every key, and what the catalog's tests do with one. */
export const base = `format: 1
meters:
  llm:
    quantities:
      input: {}
      cached: { part_of: input }
      output: {}
    wallets: [credits]
  tts:
    quantities:
      characters: {}
    wallets: [tts_characters, credits]
    one_to_one:
      tts_characters: characters
rate_card:
  unknown_models: unrated
  models:
    - name: small
      meter: llm
      aliases: [little]
      source: somewhere
      date: 2026-02-28
      prices:
        input: 0.15
        output: '0.60'
    - name: voice
      meter: tts
      source: elsewhere
      date: 2026-02-28
      prices: { characters: 15 }
`;

/** Replaces the one occurrence of `written`, so that a case breaks loudly when the base changes. */
export function edited(written: string, replacement: string): string {
  expect(base.split(written)).toHaveLength(2);
  return base.replace(written, () => replacement);
}

export function problemsOf(parsed: ParsedCatalog): string[] {
  return 'problems' in parsed ? parsed.problems.map(formatProblem) : [];
}

export function catalogOf(parsed: ParsedCatalog): Catalog {
  if ('problems' in parsed) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.catalog;
}
