import { type AllowanceUnit, allowanceUnits } from './catalog.js';
import type { ProblemList, Tree, TreePath } from './document.js';
import { amountUnitsMax } from './limits.js';
import { type Parsed, parseCredits, parseCycle, parseDuration, parseWhole, shortestMs } from './numbers.js';
import { asList, asMap, asText, quote } from './tree.js';

/** What plans, allowances, agents and thresholds say about each other and about the meters; on the tree, as checks.ts. */
export function checkPolicy(tree: Tree, problems: ProblemList): void {
  const root = asMap(tree);
  const meters = [...asMap(root.get('meters'))].map(
    ([name, meter]) => [name, asList(asMap(meter).get('wallets'))] as const,
  );
  if (root.has('plans')) checkPlans(asList(root.get('plans')).map(asMap), problems);
  for (const unit of allowanceUnits) {
    const allowances = asMap(root.get('allowances'));
    if (allowances.has(unit)) checkAllowance(unit, asMap(allowances.get(unit)), meters, problems);
  }
  checkTiers(asList(asMap(root.get('agents')).get('tiers')).map(asMap), problems);
  checkThresholds(asMap(root.get('thresholds')), meters, problems);
}

/** Which wallets each meter names. */
type Meters = readonly (readonly [name: string, wallets: readonly Tree[]])[];

/** What a text says, where it says it rightly; the shape reports the rest. */
function read<T>(written: Tree | undefined, parse: (text: string) => Parsed<T>): T | undefined {
  const text = asText(written);
  const parsed = text === undefined ? undefined : parse(text);
  return parsed !== undefined && 'value' in parsed ? parsed.value : undefined;
}

function readWhole(written: Tree | undefined): number | undefined {
  return read(written, (text) => parseWhole(text, { min: 0, max: Number.MAX_SAFE_INTEGER }));
}

function checkUniqueNames(items: readonly Map<string, Tree>[], path: TreePath, problems: ProblemList): void {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const name = asText(item.get('name'));
    if (name === undefined) continue;
    if (seen.has(name)) problems.add([...path, index, 'name'], `names ${quote(name)} again`);
    seen.add(name);
  }
}

/** Exactly one plan is granted once: the free one, below all others. The others say what the end of a period does. */
function checkPlans(plans: readonly Map<string, Tree>[], problems: ProblemList): void {
  checkUniqueNames(plans, ['plans'], problems);
  const free = plans.findIndex((plan) => plan.get('granted') === 'once');
  if (free < 0 && plans.length > 0) {
    problems.add(['plans'], 'has no free plan: one must be granted once');
  }
  const freeRank = readWhole(plans[free]?.get('rank'));
  for (const [index, plan] of plans.entries()) {
    const granted = asText(plan.get('granted'));
    if (granted === 'once') {
      if (index !== free) {
        problems.add(['plans', index, 'granted'], `makes a second free plan beside plans[${free}]`);
      }
      if (plan.has('on_period_end')) {
        const message = 'has no use: the credits of the free plan belong to no period';
        problems.add(['plans', index, 'on_period_end'], message);
      }
      continue;
    }
    if ((granted === 'month' || granted === 'year') && !plan.has('on_period_end')) {
      problems.add(['plans', index, 'on_period_end'], `is missing: a plan granted per ${granted} needs it`);
    }
    const rank = readWhole(plan.get('rank'));
    if (rank !== undefined && freeRank !== undefined && rank <= freeRank) {
      problems.add(['plans', index, 'rank'], `must be above ${freeRank}, the rank of the free plan`);
    }
  }
}

/** Some meter names the wallet; what is converted automatically comes in blocks, from credits that come after it. */
function checkAllowance(
  unit: AllowanceUnit,
  allowance: Map<string, Tree>,
  meters: Meters,
  problems: ProblemList,
): void {
  const path = ['allowances', unit];
  const users = meters.filter(([, wallets]) => wallets.includes(unit));
  if (users.length === 0) problems.add(path, 'is not among the wallets of any meter');
  const [units, credits, block] = ['units', 'credits', 'block_credits'].map((key) =>
    readWhole(allowance.get(key)),
  );
  if (block !== undefined && credits !== undefined && units !== undefined && credits > 0) {
    if (block % credits !== 0) {
      problems.add([...path, 'block_credits'], `must be a multiple of ${credits}, the credits of the rate`);
    } else if ((block / credits) * units > amountUnitsMax) {
      problems.add([...path, 'block_credits'], `must not buy more than ${amountUnitsMax} units`);
    }
  }
  if (allowance.get('auto_convert') !== 'true') return;
  if (unit !== 'tts_characters') {
    problems.add(
      [...path, 'auto_convert'],
      'must be false: what goes beyond it is paid in credits, by the rate card',
    );
  }
  if (!allowance.has('block_credits')) {
    problems.add([...path, 'block_credits'], 'is missing: auto_convert needs it');
  }
  for (const [name, wallets] of users) {
    if (wallets.indexOf('credits') < wallets.indexOf(unit)) {
      const message = `needs credits behind ${unit} among the wallets of the meter ${quote(name)}`;
      problems.add([...path, 'auto_convert'], message);
    }
  }
}

/** An agent has something to use, and its grace ends before the next renewal. */
function checkTiers(tiers: readonly Map<string, Tree>[], problems: ProblemList): void {
  checkUniqueNames(tiers, ['agents', 'tiers'], problems);
  for (const [index, tier] of tiers.entries()) {
    const path = ['agents', 'tiers', index];
    const cycle = read(tier.get('cycle'), parseCycle);
    const graceMs = read(tier.get('renewal_grace'), parseDuration);
    if (cycle !== undefined && graceMs !== undefined && graceMs > shortestMs(cycle)) {
      problems.add([...path, 'renewal_grace'], 'is longer than the shortest cycle');
    }
    const ownMicros = read(tier.get('cycle_credits'), parseCredits);
    if (tier.get('draws_on_account') === 'false' && ownMicros === 0) {
      const message = 'must be true where cycle_credits is 0, or the agent could use nothing';
      problems.add([...path, 'draws_on_account'], message);
    }
  }
}

/** Amounts of wallets that can have some, each once. */
function checkThresholds(thresholds: Map<string, Tree>, meters: Meters, problems: ProblemList): void {
  for (const [unit, written] of thresholds) {
    const path = ['thresholds', unit];
    const isAllowance = allowanceUnits.some((allowance) => allowance === unit);
    if (isAllowance && !meters.some(([, wallets]) => wallets.includes(unit))) {
      problems.add(path, 'is not among the wallets of any meter');
    }
    const seen = new Set<number>();
    for (const [index, amount] of asList(written).entries()) {
      const value = read(amount, parseCredits);
      if (value === undefined) continue;
      if (seen.has(value)) problems.add([...path, index], `names ${quote(amount)} again`);
      seen.add(value);
    }
  }
}
