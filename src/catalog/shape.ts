import { z } from 'zod';
import { allowanceUnits, catalogFormat, walletUnits } from './catalog.js';
import {
  agentsPerPlanMax,
  agentTiersMax,
  aliasesPerModelMax,
  amountCreditsMax,
  amountUnitsMax,
  metersMax,
  modelNameLengthMax,
  modelsMax,
  nameLengthMax,
  namePattern,
  plansMax,
  quantitiesPerMeterMax,
  rankMax,
  sourceLengthMax,
  thresholdsPerWalletMax,
  weightedTokensMax,
} from './limits.js';
import {
  type Parsed,
  parseCredits,
  parseCycle,
  parseDuration,
  parsePrice,
  parseWeight,
  parseWhole,
} from './numbers.js';

/**
 * The shape of a catalog: which keys there are and what a single value may be. Every scalar arrives as the text that was
 * written. What the parts say about each other is judged in checks.ts and policy-checks.ts.
 */

const modelNamePattern = /^[A-Za-z0-9._\-:@/]+$/;

/** Every message says what is wanted; a value that is not there is missing, whatever was wanted. */
function orMissing(wanted: string): { error: (issue: { input?: unknown }) => string } {
  return { error: (issue) => (issue.input === undefined ? 'is missing' : wanted) };
}

const mapping = orMissing('must be a mapping');

const list = <T extends z.ZodType>(item: T, max: number) =>
  z.array(item, orMissing('must be a list')).max(max, `must have at most ${max} items`);

const mapOf = <T extends z.ZodType>(key: z.ZodString, value: T, max: number) =>
  z
    .record(key, value, mapping)
    .refine((map) => Object.keys(map).length > 0, 'must not be empty')
    .refine((map) => Object.keys(map).length <= max, `must have at most ${max} entries`);

const text = (wanted: string) => z.string(orMissing(wanted));

/** Text that a parser turns into a value, or explains. */
const parsed = <T>(wanted: string, parse: (written: string) => Parsed<T>) =>
  text(wanted).transform((written, context) => {
    const result = parse(written);
    if ('value' in result) return result.value;
    context.addIssue({ code: 'custom', message: result.mistake });
    return z.NEVER;
  });

const whole = (min: number, max: number) =>
  parsed(`must be a whole number from ${min} to ${max}`, (written) => parseWhole(written, { min, max }));

const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, orMissing(`must be one of ${values.join(', ')}`));

const yesOrNo = z
  .enum(['true', 'false'], orMissing('must be true or false'))
  .transform((written) => written === 'true');

const name = text('must be a name')
  .max(nameLengthMax, `must be at most ${nameLengthMax} characters long`)
  .regex(namePattern, 'must be a name of a-z, 0-9 and _ that begins with a letter');

const modelName = text('must be the name of a model')
  .max(modelNameLengthMax, `must be at most ${modelNameLengthMax} characters long`)
  .regex(modelNamePattern, 'must be 1 or more of A-Z a-z 0-9 . _ - : @ /');

const price = parsed('must be a price in credits per million units', parsePrice);
const credits = parsed('must be an amount of credits', parseCredits);
const wholeCredits = whole(1, amountCreditsMax);

const meter = z.strictObject(
  {
    quantities: mapOf(
      name,
      z.strictObject({ part_of: name.optional() }, orMissing('must be {} or { part_of: quantity }')),
      quantitiesPerMeterMax,
    ),
    wallets: list(choice(walletUnits), walletUnits.length).min(1, 'must name at least one wallet'),
    one_to_one: z.strictObject({ tts_characters: name.optional() }, mapping).optional(),
  },
  mapping,
);

const message = z.strictObject(
  {
    weighted_tokens: whole(1, weightedTokensMax),
    weights: mapOf(name, parsed('must be a weight', parseWeight), quantitiesPerMeterMax),
  },
  mapping,
);

const counting = z.strictObject(
  {
    count: choice(['code_points', 'utf16_units', 'bytes']),
    markup: choice(['counted', 'not_counted']),
  },
  mapping,
);

const model = z.strictObject(
  {
    name: modelName,
    meter: name,
    aliases: list(modelName, aliasesPerModelMax).optional(),
    source: text('must be the address or description of where the prices are from')
      .min(1, 'must not be empty')
      .max(sourceLengthMax, `must be at most ${sourceLengthMax} characters long`)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must be one line of plain text'),
    date: z.iso.date(orMissing('must be a day that exists, as YYYY-MM-DD')),
    prices: mapOf(name, price, quantitiesPerMeterMax),
    message: message.optional(),
    counting: counting.optional(),
  },
  mapping,
);

const rateCard = z.strictObject(
  {
    unknown_models: z.union(
      [z.literal('unrated'), z.strictObject({ default: mapOf(name, modelName, metersMax) })],
      orMissing('must be unrated or { default: { meter: model } }'),
    ),
    models: list(model, modelsMax),
  },
  mapping,
);

const plan = z.strictObject(
  {
    name,
    rank: whole(0, rankMax),
    credits,
    granted: choice(['once', 'month', 'year']),
    on_period_end: choice(['expire', 'keep']).optional(),
    agents_max: parsed<number | null>('must be a whole number or unlimited', (written) => {
      if (written === 'unlimited') return { value: null };
      const limit = parseWhole(written, { min: 0, max: agentsPerPlanMax });
      return 'value' in limit ? limit : { mistake: `${limit.mistake}, or unlimited` };
    }),
  },
  mapping,
);

const priority = whole(0, rankMax).optional();

const lotPriorities = z.strictObject(
  { free: priority, plan: priority, top_up: priority, conversion: priority, agent_cycle: priority },
  mapping,
);

const allowance = z.strictObject(
  {
    units: whole(1, amountUnitsMax),
    credits: wholeCredits,
    auto_convert: yesOrNo,
    block_credits: wholeCredits.optional(),
  },
  mapping,
);

const tier = z.strictObject(
  {
    name,
    unlock_credits: credits,
    cycle: parsed('must be month, year, or days such as 30d', parseCycle),
    renewal_credits: credits,
    cycle_credits: credits,
    draws_on_account: yesOrNo,
    renewal_grace: parsed('must be a duration such as 24h', parseDuration),
  },
  mapping,
);

const thresholds = z.strictObject(
  {
    credits: list(credits, thresholdsPerWalletMax).optional(),
    tts_characters: list(whole(0, amountUnitsMax), thresholdsPerWalletMax).optional(),
    llm_messages: list(whole(0, amountUnitsMax), thresholdsPerWalletMax).optional(),
  },
  mapping,
);

export const catalogShape = z.strictObject(
  {
    format: z.literal(
      String(catalogFormat),
      orMissing(`must be ${catalogFormat}, the only format known here`),
    ),
    plans: list(plan, plansMax).min(1, 'must name at least the free plan').optional(),
    lot_priorities: lotPriorities.optional(),
    meters: mapOf(name, meter, metersMax),
    rate_card: rateCard,
    allowances: z
      .strictObject(
        Object.fromEntries(allowanceUnits.map((unit) => [unit, allowance.optional()])) as Record<
          (typeof allowanceUnits)[number],
          z.ZodOptional<typeof allowance>
        >,
        mapping,
      )
      .optional(),
    agents: z.strictObject({ tiers: list(tier, agentTiersMax) }, mapping).optional(),
    thresholds: thresholds.optional(),
  },
  mapping,
);

export type CatalogShape = z.infer<typeof catalogShape>;
