import { quantitiesPerMeterMax } from '../catalog/limits.js';
import { type AccountImport, ENTRY_KINDS, type EntryKind } from '../credits/types.js';
import { DrawdownError } from '../errors.js';
import type { AccountImport__Output } from '../gen/drawdown/v1/AccountImport.js';
import type { AckLevel__Output } from '../gen/drawdown/v1/AckLevel.js';
import type { Amount__Output } from '../gen/drawdown/v1/Amount.js';
import type { EntryKind__Output } from '../gen/drawdown/v1/EntryKind.js';
import type { LedgerOrder__Output } from '../gen/drawdown/v1/LedgerOrder.js';
import type { OpeningLot__Output } from '../gen/drawdown/v1/OpeningLot.js';
import type { Quantities__Output } from '../gen/drawdown/v1/Quantities.js';
import type { Unit__Output } from '../gen/drawdown/v1/Unit.js';
import type { Estimate, Quantities, Unit } from '../usage/types.js';

/**
 * Checks of single fields. Each returns the value in the form that the layers below use, or raises FIELD_INVALID
 * with the field's path. Whether a time lies in the accepted window and whether a name is in the catalog are
 * questions for the usage layer.
 */

export const idLengthMax = 128;
export const idRule = `must be 1 to ${idLengthMax} of A-Z a-z 0-9 . _ - : @ /`;
const idPattern = /^[A-Za-z0-9._\-:@/]{1,128}$/;

export const pageSizeDefault = 100;
export const pageSizeMax = 1_000;

/** Page tokens are ours and short; this only bounds what a stranger may send. */
const pageTokenLengthMax = 512;

const wholePattern = /^(0|[1-9][0-9]{0,15})$/;

export function fieldInvalid(field: string, rule: string): DrawdownError {
  return new DrawdownError('FIELD_INVALID', `${field} ${rule}`, { field });
}

export function checkId(value: string, field: string): string {
  if (!idPattern.test(value)) throw fieldInvalid(field, idRule);
  return value;
}

/** An id, or '' for none. */
export function checkOptionalId(value: string, field: string): string {
  return value === '' ? '' : checkId(value, field);
}

/** The name of a meter or model: the same alphabet and length as ids. */
export function checkName(value: string, field: string): string {
  return checkId(value, field);
}

const reasonCodePattern = /^[a-z][a-z0-9_]{0,63}$/;
/** Letters, marks, digits, punctuation, symbols and spaces of any script: nothing invisible, no line breaks, no half characters. */
const reasonTextPattern = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{0,200}$/u;

/** Why something was decided: both may be empty. */
export function checkReason(request: { reasonCode: string; reasonText: string }): {
  reasonCode: string;
  reasonText: string;
} {
  const { reasonCode, reasonText } = request;
  if (reasonCode !== '' && !reasonCodePattern.test(reasonCode)) {
    throw fieldInvalid('reason_code', 'must be at most 64 of a-z 0-9 _ and begin with a letter');
  }
  if (!reasonTextPattern.test(reasonText)) {
    throw fieldInvalid('reason_text', 'must be at most 200 visible characters and spaces');
  }
  return { reasonCode, reasonText };
}

/** A whole number written in decimal, from `min` to `max`. */
export function checkWhole(
  value: string | number,
  field: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {},
): number {
  const number = wholePattern.test(String(value)) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max && number <= Number.MAX_SAFE_INTEGER)) {
    throw fieldInvalid(field, `must be a whole number from ${min} to ${max}`);
  }
  return number;
}

/** A time that must be there: milliseconds since 1970, above 0. */
export function checkTime(value: string, field: string): number {
  return checkWhole(value, field, { min: 1 });
}

const UNIT_NUMBERS = {
  UNIT_CREDITS: 1,
  UNIT_TTS_CHARACTERS: 2,
  UNIT_LLM_MESSAGES: 3,
} as const satisfies Record<string, Unit>;

export function checkUnit(value: Unit__Output | number, field: string): Unit {
  if (Object.hasOwn(UNIT_NUMBERS, value)) return UNIT_NUMBERS[value as keyof typeof UNIT_NUMBERS];
  throw fieldInvalid(field, 'must be UNIT_CREDITS, UNIT_TTS_CHARACTERS or UNIT_LLM_MESSAGES');
}

export function checkAmount(
  amount: Amount__Output | null | undefined,
  field: string,
  { min = 0 }: { min?: number } = {},
): { unit: Unit; value: number } {
  if (amount == null) throw fieldInvalid(field, 'is missing');
  return {
    unit: checkUnit(amount.unit, `${field}.unit`),
    value: checkWhole(amount.value, `${field}.value`, { min }),
  };
}

/** Each is a line of the ledger and a row of the call's batch. */
const openingLotsMax = 100;

const OPENING_SOURCES = {
  LOT_SOURCE_FREE: 'free',
  LOT_SOURCE_PLAN: 'plan',
  LOT_SOURCE_TOP_UP: 'top_up',
  LOT_SOURCE_CONVERSION: 'conversion',
} as const;

