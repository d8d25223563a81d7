/**
 * The catalogs of a simulation, one version after the other, and what they say in plain numbers: the text goes to the product, the
 * numbers to the oracle. Prices are computed here a second time, without the product's code.
 */
import type { Blocks, Plan, Price, Tier } from '../oracle/model.js';

const MICROS = 1_000_000n;

interface Model {
  readonly meter: 'llm' | 'tts';
  /** Micro-credits for a million units of each quantity. */
  readonly prices: Readonly<Record<string, bigint>>;
  /** What one message buys, in tokens of input; one of output counts four. */
  readonly messageTokens?: bigint;
}

interface Rate {
  readonly units: bigint;
  readonly credits: bigint;
}

export interface Tariff {
  readonly version: number;
  readonly plans: readonly Plan[];
  readonly models: Readonly<Record<string, Model>>;
  readonly rates: { readonly tts_characters: Rate; readonly llm_messages: Rate };
  /** Credits of a block where characters are bought as they are used. */
  readonly blockCredits: bigint | undefined;
  readonly conversionPriority: number;
  /** Agent tiers. */
  readonly tiers: readonly Tier[];
}

const PLAN_PRIORITY = 10;
const FREE_PRIORITY = 30;
/** That of top-ups too: the oracle knows it by heart. */
const OTHER_PRIORITY = 20;

export const PRIORITIES = { free: FREE_PRIORITY, plan: PLAN_PRIORITY, top_up: OTHER_PRIORITY } as const;

function paid(name: string, rank: number, credits: bigint, kind: 'expire' | 'keep' = 'expire'): Plan {
  return { name, rank, agentsMax: 3, credits: credits * MICROS, priority: PLAN_PRIORITY, kind };
}

const free: Plan = {
  name: 'free',
  rank: 0,
  agentsMax: 1,
  credits: 100n * MICROS,
  priority: FREE_PRIORITY,
  kind: 'free',
};

const HOUR_MS = 3_600_000;
const AGENT_PRIORITY = 5;

/** Paid by the month, without credits of its own: what most agents have. */
const standard: Tier = {
  name: 'standard',
  cycle: { unit: 'month', count: 1 },
  unlock: 50n * MICROS,
  renewal: 30n * MICROS,
  own: 0n,
  priority: AGENT_PRIORITY,
  draws: true,
  graceMs: 24 * HOUR_MS,
};

/** Own credits by the week, then the account's. */
const endowed: Tier = {
  ...standard,
  name: 'endowed',
  cycle: { unit: 'day', count: 7 },
  unlock: 10n * MICROS,
  renewal: 15n * MICROS,
  own: 20n * MICROS,
  graceMs: 72 * HOUR_MS,
};

/** Own credits and nothing else; no grace. */
const alone: Tier = {
  ...standard,
  name: 'alone',
  unlock: 5n * MICROS,
  renewal: 20n * MICROS,
  own: 60n * MICROS,
  draws: false,
  graceMs: 0,
};

const models: Tariff['models'] = {
  plain: { meter: 'llm', prices: { input_tokens: 1_500_000n, output_tokens: 6_000_000n } },
  chat: { meter: 'llm', prices: { input_tokens: 150_000n, output_tokens: 600_000n }, messageTokens: 2_000n },
  voice: { meter: 'tts', prices: { characters: 15_000_001n } },
};

/** What comes later: other prices and terms, a plan of other credits, a model that was unknown; at last no automatic conversion, and a tier less. */
export const TARIFFS: readonly Tariff[] = [
  {
    version: 1,
    plans: [
      free,
      paid('starter', 1, 1_000n),
      paid('team', 1, 1_200n),
      paid('pro', 2, 3_000n),
      paid('kept', 3, 500n, 'keep'),
    ],
    models,
    rates: { tts_characters: { units: 100n, credits: 1n }, llm_messages: { units: 10n, credits: 1n } },
    blockCredits: 1n,
    conversionPriority: 20,
    tiers: [standard, endowed],
  },
  {
    version: 2,
    plans: [
      free,
      paid('starter', 1, 1_100n),
      paid('team', 2, 1_300n),
      paid('pro', 2, 2_500n),
      paid('kept', 3, 500n, 'keep'),
    ],
    models: {
      ...models,
      chat: {
        meter: 'llm',
        prices: { input_tokens: 200_000n, output_tokens: 700_000n },
        messageTokens: 3_000n,
      },
      tomorrow: { meter: 'llm', prices: { input_tokens: 1_000_000n, output_tokens: 2_000_000n } },
    },
    rates: { tts_characters: { units: 80n, credits: 1n }, llm_messages: { units: 7n, credits: 3n } },
    blockCredits: 2n,
    conversionPriority: 15,
    tiers: [
      { ...standard, renewal: 40n * MICROS },
      { ...endowed, own: 30n * MICROS, graceMs: 12 * HOUR_MS },
      alone,
    ],
  },
  {
    version: 3,
    plans: [free, paid('starter', 1, 1_100n), paid('pro', 2, 2_500n), paid('kept', 3, 600n, 'keep')],
    models: {
      ...models,
      voice: { meter: 'tts', prices: { characters: 9_000_000_000n } },
      tomorrow: { meter: 'llm', prices: { input_tokens: 1_000_000n, output_tokens: 2_000_000n } },
    },
    rates: { tts_characters: { units: 80n, credits: 1n }, llm_messages: { units: 7n, credits: 3n } },
    blockCredits: undefined,
    conversionPriority: 25,
    tiers: [{ ...standard, cycle: { unit: 'day', count: 30 } }, alone],
  },
];

