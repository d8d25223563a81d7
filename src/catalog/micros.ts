import { priceDecimalsMax, pricePerMillionCreditsMax } from './limits.js';

/**
 * Prices as exact integers.
 *
 * A price is written in credits per million units with at most 6 decimals, so the same price in micro-credits
 * per million units is always an integer: 0.15 credits per million tokens are 150,000 micro-credits per
 * million. Nothing here goes through a floating-point fraction.
 */

/** Micro-credits in one credit. */
export const microsPerCredit = 1_000_000;

const decimalPattern = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;
const wholeDigitsMax = String(pricePerMillionCreditsMax).length;

export type ParsedPrice = { readonly micros: number } | { readonly mistake: string };

/** Reads a decimal such as `0.15` (credits per million units) as micro-credits per million units, exactly. */
export function parsePrice(text: string): ParsedPrice {
  if (text.startsWith('-')) return { mistake: 'must not be negative' };
  const match = decimalPattern.exec(text);
  if (match === null) {
    return { mistake: "must be a plain decimal such as 0.15 (digits, at most one '.', no exponent or sign)" };
  }
  const [, whole = '', fraction = ''] = match;
  if (fraction.length > priceDecimalsMax) {
    return { mistake: `must have at most ${priceDecimalsMax} decimals` };
  }
  const tooLarge = { mistake: `must be at most ${pricePerMillionCreditsMax} credits per million units` };
  if (whole.length > wholeDigitsMax) return tooLarge;
  const micros = Number(whole) * microsPerCredit + Number(fraction.padEnd(priceDecimalsMax, '0'));
  return micros > pricePerMillionCreditsMax * microsPerCredit ? tooLarge : { micros };
}

/** The shortest decimal that `parsePrice` reads back as the same number. */
export function formatPrice(micros: number): string {
  const fraction = micros % microsPerCredit;
  const whole = (micros - fraction) / microsPerCredit;
  if (fraction === 0) return String(whole);
  return `${whole}.${String(fraction).padStart(priceDecimalsMax, '0').replace(/0+$/, '')}`;
}
