import type { AllowanceSpec } from './catalog.js';

/** What a conversion takes from the credits and brings to the allowance. */
export interface Conversion {
  readonly units: number;
  readonly costMicros: number;
}

type Rate = AllowanceSpec['rate'];

/** What so many whole units cost: rounded up to a micro-credit, once. Null beyond 2^53-1. */
export function conversionOfUnits(rate: Rate, units: number): Conversion | null {
  const divisor = BigInt(rate.units);
  const cost = (BigInt(units) * BigInt(rate.creditsMicros) + divisor - 1n) / divisor;
  return cost > BigInt(Number.MAX_SAFE_INTEGER) ? null : { units, costMicros: Number(cost) };
}

/** The most whole units that so many micro-credits buy, and what those cost; what buys no whole unit is not taken. Null beyond 2^53-1. */
export function conversionOfCredits(rate: Rate, micros: number): Conversion | null {
  const units = (BigInt(micros) * BigInt(rate.units)) / BigInt(rate.creditsMicros);
  return units > BigInt(Number.MAX_SAFE_INTEGER) ? null : conversionOfUnits(rate, Number(units));
}
