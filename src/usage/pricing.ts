import {
  type BlockTerms,
  type CompiledCatalog,
  type Refusal,
  type Usage,
  walletCosts,
} from '../catalog/pricing.js';
import { DrawdownError } from '../errors.js';
import { CONVERSION_PRIORITIES, type PackedOperation } from '../redis/format.js';
import { type Estimate, UNITS } from './types.js';

/** What stands for "no price" where a script expects an amount. */
const UNRATED = -1;

/**
 * Appends (unit, amount) pairs in the order in which the meter's wallets may pay; null, or why the usage cannot be priced.
 * An allowance that this usage takes nothing from (a model counted in other quantities) must not pay for it with nothing: it is left
 * out, or, where a hold may be in its unit (`keepFree`), passed over by the script.
 */
export function appendCosts(
  operation: PackedOperation,
  catalog: CompiledCatalog,
  usage: Usage,
  { keepFree = false } = {},
): Refusal | null {
  const priced = walletCosts(catalog, usage);
  if (priced.kind === 'refused') return priced;
  const { costs } = priced;
  let chargeable = false;
  for (let i = 0; i < costs.length; i++) chargeable ||= costs[i]?.amount !== 0;
  for (let i = 0; i < costs.length; i++) {
    const { unit, amount, conversion } = costs[i] as (typeof costs)[number];
    if (amount === 0 && chargeable && !keepFree) continue;
    if (conversion !== undefined) {
      operation.push(...packedTerms(conversion));
      continue;
    }
    operation.push(UNITS[unit], amount === 'unrated' ? UNRATED : amount);
  }
  return null;
}

const MICROS_PER_CREDIT = 1_000_000;

/** A pair that stands for credits which are converted: lua/includes/formats.lua says how. Blocks are whole credits. */
export function packedTerms({
  blockUnits,
  blockMicros,
  priority,
}: BlockTerms): readonly [unit: number, terms: number] {
  return [-blockUnits, (blockMicros / MICROS_PER_CREDIT) * CONVERSION_PRIORITIES + priority];
}

/** What holding characters takes of credits that are converted for them: whole blocks, the debt of characters included. */
export function blocksToHold(terms: readonly [number, number], characters: number, debt: number): number {
  const [unit, packed] = terms;
  const credits = Math.floor(packed / CONVERSION_PRIORITIES);
  return Math.ceil((characters + debt) / -unit) * credits * MICROS_PER_CREDIT;
}

/** Appends the pairs of an estimate: priced quantities, or the amount as it is, which must be of one of the meter's wallets. */
export function appendEstimate(
  operation: PackedOperation,
  catalog: CompiledCatalog,
  call: { readonly meter: string; readonly model: string },
  estimate: Estimate,
  field: 'estimate' | 'final',
): void {
  const meter = catalog.meter(call.meter);
  if (meter === undefined) throw meterUnknown(call.meter);
  if (estimate.kind === 'amount') {
    if (!meter.wallets.some((unit) => UNITS[unit] === estimate.unit)) {
      throw new DrawdownError(
        'FIELD_INVALID',
        `${field}.amount.unit: none of the wallets of meter ${call.meter}`,
        {
          field: `${field}.amount.unit`,
        },
      );
    }
    operation.push(estimate.unit, estimate.value);
    return;
  }
  const usage = { meter: call.meter, model: call.model, quantities: estimate.quantities };
  const refusal = appendCosts(operation, catalog, usage, { keepFree: field === 'final' });
  if (refusal !== null) throw refusalError(refusal, `${field}.`);
}

export function meterUnknown(name: string): DrawdownError {
  return new DrawdownError('METER_UNKNOWN', `meter: ${name} is not in the catalog`, { field: 'meter' });
}

const REFUSALS = {
  unknown_meter: 'is not in the catalog',
  unknown_quantity: "is not one of the meter's quantities",
  repeated_quantity: 'comes twice',
  count_out_of_range: 'must be a whole number from 0 to 9007199254740991',
  part_exceeds_parent: 'exceeds the quantity that it is a part of',
  cost_too_large: 'would cost more than 9007199254740991 micro-credits',
} as const satisfies Record<Refusal['reason'], string>;

/** A refusal in words: which field, and why. */
export function refusalText(refusal: Refusal): string {
  return `${refusal.field}: ${REFUSALS[refusal.reason]}`;
}

export function refusalError(refusal: Refusal, path = ''): DrawdownError {
  const field = refusal.reason === 'unknown_meter' ? refusal.field : path + refusal.field;
  const code =
    refusal.reason === 'unknown_meter'
      ? 'METER_UNKNOWN'
      : refusal.reason === 'cost_too_large'
        ? 'AMOUNT_OUT_OF_RANGE'
        : 'FIELD_INVALID';
  return new DrawdownError(code, `${field}: ${REFUSALS[refusal.reason]}`, { field });
}
