import { z } from 'zod';
import { checkReferences } from './checks.js';
import { type CatalogProblem, ProblemList, readTree, type Tree, type TreePath } from './document.js';
import {
  aliasesPerModelMax,
  metersMax,
  modelNameLengthMax,
  modelsMax,
  nameLengthMax,
  namePattern,
  quantitiesPerMeterMax,
  sourceLengthMax,
} from './limits.js';
import { parsePrice } from './micros.js';

/**
 * The catalog: which meters exist, what they count, which wallets pay for them and what each model costs.
 *
 * `parseCatalog` judges a text in three steps and reports the mistakes of all of them together: YAML
 * (document.ts), shape (the zod schemas here; unknown keys are refused), references between the parts
 * (checks.ts). Later sections of the catalog get their key here when the code behind them exists.
 */

/** The format number that this version reads and writes. */
export const catalogFormat = 1;

export const walletUnits = ['credits', 'tts_characters', 'llm_messages'] as const;
export type WalletUnit = (typeof walletUnits)[number];

export interface QuantitySpec {
  readonly name: string;
  /** The quantity of the same meter that already counts this one. */
  readonly partOf?: string;
}

export interface MeterSpec {
  readonly name: string;
  readonly quantities: readonly QuantitySpec[];
  /** Which wallets may pay, the first first. */
  readonly wallets: readonly WalletUnit[];
  /** For every wallet but credits: the quantity of which one counts as one unit of the wallet. */
  readonly oneToOne: readonly { readonly unit: WalletUnit; readonly quantity: string }[];
}

export interface PriceSpec {
  readonly quantity: string;
  /** Micro-credits per million units. */
  readonly microsPerMillion: number;
}

export interface ModelSpec {
  readonly name: string;
  readonly meter: string;
  readonly aliases: readonly string[];
  readonly source: string;
  /** The day the prices were read at the source, YYYY-MM-DD. */
  readonly date: string;
  readonly prices: readonly PriceSpec[];
}

export interface Catalog {
  readonly format: typeof catalogFormat;
  readonly meters: readonly MeterSpec[];
  readonly unknownModels: 'unrated';
  readonly models: readonly ModelSpec[];
}

export type ParsedCatalog = { readonly catalog: Catalog } | { readonly problems: readonly CatalogProblem[] };

const modelNamePattern = /^[A-Za-z0-9._\-:@/]+$/;

/** Every message says what is wanted; a value that is not there is missing, whatever was wanted. */
function orMissing(wanted: string): { error: (issue: { input?: unknown }) => string } {
  return { error: (issue) => (issue.input === undefined ? 'is missing' : wanted) };
}

const list = <T extends z.ZodType>(item: T, max: number) =>
  z.array(item, orMissing('must be a list')).max(max, `must have at most ${max} items`);

const mapOf = <T extends z.ZodType>(key: z.ZodString, value: T, max: number) =>
  z
    .record(key, value, orMissing('must be a mapping'))
    .refine((map) => Object.keys(map).length > 0, 'must not be empty')
    .refine((map) => Object.keys(map).length <= max, `must have at most ${max} entries`);

const text = (wanted: string) => z.string(orMissing(wanted));

const name = text('must be a name')
  .max(nameLengthMax, `must be at most ${nameLengthMax} characters long`)
  .regex(namePattern, 'must be a name of a-z, 0-9 and _ that begins with a letter');

const modelName = text('must be the name of a model')
  .max(modelNameLengthMax, `must be at most ${modelNameLengthMax} characters long`)
  .regex(modelNamePattern, 'must be 1 or more of A-Z a-z 0-9 . _ - : @ /');

const price = text('must be a price in credits per million units').transform((written, context) => {
  const parsed = parsePrice(written);
  if ('micros' in parsed) return parsed.micros;
  context.addIssue({ code: 'custom', message: parsed.mistake });
  return z.NEVER;
});

const unit = z.enum(walletUnits, orMissing(`must be one of ${walletUnits.join(', ')}`));

const meter = z.strictObject(
  {
    quantities: mapOf(
      name,
      z.strictObject({ part_of: name.optional() }, orMissing('must be {} or { part_of: quantity }')),
      quantitiesPerMeterMax,
    ),
    wallets: list(unit, walletUnits.length).min(1, 'must name at least one wallet'),
    one_to_one: z
      .strictObject(
        { tts_characters: name.optional(), llm_messages: name.optional() },
        orMissing('must be a mapping'),
      )
      .optional(),
  },
  orMissing('must be a mapping'),
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
  },
  orMissing('must be a mapping'),
);

const catalogSchema = z.strictObject(
  {
    format: z.literal(
      String(catalogFormat),
      orMissing(`must be ${catalogFormat}, the only format known here`),
    ),
    meters: mapOf(name, meter, metersMax),
    rate_card: z.strictObject(
      {
        unknown_models: z.literal('unrated', orMissing('must be unrated')),
        models: list(model, modelsMax),
      },
      orMissing('must be a mapping'),
    ),
  },
  orMissing('must be a mapping'),
);

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
  const shape = catalogSchema.safeParse(tree);
  for (const issue of shape.error?.issues ?? []) addIssue(problems, issue);
  checkReferences(tree, walletUnits, problems);
  if (!shape.success || !problems.isEmpty) return { problems: problems.sorted() };
  return { catalog: toCatalog(shape.data) };
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

function toCatalog(shape: z.infer<typeof catalogSchema>): Catalog {
  return {
    format: catalogFormat,
    meters: Object.entries(shape.meters).map(([meterName, spec]) => ({
      name: meterName,
      quantities: Object.entries(spec.quantities).map(([quantity, { part_of }]) =>
        part_of === undefined ? { name: quantity } : { name: quantity, partOf: part_of },
      ),
      wallets: spec.wallets,
      oneToOne: spec.wallets.flatMap((wallet) => {
        const quantity = wallet === 'credits' ? undefined : spec.one_to_one?.[wallet];
        return quantity === undefined ? [] : [{ unit: wallet, quantity }];
      }),
    })),
    unknownModels: shape.rate_card.unknown_models,
    models: shape.rate_card.models.map((spec) => ({
      name: spec.name,
      meter: spec.meter,
      aliases: spec.aliases ?? [],
      source: spec.source,
      date: spec.date,
      prices: Object.entries(spec.prices).map(([quantity, microsPerMillion]) => ({
        quantity,
        microsPerMillion,
      })),
    })),
  };
}
