import { DrawdownError } from '../errors.js';
import type { EventResult, Reason, UsageEvent } from '../usage/types.js';
import { varintSize, WIRE, WireReader, writeVarint } from '../wire/protobuf.js';
import { readQuantity, timeRule } from './quantity-codec.js';
import { idLengthMax, idRule } from './validate.js';

/**
 * The hot path's codec. RecordUsage carries tens of thousands of events a second, so its requests are decoded from
 * protobuf's bytes straight into UsageEvent objects, checked on the way, and its responses are encoded by hand: about a
 * microsecond an event for both together, where a general decoder with its 64-bit objects needs several.
 * test/unit/codec.test.ts compares both directions with protobufjs.
 */

/** Numbers as in the proto's Reason; a unit test holds both together. */
export const REASON_NUMBERS = {
  INSUFFICIENT_BALANCE: 1,
  ACCOUNT_UNKNOWN: 2,
  ACCOUNT_FROZEN: 3,
  ACCOUNT_CLOSED: 4,
  AGENT_SUSPENDED: 5,
  MODEL_UNRATED: 6,
  ID_CONFLICT: 7,
  HOLD_ENDED: 8,
  HOLD_UNKNOWN: 9,
  EVENT_TOO_OLD: 10,
  EVENT_IN_FUTURE: 11,
  FIELD_INVALID: 12,
  AMOUNT_OUT_OF_RANGE: 13,
  UNAVAILABLE: 14,
  LIMIT_REACHED: 15,
  AGENTS_MAX: 16,
  SESSION_MOVED: 17,
  SESSION_EXPIRED: 18,
  SESSION_UNKNOWN: 19,
} as const satisfies Record<Reason, number>;

const OUTCOME_NUMBERS = { recorded: 1, duplicate: 2, refused: 3 } as const;

/** Length-delimited field 1: events of RecordUsageBatchRequest, results of its response. */
const tagField1Bytes = (1 << 3) | WIRE.bytes;
const tagField2Bytes = (2 << 3) | WIRE.bytes;
const tagField1Varint = (1 << 3) | WIRE.varint;
const tagField2Varint = (2 << 3) | WIRE.varint;

/** An event that never reaches the usage layer. */
export interface InvalidEvent {
  readonly index: number;
  readonly result: EventResult;
}

/** The events of a request: the valid ones in order, and the results of the others with their places. */
export interface DecodedEvents {
  readonly count: number;
  readonly events: readonly UsageEvent[];
  readonly invalid: readonly InvalidEvent[];
}

export interface DecodedBatch extends DecodedEvents {
  /** NaN where the wire carries no whole number below 2^53. */
  readonly batchNumber: number;
}

export interface DecodedBatchRequest extends DecodedEvents {
  /** As it came: the number of an AckLevel or of something unknown. */
  readonly ackLevel: number;
}

const reader = new WireReader();
const noneInvalid: readonly InvalidEvent[] = [];

/** Raises FIELD_INVALID for malformed bytes and LIMIT_REACHED for more than `eventsMax` events. */
export function decodeRecordUsageRequest(bytes: Buffer, eventsMax: number): DecodedBatch {
  reader.reset(bytes);
  let batchNumber = 0;
  const batch = new EventCollector(eventsMax);
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === tagField2Bytes) batch.readEvent();
    else if (tag === tagField1Varint) batchNumber = reader.whole();
    else reader.skip(tag);
  }
  return { batchNumber, ...batch.decoded() };
}

/** As `decodeRecordUsageRequest`, for the unary call. */
export function decodeRecordUsageBatchRequest(bytes: Buffer, eventsMax: number): DecodedBatchRequest {
  reader.reset(bytes);
  let ackLevel = 0;
  const batch = new EventCollector(eventsMax);
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === tagField1Bytes) batch.readEvent();
    else if (tag === tagField2Varint) ackLevel = reader.whole();
    else reader.skip(tag);
  }
  return { ackLevel, ...batch.decoded() };
}

class EventCollector {
  #count = 0;
  readonly #events: UsageEvent[] = [];
  #invalid: InvalidEvent[] | null = null;

  constructor(readonly eventsMax: number) {}

