import { varintSize, WIRE, WireReader, writeVarint } from '../wire/protobuf.js';
import {
  type EventResult,
  type Quantities,
  REASONS,
  type Reason,
  UNITS,
  type Unit,
  type UsageEvent,
} from './types.js';

/**
 * RecordUsage on protobuf's bytes. An event is encoded once, when it is taken over: so it can be repeated unchanged
 * whatever its caller does to the object, and what is kept is a number of bytes that can be counted.
 */

const tag = (field: number, type: number): number => (field << 3) | type;

const idLengthMax = 128;
const idPattern = /^[A-Za-z0-9._\-:@/]{1,128}$/;
export const idRule = `must be 1 to ${idLengthMax} of A-Z a-z 0-9 . _ - : @ /`;
/** What the sidecar takes of one meter. */
export const quantitiesMax = 24;

/** Five texts and all quantities at their longest, each with its tags and lengths. */
const eventBytesMax = 5 * (idLengthMax + 3) + quantitiesMax * (idLengthMax + 20) + 16;
const scratch = Buffer.alloc(eventBytesMax);

/** The bytes of an event, or what is wrong with it. */
export function encodeEvent(event: UsageEvent): Buffer | string {
  const problem = problemOf(event);
  if (problem !== null) return problem;
  let pos = writeText(0, 1, event.eventId);
  pos = writeText(pos, 2, event.accountId);
  if (event.agentId !== undefined && event.agentId !== '') pos = writeText(pos, 3, event.agentId);
  pos = writeText(pos, 4, event.meter);
  pos = writeText(pos, 5, event.model);
  for (const name in event.quantities) pos = writeQuantity(pos, name, Number(event.quantities[name]));
  scratch[pos] = tag(7, WIRE.varint);
  pos = writeVarint(scratch, pos + 1, event.eventTimeMs);
  return Buffer.from(scratch.subarray(0, pos));
}

function problemOf(event: UsageEvent): string | null {
  if (!isId(event.eventId)) return `event_id ${idRule}`;
  if (!isId(event.accountId)) return `account_id ${idRule}`;
  if (event.agentId !== undefined && event.agentId !== '' && !isId(event.agentId)) {
    return `agent_id ${idRule}`;
  }
  if (!isId(event.meter)) return `meter ${idRule}`;
  if (!isId(event.model)) return `model ${idRule}`;
  if (!isTime(event.eventTimeMs)) return `event_time_ms ${timeRule}`;
  return problemOfQuantities(event.quantities, 'quantities', 1);
}

