import { varintSize, WIRE, WireReader, writeVarint } from '../wire/protobuf.js';

/**
 * The caller's half of RecordUsage on protobuf's bytes: batches of LLM usage out, counted answers in. A general encoder
 * would take several microseconds an event, and whoever makes the load shares the cores with what is measured.
 */

const tag = (field: number, type: number): number => (field << 3) | type;

/** The fields of an event that many events share, encoded once. */
export function encodeSource(accountId: string, model: string): Buffer {
  return Buffer.concat([text(2, accountId), text(4, 'llm'), text(5, model)]);
}

function text(field: number, value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length > 127) throw new Error(`${value} is longer than an id may be here`);
  return Buffer.concat([Buffer.from([tag(field, WIRE.bytes), bytes.length]), bytes]);
}

const inputName = text(1, 'input_tokens');
const outputName = text(1, 'output_tokens');
const timeBytes = 7;

export interface LlmEvent {
  /** At most 127 characters of the ids' alphabet. */
  readonly eventId: string;
  /** From `encodeSource`. */
  readonly source: Buffer;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly eventTimeMs: number;
}

/** RecordUsageRequest with these events. */
export function encodeBatch(batchNumber: number, events: readonly LlmEvent[]): Buffer {
  let size = 1 + varintSize(batchNumber);
  for (const event of events) {
    const inner = eventSize(event);
    size += 1 + varintSize(inner) + inner;
  }
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = tag(1, WIRE.varint);
  let pos = writeVarint(bytes, 1, batchNumber);
  for (const event of events) pos = writeEvent(bytes, pos, event);
  return bytes;
}

function eventSize(event: LlmEvent): number {
  const input = inputName.length + 1 + varintSize(event.inputTokens);
  const output = outputName.length + 1 + varintSize(event.outputTokens);
  return 2 + event.eventId.length + event.source.length + 2 + input + 2 + output + timeBytes;
}

function writeEvent(bytes: Buffer, at: number, event: LlmEvent): number {
  const { eventId, source } = event;
  bytes[at] = tag(2, WIRE.bytes);
  let pos = writeVarint(bytes, at + 1, eventSize(event));
  bytes[pos++] = tag(1, WIRE.bytes);
  bytes[pos++] = eventId.length;
  pos += bytes.write(eventId, pos, 'latin1');
  bytes.set(source, pos);
  pos += source.length;
  pos = writeQuantity(bytes, pos, inputName, event.inputTokens);
  pos = writeQuantity(bytes, pos, outputName, event.outputTokens);
  bytes[pos++] = tag(7, WIRE.varint);
  return writeVarint(bytes, pos, event.eventTimeMs);
}

function writeQuantity(bytes: Buffer, at: number, name: Buffer, count: number): number {
  bytes[at] = tag(6, WIRE.bytes);
  bytes[at + 1] = name.length + 1 + varintSize(count);
  bytes.set(name, at + 2);
  const pos = at + 2 + name.length;
  bytes[pos] = tag(2, WIRE.varint);
  return writeVarint(bytes, pos + 1, count);
}

/** What became of the events of one batch. Numbers of reasons as in the proto. */
export interface AppliedBatch {
  readonly kind: 'applied';
  readonly batchNumber: number;
  readonly recorded: number;
  readonly duplicate: number;
  readonly refused: number;
  /** Of the recorded ones: how many went into debt, in whole or in part. */
  readonly overdrawn: number;
  /** What the recorded ones were charged together, in micro-credits: the meter llm is paid from credits only. */
  readonly chargedMicros: number;
  readonly refusedBecause: ReadonlyMap<number, number>;
}

export type Answer =
  | AppliedBatch
  | { readonly kind: 'durable'; readonly durableThrough: number }
  | { readonly kind: 'resend'; readonly batchNumbers: readonly number[] }
  | { readonly kind: 'drain' };

const reader = new WireReader();

/** RecordUsageResponse. */
export function decodeAnswer(bytes: Buffer): Answer {
  reader.reset(bytes);
  const field = reader.tag() >> 3;
  reader.end = reader.lengthEnd();
  if (field === 1) return decodeApplied();
  const numbers: number[] = [];
  while (reader.pos < reader.end) {
    reader.tag();
    numbers.push(reader.whole());
  }
  if (field === 2) return { kind: 'durable', durableThrough: numbers[0] ?? 0 };
  return field === 3 ? { kind: 'resend', batchNumbers: numbers } : { kind: 'drain' };
}

const OUTCOME = { recorded: 1, duplicate: 2 } as const;

function decodeApplied(): AppliedBatch {
  let batchNumber = 0;
  let recorded = 0;
  let duplicate = 0;
  let refused = 0;
  let overdrawn = 0;
  let chargedMicros = 0;
  const refusedBecause = new Map<number, number>();
  const end = reader.end;
  while (reader.pos < end) {
    if (reader.tag() === tag(1, WIRE.varint)) {
      batchNumber = reader.whole();
      continue;
    }
    reader.end = reader.lengthEnd();
    const result = decodeResult();
    reader.end = end;
    if (result.outcome === OUTCOME.recorded) {
      recorded++;
      chargedMicros += result.charged;
      if (result.overdrawn > 0) overdrawn++;
    } else if (result.outcome === OUTCOME.duplicate) duplicate++;
    else {
      refused++;
      refusedBecause.set(result.reason, (refusedBecause.get(result.reason) ?? 0) + 1);
    }
  }
  return {
    kind: 'applied',
    batchNumber,
    recorded,
    duplicate,
    refused,
    overdrawn,
    chargedMicros,
    refusedBecause,
  };
}

const result = { outcome: 0, reason: 0, charged: 0, overdrawn: 0 };

function decodeResult(): Readonly<typeof result> {
  result.outcome = 0;
  result.reason = 0;
  result.charged = 0;
  result.overdrawn = 0;
  while (reader.pos < reader.end) {
    const next = reader.tag();
    if (next === tag(1, WIRE.varint)) result.outcome = reader.whole();
    else if (next === tag(2, WIRE.varint)) result.reason = reader.whole();
    else if (next === tag(4, WIRE.varint)) result.charged = reader.whole();
    else if (next === tag(5, WIRE.varint)) result.overdrawn = reader.whole();
    else reader.skip(next);
  }
  return result;
}
