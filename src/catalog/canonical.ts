import { createHash } from 'node:crypto';
import type { AgentTierSpec, AllowanceSpec, Catalog, MeterSpec, ModelSpec, PlanSpec } from './catalog.js';
import { walletUnits } from './catalog.js';
import { ProblemList, type Tree } from './document.js';
import { formatCycle, formatDecimal, formatDuration, millionthsPerOne } from './numbers.js';
import { catalogFromTree, type ParsedCatalog } from './schema.js';

/**
 * The one text of a catalog's content, for storing a version and for comparing two.
 *
 * It has the shape of the file itself, with everything sorted whose order means nothing: plans, meters, quantities, models,
 * aliases, prices, tiers, thresholds. The order of wallets has a meaning and stays. What has a default is written out, so
 * that a later default changes no version. So comments, order and the way a number is written (0.150, 0.15) change neither
 * text nor hash; a source or a date does.
 */
export function canonicalCatalog(catalog: Catalog): { json: string; hash: string } {
  const { plans, agentTiers, allowances, defaultModels } = catalog;
  const thresholds = walletUnits.filter((unit) => catalog.thresholds[unit].length > 0);
  const json = JSON.stringify({
    format: catalog.format,
    ...(plans.length === 0 ? {} : { plans: sortedBy(plans, ({ name }) => name).map(planJson) }),
    lot_priorities: catalog.lotPriorities,
    meters: Object.fromEntries(
      sortedBy(catalog.meters, ({ name }) => name).map((meter) => [meter.name, meterJson(meter)]),
    ),
    rate_card: {
      unknown_models:
        defaultModels.length === 0
          ? 'unrated'
          : { default: pairs(defaultModels, ({ meter, model }) => [meter, model]) },
      models: sortedBy(catalog.models, (model) => `${model.meter} ${model.name}`).map(modelJson),
    },
    ...(allowances.length === 0
      ? {}
      : { allowances: pairs(allowances, (allowance) => [allowance.unit, allowanceJson(allowance)]) }),
    ...(agentTiers.length === 0
      ? {}
      : { agents: { tiers: sortedBy(agentTiers, ({ name }) => name).map(tierJson) } }),
    ...(thresholds.length === 0
      ? {}
      : { thresholds: pairs(thresholds, (unit) => [unit, thresholdsJson(catalog, unit)]) }),
  });
  return { json, hash: createHash('sha256').update(json).digest('hex') };
}

/**
 * Reads a stored version with the same checks as a file: what an older version wrote is judged, not trusted.
 * JSON has no lines worth naming, so problems have a path and stand at 1:1.
 */
export function catalogFromJson(json: string): ParsedCatalog {
  const problems = new ProblemList('stored catalog');
  let tree: Tree;
  try {
    // Scalars become the text they were written as, like in a file.
    tree = JSON.parse(json, (_key, value: unknown) =>
      typeof value === 'number' || typeof value === 'boolean' ? String(value) : value,
    ) as Tree;
  } catch {
    problems.add([], 'not valid JSON');
    return { problems: problems.sorted() };
  }
  return catalogFromTree(tree, problems);
}

function planJson({ name, rank, creditsMicros, period, agentsMax }: PlanSpec): object {
  return {
    name,
    rank,
    credits: formatDecimal(creditsMicros),
    ...(period === null ? { granted: 'once' } : { granted: period.length.unit, on_period_end: period.onEnd }),
    agents_max: agentsMax ?? 'unlimited',
  };
}

function meterJson({ quantities, wallets, oneToOne }: MeterSpec): object {
  return {
    quantities: pairs(quantities, ({ name, partOf }) => [
      name,
      partOf === undefined ? {} : { part_of: partOf },
    ]),
    wallets,
    ...(oneToOne.length === 0
      ? {}
      : { one_to_one: pairs(oneToOne, ({ unit, quantity }) => [unit, quantity]) }),
  };
}

function modelJson(model: ModelSpec): object {
  const { message } = model;
  return {
    name: model.name,
    meter: model.meter,
    ...(model.aliases.length === 0 ? {} : { aliases: sortedBy(model.aliases, (alias) => alias) }),
    source: model.source,
    date: model.date,
    prices: pairs(model.prices, ({ quantity, microsPerMillion }) => [
      quantity,
      formatDecimal(microsPerMillion),
    ]),
    ...(message === null
      ? {}
      : {
          message: {
            weighted_tokens: message.weightedTokens,
            weights: pairs(message.weights, ({ quantity, weightMillionths }) => [
              quantity,
              formatDecimal(weightMillionths),
            ]),
          },
        }),
    ...(model.counting === null ? {} : { counting: model.counting }),
  };
}

function allowanceJson({ rate, autoConvert }: AllowanceSpec): object {
  return {
    units: rate.units,
    credits: rate.creditsMicros / millionthsPerOne,
    auto_convert: autoConvert !== null,
    ...(autoConvert === null ? {} : { block_credits: autoConvert.blockMicros / millionthsPerOne }),
  };
}

function tierJson(tier: AgentTierSpec): object {
  return {
    name: tier.name,
    unlock_credits: formatDecimal(tier.unlockMicros),
    cycle: formatCycle(tier.cycle),
    renewal_credits: formatDecimal(tier.renewalMicros),
    cycle_credits: formatDecimal(tier.cycleCreditsMicros),
    draws_on_account: tier.drawsOnAccount,
    renewal_grace: formatDuration(tier.renewalGraceMs),
  };
}

function thresholdsJson({ thresholds }: Catalog, unit: (typeof walletUnits)[number]): unknown[] {
  return thresholds[unit].map((amount) => (unit === 'credits' ? formatDecimal(amount) : amount));
}

/** A mapping with its keys in one order. */
function pairs<T>(items: readonly T[], pair: (item: T) => readonly [key: string, value: unknown]): object {
  return Object.fromEntries(sortedBy(items.map(pair), ([key]) => key));
}

/** Sorted by code units, the same on every machine and in every locale. */
function sortedBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