/** What is wrong with quantities; `field` is what they are called. */
export function problemOfQuantities(quantities: Quantities, field: string, countMin: number): string | null {
  let count = 0;
  for (const name in quantities) {
    if (bytesOfName(name) === null) return `${field}: a name ${idRule}`;
    if (!isWhole(quantities[name])) {
      return `${field}["${name}"] must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
    }
    count += 1;
  }
  if (count < countMin) return `${field} must have at least one`;
  return count > quantitiesMax ? `${field} must have at most ${quantitiesMax}` : null;
}

export function isId(value: unknown): boolean {
  return typeof value === 'string' && idPattern.test(value);
}

/** Names of meters, models and quantities come again and again: so many of them are checked and encoded once. */
const namesMax = 1_000;
const names = new Map<string, Buffer>();

/** The bytes of a name, or null where it is none. */
export function bytesOfName(name: unknown): Buffer | null {
  const known = names.get(name as string);
  if (known !== undefined) return known;
  if (!isId(name)) return null;
  if (names.size >= namesMax) names.clear();
  const bytes = Buffer.from(name as string, 'latin1');
  names.set(name as string, bytes);
  return bytes;
}

export const timeRule = 'must be whole milliseconds since 1970, above 0';

export function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function isWhole(value: unknown): value is number | bigint {
  if (typeof value === 'bigint') return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function writeText(at: number, field: number, text: string): number {
  scratch[at] = tag(field, WIRE.bytes);
  const pos = writeVarint(scratch, at + 1, text.length);
  return pos + scratch.write(text, pos, 'latin1');
}

function writeQuantity(at: number, name: string, count: number): number {
  scratch[at] = tag(6, WIRE.bytes);
  const length = 1 + varintSize(name.length) + name.length + 1 + varintSize(count);
  const pos = writeText(writeVarint(scratch, at + 1, length), 1, name);
  scratch[pos] = tag(2, WIRE.varint);
  return writeVarint(scratch, pos + 1, count);
}

/** RecordUsageRequest with these events. */
export function encodeBatch(batchNumber: number, events: readonly { readonly bytes: Buffer }[]): Buffer {
  let size = 1 + varintSize(batchNumber);
  for (const { bytes } of events) size += 1 + varintSize(bytes.length) + bytes.length;
  const batch = Buffer.allocUnsafe(size);
  batch[0] = tag(1, WIRE.varint);
  let pos = writeVarint(batch, 1, batchNumber);
  for (const { bytes } of events) {
    batch[pos] = tag(2, WIRE.bytes);
    pos = writeVarint(batch, pos + 1, bytes.length);
    batch.set(bytes, pos);
    pos += bytes.length;
  }
  return batch;
}

export type Answer =
  | { readonly kind: 'applied'; readonly batchNumber: number; readonly results: readonly EventResult[] }
  | { readonly kind: 'durable'; readonly durableThrough: number }
  | { readonly kind: 'resend'; readonly batchNumbers: readonly number[] }
  | { readonly kind: 'drain' };

const reader = new WireReader();
/** What the reader reads. */
let current: Buffer = scratch;

function read(bytes: Buffer): void {
  reader.reset(bytes);
  current = bytes;
}

/** RecordUsageResponse; null for a message of a newer sidecar that nobody here knows. */
export function decodeAnswer(bytes: Buffer): Answer | null {
  read(bytes);
  if (reader.end === 0) return null;
  const field = reader.tag() >> 3;
  reader.end = reader.lengthEnd();
  if (field === 1) return decodeApplied();
  const numbers: number[] = [];
  while (reader.pos < reader.end) {
    const next = reader.tag();
    if (next === tag(1, WIRE.varint)) numbers.push(reader.whole());
    else if (next === tag(1, WIRE.bytes)) readPacked(numbers);
    else reader.skip(next);
  }
  if (field === 2) return { kind: 'durable', durableThrough: numbers[0] ?? 0 };
  if (field === 3) return { kind: 'resend', batchNumbers: numbers };
  return field === 4 ? { kind: 'drain' } : null;
}

function readPacked(numbers: number[]): void {
  const end = reader.lengthEnd();
  while (reader.pos < end) numbers.push(reader.whole());
}

function decodeApplied(): Answer {
  let batchNumber = 0;
  const results: EventResult[] = [];
  const { end } = reader;
  while (reader.pos < end) {
    const next = reader.tag();
    if (next === tag(1, WIRE.varint)) batchNumber = reader.whole();
    else if (next === tag(2, WIRE.bytes)) {
      reader.end = reader.lengthEnd();
      results.push(decodeResult());
      reader.end = end;
    } else reader.skip(next);
  }
  return { kind: 'applied', batchNumber, results };
}

/** EventResult, the reader's current message. Its numbers are those of the fields, up to 9. */
function decodeResult(): EventResult {
  const numbers = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  let message = '';
  while (reader.pos < reader.end) {
    const next = reader.tag();
    if (next === tag(8, WIRE.bytes)) {
      const textEnd = reader.lengthEnd();
      message = current.toString('utf8', reader.pos, textEnd);
      reader.pos = textEnd;
    } else if ((next & 7) === WIRE.varint && next >> 3 < numbers.length) numbers[next >> 3] = reader.whole();
    else reader.skip(next);
  }
  const [, outcome, reason, unit, charged, overdrawn, available, unrated, , converted] = numbers;
  if (outcome !== 1 && outcome !== 2) {
    return { outcome: 'refused', reason: (REASONS[reason as number] ?? 'UNAVAILABLE') as Reason, message };
  }
  return {
    outcome: outcome === 1 ? 'recorded' : 'duplicate',
    unit: UNITS[unit as number] as Unit,
    charged: BigInt(charged as number),
    overdrawn: BigInt(overdrawn as number),
    available: BigInt(available as number),
    converted: BigInt(converted as number),
    unrated: unrated === 1,
  };
}

/** The event that was encoded. */
export function decodeEvent(bytes: Buffer): UsageEvent {
  read(bytes);
  const texts: string[] = ['', '', '', '', '', ''];
  const quantities: Record<string, number> = {};
  let eventTimeMs = 0;
  while (reader.pos < reader.end) {
    const next = reader.tag();
    if (next === tag(7, WIRE.varint)) eventTimeMs = reader.whole();
    else if (next === tag(6, WIRE.bytes)) {
      reader.lengthEnd();
      reader.tag();
      const name = reader.freshToken(idLengthMax) as string;
      reader.tag();
      quantities[name] = reader.whole();
    } else texts[next >> 3] = reader.freshToken(idLengthMax) as string;
  }
  const [, eventId, accountId, agentId, meter, model] = texts as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    eventId,
    accountId,
    ...(agentId === '' ? {} : { agentId }),
    meter,
    model,
    quantities,
    eventTimeMs,
  };
}
