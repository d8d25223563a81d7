import { describe, expect, it } from 'vitest';
import { parseCatalog } from '../../src/catalog/schema.js';
import { edited, problemsOf, whole } from './catalog-sample.js';

const plans = whole.slice(whole.indexOf('plans:\n'), whole.indexOf('lot_priorities'));

/** As in catalog-problems.test.ts: what is written instead of what, and the lines that explain it. */
const mistakes: [title: string, written: string, replacement: string, explained: string[]][] = [
  ['plans that are no list', plans, 'plans: {}\n', ['32:1 plans: must be a list']],
  ['no plan at all', plans, 'plans: []\n', ['32:1 plans: must name at least the free plan']],
  [
    'an unknown key of a plan',
    'rank: 3',
    'rank: 3\n    price: 9',
    ['40:5 plans[1].price: is not a known key'],
  ],
  ['a plan without a rank', '    rank: 3\n', '', ['38:5 plans[1].rank: is missing']],
  [
    'a rank that is no whole number',
    'rank: 3',
    'rank: 1.5',
    ['39:5 plans[1].rank: must be a whole number from 0 to 1000000'],
  ],
  ['a plan twice', 'name: paid', 'name: free', ["38:5 plans[1].name: names 'free' again"]],
  [
    'no free plan',
    'granted: once',
    'granted: year',
    [
      '32:1 plans: has no free plan: one must be granted once',
      '33:5 plans[0].on_period_end: is missing: a plan granted per year needs it',
    ],
  ],
  [
    'two free plans',
    'granted: month\n    on_period_end: keep',
    'granted: once',
    ['41:5 plans[1].granted: makes a second free plan beside plans[0]'],
  ],
  [
    'another time of granting',
    'granted: month',
    'granted: weekly',
    ['41:5 plans[1].granted: must be one of once, month, year'],
  ],
  [
    'a free plan with a period',
    'granted: once',
    'granted: once\n    on_period_end: keep',
    ['37:5 plans[0].on_period_end: has no use: the credits of the free plan belong to no period'],
  ],
  [
    'a paid plan whose period ends nobody knows how',
    '    on_period_end: keep\n',
    '',
    ['38:5 plans[1].on_period_end: is missing: a plan granted per month needs it'],
  ],
  [
    'another end of a period',
    'on_period_end: keep',
    'on_period_end: refund',
    ['42:5 plans[1].on_period_end: must be one of expire, keep'],
  ],
  [
    'a paid plan below the free one',
    'rank: 3',
    'rank: 0',
    ['39:5 plans[1].rank: must be above 0, the rank of the free plan'],
  ],
  [
    'credits with seven decimals',
    'credits: 2.5',
    'credits: 2.5000001',
    ['40:5 plans[1].credits: must have at most 6 decimals'],
  ],
  [
    'too many credits',
    'credits: 2.5',
    'credits: 1000000001',
    ['40:5 plans[1].credits: must be at most 1000000000 credits'],
  ],
  [
    'an agent limit in words',
    'agents_max: unlimited',
    'agents_max: many',
    ['43:5 plans[1].agents_max: must be a whole number from 0 to 1000000, or unlimited'],
  ],
  [
    'a lot priority of an unknown source',
    'top_up: 30',
    'gift: 30',
    ['44:19 lot_priorities.gift: is not a known key'],
  ],
  [
    'a lot priority that is negative',
    'top_up: 30',
    'top_up: -1',
    ['44:19 lot_priorities.top_up: must be a whole number from 0 to 1000000'],
  ],
  [
    'an allowance of credits',
    '  tts_characters:\n    units',
    '  credits:\n    units',
    ['46:3 allowances.credits: is not a known key'],
  ],
  [
    'an allowance that no meter names',
    '  tts_characters:\n    units',
    '  llm_messages:\n    units',
    [
      '46:3 allowances.llm_messages: is not among the wallets of any meter',
      '49:5 allowances.llm_messages.auto_convert: must be false: what goes beyond it is paid in credits, by the rate card',
    ],
  ],
  [
    'a rate that is no whole number',
    'units: 250',
    'units: 2.5',
    ['47:5 allowances.tts_characters.units: must be a whole number from 1 to 1000000000000'],
  ],
  [
    'a rate of no credits',
    'credits: 2\n',
    'credits: 0\n',
    ['48:5 allowances.tts_characters.credits: must be a whole number from 1 to 1000000000'],
  ],
  [
    'a conversion without a word on automatic ones',
    '    auto_convert: true\n',
    '',
    ['46:3 allowances.tts_characters.auto_convert: is missing'],
  ],
  [
    'yes instead of true',
    'auto_convert: true',
    'auto_convert: yes',
    ['49:5 allowances.tts_characters.auto_convert: must be true or false'],
  ],
  [
    'automatic conversion without a block',
    '    block_credits: 10\n',
    '',
    ['46:3 allowances.tts_characters.block_credits: is missing: auto_convert needs it'],
  ],
  [
    'a block that buys no whole number of units',
    'block_credits: 10',
    'block_credits: 9',
    ['50:5 allowances.tts_characters.block_credits: must be a multiple of 2, the credits of the rate'],
  ],
  [
    'a block that buys too much',
    'units: 250',
    'units: 1000000000000',
    ['50:5 allowances.tts_characters.block_credits: must not buy more than 1000000000000 units'],
  ],
  [
    'automatic conversion without credits behind the allowance',
    'wallets: [tts_characters, credits]',
    'wallets: [tts_characters]',
    [
      "49:5 allowances.tts_characters.auto_convert: needs credits behind tts_characters among the wallets of the meter 'tts'",
    ],
  ],
  [
    'a tier twice',
    '    - name: standard',
    '    - { name: standard, unlock_credits: 1, cycle: year, renewal_credits: 1, cycle_credits: 1, draws_on_account: true, renewal_grace: 0s }\n    - name: standard',
    ["54:7 agents.tiers[1].name: names 'standard' again"],
  ],
  [
    'another cycle',
    'cycle: 30d',
    'cycle: week',
    ['55:7 agents.tiers[0].cycle: must be month, year, or days from 1d to 366d'],
  ],
  [
    'a grace that is longer than its cycle',
    'renewal_grace: 24h',
    'renewal_grace: 31d',
    ['59:7 agents.tiers[0].renewal_grace: is longer than the shortest cycle'],
  ],
  [
    'a grace without a unit',
    'renewal_grace: 24h',
    'renewal_grace: 24',
    ['59:7 agents.tiers[0].renewal_grace: must be a duration such as 30m, 24h or 7d'],
  ],
  [
    'an agent that could use nothing',
    'cycle_credits: 7',
    'cycle_credits: 0.0',
    [
      '58:7 agents.tiers[0].draws_on_account: must be true where cycle_credits is 0, or the agent could use nothing',
    ],
  ],
  [
    'no renewal cost',
    '      renewal_credits: 0.5\n',
    '',
    ['53:7 agents.tiers[0].renewal_credits: is missing'],
  ],
  [
    'thresholds that are no list',
    'credits: [0.5, 10]',
    'credits: 10',
    ['61:3 thresholds.credits: must be a list'],
  ],
  ['a threshold twice', '[0.5, 10]', '[10, 0.5, 10.0]', ["61:22 thresholds.credits[2]: names '10.0' again"]],
  [
    'a threshold in parts of a character',
    '[1000]',
    '[0.5]',
    ['62:20 thresholds.tts_characters[0]: must be a whole number from 0 to 1000000000000'],
  ],
  [
    'thresholds of a wallet that no meter names',
    'tts_characters: [1000]',
    'llm_messages: [5]',
    ['62:3 thresholds.llm_messages: is not among the wallets of any meter'],
  ],
  [
    'thresholds of something else',
    'tts_characters: [1000]',
    'dollars: [5]',
    ['62:3 thresholds.dollars: is not a known key'],
  ],
  [
    'a model of speech that does not say how characters are counted',
    '      counting: { count: utf16_units, markup: not_counted }\n',
    '',
    ['26:7 rate_card.models[1]: needs counting: how the characters that tts_characters pay for are counted'],
  ],
  [
    'another way of counting',
    'count: utf16_units',
    'count: graphemes',
    ['31:19 rate_card.models[1].counting.count: must be one of code_points, utf16_units, bytes'],
  ],
  [
    'markup neither counted nor not',
    'markup: not_counted',
    'markup: maybe',
    ['31:39 rate_card.models[1].counting.markup: must be one of counted, not_counted'],
  ],
  [
    'messages without credits beside them',
    'wallets: [credits]',
    'wallets: [llm_messages]',
    [
      '8:15 meters.llm.wallets[0]: needs credits beside it, for models that have no price in messages',
      '8:15 meters.llm.wallets[0]: never pays: no model of this meter has a message',
    ],
  ],
  [
    'messages that no model has a price in',
    'wallets: [credits]',
    'wallets: [llm_messages, credits]',
    ['8:15 meters.llm.wallets[0]: never pays: no model of this meter has a message'],
  ],
  [
    'a price in messages that no wallet asks for',
    "output: '0.60'",
    "output: '0.60'\n      message: { weighted_tokens: 10, weights: { input: 1, output: 4 } }",
    [
      "26:7 rate_card.models[0].message: has no use: llm_messages is not among the wallets of the meter 'llm'",
    ],
  ],
  [
    'an unknown rule for unknown models',
    'unknown_models: unrated',
    'unknown_models: default',
    ['16:3 rate_card.unknown_models: must be unrated or { default: { meter: model } }'],
  ],
  [
    'a default model that does not exist',
    'unknown_models: unrated',
    'unknown_models: { default: { llm: voice } }',
    ["16:32 rate_card.unknown_models.default.llm: names 'voice', which is not a model of this meter"],
  ],
  [
    'a default model of a meter that does not exist',
    'unknown_models: unrated',
    'unknown_models: { default: { talk: voice } }',
    ['16:32 rate_card.unknown_models.default.talk: is not a meter of this catalog'],
  ],
  [
    'no default model',
    'unknown_models: unrated',
    'unknown_models: { default: {} }',
    ['16:21 rate_card.unknown_models.default: must not be empty'],
  ],
];

