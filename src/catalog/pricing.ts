import type { AllowanceSpec, AllowanceUnit, Catalog, MeterSpec, ModelSpec, WalletUnit } from './catalog.js';
import { nameLengthMax, namePattern, quantitiesPerMeterMax } from './limits.js';
import { millionthsPerOne } from './numbers.js';

/**
 * Exact prices of usage.
 *
 * An event's cost is ceil(sum(net quantity x price) / 1,000,000) micro-credits, with prices in micro-credits
 * per million units and net quantities that leave out every part which has a price of its own. It is rounded
 * up once, at the end.
 *
 * Subtracting parts needs no work at run time. A part that has a price p inside a parent charged at P moves
 * its units from P to p, so it adds count x (p - P) to the parent's full count; a part without a price adds
 * nothing. compileCatalog stores that difference as the part's coefficient, and one multiplication a quantity
 * remains: cost = ceil(sum(count x coefficient) / 1,000,000).
 *
 * Messages are the same sum with weights instead of prices, divided by the weighted tokens of one message: used
 * whole, rounded up once.
 */

/** Name and count of one quantity. */
export type QuantityCount = readonly [name: string, count: number];

/**
 * What was used. Quantities are a short list of pairs, the form in which the transport has checked them, so
 * nothing is converted. A plain object would be read about 40 ns faster and a Map slower (of some 110 ns for
 * pricing an event), but a list keeps a name that was sent twice visible and an order to store, and no name in
 * it can be taken for a property that every object has.
 */
export interface Usage {
  readonly meter: string;
  readonly model: string;
  readonly quantities: readonly QuantityCount[];
}

export type RefusalReason =
  | 'unknown_meter'
  | 'unknown_quantity'
  | 'repeated_quantity'
  | 'count_out_of_range'
  | 'part_exceeds_parent'
  | 'cost_too_large';

/** The usage cannot be charged as it was sent. `field` is `meter`, `quantities`, or `quantities.<name>`. */
export interface Refusal {
  readonly kind: 'refused';
  readonly field: string;
  readonly reason: RefusalReason;
}

export type Price =
  | { readonly kind: 'rated'; readonly costMicros: number }
  | { readonly kind: 'unrated' }
  | Refusal;

/**
 * What one wallet would be charged: micro-credits for credits, whole units for allowances. Only credits can be
 * unrated: characters are counted whatever the rate card knows, and messages are left out where it has no price in them.
 */
export interface WalletCost {
  readonly unit: WalletUnit;
  readonly amount: number | 'unrated';
  /** Credits pay by being converted into characters; the amount is what converting all of them costs. */
  readonly conversion?: BlockTerms;
}

/** Whole blocks of credits that become characters, and the priority of the lot that they become. */
export interface BlockTerms {
  readonly blockUnits: number;
  readonly blockMicros: number;
  readonly priority: number;
}

/** One cost for each wallet of the meter that can pay, in the order in which they may; one of them pays all. */
export type WalletCosts =
  | { readonly kind: 'rated' | 'unrated'; readonly costs: readonly WalletCost[] }
  | Refusal;

/** A catalog made ready for pricing. Immutable; a new version is a new one. */
export interface CompiledCatalog {
  readonly version: number;
  /** What credits buy. */
  readonly rates: ReadonlyMap<AllowanceUnit, AllowanceSpec['rate']>;
  meter(name: string): CompiledMeter | undefined;
}

export interface CompiledMeter {
  readonly name: string;
  /** Names by slot: the position of a quantity in everything below. */
  readonly quantities: readonly string[];
  readonly wallets: readonly WalletUnit[];
  readonly slots: ReadonlyMap<string, number>;
  /** By slot, the slot of the quantity that it is a part of, or noSlot. */
  readonly parents: Int8Array;
  /** The slot that characters count one to one, or noSlot. */
  readonly charactersSlot: number;
  /** Undefined: characters are not converted automatically. */
  readonly conversion: BlockTerms | undefined;
  /** By name or alias. */
  readonly models: ReadonlyMap<string, CompiledModel>;
  /** What prices a model that is not among them; undefined: such usage is unrated. */
  readonly unknownModel: CompiledModel | undefined;
}

export interface CompiledModel {
  readonly credits: Rate;
  /** Undefined: messages do not pay for it. */
  readonly messages: Rate | undefined;
}

/** One unit for every `divisor` of the sum over all slots of count x coefficient, rounded up. */
export interface Rate {
  readonly coefficients: Float64Array;
  /** A whole number below 2^53. */
  readonly divisor: number;
}

export const noSlot = -1;
const exactBelow = 2 ** 53;

