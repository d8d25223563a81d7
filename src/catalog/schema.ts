import type { z } from 'zod';
import {
  type AllowanceSpec,
  allowanceUnits,
  type Catalog,
  catalogFormat,
  type ModelSpec,
  type PlanSpec,
} from './catalog.js';
import { checkReferences } from './checks.js';
import { type CatalogProblem, ProblemList, readTree, type Tree, type TreePath } from './document.js';
import { millionthsPerOne } from './numbers.js';
import { checkPolicy } from './policy-checks.js';
import { type CatalogShape, catalogShape } from './shape.js';

/**
 * Reading a catalog. `parseCatalog` judges a text in three steps and reports the mistakes of all of them together: YAML
 * (document.ts), shape (shape.ts; unknown keys are refused), references between the parts (checks.ts, policy-checks.ts).
 */

export type ParsedCatalog = { readonly catalog: Catalog } | { readonly problems: readonly CatalogProblem[] };

/** Where the catalog does not say another: lots burn by expiry and age alone. */
const lotPriorityDefault = 20;

/**
 * Reads a catalog. `fileName` only appears in problems. Never throws for what the text says: every mistake is
 * one problem with its line, and all of them are reported at once.
 */
export function parseCatalog(text: string, fileName: string): ParsedCatalog {
  const problems = new ProblemList(fileName);
  const tree = readTree(text, problems);
  if (tree === undefined) return { problems: problems.sorted() };
  return catalogFromTree(tree, problems);
}

/** Judges what has been read, however it was read. Problems already found count. */
export function catalogFromTree(tree: Tree, problems: ProblemList): ParsedCatalog {
  const shape = catalogShape.safeParse(tree);
  for (const issue of shape.error?.issues ?? []) addIssue(problems, issue);
  checkReferences(tree, problems);
  checkPolicy(tree, problems);
  if (!shape.success || !problems.isEmpty) return { problems: problems.sorted() };
  return { catalog: deepFrozen(toCatalog(shape.data)) };
}

function addIssue(problems: ProblemList, issue: z.core.$ZodIssue): void {
  const path: TreePath = issue.path;
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) problems.add([...path, key], 'is not a known key');
  } else if (issue.code === 'invalid_key') {
    for (const inner of issue.issues) problems.add(path, inner.message);
  } else {
    problems.add(path, issue.message);
  }
}

function toCatalog(shape: CatalogShape): Catalog {
  const { unknown_models } = shape.rate_card;
  const { lot_priorities, thresholds } = shape;
  const descending = (amounts: readonly number[] = []): number[] => [...amounts].sort((a, b) => b - a);
  return {
    format: catalogFormat,
    plans: (shape.plans ?? []).map(toPlan),
    lotPriorities: {
      free: lot_priorities?.free ?? lotPriorityDefault,
      plan: lot_priorities?.plan ?? lotPriorityDefault,
      top_up: lot_priorities?.top_up ?? lotPriorityDefault,
      conversion: lot_priorities?.conversion ?? lotPriorityDefault,
      agent_cycle: lot_priorities?.agent_cycle ?? lotPriorityDefault,
    },
    meters: Object.entries(shape.meters).map(([name, spec]) => toMeter(name, spec)),
    defaultModels:
      unknown_models === 'unrated'
        ? []
        : Object.entries(unknown_models.default).map(([meter, model]) => ({ meter, model })),
    models: shape.rate_card.models.map(toModel),
    allowances: toAllowances(shape.allowances),
    agentTiers: (shape.agents?.tiers ?? []).map((tier) => ({
      name: tier.name,
      unlockMicros: tier.unlock_credits,
      cycle: tier.cycle,
      renewalMicros: tier.renewal_credits,
      cycleCreditsMicros: tier.cycle_credits,
      drawsOnAccount: tier.draws_on_account,
      renewalGraceMs: tier.renewal_grace,
    })),
    thresholds: {
      credits: descending(thresholds?.credits),
      tts_characters: descending(thresholds?.tts_characters),
      llm_messages: descending(thresholds?.llm_messages),
    },
  };
}

function toPlan(spec: NonNullable<CatalogShape['plans']>[number]): PlanSpec {
  return {
    name: spec.name,
    rank: spec.rank,
    creditsMicros: spec.credits,
    // A plan that is granted per period has said what its end does: policy-checks.ts wants it.
    period:
      spec.granted === 'once' || spec.on_period_end === undefined
        ? null
        : { length: { count: 1, unit: spec.granted }, onEnd: spec.on_period_end },
    agentsMax: spec.agents_max,
  };
}

function toMeter(name: string, spec: CatalogShape['meters'][string]): Catalog['meters'][number] {
  const characters = spec.one_to_one?.tts_characters;
  return {
    name,
    quantities: Object.entries(spec.quantities).map(([quantity, { part_of }]) =>
      part_of === undefined ? { name: quantity } : { name: quantity, partOf: part_of },
    ),
    wallets: spec.wallets,
    oneToOne: characters === undefined ? [] : [{ unit: 'tts_characters', quantity: characters }],
  };
}

function toModel(spec: CatalogShape['rate_card']['models'][number]): ModelSpec {
  return {
    name: spec.name,
    meter: spec.meter,
    aliases: spec.aliases ?? [],
    source: spec.source,
    date: spec.date,
    prices: Object.entries(spec.prices).map(([quantity, microsPerMillion]) => ({
      quantity,
      microsPerMillion,
    })),
    message:
      spec.message === undefined
        ? null
        : {
            weightedTokens: spec.message.weighted_tokens,
            weights: Object.entries(spec.message.weights).map(([quantity, weightMillionths]) => ({
              quantity,
              weightMillionths,
            })),
          },
    counting: spec.counting ?? null,
  };
}

function toAllowances(shape: CatalogShape['allowances'] = {}): AllowanceSpec[] {
  return allowanceUnits.flatMap((unit) => {
    const spec = shape[unit];
    if (spec === undefined) return [];
    const block = spec.auto_convert ? spec.block_credits : undefined;
    return [
      {
        unit,
        rate: { units: spec.units, creditsMicros: spec.credits * millionthsPerOne },
        autoConvert:
          block === undefined
            ? null
            : {
                blockMicros: block * millionthsPerOne,
                // A block is a multiple of the rate's credits: policy-checks.ts wants it.
                blockUnits: (block / spec.credits) * spec.units,
              },
      },
    ];
  });
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFrozen(part);
  }
  return value;
}
