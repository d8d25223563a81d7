import { varintSize, WIRE, WireReader, writeVarint } from '../wire/protobuf.js';
import { quantitiesMax } from './event-codec.js';
import type { OpenRequest } from './session-types.js';
import {
  type Quantities,
  REASONS,
  type Reason,
  type ReleaseResult,
  type SettleResult,
  UNITS,
} from './types.js';

/**
 * MeterUsage on protobuf's bytes. What a session says when it opens is encoded once, when it is taken over; counts are read where
 * they stand, when the message is written: one pass, into one buffer.
 */

const tag = (field: number, type: number): number => (field << 3) | type;

/** The smallest messageBytesMax that a sidecar can have is 64 KiB. */
const messageBytesMax = 60 * 1_024;
/** Texts of 128 bytes with their tags and lengths, five and twice as many as quantities, and numbers: the longest part of a message. */
const partBytesMax = 5 * 131 + 2 * quantitiesMax * 151 + 64;
const buffer = Buffer.alloc(messageBytesMax);
let pos = 0;

/** SessionOpen without its number, which is that of a stream, and its generation. The request was checked. */
export function encodeOpen(request: OpenRequest, startTimeMs: number): Buffer {
  pos = 0;
  writeText(2, request.sessionId);
  writeText(3, request.accountId);
  if (request.agentId !== undefined && request.agentId !== '') writeText(4, request.agentId);
  writeText(5, request.meter);
  writeText(6, request.model);
  writeNumber(7, startTimeMs);
  writeQuantities(8, request.known ?? {});
  for (const name of request.counted) writeText(9, name);
  if (request.expectedMax !== undefined && request.expectedMax > 0) writeNumber(10, request.expectedMax);
  if (request.whole === true) writeNumber(11, 1);
  return Buffer.from(buffer.subarray(0, pos));
}

/** How a message is written: `beginMessage`, the parts in the order of their fields while `hasRoom`, `endMessage`. */
export function beginMessage(messageNumber: number): void {
  pos = 0;
  writeNumber(1, messageNumber);
}

/** The next part, whichever it is, fits. */
export function hasRoom(): boolean {
  return pos <= messageBytesMax - partBytesMax;
}

export function writeOpen(session: number, open: Buffer, generation: number): void {
  const rest = generation === 0 ? 0 : 1 + varintSize(generation);
  writeHead(2, 1 + varintSize(session) + open.length + rest);
  writeNumber(1, session);
  buffer.set(open, pos);
  pos += open.length;
  if (generation > 0) writeNumber(12, generation);
}

export function writeProgress(session: number, counts: readonly number[]): void {
  let packed = 0;
  for (let i = 0; i < counts.length; i++) packed += varintSize(counts[i] as number);
  writeHead(3, 1 + varintSize(session) + 1 + varintSize(packed) + packed);
  writeNumber(1, session);
  writeHead(2, packed);
  for (let i = 0; i < counts.length; i++) pos = writeVarint(buffer, pos, counts[i] as number);
}

export function writeSettle(session: number, quantities: Quantities, eventTimeMs: number): void {
  let size = 1 + varintSize(session) + 1 + varintSize(eventTimeMs);
  for (const name in quantities) {
    const entry = entrySize(name, Number(quantities[name]));
    size += 1 + varintSize(entry) + entry;
  }
  writeHead(4, size);
  writeNumber(1, session);
  writeQuantities(2, quantities);
  writeNumber(3, eventTimeMs);
}

export function writeRelease(session: number, eventTimeMs: number): void {
  writeHead(5, 1 + varintSize(session) + 1 + varintSize(eventTimeMs));
  writeNumber(1, session);
  writeNumber(2, eventTimeMs);
}

export function endMessage(): Buffer {
  return Buffer.from(buffer.subarray(0, pos));
}

function writeHead(field: number, length: number): void {
  buffer[pos] = tag(field, WIRE.bytes);
  pos = writeVarint(buffer, pos + 1, length);
}

function writeNumber(field: number, value: number): void {
  buffer[pos] = tag(field, WIRE.varint);
  pos = writeVarint(buffer, pos + 1, value);
}

function writeText(field: number, text: string): void {
  writeHead(field, text.length);
  pos += buffer.write(text, pos, 'latin1');
}

function entrySize(name: string, count: number): number {
  return 1 + varintSize(name.length) + name.length + 1 + varintSize(count);
}

function writeQuantities(field: number, quantities: Quantities): void {
  for (const name in quantities) {
    const count = Number(quantities[name]);
    writeHead(field, entrySize(name, count));
    writeText(1, name);
    writeNumber(2, count);
  }
}

/** The verdict on an open. */
export interface Opened {
  readonly session: number;
  readonly isAllowed: boolean;
  readonly reason: Reason | null;
  readonly allowedThrough: number;
  readonly unit: number;
  readonly held: number;
  readonly available: number;
  readonly missing: number;
  readonly catalogVersion: number;
  readonly counts: readonly number[];
  readonly generation: number;
}

/** Who reads an answer, part by part. `counts` are valid during the call only. */
export interface AnswerReader {
  opened(opened: Opened): void;
  acknowledged(session: number, counts: readonly number[], allowedThrough: number): void;
  stopped(session: number, reason: Reason, allowedThrough: number): void;
  settled(session: number, result: SettleResult): void;
  released(session: number, result: ReleaseResult): void;
  refused(session: number, reason: Reason, message: string, retryAfterMs: number): void;
  durable(through: number): void;
  resend(messageNumbers: readonly number[]): void;
  drain(): void;
}

