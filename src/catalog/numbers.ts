import type { CalendarLength } from './catalog.js';
import { amountCreditsMax, decimalsMax, pricePerMillionCreditsMax, weightMax } from './limits.js';

/**
 * Decimals, durations and lengths of the calendar, as exact integers.
 *
 * A decimal has at most 6 places, so in millionths it is always an integer: 0.15 credits per million tokens are
 * 150,000 micro-credits per million. Nothing here goes through a floating-point fraction.
 */

/** Micro-credits in one credit, millionths in one. */
export const millionthsPerOne = 1_000_000;

export type Parsed<T> = { readonly value: T } | { readonly mistake: string };

const decimalPattern = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;

/** Credits per million units, such as `0.15`, in micro-credits per million units. */
export function parsePrice(text: string): Parsed<number> {
  return parseDecimal(text, { max: pricePerMillionCreditsMax, of: ' credits per million units' });
}

/** Credits, such as `1000` or `2.5`, in micro-credits. */
export function parseCredits(text: string): Parsed<number> {
  return parseDecimal(text, { max: amountCreditsMax, of: ' credits' });
}

/** The weight of a token, such as `0.1` or `4`, in millionths. */
export function parseWeight(text: string): Parsed<number> {
  return parseDecimal(text, { max: weightMax, of: '' });
}

function parseDecimal(text: string, { max, of }: { max: number; of: string }): Parsed<number> {
  if (text.startsWith('-')) return { mistake: 'must not be negative' };
  const match = decimalPattern.exec(text);
  if (match === null) {
    return { mistake: "must be a plain decimal such as 0.15 (digits, at most one '.', no exponent or sign)" };
  }
  const [, whole = '', fraction = ''] = match;
  if (fraction.length > decimalsMax) return { mistake: `must have at most ${decimalsMax} decimals` };
  const tooLarge = { mistake: `must be at most ${max}${of}` };
  if (whole.length > String(max).length) return tooLarge;
  const value = Number(whole) * millionthsPerOne + Number(fraction.padEnd(decimalsMax, '0'));
  return value > max * millionthsPerOne ? tooLarge : { value };
}

/** The shortest decimal that is read back as the same number of millionths. */
export function formatDecimal(millionths: number): string {
  const fraction = millionths % millionthsPerOne;
  const whole = (millionths - fraction) / millionthsPerOne;
  if (fraction === 0) return String(whole);
  return `${whole}.${String(fraction).padStart(decimalsMax, '0').replace(/0+$/, '')}`;
}

export function parseWhole(text: string, { min, max }: { min: number; max: number }): Parsed<number> {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max
    ? { value }
    : { mistake: `must be a whole number from ${min} to ${max}` };
}

export const dayMs = 86_400_000;
const durationUnitsMs = { d: dayMs, h: 3_600_000, m: 60_000, s: 1_000 } as const;

/** `90s`, `30m`, `24h` or `7d` in milliseconds; `0s` is none. */
export function parseDuration(text: string): Parsed<number> {
  const match = /^(0|[1-9][0-9]{0,5})([dhms])$/.exec(text);
  if (match === null) return { mistake: 'must be a duration such as 30m, 24h or 7d' };
  return { value: Number(match[1]) * durationUnitsMs[match[2] as keyof typeof durationUnitsMs] };
}

/** In the largest unit of which it is a whole number. */
export function formatDuration(ms: number): string {
  for (const [unit, unitMs] of Object.entries(durationUnitsMs)) {
    if (ms > 0 && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return '0s';
}

/** The longest cycle in days, so that every cycle of an agent is one of the next year. */
const cycleDaysMax = 366;

/** `month`, `year`, or days such as `30d`. */
export function parseCycle(text: string): Parsed<CalendarLength> {
  if (text === 'month' || text === 'year') return { value: { count: 1, unit: text } };
  const days = /^([1-9][0-9]{0,2})d$/.exec(text)?.[1];
  if (days === undefined || Number(days) > cycleDaysMax) {
    return { mistake: `must be month, year, or days from 1d to ${cycleDaysMax}d` };
  }
  return { value: { count: Number(days), unit: 'day' } };
}

export function formatCycle({ count, unit }: CalendarLength): string {
  return unit === 'day' ? `${count}d` : unit;
}

/** The shortest that a length of the calendar can be: February, and a year without its 29th. */
export function shortestMs({ count, unit }: CalendarLength): number {
  return count * { day: 1, month: 28, year: 365 }[unit] * dayMs;
}