/** What an imported account brings along. */
export function checkImport(imported: AccountImport__Output): AccountImport {
  const { lots } = imported;
  if (lots.length > openingLotsMax) throw fieldInvalid('imported.lots', `must be at most ${openingLotsMax}`);
  const periodStartTimeMs = checkWhole(imported.periodStartTimeMs, 'imported.period_start_time_ms');
  const periodEndTimeMs = checkWhole(imported.periodEndTimeMs, 'imported.period_end_time_ms');
  if (periodStartTimeMs > Date.now()) {
    throw fieldInvalid('imported.period_start_time_ms', 'must be reached; use StartBillingPeriod');
  }
  const neither = periodStartTimeMs === 0 && periodEndTimeMs === 0;
  if (!neither && (periodStartTimeMs === 0 || periodEndTimeMs <= periodStartTimeMs)) {
    throw fieldInvalid('imported.period_end_time_ms', 'must be after period_start_time_ms, or both 0');
  }
  return { lots: lots.map(checkOpeningLot), periodStartTimeMs, periodEndTimeMs };
}

function checkOpeningLot(lot: OpeningLot__Output, index: number): AccountImport['lots'][number] {
  const field = `imported.lots[${index}]`;
  const source = Object.entries(OPENING_SOURCES).find(([name]) => name === lot.source)?.[1];
  if (source === undefined) throw fieldInvalid(`${field}.source`, 'must be FREE, PLAN, TOP_UP or CONVERSION');
  const { unit, value } = checkAmount(lot.amount, `${field}.amount`, { min: 1 });
  return { unit, amount: value, source, expiresAtMs: checkWhole(lot.expiresAtMs, `${field}.expires_at_ms`) };
}

export function checkQuantities(values: Readonly<Record<string, string>>, field: string): Quantities {
  const names = Object.keys(values);
  if (names.length === 0) throw fieldInvalid(field, 'must have at least one');
  if (names.length > quantitiesPerMeterMax) {
    throw fieldInvalid(field, `must have at most ${quantitiesPerMeterMax}`);
  }
  return names.map((name) => {
    if (!idPattern.test(name))
      throw fieldInvalid(field, `must have names that are ${idRule.slice('must be '.length)}`);
    return [name, checkWhole(values[name] ?? '', `${field}["${name}"]`)] as const;
  });
}

export interface EstimateFields {
  readonly quantities?: Quantities__Output | null;
  readonly amount?: Amount__Output | null;
}

/** The oneof of quantities and amount; null where it is not there. */
export function checkEstimate(fields: EstimateFields): Estimate | null {
  if (fields.quantities) {
    return { kind: 'quantities', quantities: checkQuantities(fields.quantities.values, 'quantities.values') };
  }
  if (fields.amount) return { kind: 'amount', ...checkAmount(fields.amount, 'amount') };
  return null;
}

export function checkRequiredEstimate(fields: EstimateFields, oneof: string): Estimate {
  const estimate = checkEstimate(fields);
  if (estimate === null) throw fieldInvalid(oneof, 'must be given as quantities or amount');
  return estimate;
}

/** Is DURABLE asked for? `whenUnspecified` is the call's default. */
export function checkDurable(level: AckLevel__Output | number, whenUnspecified: boolean): boolean {
  if (level === 'ACK_LEVEL_UNSPECIFIED' || level === 0) return whenUnspecified;
  if (level === 'ACK_LEVEL_APPLIED' || level === 1) return false;
  if (level === 'ACK_LEVEL_DURABLE' || level === 2) return true;
  throw fieldInvalid('ack_level', 'must be ACK_LEVEL_APPLIED or ACK_LEVEL_DURABLE');
}

export function checkPage(request: { pageSize: number; pageToken: string }): {
  pageSize: number;
  pageToken: string;
} {
  if (request.pageToken.length > pageTokenLengthMax) {
    throw fieldInvalid('page_token', 'is not one that this service gave');
  }
  const pageSize = checkWhole(request.pageSize, 'page_size', { max: pageSizeMax });
  return { pageSize: pageSize === 0 ? pageSizeDefault : pageSize, pageToken: request.pageToken };
}

/** A range of booked time, from inclusive, to exclusive; 0 is open. */
export function checkTimeRange(request: { fromTimeMs: string | number; toTimeMs: string | number }): {
  fromTimeMs: number;
  toTimeMs: number;
} {
  const fromTimeMs = checkWhole(request.fromTimeMs, 'from_time_ms');
  const toTimeMs = checkWhole(request.toTimeMs, 'to_time_ms');
  if (toTimeMs !== 0 && toTimeMs <= fromTimeMs) {
    throw fieldInvalid('to_time_ms', 'must be after from_time_ms');
  }
  return { fromTimeMs, toTimeMs };
}

export function checkOrder(order: LedgerOrder__Output | number): 'newest_first' | 'oldest_first' {
  if (order === 'LEDGER_ORDER_UNSPECIFIED' || order === 'LEDGER_ORDER_NEWEST_FIRST') return 'newest_first';
  if (order === 'LEDGER_ORDER_OLDEST_FIRST') return 'oldest_first';
  throw fieldInvalid('order', 'must be LEDGER_ORDER_NEWEST_FIRST or LEDGER_ORDER_OLDEST_FIRST');
}

/** The kinds to list, each once. */
export function checkEntryKinds(kinds: readonly (EntryKind__Output | number)[]): readonly EntryKind[] {
  const wanted = new Set<EntryKind>();
  for (const [index, kind] of kinds.entries()) {
    const name = ENTRY_KINDS.find((known) => `ENTRY_KIND_${known.toUpperCase()}` === kind);
    if (name === undefined) throw fieldInvalid(`kinds[${index}]`, 'must be a known kind of entry');
    wanted.add(name);
  }
  return [...wanted];
}
