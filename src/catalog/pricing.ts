import { nameLengthMax, namePattern, quantitiesPerMeterMax } from './limits.js';
import type { Catalog, MeterSpec, ModelSpec, WalletUnit } from './schema.js';

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
 * unrated: an allowance counts its quantity whatever the rate card knows.
 */
export interface WalletCost {
  readonly unit: WalletUnit;
  readonly amount: number | 'unrated';
}

/** One cost for each wallet of the meter, in the order in which they may pay; one of them pays all. */
export type WalletCosts =
  | { readonly kind: 'rated' | 'unrated'; readonly costs: readonly WalletCost[] }
  | Refusal;

/** A catalog made ready for pricing. Immutable; a new version is a new one. */
export interface CompiledCatalog {
  readonly version: number;
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
  /** By wallet, the slot that counts one to one, or noSlot for credits. */
  readonly walletSlots: Int8Array;
  /** By name or alias of a model: by slot, micro-credits per million units that one unit adds to the cost. */
  readonly coefficients: ReadonlyMap<string, Float64Array>;
}

const noSlot = -1;
const microsPerMillionDivisor = 1_000_000;
const exactBelow = 2 ** 53;

/** Prepares a catalog for pricing. `version` is the number that ledger lines will carry. */
export function compileCatalog(catalog: Catalog, version: number): CompiledCatalog {
  const meters = new Map<string, CompiledMeter>();
  for (const meter of catalog.meters) {
    const models = catalog.models.filter((model) => model.meter === meter.name);
    meters.set(meter.name, compileMeter(meter, models));
  }
  return { version, meter: (name) => meters.get(name) };
}

function compileMeter(meter: MeterSpec, models: readonly ModelSpec[]): CompiledMeter {
  const quantities = meter.quantities.map((quantity) => quantity.name);
  const slots = new Map(quantities.map((name, slot) => [name, slot]));
  const slotOf = (name: string | undefined): number =>
    name === undefined ? noSlot : (slots.get(name) ?? noSlot);
  const parents = Int8Array.from(meter.quantities, (quantity) => slotOf(quantity.partOf));
  const counted = new Map(meter.oneToOne.map((entry) => [entry.unit, slotOf(entry.quantity)]));
  const coefficients = new Map<string, Float64Array>();
  for (const model of models) {
    const own = compileModel(model, slots, parents);
    for (const name of [model.name, ...model.aliases]) coefficients.set(name, own);
  }
  return {
    name: meter.name,
    quantities,
    wallets: meter.wallets,
    slots,
    parents,
    walletSlots: Int8Array.from(meter.wallets, (unit) => counted.get(unit) ?? noSlot),
    coefficients,
  };
}

function compileModel(
  model: ModelSpec,
  slots: ReadonlyMap<string, number>,
  parents: Int8Array,
): Float64Array {
  const prices = new Map(model.prices.map((price) => [slots.get(price.quantity), price.microsPerMillion]));
  /** The price at which units of a slot are charged: its own, or the one of what it is a part of. */
  const charged = (slot: number): number => {
    const own = prices.get(slot);
    if (own !== undefined) return own;
    const parent = parents[slot] ?? noSlot;
    return parent === noSlot ? 0 : charged(parent);
  };
  return Float64Array.from(
    parents,
    (parent, slot) => charged(slot) - (parent === noSlot ? 0 : charged(parent)),
  );
}

/** The cost of a usage in micro-credits of credits. A model that the rate card does not know is unrated, not refused. */
export function price(catalog: CompiledCatalog, usage: Usage): Price {
  const meter = catalog.meter(usage.meter);
  if (meter === undefined) return refusal('meter', 'unknown_meter');
  const refused = readCounts(meter, usage.quantities);
  return refused ?? priceCounts(meter, usage.model);
}

/** The cost of a usage in every wallet that may pay for it. */
export function walletCosts(catalog: CompiledCatalog, usage: Usage): WalletCosts {
  const meter = catalog.meter(usage.meter);
  if (meter === undefined) return refusal('meter', 'unknown_meter');
  const refused = readCounts(meter, usage.quantities);
  if (refused !== undefined) return refused;
  const priced = priceCounts(meter, usage.model);
  if (priced.kind === 'refused') return priced;
  const credits = priced.kind === 'rated' ? priced.costMicros : 'unrated';
  const costs: WalletCost[] = [];
  for (let wallet = 0; wallet < meter.wallets.length; wallet++) {
    const unit = meter.wallets[wallet] as WalletUnit;
    const slot = meter.walletSlots[wallet] as number;
    costs.push({ unit, amount: slot === noSlot ? credits : (counts[slot] as number) });
  }
  return { kind: priced.kind, costs };
}

/**
 * The counts of the event being priced, by slot, and what no part has claimed of them. Pricing never waits, so
 * one of each serves all events, and pricing allocates only its answer. readCounts fills them.
 */
const counts = new Float64Array(quantitiesPerMeterMax);
const unclaimed = new Float64Array(quantitiesPerMeterMax);

/** Fills `counts`; judges names, counts and parts the same way for every model, rated or not. */
function readCounts(meter: CompiledMeter, quantities: readonly QuantityCount[]): Refusal | undefined {
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

/**
 * Prices what readCounts read.
 *
 * Doubles are exact where the sum of the absolute products, itself computed in doubles, is below 2^53: rounding
 * is monotonic and 2^53 is a double, so no product and no partial sum that reaches 2^53 can be computed as less,
 * and integers below 2^53 are not rounded at all. The division is safe too: below 2^53 the quotient is below
 * 2^34, where doubles are at most 2^-19 apart, and half of that (0.95e-6) is less than the smallest distance
 * of a fraction of a million from an integer (1e-6). So Math.ceil never sees an integer that is not one.
 */
function priceCounts(meter: CompiledMeter, model: string): Price {
  const coefficients = meter.coefficients.get(model);
  if (coefficients === undefined) return { kind: 'unrated' };
  let sum = 0;
  let magnitude = 0;
  for (let slot = 0; slot < coefficients.length; slot++) {
    const product = (counts[slot] as number) * (coefficients[slot] as number);
    sum += product;
    magnitude += Math.abs(product);
  }
  if (magnitude < exactBelow) return { kind: 'rated', costMicros: Math.ceil(sum / microsPerMillionDivisor) };
  return priceLargeCounts(coefficients);
}

function priceLargeCounts(coefficients: Float64Array): Price {
  let sum = 0n;
  for (let slot = 0; slot < coefficients.length; slot++) {
    sum += BigInt(counts[slot] as number) * BigInt(coefficients[slot] as number);
  }
  const divisor = BigInt(microsPerMillionDivisor);
  const cost = (sum + divisor - 1n) / divisor;
  if (cost > BigInt(Number.MAX_SAFE_INTEGER)) return refusal('quantities', 'cost_too_large');
  return { kind: 'rated', costMicros: Number(cost) };
}

/** Only what looks like the name of a quantity is repeated to the caller and the logs. */
function refuseUnknown(name: string): Refusal {
  const isName = name.length <= nameLengthMax && namePattern.test(name);
  return refusal(isName ? `quantities.${name}` : 'quantities', 'unknown_quantity');
}

function refusal(field: string, reason: RefusalReason): Refusal {
  return { kind: 'refused', field, reason };
}
