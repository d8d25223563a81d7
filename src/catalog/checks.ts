import type { ProblemList, Tree, TreePath } from './document.js';
import { quantitiesPerMeterMax } from './limits.js';
import { asList, asMap, asText, quote } from './tree.js';

/**
 * What meters and rate card say about each other. Works on the tree as written and skips whatever has the
 * wrong shape, because the schema reports that: so one faulty price hides no other mistake, and no mistake is
 * reported twice.
 */
export function checkReferences(tree: Tree, problems: ProblemList): void {
  const root = asMap(tree);
  const meters = new Map<string, Meter>();
  for (const [name, written] of asMap(root.get('meters'))) {
    const meter = asMap(written);
    const quantities = asMap(meter.get('quantities'));
    checkParts(quantities, ['meters', name, 'quantities'], problems);
    checkWallets(meter, ['meters', name], problems);
    meters.set(name, { quantities, wallets: asList(meter.get('wallets')) });
  }
  const rateCard = asMap(root.get('rate_card'));
  const models = asList(rateCard.get('models')).map(asMap);
  const names = checkModelNames(models, problems);
  for (const [index, model] of models.entries()) {
    checkModel(model, meters, ['rate_card', 'models', index], problems);
  }
  checkMessages(meters, models, problems);
  checkDefaults(asMap(rateCard.get('unknown_models')), { meters, names }, problems);
}

interface Meter {
  readonly quantities: Map<string, Tree>;
  readonly wallets: readonly Tree[];
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

/** Characters count one quantity of the meter one to one; messages need credits beside them. */
function checkWallets(meter: Map<string, Tree>, path: TreePath, problems: ProblemList): void {
  const wallets = asList(meter.get('wallets'));
  const oneToOne = asMap(meter.get('one_to_one'));
  const quantities = asMap(meter.get('quantities'));
  const seen = new Set<Tree>();
  for (const [index, unit] of wallets.entries()) {
    const at = [...path, 'wallets', index];
    if (seen.has(unit)) problems.add(at, `names ${quote(unit)} again`);
    else if (unit === 'tts_characters' && !oneToOne.has(unit)) {
      problems.add(at, `needs a quantity in one_to_one.${unit}`);
    } else if (unit === 'llm_messages' && !wallets.includes('credits')) {
      problems.add(at, 'needs credits beside it, for models that have no price in messages');
    }
    seen.add(unit);
  }
  for (const [unit, written] of oneToOne) {
    if (unit !== 'tts_characters') continue;
    if (!seen.has(unit)) {
      problems.add([...path, 'one_to_one', unit], 'is not among the wallets of this meter');
    }
    const quantity = asText(written);
    if (quantity !== undefined && !quantities.has(quantity)) {
      const message = `names ${quote(quantity)}, which is not a quantity of this meter`;
      problems.add([...path, 'one_to_one', unit], message);
    }
  }
}

/** Within one meter every name or alias stands for one model. Returns what is taken, as `meter name`. */
function checkModelNames(models: readonly Map<string, Tree>[], problems: ProblemList): ReadonlySet<string> {
  const taken = new Map<string, string>();
  const take = (meter: string, name: string | undefined, at: TreePath, owner: string): void => {
    if (name === undefined) return;
    const key = nameKey(meter, name);
    const first = taken.get(key);
    if (first === undefined) taken.set(key, owner);
    else problems.add(at, `${quote(name)} is already taken in this meter by ${first}`);
  };
  for (const [index, model] of models.entries()) {
    const meter = asText(model.get('meter'));
    if (meter === undefined) continue;
    const owner = `rate_card.models[${index}]`;
    const path = ['rate_card', 'models', index];
    take(meter, asText(model.get('name')), [...path, 'name'], owner);
    for (const [position, alias] of asList(model.get('aliases')).entries()) {
      take(meter, asText(alias), [...path, 'aliases', position], owner);
    }
  }
  return new Set(taken.keys());
}

/** Neither part can hold a space. */
function nameKey(meter: string, name: string): string {
  return `${meter} ${name}`;
}

function checkModel(
  model: Map<string, Tree>,
  meters: ReadonlyMap<string, Meter>,
  path: TreePath,
  problems: ProblemList,
): void {
  const name = asText(model.get('meter'));
  if (name === undefined) return;
  const meter = meters.get(name);
  if (meter === undefined) {
    problems.add([...path, 'meter'], `names ${quote(name)}, which is not a meter of this catalog`);
    return;
  }
  const { quantities, wallets } = meter;
  if (model.has('prices')) {
    const prices = asMap(model.get('prices'));
    checkPerQuantity(prices, { name, quantities, what: 'price' }, [...path, 'prices'], problems);
  }
  if (model.has('message')) {
    const at = [...path, 'message'];
    if (!wallets.includes('llm_messages')) {
      problems.add(at, `has no use: llm_messages is not among the wallets of the meter ${quote(name)}`);
    }
    const weights = asMap(asMap(model.get('message')).get('weights'));
    checkPerQuantity(weights, { name, quantities, what: 'weight' }, [...at, 'weights'], problems);
    if (
      weights.size > 0 &&
      [...weights.values()].every((weight) => /^0(\.0*)?$/.test(asText(weight) ?? ''))
    ) {
      problems.add([...at, 'weights'], 'must have one above 0, or a message would last for ever');
    }
  }
  if (wallets.includes('tts_characters') && !model.has('counting')) {
    problems.add(path, 'needs counting: how the characters that tts_characters pay for are counted');
  }
}

/** Prices or weights are of quantities of the model's meter, and nothing at the top level is free by being forgotten. */
function checkPerQuantity(
  values: Map<string, Tree>,
  meter: { readonly name: string; readonly quantities: Map<string, Tree>; readonly what: 'price' | 'weight' },
  path: TreePath,
  problems: ProblemList,
): void {
  const { name, quantities, what } = meter;
  for (const quantity of values.keys()) {
    if (!quantities.has(quantity)) {
      problems.add([...path, quantity], `is not a quantity of the meter ${quote(name)}`);
    }
  }
  if (values.size === 0) return;
  for (const quantity of quantities.keys()) {
    if (parentOf(quantities, quantity) === undefined && !values.has(quantity)) {
      problems.add(
        path,
        `has no ${what} for ${quote(quantity)}; write 0 where it ${what === 'price' ? 'is free' : 'weighs nothing'}`,
      );
    }
  }
}

/** A wallet of messages that no model has a price in would never pay. */
function checkMessages(
  meters: ReadonlyMap<string, Meter>,
  models: readonly Map<string, Tree>[],
  problems: ProblemList,
): void {
  for (const [name, { wallets }] of meters) {
    const index = wallets.indexOf('llm_messages');
    if (index < 0 || models.some((model) => model.get('meter') === name && model.has('message'))) continue;
    problems.add(['meters', name, 'wallets', index], 'never pays: no model of this meter has a message');
  }
}

/** The rule for unknown models names, by meter, a model that there is. */
function checkDefaults(
  rule: Map<string, Tree>,
  known: { readonly meters: ReadonlyMap<string, Meter>; readonly names: ReadonlySet<string> },
  problems: ProblemList,
): void {
  for (const [meter, written] of asMap(rule.get('default'))) {
    const path = ['rate_card', 'unknown_models', 'default', meter];
    const model = asText(written);
    if (!known.meters.has(meter)) problems.add(path, 'is not a meter of this catalog');
    else if (model !== undefined && !known.names.has(nameKey(meter, model))) {
      problems.add(path, `names ${quote(model)}, which is not a model of this meter`);
    }
  }
}