  readEvent(): void {
    if (this.#count >= this.eventsMax) {
      // Waiting does not help, so no RetryInfo: retryAfterMs is 0.
      throw new DrawdownError(
        'LIMIT_REACHED',
        `A batch may have at most ${this.eventsMax} events (batchEventsMax)`,
        {
          field: 'events',
          retryAfterMs: 0,
        },
      );
    }
    const index = this.#count++;
    const outerEnd = reader.end;
    reader.end = reader.lengthEnd();
    const problem = readUsageEvent(this.#events);
    reader.end = outerEnd;
    if (problem === null) return;
    this.#invalid ??= [];
    this.#invalid.push({
      index,
      result: { outcome: 'refused', reason: 'FIELD_INVALID', message: `events[${index}].${problem}` },
    });
  }

  decoded(): DecodedEvents {
    return { count: this.#count, events: this.#events, invalid: this.#invalid ?? noneInvalid };
  }
}

/** Appends the event that fills the reader's current message, or says what is wrong with it. */
function readUsageEvent(into: UsageEvent[]): string | null {
  let eventId: string | null = '';
  let accountId: string | null = '';
  let agentId: string | null = '';
  let meter: string | null = '';
  let model: string | null = '';
  let eventTimeMs = 0;
  const quantities: [string, number][] = [];
  let problem: string | null = null;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case (1 << 3) | WIRE.bytes:
        eventId = reader.freshToken(idLengthMax);
        break;
      case (2 << 3) | WIRE.bytes:
        accountId = reader.cachedToken(idLengthMax);
        break;
      case (3 << 3) | WIRE.bytes:
        agentId = reader.cachedToken(idLengthMax);
        break;
      case (4 << 3) | WIRE.bytes:
        meter = reader.cachedToken(idLengthMax);
        break;
      case (5 << 3) | WIRE.bytes:
        model = reader.cachedToken(idLengthMax);
        break;
      case (6 << 3) | WIRE.bytes:
        problem = readQuantity(reader, quantities, 'quantities') ?? problem;
        break;
      case (7 << 3) | WIRE.varint:
        eventTimeMs = reader.whole();
        break;
      default:
        reader.skip(tag);
    }
  }
  if (eventId === null || eventId === '') return `event_id ${idRule}`;
  if (accountId === null || accountId === '') return `account_id ${idRule}`;
  if (agentId === null) return `agent_id ${idRule}`;
  if (meter === null || meter === '') return `meter ${idRule}`;
  if (model === null || model === '') return `model ${idRule}`;
  if (problem !== null) return problem;
  if (quantities.length === 0) return 'quantities must have at least one';
  if (!(eventTimeMs > 0)) return `event_time_ms ${timeRule}`;
  into.push({ eventId, accountId, agentId, meter, model, quantities, eventTimeMs });
  return null;
}

/** Puts the results of the usage layer and those of the invalid events into the order of the request. */
export function mergeResults(decoded: DecodedEvents, judged: readonly EventResult[]): readonly EventResult[] {
  if (judged.length !== decoded.events.length) {
    throw new Error(`The usage layer answered ${judged.length} of ${decoded.events.length} events`);
  }
  if (decoded.invalid.length === 0) return judged;
  const merged: EventResult[] = [];
  let next = 0;
  for (const { index, result } of decoded.invalid) {
    while (merged.length < index) merged.push(judged[next++] as EventResult);
    merged.push(result);
  }
  while (next < judged.length) merged.push(judged[next++] as EventResult);
  return merged;
}

/** Bytes of a result without its message: tags and varints at their largest, and the length of the result itself. */
const resultBytesMax = 2 + 2 + 2 + 9 + 9 + 9 + 2 + 9 + 6;

/** RecordUsageResponse { applied { batch_number, results } } */
export function encodeBatchApplied(batchNumber: number, results: readonly EventResult[]): Buffer {
  const headMax = 1 + 5 + 1 + 8;
  const bytes = Buffer.allocUnsafe(headMax + resultsBytesMax(results));
  // The length of the inner message comes before it, so the results are written behind the largest possible head
  // and the head is then written right before them.
  const end = writeResults(bytes, headMax, tagField2Bytes, results);
  const numberSize = batchNumber === 0 ? 0 : 1 + varintSize(batchNumber);
  const innerSize = numberSize + (end - headMax);
  const start = headMax - numberSize - varintSize(innerSize) - 1;
  bytes[start] = tagField1Bytes;
  let pos = writeVarint(bytes, start + 1, innerSize);
  if (numberSize > 0) {
    bytes[pos] = tagField1Varint;
    pos = writeVarint(bytes, pos + 1, batchNumber);
  }
  return bytes.subarray(start, end);
}

