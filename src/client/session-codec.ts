import { varintSize, WIRE, WireReader, writeVarint } from '../wire/protobuf.js';
import { bytesOfName, quantitiesMax } from './event-codec.js';
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
 * MeterUsage on protobuf's bytes. What sessions say is read where it stands, when the message is written: one pass, into one buffer.
 */

const tag = (field: number, type: number): number => (field << 3) | type;

/** The smallest messageBytesMax that a sidecar can have is 64 KiB. */
const messageBytesMax = 60 * 1_024;
/** Texts of 128 bytes with their tags and lengths, five and twice as many as quantities, and numbers: the longest part of a message. */
const partBytesMax = 5 * 131 + 2 * quantitiesMax * 151 + 64;
const buffer = Buffer.alloc(messageBytesMax);
let pos = 0;

/** How long a SessionOpen is, but for its number, which is that of a stream, and its generation. The request was checked. */
export function openSize(request: OpenRequest, startTimeMs: number): number {
  const { sessionId, accountId, agentId = '', meter, model, known = {}, counted, expectedMax = 0 } = request;
  let size = textSize(sessionId) + textSize(accountId) + nameSize(meter) + nameSize(model);
  if (agentId !== '') size += textSize(agentId);
  size += 1 + varintSize(startTimeMs) + quantitiesSize(known);
  for (const name of counted) size += nameSize(name);
  if (expectedMax > 0) size += 1 + varintSize(expectedMax);
  return request.whole === true ? size + 2 : size;
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

export function writeOpen(
  session: number,
  request: OpenRequest,
  startTimeMs: number,
  generation: number,
): void {
  const { agentId = '', known = {}, expectedMax = 0 } = request;
  const rest = generation === 0 ? 0 : 1 + varintSize(generation);
  writeHead(2, 1 + varintSize(session) + openSize(request, startTimeMs) + rest);
  writeNumber(1, session);
  writeText(2, request.sessionId);
  writeText(3, request.accountId);
  if (agentId !== '') writeText(4, agentId);
  writeName(5, request.meter);
  writeName(6, request.model);
  writeNumber(7, startTimeMs);
  writeQuantities(8, known);
  for (const name of request.counted) writeName(9, name);
  if (expectedMax > 0) writeNumber(10, expectedMax);
  if (request.whole === true) writeNumber(11, 1);
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
  writeHead(4, 1 + varintSize(session) + quantitiesSize(quantities) + 1 + varintSize(eventTimeMs));
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

function writeName(field: number, name: string): void {
  const bytes = bytesOfName(name) as Buffer;
  const { length } = bytes;
  writeHead(field, length);
  for (let i = 0; i < length; i++) buffer[pos + i] = bytes[i] as number;
  pos += length;
}

function nameSize(name: string): number {
  const { length } = bytesOfName(name) as Buffer;
  return 1 + varintSize(length) + length;
}

function textSize(text: string): number {
  return 1 + varintSize(text.length) + text.length;
}

function entrySize(name: string, count: number): number {
  return nameSize(name) + 1 + varintSize(count);
}

function quantitiesSize(quantities: Quantities): number {
  let size = 0;
  for (const name in quantities) {
    const entry = entrySize(name, Number(quantities[name]));
    size += 1 + varintSize(entry) + entry;
  }
  return size;
}

function writeQuantities(field: number, quantities: Quantities): void {
  for (const name in quantities) {
    const count = Number(quantities[name]);
    writeHead(field, entrySize(name, count));
    writeName(1, name);
    writeNumber(2, count);
  }
}

/** The verdict on an open. `counts` are valid during the call only. */
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
  to.opened({
    session: field(1),
    isAllowed: field(2) === 1,
    reason: reasonOf(field(3)),
    allowedThrough: field(4),
    unit: field(5),
    held: field(6),
    available: field(7),
    missing: field(8),
    catalogVersion: field(9),
    counts: list,
    generation: field(11),
  });
}

function field(number: number): number {
  return numbers[number] as number;
}

/** Most amounts are 0. */
function amount(number: number): bigint {
  return number === 0 ? 0n : BigInt(number);
}

/** Numbers by their fields, lists of numbers, and one text. */
function readFields(textField: number): void {
  for (let i = 0; i < numbers.length; i++) numbers[i] = 0;
  if (list.length > 0) list.length = 0;
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
  return {
    outcome: 'settled',
    unit: UNITS[field(1)] ?? 'credits',
    charged: amount(field(2)),
    released: amount(field(3)),
    releasedUnit: UNITS[field(12)] ?? null,
    overdrawn: amount(field(4)),
    available: amount(field(5)),
    converted: amount(field(11)),
    late: field(6) === 1,
    holdUnknown: field(7) === 1,
    unrated: field(8) === 1,
    duplicate: field(9) === 1,
    catalogVersion: field(10),
  };
}

/** ReleaseResponse. */
function releasedOf(): ReleaseResult {
  return {
    unit: UNITS[field(1)] ?? null,
    released: amount(field(2)),
    available: amount(field(3)),
    duplicate: field(4) === 1,
  };
}

function reasonOf(number: number): Reason | null {
  return REASONS[number] ?? null;
}