/** Prepares a catalog for pricing. `version` is the number that ledger lines will carry. */
export function compileCatalog(catalog: Catalog, version: number): CompiledCatalog {
  const meters = new Map<string, CompiledMeter>();
  const conversion = automaticConversion(catalog);
  for (const meter of catalog.meters) {
    const models = catalog.models.filter((model) => model.meter === meter.name);
    const unknown = catalog.defaultModels.find((rule) => rule.meter === meter.name);
    meters.set(meter.name, compileMeter(meter, models, unknown?.model, conversion));
  }
  const rates = new Map(catalog.allowances.map(({ unit, rate }) => [unit, rate]));
  return { version, rates, meter: (name) => meters.get(name) };
}

function automaticConversion({ allowances, lotPriorities }: Catalog): BlockTerms | undefined {
  const block = allowances.find(({ unit }) => unit === 'tts_characters')?.autoConvert;
  return block == null ? undefined : { ...block, priority: lotPriorities.conversion };
}

function compileMeter(
  meter: MeterSpec,
  specs: readonly ModelSpec[],
  unknown: string | undefined,
  conversion: BlockTerms | undefined,
): CompiledMeter {
  const quantities = meter.quantities.map((quantity) => quantity.name);
  const slots = new Map(quantities.map((name, slot) => [name, slot]));
  const slotOf = (name: string | undefined): number =>
    name === undefined ? noSlot : (slots.get(name) ?? noSlot);
  const parents = Int8Array.from(meter.quantities, (quantity) => slotOf(quantity.partOf));
  const models = new Map<string, CompiledModel>();
  for (const spec of specs) {
    const own = compileModel(spec, slots, parents);
    for (const name of [spec.name, ...spec.aliases]) models.set(name, own);
  }
  return {
    name: meter.name,
    quantities,
    wallets: meter.wallets,
    slots,
    parents,
    charactersSlot: slotOf(meter.oneToOne[0]?.quantity),
    conversion: meter.wallets.includes('tts_characters') ? conversion : undefined,
    models,
    unknownModel: unknown === undefined ? undefined : models.get(unknown),
  };
}

function compileModel(
  { prices, message }: ModelSpec,
  slots: ReadonlyMap<string, number>,
  parents: Int8Array,
): CompiledModel {
  const bySlot = (pairs: readonly (readonly [quantity: string, value: number])[]): Map<number, number> =>
    new Map(pairs.map(([quantity, value]) => [slots.get(quantity) ?? noSlot, value]));
  return {
    credits: {
      coefficients: coefficientsOf(
        bySlot(prices.map(({ quantity, microsPerMillion }) => [quantity, microsPerMillion])),
        parents,
      ),
      divisor: millionthsPerOne,
    },
    messages:
      message === null
        ? undefined
        : {
            coefficients: coefficientsOf(
              bySlot(message.weights.map(({ quantity, weightMillionths }) => [quantity, weightMillionths])),
              parents,
            ),
            divisor: message.weightedTokens * millionthsPerOne,
          },
  };
}

/** What one unit of each slot adds, given what units of some slots are charged. */
function coefficientsOf(charges: ReadonlyMap<number, number>, parents: Int8Array): Float64Array {
  /** What units of a slot are charged: its own, or what it is a part of. */
  const charged = (slot: number): number => {
    const own = charges.get(slot);
    if (own !== undefined) return own;
    const parent = parents[slot] ?? noSlot;
    return parent === noSlot ? 0 : charged(parent);
  };
  return Float64Array.from(
    parents,
    (parent, slot) => charged(slot) - (parent === noSlot ? 0 : charged(parent)),
  );
}

/** The cost of a usage in micro-credits of credits. What the rate card has no rule for is unrated, not refused. */
export function price(catalog: CompiledCatalog, usage: Usage): Price {
  const meter = catalog.meter(usage.meter);
  if (meter === undefined) return refusal('meter', 'unknown_meter');
  const refused = readCounts(meter, usage.quantities);
  if (refused !== undefined) return refused;
  const model = meter.models.get(usage.model) ?? meter.unknownModel;
  if (model === undefined) return { kind: 'unrated' };
  const costMicros = rated(model.credits);
  return costMicros === tooLarge ? costTooLarge : { kind: 'rated', costMicros };
}

/** The cost of a usage in every wallet that may pay for it. */
export function walletCosts(catalog: CompiledCatalog, usage: Usage): WalletCosts {
  const meter = catalog.meter(usage.meter);
  if (meter === undefined) return refusal('meter', 'unknown_meter');
  const refused = readCounts(meter, usage.quantities);
  if (refused !== undefined) return refused;
  const model = meter.models.get(usage.model) ?? meter.unknownModel;
  // Then a character costs its part of a block, whatever the model.
  const characters = meter.conversion === undefined ? 0 : (counts[meter.charactersSlot] as number);
  // Room for all: a list that grows takes room for seventeen.
  const costs = new Array<WalletCost>(meter.wallets.length);
  let paying = 0;
  for (let wallet = 0; wallet < meter.wallets.length; wallet++) {
    const unit = meter.wallets[wallet] as WalletUnit;
    if (unit === 'tts_characters') {
      costs[paying++] = { unit, amount: counts[meter.charactersSlot] as number };
      continue;
    }
    if (characters > 0 && unit === 'credits') {
      const cost = conversionCost(characters, meter.conversion as BlockTerms);
      if (cost === undefined) return costTooLarge;
      costs[paying++] = cost;
      continue;
    }
    if (model === undefined) {
      if (unit === 'credits') costs[paying++] = { unit, amount: 'unrated' };
      continue;
    }
    const rate = model[unit === 'credits' ? 'credits' : 'messages'];
    if (rate === undefined) continue;
    const amount = rated(rate);
    if (amount === tooLarge) return costTooLarge;
    costs[paying++] = { unit, amount };
  }
  if (paying < costs.length) costs.length = paying;
  return { kind: model === undefined && characters === 0 ? 'unrated' : 'rated', costs };
}