/** The catalog with a wallet of messages. */
const messages = whole
  .replace('wallets: [credits]', 'wallets: [llm_messages, credits]')
  .replace(
    "output: '0.60'",
    "output: '0.60'\n      message:\n        weighted_tokens: 10\n        weights: { input: 1, output: 4 }",
  );

const messageMistakes: typeof mistakes = [
  [
    'a weight of an unknown quantity',
    'weights: { input: 1',
    'weights: { inputs: 1',
    [
      "28:9 rate_card.models[0].message.weights: has no weight for 'input'; write 0 where it weighs nothing",
      "28:20 rate_card.models[0].message.weights.inputs: is not a quantity of the meter 'llm'",
    ],
  ],
  [
    'a weight that is forgotten',
    'weights: { input: 1, ',
    'weights: { ',
    ["28:9 rate_card.models[0].message.weights: has no weight for 'input'; write 0 where it weighs nothing"],
  ],
  [
    'only weights of nothing',
    'weights: { input: 1, output: 4 }',
    'weights: { input: 0, output: 0.0 }',
    ['28:9 rate_card.models[0].message.weights: must have one above 0, or a message would last for ever'],
  ],
  [
    'a weight that is too large',
    'output: 4',
    'output: 1000.1',
    ['28:30 rate_card.models[0].message.weights.output: must be at most 1000'],
  ],
  [
    'a message of no tokens',
    'weighted_tokens: 10',
    'weighted_tokens: 0',
    ['27:9 rate_card.models[0].message.weighted_tokens: must be a whole number from 1 to 1000000000'],
  ],
];

describe('a mistake in the policy is explained with its line', () => {
  it.each(mistakes)('%s', (_title, written, replacement, explained) => {
    const problems = problemsOf(parseCatalog(edited(written, replacement, whole), 'catalog.yaml'));
    expect(problems).toEqual(explained.map((line) => `catalog.yaml:${line}`));
  });

  it.each(messageMistakes)('%s', (_title, written, replacement, explained) => {
    expect(problemsOf(parseCatalog(messages, 'catalog.yaml'))).toEqual([]);
    const problems = problemsOf(parseCatalog(edited(written, replacement, messages), 'catalog.yaml'));
    expect(problems).toEqual(explained.map((line) => `catalog.yaml:${line}`));
  });
});
