import { describe, expect, it } from 'vitest';
import { parseCatalog } from '../../src/catalog/schema.js';
import { edited, problemsOf } from './catalog-sample.js';

/** Every kind of mistake: what is written instead of what, and the lines that explain it. */
const mistakes: [title: string, written: string, replacement: string, explained: string[]][] = [
  ['another format', 'format: 1', 'format: 2', ['1:1 format: must be 1, the only format known here']],
  ['a missing key', 'format: 1\n', '', ['1:1 format: is missing']],
  ['an unknown key at the top', 'format: 1', 'prizes: {}\nformat: 1', ['1:1 prizes: is not a known key']],
  [
    'an unknown key of a meter',
    'wallets: [credits]',
    'wallets: [credits]\n    unit: x',
    ['9:5 meters.llm.unit: is not a known key'],
  ],
  [
    'an unknown key of a model',
    'aliases: [little]',
    'alias: [little]',
    ['20:7 rate_card.models[0].alias: is not a known key'],
  ],
  [
    'an unknown key of a quantity',
    '{ part_of: input }',
    '{ part_of: input, of: x }',
    ['6:33 meters.llm.quantities.cached.of: is not a known key'],
  ],
  [
    'a quantity without braces',
    'input: {}',
    'input:',
    ['5:7 meters.llm.quantities.input: must be {} or { part_of: quantity }'],
  ],
  [
    'a bad name',
    'cached: {',
    'Cached: {',
    ['6:7 meters.llm.quantities.Cached: must be a name of a-z, 0-9 and _ that begins with a letter'],
  ],
  [
    'a name that is too long',
    'cached: {',
    `${'c'.repeat(65)}: {`,
    [`6:7 meters.llm.quantities.${'c'.repeat(65)}: must be at most 64 characters long`],
  ],
  [
    'a name that objects reserve',
    'cached: {',
    '__proto__: {',
    ['6:7 meters.llm.quantities.__proto__: is not a usable name'],
  ],
  [
    'a part of nothing',
    'part_of: input',
    'part_of: inputs',
    ["6:17 meters.llm.quantities.cached.part_of: names 'inputs', which is not a quantity of this meter"],
  ],
  [
    'a part of itself',
    'part_of: input',
    'part_of: cached',
    ['6:17 meters.llm.quantities.cached.part_of: is a circle: cached is part of cached'],
  ],
  [
    'parts in a circle',
    '{}\n      cached: { part_of: input }',
    '{ part_of: cached }\n      cached: { part_of: input }',
    ['5:16 meters.llm.quantities.input.part_of: is a circle: input is part of cached is part of input'],
  ],
  [
    'no wallet',
    'wallets: [credits]',
    'wallets: []',
    ['8:5 meters.llm.wallets: must name at least one wallet'],
  ],
  [
    'an unknown wallet',
    'wallets: [credits]',
    'wallets: [dollars]',
    ['8:15 meters.llm.wallets[0]: must be one of credits, tts_characters, llm_messages'],
  ],
  [
    'a wallet twice',
    'wallets: [credits]',
    'wallets: [credits, credits]',
    ["8:24 meters.llm.wallets[1]: names 'credits' again"],
  ],
  [
    'a wallet that nothing counts',
    'wallets: [credits]',
    'wallets: [tts_characters, credits]',
    [
      '8:15 meters.llm.wallets[0]: needs a quantity in one_to_one.tts_characters',
      '18:7 rate_card.models[0]: needs counting: how the characters that tts_characters pay for are counted',
    ],
  ],
  [
    'a count for no wallet',
    'wallets: [tts_characters, credits]',
    'wallets: [credits]',
    ['14:7 meters.tts.one_to_one.tts_characters: is not among the wallets of this meter'],
  ],
  [
    'credits counted one to one',
    'tts_characters: characters',
    'tts_characters: characters\n      credits: characters',
    ['15:7 meters.tts.one_to_one.credits: is not a known key'],
  ],
  [
    'a count of an unknown quantity',
    'tts_characters: characters',
    'tts_characters: letters',
    ["14:7 meters.tts.one_to_one.tts_characters: names 'letters', which is not a quantity of this meter"],
  ],
  [
    'an unknown meter',
    'meter: tts',
    'meter: talk',
    ["27:7 rate_card.models[1].meter: names 'talk', which is not a meter of this catalog"],
  ],
  [
    'a price of an unknown quantity',
    'input: 0.15',
    'input: 0.15\n        inputs: 1',
    ["25:9 rate_card.models[0].prices.inputs: is not a quantity of the meter 'llm'"],
  ],
  [
    'a quantity that is free by being forgotten',
    "        output: '0.60'\n",
    '',
    ["23:7 rate_card.models[0].prices: has no price for 'output'; write 0 where it is free"],
  ],
  [
    'no prices',
    'prices: { characters: 15 }',
    'prices: {}',
    ['30:7 rate_card.models[1].prices: must not be empty'],
  ],
  [
    'a model twice',
    'name: voice\n      meter: tts',
    'name: small\n      meter: llm',
    [
      "26:7 rate_card.models[1].name: 'small' is already taken in this meter by rate_card.models[0]",
      "30:7 rate_card.models[1].prices: has no price for 'input'; write 0 where it is free",
      "30:7 rate_card.models[1].prices: has no price for 'output'; write 0 where it is free",
      "30:17 rate_card.models[1].prices.characters: is not a quantity of the meter 'llm'",
    ],
  ],
  [
    'an alias that is taken',
    '[little]',
    '[small]',
    ["20:17 rate_card.models[0].aliases[0]: 'small' is already taken in this meter by rate_card.models[0]"],
  ],
  [
    'an alias twice',
    '[little]',
    '[little, little]',
    ["20:25 rate_card.models[0].aliases[1]: 'little' is already taken in this meter by rate_card.models[0]"],
  ],
  [
    'a bad model name',
    'name: voice',
    'name: my voice',
    ['26:7 rate_card.models[1].name: must be 1 or more of A-Z a-z 0-9 . _ - : @ /'],
  ],
  [
    'a model name that is too long',
    'name: voice',
    `name: ${'v'.repeat(129)}`,
    ['26:7 rate_card.models[1].name: must be at most 128 characters long'],
  ],
  [
    'a model that is no mapping',
    '    - name: voice',
    '    - none\n    - name: voice',
    ['26:7 rate_card.models[1]: must be a mapping'],
  ],
  ['no source', '      source: elsewhere\n', '', ['26:7 rate_card.models[1].source: is missing']],
  [
    'an empty source',
    'source: elsewhere',
    "source: ''",
    ['28:7 rate_card.models[1].source: must not be empty'],
  ],
  [
    'a source of several lines',
    'source: elsewhere',
    'source: "a\\nb"',
    ['28:7 rate_card.models[1].source: must be one line of plain text'],
  ],
  [
    'a source that is too long',
    'source: elsewhere',
    `source: ${'s'.repeat(501)}`,
    ['28:7 rate_card.models[1].source: must be at most 500 characters long'],
  ],
  [
    'no date',
    '      date: 2026-02-28\n      prices: {',
    '      prices: {',
    ['26:7 rate_card.models[1].date: is missing'],
  ],
  [
    'a day that does not exist',
    'date: 2026-02-28\n      prices: {',
    'date: 2026-02-30\n      prices: {',
    ['29:7 rate_card.models[1].date: must be a day that exists, as YYYY-MM-DD'],
  ],
  [
    'a negative price',
    'input: 0.15',
    'input: -0.15',
    ['24:9 rate_card.models[0].prices.input: must not be negative'],
  ],
  [
    'a price with an exponent',
    'input: 0.15',
    'input: 1e-2',
    [
      "24:9 rate_card.models[0].prices.input: must be a plain decimal such as 0.15 (digits, at most one '.', no exponent or sign)",
    ],
  ],
  [
    'a price that is nothing',
    'input: 0.15',
    'input:',
    [
      "24:9 rate_card.models[0].prices.input: must be a plain decimal such as 0.15 (digits, at most one '.', no exponent or sign)",
    ],
  ],
  [
    'a price that is a list',
    'input: 0.15',
    'input: [1]',
    ['24:9 rate_card.models[0].prices.input: must be a price in credits per million units'],
  ],
  [
    'a price with seven decimals',
    'input: 0.15',
    'input: 0.1500001',
    ['24:9 rate_card.models[0].prices.input: must have at most 6 decimals'],
  ],
  [
    'a price above the maximum',
    'input: 0.15',
    'input: 1000000000.000001',
    ['24:9 rate_card.models[0].prices.input: must be at most 1000000000 credits per million units'],
  ],
  [
    'a key twice',
    'input: 0.15',
    'input: 0.15\n        input: 0.16',
    ['25:9 rate_card.models[0].prices.input: is written twice'],
  ],
  [
    'a key that is no text',
    'input: 0.15',
    'input: 0.15\n        ? [a]\n        : 1',
    ['25:11 rate_card.models[0].prices: a key must be plain text'],
  ],
  [
    'an anchor',
    'input: 0.15',
    'input: &price 0.15',
    ['24:23 rate_card.models[0].prices.input: anchors and aliases (&, *) are not supported'],
  ],
  [
    'a tag',
    'input: 0.15',
    'input: !!str 0.15',
    ['24:22 rate_card.models[0].prices.input: tags (!) are not supported'],
  ],
  ['an unknown tag', 'input: 0.15', 'input: !price 0.15', ['24:16 not valid YAML: Unresolved tag: !price']],
];

