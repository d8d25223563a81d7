import { expect } from 'vitest';
import { catalogFromJson } from '../../src/catalog/canonical.js';
import type { Catalog } from '../../src/catalog/catalog.js';
import { formatProblem } from '../../src/catalog/document.js';
import { type CompiledCatalog, compileCatalog, type Usage } from '../../src/catalog/pricing.js';
import type { ParsedCatalog } from '../../src/catalog/schema.js';

/** A small catalog of meters and rate card, and what the catalog's tests do with one. */
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
      counting: { count: utf16_units, markup: not_counted }
`;

/** The sections that a catalog without a policy can do without: appended to the base. */
const policy = `plans:
  - name: free
    rank: 0
    credits: 100
    granted: once
    agents_max: 1
  - name: paid
    rank: 3
    credits: 2.5
    granted: month
    on_period_end: keep
    agents_max: unlimited
lot_priorities: { top_up: 30 }
allowances:
  tts_characters:
    units: 250
    credits: 2
    auto_convert: true
    block_credits: 10
agents:
  tiers:
    - name: standard
      unlock_credits: 50
      cycle: 30d
      renewal_credits: 0.5
      cycle_credits: 7
      draws_on_account: false
      renewal_grace: 24h
thresholds:
  credits: [0.5, 10]
  tts_characters: [1000]
`;
export const whole = base + policy;

/** Replaces the one occurrence of `written`, so that a case breaks loudly when the text changes. */
export function edited(written: string, replacement: string, text = base): string {
  expect(text.split(written)).toHaveLength(2);
  return text.replace(written, () => replacement);
}

export function problemsOf(parsed: ParsedCatalog): string[] {
  return 'problems' in parsed ? parsed.problems.map(formatProblem) : [];
}

export function catalogOf(parsed: ParsedCatalog): Catalog {
  if ('problems' in parsed) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.catalog;
}

export interface Quantity {
  name: string;
  partOf?: string;
  /** Credits per million units as text. */
  price?: string;
}

/** A catalog with one meter `m` and one model `x`, made the way a stored version is. */
export function catalogWith(
  quantities: Quantity[],
  wallets: object = { wallets: ['credits'] },
  more: { model?: object; unknown?: string; allowances?: object } = {},
): CompiledCatalog {
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
      unknown_models: more.unknown === undefined ? 'unrated' : { default: { m: more.unknown } },
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
          counting: { count: 'code_points', markup: 'counted' },
          ...more.model,
        },
      ],
    },
    ...(more.allowances === undefined ? {} : { allowances: more.allowances }),
  };
  return compileCatalog(catalogOf(catalogFromJson(JSON.stringify(json))), 7);
}

export function usage(quantities: Record<string, number>, model = 'x'): Usage {
  return { meter: 'm', model, quantities: Object.entries(quantities) };
}