/** Models that a caller may name; the last one is unknown at first. */
export const MODELS: readonly (readonly [meter: 'llm' | 'tts', model: string])[] = [
  ['llm', 'plain'],
  ['llm', 'chat'],
  ['tts', 'voice'],
  ['llm', 'tomorrow'],
];

export type Quantities = readonly (readonly [name: string, count: number])[];

/** What the wallets of a meter would pay, in their order. */
export function pricesOf(tariff: Tariff, model: string, quantities: Quantities): Price[] {
  const spec = tariff.models[model];
  const counts = new Map(quantities.map(([name, count]) => [name, BigInt(count)]));
  const characters = counts.get('characters');
  const credits: Price = { unit: 'credits', amount: spec === undefined ? 'unrated' : costOf(spec, counts) };
  if (characters !== undefined) {
    const blocks = blocksOf(tariff);
    const allowance: Price = { unit: 'tts_characters', amount: characters };
    return [allowance, blocks === undefined ? credits : { unit: 'credits', amount: 0n, blocks }];
  }
  if (spec?.messageTokens === undefined) return [credits];
  const tokens = (counts.get('input_tokens') ?? 0n) + 4n * (counts.get('output_tokens') ?? 0n);
  return [{ unit: 'llm_messages', amount: ceilDivide(tokens, spec.messageTokens) }, credits];
}

function costOf({ prices }: Model, counts: ReadonlyMap<string, bigint>): bigint {
  let sum = 0n;
  for (const [name, count] of counts) sum += count * (prices[name] ?? 0n);
  return ceilDivide(sum, MICROS);
}

function blocksOf({ blockCredits, rates, conversionPriority }: Tariff): Blocks | undefined {
  if (blockCredits === undefined) return undefined;
  const { units, credits } = rates.tts_characters;
  return {
    units: (blockCredits / credits) * units,
    micros: blockCredits * MICROS,
    priority: conversionPriority,
  };
}

/** What a conversion of so many micro-credits at most, or of so many units, comes to. */
export function conversionOf(
  { units, credits }: Rate,
  wish: { readonly kind: 'credits' | 'units'; readonly value: number },
): { units: bigint; cost: bigint } {
  const value = BigInt(wish.value);
  const bought = wish.kind === 'units' ? value : (value * units) / (credits * MICROS);
  return { units: bought, cost: ceilDivide(bought * credits * MICROS, units) };
}

function ceilDivide(amount: bigint, divisor: bigint): bigint {
  return (amount + divisor - 1n) / divisor;
}

/** The catalog as an operator would write it. */
export function catalogText(tariff: Tariff): string {
  const { plans, models: cards, rates, blockCredits, conversionPriority, tiers } = tariff;
  const auto =
    blockCredits === undefined ? 'auto_convert: false' : `auto_convert: true, block_credits: ${blockCredits}`;
  return `format: 1
plans:
${plans.map(planText).join('\n')}
lot_priorities: { free: ${FREE_PRIORITY}, plan: ${PLAN_PRIORITY}, top_up: ${OTHER_PRIORITY}, conversion: ${conversionPriority}, agent_cycle: ${AGENT_PRIORITY} }
meters:
  llm: { quantities: { input_tokens: {}, output_tokens: {} }, wallets: [llm_messages, credits] }
  tts: { quantities: { characters: {} }, wallets: [tts_characters, credits], one_to_one: { tts_characters: characters } }
rate_card:
  unknown_models: unrated
  models:
${Object.entries(cards).map(modelText).join('\n')}
allowances:
  tts_characters: { units: ${rates.tts_characters.units}, credits: ${rates.tts_characters.credits}, ${auto} }
  llm_messages: { units: ${rates.llm_messages.units}, credits: ${rates.llm_messages.credits}, auto_convert: false }
agents:
  tiers:
${tiers.map(tierText).join('\n')}
`;
}

function tierText({ name, cycle, unlock, renewal, own, draws, graceMs }: Tier): string {
  const length = cycle.unit === 'day' ? `${cycle.count}d` : cycle.unit;
  const costs = `unlock_credits: ${unlock / MICROS}, renewal_credits: ${renewal / MICROS}, cycle_credits: ${own / MICROS}`;
  return `    - { name: ${name}, cycle: ${length}, ${costs}, draws_on_account: ${draws}, renewal_grace: ${graceMs / HOUR_MS}h }`;
}

function planText({ name, rank, credits, agentsMax, kind }: Plan): string {
  const terms = kind === 'free' ? 'granted: once' : `granted: month, on_period_end: ${kind}`;
  return `  - { name: ${name}, rank: ${rank}, credits: ${credits / MICROS}, ${terms}, agents_max: ${agentsMax} }`;
}

function modelText([name, { meter, prices, messageTokens }]: [string, Model]): string {
  const price = Object.entries(prices).map(([quantity, micros]) => `${quantity}: ${decimal(micros)}`);
  const message =
    messageTokens === undefined
      ? ''
      : `, message: { weighted_tokens: ${messageTokens}, weights: { input_tokens: 1, output_tokens: 4 } }`;
  const counting = meter === 'tts' ? ', counting: { count: code_points, markup: counted }' : '';
  return `    - { name: ${name}, meter: ${meter}, source: made up, date: 2024-01-01, prices: { ${price.join(', ')} }${message}${counting} }`;
}

/** Micro-credits as credits with six decimals. */
function decimal(micros: bigint): string {
  return `${micros / MICROS}.${String(micros % MICROS).padStart(6, '0')}`;
}