const reader = new WireReader();
/** What the reader reads. */
let current: Buffer = buffer;
/** The numbers of a part by their fields, its list of numbers, and its text. */
const numbers: number[] = new Array(14).fill(0);
const list: number[] = [];
let text = '';

/** MeterUsageResponse; what a newer sidecar adds is ignored. */
export function decodeMeterAnswer(bytes: Buffer, to: AnswerReader): void {
  reader.reset(bytes);
  current = bytes;
  const resends: number[] = [];
  while (reader.pos < bytes.length) {
    const next = reader.tag();
    if (next === tag(6, WIRE.varint)) to.durable(reader.whole());
    else if (next === tag(7, WIRE.varint)) resends.push(reader.whole());
    else if (next === tag(7, WIRE.bytes)) readPacked(resends);
    else if ((next & 7) === WIRE.bytes) {
      reader.end = reader.lengthEnd();
      readPart(next >> 3, to);
      reader.end = bytes.length;
    } else reader.skip(next);
  }
  if (resends.length > 0) to.resend(resends);
}

function readPart(field: number, to: AnswerReader): void {
  if (field === 2) readAcknowledged(to);
  else if (field === 1) readOpened(to);
  else if (field === 4) readEnded(to);
  else if (field === 3) {
    readFields(0);
    to.stopped(numbers[1] as number, reasonOf(numbers[2] as number) ?? 'UNAVAILABLE', numbers[3] as number);
  } else if (field === 5) {
    readFields(3);
    const [, session, reason, , retryAfterMs] = numbers as [number, number, number, number, number];
    to.refused(session, reasonOf(reason) ?? 'UNAVAILABLE', text, retryAfterMs);
  } else {
    reader.pos = reader.end;
    if (field === 8) to.drain();
  }
}

function readAcknowledged(to: AnswerReader): void {
  let session = 0;
  let allowedThrough = 0;
  list.length = 0;
  while (reader.pos < reader.end) {
    const next = reader.tag();
    if (next === tag(1, WIRE.varint)) session = reader.whole();
    else if (next === tag(2, WIRE.bytes)) readPacked(list);
    else if (next === tag(2, WIRE.varint)) list.push(reader.whole());
    else if (next === tag(3, WIRE.varint)) allowedThrough = reader.whole();
    else reader.skip(next);
  }
  to.acknowledged(session, list, allowedThrough);
}

function readOpened(to: AnswerReader): void {
  readFields(0);
  const [, session, verdict, reason, allowedThrough, unit, held, available, missing, catalogVersion] =
    numbers as [number, number, number, number, number, number, number, number, number, number];
  to.opened({
    session,
    isAllowed: verdict === 1,
    reason: reasonOf(reason),
    allowedThrough,
    unit,
    held,
    available,
    missing,
    catalogVersion,
    counts: [...list],
    generation: numbers[11] as number,
  });
}

/** Numbers by their fields, lists of numbers, and one text. */
function readFields(textField: number): void {
  numbers.fill(0);
  list.length = 0;
  text = '';
  while (reader.pos < reader.end) {
    const next = reader.tag();
    const field = next >> 3;
    if ((next & 7) === WIRE.varint && field < numbers.length) {
      numbers[field] = reader.whole();
      if (field === 10) list.push(numbers[field]);
    } else if (next === tag(10, WIRE.bytes)) readPacked(list);
    else if (next === tag(textField, WIRE.bytes)) {
      const textEnd = reader.lengthEnd();
      text = current.toString('utf8', reader.pos, textEnd);
      reader.pos = textEnd;
    } else reader.skip(next);
  }
}

function readPacked(into: number[]): void {
  const end = reader.lengthEnd();
  while (reader.pos < end) into.push(reader.whole());
}

function readEnded(to: AnswerReader): void {
  let session = 0;
  const { end } = reader;
  while (reader.pos < end) {
    const next = reader.tag();
    if (next === tag(1, WIRE.varint)) session = reader.whole();
    else if (next === tag(2, WIRE.bytes) || next === tag(3, WIRE.bytes)) {
      reader.end = reader.lengthEnd();
      readFields(0);
      reader.end = end;
      if (next === tag(2, WIRE.bytes)) to.settled(session, settledOf());
      else to.released(session, releasedOf());
    } else reader.skip(next);
  }
}

/** SettleResponse. */
function settledOf(): SettleResult {
  const field = (n: number): number => numbers[n] as number;
  return {
    outcome: 'settled',
    unit: UNITS[field(1)] ?? 'credits',
    charged: BigInt(field(2)),
    released: BigInt(field(3)),
    releasedUnit: UNITS[field(12)] ?? null,
    overdrawn: BigInt(field(4)),
    available: BigInt(field(5)),
    converted: BigInt(field(11)),
    late: field(6) === 1,
    holdUnknown: field(7) === 1,
    unrated: field(8) === 1,
    duplicate: field(9) === 1,
    catalogVersion: field(10),
  };
}

/** ReleaseResponse. */
function releasedOf(): ReleaseResult {
  const [, unit, released, available, duplicate] = numbers as [number, number, number, number, number];
  return {
    unit: UNITS[unit] ?? null,
    released: BigInt(released),
    available: BigInt(available),
    duplicate: duplicate === 1,
  };
}

function reasonOf(number: number): Reason | null {
  return REASONS[number] ?? null;
}
