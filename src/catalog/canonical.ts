import { createHash } from 'node:crypto';
import { ProblemList, type Tree } from './document.js';
import { formatPrice } from './micros.js';
import { type Catalog, catalogFromTree, type ParsedCatalog } from './schema.js';

/**
 * The one text of a catalog's content, for storing a version and for comparing two.
 *
 * It has the shape of the file itself, with everything sorted whose order means nothing:
 * meters, quantities, models, aliases, prices. The order of wallets has a meaning and stays. So comments, order
 * and the way a price is written (0.150, 0.15) change neither text nor hash; a source or a date does.
 */
export function canonicalCatalog(catalog: Catalog): { json: string; hash: string } {
  const json = JSON.stringify({
    format: catalog.format,
    meters: Object.fromEntries(
      sortedBy(catalog.meters, (meter) => meter.name).map((meter) => [
        meter.name,
        {
          quantities: Object.fromEntries(
            sortedBy(meter.quantities, (quantity) => quantity.name).map((quantity) => [
              quantity.name,
              quantity.partOf === undefined ? {} : { part_of: quantity.partOf },
            ]),
          ),
          wallets: meter.wallets,
          ...oneToOneOf(meter),
        },
      ]),
    ),
    rate_card: {
      unknown_models: catalog.unknownModels,
      models: sortedBy(catalog.models, (model) => `${model.meter} ${model.name}`).map((model) => ({
        name: model.name,
        meter: model.meter,
        ...(model.aliases.length === 0 ? {} : { aliases: sortedBy(model.aliases, (alias) => alias) }),
        source: model.source,
        date: model.date,
        prices: Object.fromEntries(
          sortedBy(model.prices, (price) => price.quantity).map((price) => [
            price.quantity,
            formatPrice(price.microsPerMillion),
          ]),
        ),
      })),
    },
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
    // Numbers become the text they were written as, like in a file; canonical JSON has only the format.
    tree = JSON.parse(json, (_key, value: unknown) =>
      typeof value === 'number' ? String(value) : value,
    ) as Tree;
  } catch {
    problems.add([], 'not valid JSON');
    return { problems: problems.sorted() };
  }
  return catalogFromTree(tree, problems);
}

function oneToOneOf(meter: Catalog['meters'][number]): object {
  if (meter.oneToOne.length === 0) return {};
  const pairs = sortedBy(meter.oneToOne, (entry) => entry.unit).map((entry) => [entry.unit, entry.quantity]);
  return { one_to_one: Object.fromEntries(pairs) };
}

/** Sorted by code units, the same on every machine and in every locale. */
function sortedBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