/** RecordUsageBatchResponse { results } */
export function encodeRecordUsageBatchResponse(results: readonly EventResult[]): Buffer {
  const bytes = Buffer.allocUnsafe(resultsBytesMax(results));
  return bytes.subarray(0, writeResults(bytes, 0, tagField1Bytes, results));
}

/** RecordUsageResponse { durable { durable_through } } */
export function encodeDurableWatermark(durableThrough: number): Buffer {
  return encodeNested(tagField2Bytes, [[tagField1Varint, durableThrough]]);
}

/** RecordUsageResponse { resend { batch_numbers } }; not packed, which every decoder accepts. */
export function encodeResendBatches(batchNumbers: readonly number[]): Buffer {
  return encodeNested(
    (3 << 3) | WIRE.bytes,
    batchNumbers.map((number) => [tagField1Varint, number] as const),
  );
}

/** RecordUsageResponse { drain { within_ms } } */
export function encodeDrainNotice(withinMs: number): Buffer {
  return encodeNested((4 << 3) | WIRE.bytes, [[tagField1Varint, withinMs]]);
}

function encodeNested(tag: number, fields: readonly (readonly [tag: number, value: number])[]): Buffer {
  const innerSize = fields.reduce((sum, [, value]) => sum + 1 + varintSize(value), 0);
  const bytes = Buffer.allocUnsafe(1 + varintSize(innerSize) + innerSize);
  bytes[0] = tag;
  let pos = writeVarint(bytes, 1, innerSize);
  for (const [fieldTag, value] of fields) {
    bytes[pos] = fieldTag;
    pos = writeVarint(bytes, pos + 1, value);
  }
  return bytes;
}

function resultsBytesMax(results: readonly EventResult[]): number {
  let total = results.length * resultBytesMax;
  for (const result of results) {
    // UTF-8 needs at most three bytes for one UTF-16 unit.
    if (result.outcome === 'refused') total += 8 + result.message.length * 3;
  }
  return total;
}

function writeResults(bytes: Buffer, at: number, tag: number, results: readonly EventResult[]): number {
  let pos = at;
  for (const result of results) {
    bytes[pos++] = tag;
    pos = result.outcome === 'refused' ? writeRefused(bytes, pos, result) : writeBooked(bytes, pos, result);
  }
  return pos;
}

/** A booked result has at most 44 bytes, so its length is one byte that is filled in afterwards. */
function writeBooked(
  bytes: Buffer,
  at: number,
  result: Exclude<EventResult, { outcome: 'refused' }>,
): number {
  let pos = at + 1;
  bytes[pos++] = tagField1Varint;
  bytes[pos++] = OUTCOME_NUMBERS[result.outcome];
  bytes[pos++] = 3 << 3;
  bytes[pos++] = result.unit;
  pos = writeAmount(bytes, pos, 4 << 3, result.charged);
  pos = writeAmount(bytes, pos, 5 << 3, result.overdrawn);
  pos = writeAmount(bytes, pos, 6 << 3, result.available);
  if (result.unrated) {
    bytes[pos++] = 7 << 3;
    bytes[pos++] = 1;
  }
  pos = writeAmount(bytes, pos, 9 << 3, result.converted);
  bytes[at] = pos - at - 1;
  return pos;
}

function writeAmount(bytes: Buffer, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  if (!(value > 0 && value <= Number.MAX_SAFE_INTEGER)) throw new Error(`A result has the amount ${value}`);
  bytes[at] = tag;
  return writeVarint(bytes, at + 1, value);
}

function writeRefused(
  bytes: Buffer,
  at: number,
  result: Extract<EventResult, { outcome: 'refused' }>,
): number {
  const messageSize = Buffer.byteLength(result.message);
  const innerSize = 4 + (messageSize === 0 ? 0 : 1 + varintSize(messageSize) + messageSize);
  let pos = writeVarint(bytes, at, innerSize);
  bytes[pos++] = tagField1Varint;
  bytes[pos++] = OUTCOME_NUMBERS.refused;
  bytes[pos++] = 2 << 3;
  bytes[pos++] = REASON_NUMBERS[result.reason];
  if (messageSize > 0) {
    bytes[pos++] = (8 << 3) | WIRE.bytes;
    pos = writeVarint(bytes, pos, messageSize);
    pos += bytes.write(result.message, pos, 'utf8');
  }
  return pos;
}