describe('a mistake is explained with its line', () => {
  it.each(mistakes)('%s', (_title, written, replacement, explained) => {
    const problems = problemsOf(parseCatalog(edited(written, replacement), 'catalog.yaml'));
    expect(problems).toEqual(explained.map((line) => `catalog.yaml:${line}`));
  });

  it('all mistakes come at once and in the order of the file', () => {
    const text = edited('format: 1', 'format: 3').replace('0.15', '-1').replace('meter: tts', 'meter: x');
    expect(problemsOf(parseCatalog(text, 'my.yaml'))).toEqual([
      'my.yaml:1:1 format: must be 1, the only format known here',
      'my.yaml:24:9 rate_card.models[0].prices.input: must not be negative',
      "my.yaml:27:7 rate_card.models[1].meter: names 'x', which is not a meter of this catalog",
    ]);
  });

  it.each([
    ['an empty text', '', ':1:1 the catalog is empty'],
    ['only comments', '# nothing\n', ':1:1 the catalog is empty'],
    ['a text that is no mapping', 'hello', ':1:1 must be a mapping'],
    [
      'two documents',
      'a: 1\n---\nb: 1\n',
      ':2:1 not valid YAML: Source contains multiple documents; please use YAML.parseAllDocuments()',
    ],
    [
      'broken YAML',
      'a: [1\nb: 2\n',
      ':2:1 not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ])('%s', (_title, text, explained) => {
    expect(problemsOf(parseCatalog(text, 'c'))[0]).toBe(`c${explained}`);
  });
});
