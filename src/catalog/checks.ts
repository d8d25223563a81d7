import type { ProblemList, Tree, TreePath } from './document.js';
import { quantitiesPerMeterMax } from './limits.js';

/**
 * What the parts of a catalog say about each other. Works on the tree as written and skips whatever has the
 * wrong shape, because the schema reports that: so one faulty price hides no other mistake, and no mistake is
 * reported twice.
 */
export function checkReferences(tree: Tree, walletUnits: readonly string[], problems: ProblemList): void {
  const root = asMap(tree);
  const meters = new Map<string, Map<string, Tree>>();
  for (const [name, written] of asMap(root.get('meters'))) {
    const meter = asMap(written);
    checkParts(asMap(meter.get('quantities')), ['meters', name, 'quantities'], problems);
    checkWallets(meter, walletUnits, ['meters', name], problems);
    meters.set(name, asMap(meter.get('quantities')));
  }
  const models = asList(asMap(root.get('rate_card')).get('models'));
  checkModelNames(models, problems);
  for (const [index, model] of models.entries()) {
    checkPrices(asMap(model), meters, ['rate_card', 'models', index], problems);
  }
}

/** A part names an existing quantity, and no chain of parts comes back to where it began. */
function checkParts(quantities: Map<string, Tree>, path: TreePath, problems: ProblemList): void {
  // More than allowed is already a mistake, and following every chain is quadratic.
  if (quantities.size > quantitiesPerMeterMax) return;
  const inReportedCycle = new Set<string>();
  for (const [name, written] of quantities) {
    const parent = asText(asMap(written).get('part_of'));
    if (parent === undefined) continue;
    const partPath = [...path, name, 'part_of'];
    if (!quantities.has(parent)) {
      problems.add(partPath, `names ${quote(parent)}, which is not a quantity of this meter`);
      continue;
    }
    const chain = [name];
    let next: string | undefined = parent;
    while (next !== undefined && !chain.includes(next)) {
      chain.push(next);
      next = parentOf(quantities, next);
    }
    if (next !== name || inReportedCycle.has(name)) continue;
    for (const member of chain) inReportedCycle.add(member);
    problems.add(partPath, `is a circle: ${[...chain, name].join(' is part of ')}`);
  }
}

function parentOf(quantities: Map<string, Tree>, name: string): string | undefined {
  return asText(asMap(quantities.get(name)).get('part_of'));
}

/** Every wallet but credits counts one quantity of the meter one to one, and only wallets of the meter do. */
function checkWallets(
  meter: Map<string, Tree>,
  walletUnits: readonly string[],
  path: TreePath,
  problems: ProblemList,
): void {
  const wallets = asList(meter.get('wallets'));
  const units = new Set<Tree>();
  const oneToOne = asMap(meter.get('one_to_one'));
  const quantities = asMap(meter.get('quantities'));
  for (const [index, unit] of wallets.entries()) {
    if (units.has(unit)) problems.add([...path, 'wallets', index], `names ${quote(unit)} again`);
    else if (
      unit !== 'credits' &&
      typeof unit === 'string' &&
      walletUnits.includes(unit) &&
      !oneToOne.has(unit)
    ) {
      problems.add([...path, 'wallets', index], `needs a quantity in one_to_one.${unit}`);
    }
    units.add(unit);
  }
  for (const [unit, written] of oneToOne) {
    if (unit === 'credits') continue;
    if (!units.has(unit))
      problems.add([...path, 'one_to_one', unit], 'is not among the wallets of this meter');
    const quantity = asText(written);
    if (quantity !== undefined && !quantities.has(quantity)) {
      const message = `names ${quote(quantity)}, which is not a quantity of this meter`;
      problems.add([...path, 'one_to_one', unit], message);
    }
  }
}

/** Within one meter every name or alias stands for one model. */
function checkModelNames(models: readonly Tree[], problems: ProblemList): void {
  const taken = new Map<string, string>();
  const take = (meter: string, name: string | undefined, at: TreePath, owner: string): void => {
    if (name === undefined) return;
    const key = `${meter} ${name}`;
    const first = taken.get(key);
    if (first === undefined) taken.set(key, owner);
    else problems.add(at, `${quote(name)} is already taken in this meter by ${first}`);
  };
  for (const [index, written] of models.entries()) {
    const model = asMap(written);
    const meter = asText(model.get('meter'));
    if (meter === undefined) continue;
    const owner = `rate_card.models[${index}]`;
    const path = ['rate_card', 'models', index];
    take(meter, asText(model.get('name')), [...path, 'name'], owner);
    for (const [position, alias] of asList(model.get('aliases')).entries()) {
      take(meter, asText(alias), [...path, 'aliases', position], owner);
    }
  }
}

/** Prices are of quantities of the model's meter, and nothing at the top level is free by being forgotten. */
function checkPrices(
  model: Map<string, Tree>,
  meters: Map<string, Map<string, Tree>>,
  path: TreePath,
  problems: ProblemList,
): void {
  const meter = asText(model.get('meter'));
  if (meter === undefined) return;
  const quantities = meters.get(meter);
  if (quantities === undefined) {
    problems.add([...path, 'meter'], `names ${quote(meter)}, which is not a meter of this catalog`);
    return;
  }
  if (!model.has('prices')) return;
  const prices = asMap(model.get('prices'));
  for (const quantity of prices.keys()) {
    if (!quantities.has(quantity)) {
      problems.add([...path, 'prices', quantity], `is not a quantity of the meter ${quote(meter)}`);
    }
  }
  if (prices.size === 0) return;
  for (const quantity of quantities.keys()) {
    if (parentOf(quantities, quantity) === undefined && !prices.has(quantity)) {
      problems.add([...path, 'prices'], `has no price for ${quote(quantity)}; write 0 where it is free`);
    }
  }
}

/** Names in messages are cut: a message is for reading. */
const shownLengthMax = 80;

function quote(value: Tree): string {
  return typeof value === 'string' ? `'${value.slice(0, shownLengthMax)}'` : 'a value';
}

function asMap(value: Tree | undefined): Map<string, Tree> {
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMapping ? new Map(Object.entries(value)) : new Map();
}

function asList(value: Tree | undefined): readonly Tree[] {
  return Array.isArray(value) ? value : [];
}

function asText(value: Tree | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
