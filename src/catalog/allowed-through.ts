import type { WalletUnit } from './catalog.js';
import {
  type CompiledCatalog,
  type CompiledMeter,
  counts,
  noSlot,
  type Rate,
  type Refusal,
  readCounts,
  refusal,
  type Usage,
  unclaimed,
} from './pricing.js';

/**
 * The inverse of pricing: how far one quantity may go before a usage costs more than what is held for it.
 *
 * Every price is a line over the count of one quantity, rounded up once: ceil((base + count x slope) / divisor) times a worth
 * (a block's credits where characters are converted, else 1). ceil(x / d) <= n where x <= n x d, so the largest count that `held` pays for
 * is floor((floor(held / worth) x divisor - base) / slope), exact in big integers.
 */
interface Line {
  readonly base: bigint;
  readonly slope: bigint;
  readonly divisor: bigint;
  readonly worth: bigint;
}

/** No count of the quantity, not even the least that its parts leave, is paid for. */
export const nothingAllowed = -1;

/**
 * The largest count of the quantity `counted`, the others staying as they are in `usage`, at which the wallet's price is not above `held`:
 * price(allowed) <= held < price(allowed + 1), within what the meter's parts and 2^53-1 allow. `nothingAllowed` where there is none.
 * Free quantities and unrated models have no end.
 */
export function allowedThrough(
  catalog: CompiledCatalog,
  usage: Usage,
  counted: string,
  held: number,
  unit: WalletUnit,
): number | Refusal {
  const meter = catalog.meter(usage.meter);
  if (meter === undefined) return refusal('meter', 'unknown_meter');
  const refused = readCounts(meter, usage.quantities);
  if (refused !== undefined) return refused;
  const slot = meter.slots.get(counted);
  if (slot === undefined) return refusal(`quantities.${counted}`, 'unknown_quantity');

  const least = (counts[slot] as number) - (unclaimed[slot] as number);
  const most = mostOf(meter, slot);
  const line = lineOf(meter, usage.model, slot, unit);
  if (line === undefined) return most;
  const units = BigInt(held) / line.worth;
  const left = units * line.divisor - line.base;
  if (line.slope <= 0n) return left >= line.slope * BigInt(most) ? most : nothingAllowed;
  const count = left < 0n ? -1n : left / line.slope;
  if (count < BigInt(least)) return nothingAllowed;
  return count > BigInt(most) ? most : Number(count);
}

/** A part goes no further than what the others leave of the quantity that it is a part of. */
function mostOf(meter: CompiledMeter, slot: number): number {
  const parent = meter.parents[slot] as number;
  if (parent === noSlot) return Number.MAX_SAFE_INTEGER;
  return (counts[slot] as number) + (unclaimed[parent] as number);
}

/** Undefined where the wallet pays nothing for it whatever the count: the rate card does not know the model. */
function lineOf(meter: CompiledMeter, modelName: string, slot: number, unit: WalletUnit): Line | undefined {
  const { charactersSlot, conversion } = meter;
  const charactersSlope = slot === charactersSlot ? 1n : 0n;
  const characters = charactersSlot === noSlot || slot === charactersSlot ? 0 : counts[charactersSlot];
  const charactersLine = { base: BigInt(characters as number), slope: charactersSlope, worth: 1n };
  if (unit === 'tts_characters') return { ...charactersLine, divisor: 1n };
  if (unit === 'credits' && conversion !== undefined && (charactersSlope > 0n || characters !== 0)) {
    const { blockUnits, blockMicros } = conversion;
    return { ...charactersLine, divisor: BigInt(blockUnits), worth: BigInt(blockMicros) };
  }
  const model = meter.models.get(modelName) ?? meter.unknownModel;
  const rate = unit === 'credits' ? model?.credits : model?.messages;
  return rate === undefined ? undefined : rateLine(rate, slot);
}

function rateLine({ coefficients, divisor }: Rate, slot: number): Line {
  let base = 0n;
  for (let other = 0; other < coefficients.length; other++) {
    if (other === slot || counts[other] === 0) continue;
    base += BigInt(counts[other] as number) * BigInt(coefficients[other] as number);
  }
  return { base, slope: BigInt(coefficients[slot] as number), divisor: BigInt(divisor), worth: 1n };
}