/** Undefined beyond 2^53-1. */
function conversionCost(characters: number, conversion: BlockTerms): WalletCost | undefined {
  const amount = Math.ceil(characters / conversion.blockUnits) * conversion.blockMicros;
  return amount < exactBelow ? { unit: 'credits', amount, conversion } : undefined;
}

/**
 * The counts of the event being priced, by slot, and what no part has claimed of them. Pricing never waits, so
 * one of each serves all events, and pricing allocates only its answer. readCounts fills them.
 */
export const counts = new Float64Array(quantitiesPerMeterMax);
export const unclaimed = new Float64Array(quantitiesPerMeterMax);

/** Fills `counts` and `unclaimed`; judges names, counts and parts the same way for every model, rated or not. */
export function readCounts(meter: CompiledMeter, quantities: readonly QuantityCount[]): Refusal | undefined {
  const { slots, parents } = meter;
  const slotCount = parents.length;
  for (let slot = 0; slot < slotCount; slot++) counts[slot] = 0;
  let seen = 0;
  for (let index = 0; index < quantities.length; index++) {
    const [name, count] = quantities[index] as QuantityCount;
    const slot = slots.get(name);
    if (slot === undefined) return refuseUnknown(name);
    if ((seen & (1 << slot)) !== 0) return refusal(`quantities.${name}`, 'repeated_quantity');
    seen |= 1 << slot;
    if (!Number.isSafeInteger(count) || count < 0) return refusal(`quantities.${name}`, 'count_out_of_range');
    // Adding 0 makes the zero that JSON can spell '-0' an ordinary one.
    counts[slot] = count + 0;
  }
  // Parts of one quantity do not overlap: each takes its units away from what is left of the parent. Both sides
  // are integers below 2^53, so the difference is exact.
  for (let slot = 0; slot < slotCount; slot++) unclaimed[slot] = counts[slot] as number;
  for (let slot = 0; slot < slotCount; slot++) {
    const parent = parents[slot] as number;
    if (parent === noSlot || counts[slot] === 0) continue;
    const left = (unclaimed[parent] as number) - (counts[slot] as number);
    if (left < 0) return refusal(`quantities.${meter.quantities[slot]}`, 'part_exceeds_parent');
    unclaimed[parent] = left;
  }
  return undefined;
}

const tooLarge = -1;

/**
 * Rates what readCounts read: whole units, or tooLarge.
 *
 * Doubles are exact where the sum of the absolute products, itself computed in doubles, is below 2^53: rounding
 * is monotonic and 2^53 is a double, so no product and no partial sum that reaches 2^53 can be computed as less,
 * and integers below 2^53 are not rounded at all. The division is safe too: a quotient below 2^53 / divisor is off by
 * less than quotient x 2^-53, which is below 1 / divisor, the smallest distance of such a fraction from an integer. So
 * Math.ceil never sees an integer that is not one.
 */
function rated({ coefficients, divisor }: Rate): number {
  let sum = 0;
  let magnitude = 0;
  for (let slot = 0; slot < coefficients.length; slot++) {
    const product = (counts[slot] as number) * (coefficients[slot] as number);
    sum += product;
    magnitude += Math.abs(product);
  }
  return magnitude < exactBelow ? Math.ceil(sum / divisor) : ratedLarge(coefficients, BigInt(divisor));
}

function ratedLarge(coefficients: Float64Array, divisor: bigint): number {
  let sum = 0n;
  for (let slot = 0; slot < coefficients.length; slot++) {
    sum += BigInt(counts[slot] as number) * BigInt(coefficients[slot] as number);
  }
  const units = (sum + divisor - 1n) / divisor;
  return units > BigInt(Number.MAX_SAFE_INTEGER) ? tooLarge : Number(units);
}

/** Only what looks like the name of a quantity is repeated to the caller and the logs. */
function refuseUnknown(name: string): Refusal {
  const isName = name.length <= nameLengthMax && namePattern.test(name);
  return refusal(isName ? `quantities.${name}` : 'quantities', 'unknown_quantity');
}

export function refusal(field: string, reason: RefusalReason): Refusal {
  return { kind: 'refused', field, reason };
}

const costTooLarge = refusal('quantities', 'cost_too_large');
