import { quantitiesPerMeterMax } from '../catalog/limits.js';
import type {
  SessionOpen,
  SessionOutcome,
  SessionRefusal,
  SessionRelease,
  SessionSettle,
  SessionStand,
  SessionStopped,
  SessionVerdict,
} from '../sessions/types.js';
import type { Released, Settled } from '../usage/types.js';
import { WIRE, WireReader } from '../wire/protobuf.js';
import { MessageWriter } from './message-writer.js';
import { readQuantity, timeRule, wholeRule } from './quantity-codec.js';
import { REASON_NUMBERS } from './record-codec.js';
import { idLengthMax, idRule } from './validate.js';

/**
 * The codec of MeterUsage. Progress is its hot path: hundreds of thousands of updates a second are read from protobuf's bytes without an
 * object each, by a second look at the message, because opens count before progress wherever a message has them.
 * test/unit/meter-codec.test.ts compares both directions with protobufjs.
 */

const numberMax = 2 ** 32 - 1;
const numberRule = `must be a number from 1 to ${numberMax}`;

const bytesTag = (field: number): number => (field << 3) | WIRE.bytes;
const varintTag = (field: number): number => (field << 3) | WIRE.varint;

/** Fields of MeterUsageRequest. */
const REQUEST = {
  messageNumber: varintTag(1),
  open: bytesTag(2),
  progress: bytesTag(3),
  settle: bytesTag(4),
  release: bytesTag(5),
} as const;

export interface DecodedSessions {
  /** NaN where the wire carries no whole number below 2^53. */
  readonly messageNumber: number;
  readonly opens: readonly SessionOpen[];
  readonly settles: readonly SessionSettle[];
  readonly releases: readonly SessionRelease[];
  /** What cannot be understood of them, with the number of the session where that can (else 0). */
  readonly refused: readonly SessionRefusal[];
  /** Where in the bytes progress begins and ends; equal where there is none. */
  readonly progressFrom: number;
  readonly progressTo: number;
}

const reader = new WireReader();

/** Everything but the progress. Raises FIELD_INVALID for malformed bytes. */
export function decodeMeterUsageRequest(bytes: Buffer): DecodedSessions {
  reader.reset(bytes);
  let messageNumber = 0;
  let progressFrom = 0;
  let progressTo = 0;
  const opens: SessionOpen[] = [];
  const settles: SessionSettle[] = [];
  const releases: SessionRelease[] = [];
  const refused: SessionRefusal[] = [];
  while (reader.pos < reader.end) {
    const at = reader.pos;
    const tag = reader.tag();
    if (tag === REQUEST.progress) {
      if (progressTo === 0) progressFrom = at;
      reader.skip(tag);
      progressTo = reader.pos;
    } else if (tag === REQUEST.messageNumber) messageNumber = reader.whole();
    else if (tag === REQUEST.open) within('open', readOpen, opens, refused);
    else if (tag === REQUEST.settle) within('settle', readSettle, settles, refused);
    else if (tag === REQUEST.release) within('release', readRelease, releases, refused);
    else reader.skip(tag);
  }
  return { messageNumber, opens, settles, releases, refused, progressFrom, progressTo };
}

/** The counts of the update that is being read, and how many came; more than a session may have are only counted. */
const counts = new Float64Array(quantitiesPerMeterMax);

/** Takes updates. `counts` is read within the call: the next update overwrites it; one that is no count is NaN. */
export interface ProgressSink {
  progress(number: number, counts: Float64Array, length: number): void;
}

/** Hands every update of a message that was decoded on, in order. */
export function readProgress(
  bytes: Buffer,
  { progressFrom, progressTo }: DecodedSessions,
  sink: ProgressSink,
): void {
  reader.reset(bytes);
  reader.pos = progressFrom;
  while (reader.pos < progressTo) {
    const tag = reader.tag();
    if (tag !== REQUEST.progress) {
      reader.skip(tag);
      continue;
    }
    const updateEnd = reader.lengthEnd();
    reader.end = updateEnd;
    let number = 0;
    let length = 0;
    while (reader.pos < updateEnd) {
      const inner = reader.tag();
      if (inner === varintTag(1)) number = reader.whole();
      else if (inner === bytesTag(2)) length = readPacked(length);
      else if (inner === varintTag(2)) length = append(length, reader.whole());
      else reader.skip(inner);
    }
    reader.end = bytes.length;
    sink.progress(number, counts, length);
  }
}

function readPacked(from: number): number {
  const outerEnd = reader.end;
  const end = reader.lengthEnd();
  reader.end = end;
  let length = from;
  while (reader.pos < end) length = append(length, reader.whole());
  reader.end = outerEnd;
  return length;
}

function append(length: number, count: number): number {
  if (length < quantitiesPerMeterMax) counts[length] = count;
  return length + 1;
}

/** What a message inside the request came to: it, or what is wrong with which session. */
type Read<T> = T | { readonly number: number; readonly problem: string };

function within<T extends { readonly number: number }>(
  field: string,
  read: () => Read<T>,
  into: T[],
  refused: SessionRefusal[],
): void {
  const outerEnd = reader.end;
  reader.end = reader.lengthEnd();
  const got = read();
  reader.end = outerEnd;
  if (!('problem' in got)) {
    into.push(got);
    return;
  }
  const message = `${field}.${got.problem}`;
  refused.push({ number: got.number, reason: 'FIELD_INVALID', message, retryAfterMs: 0 });
}

/** 0 stands for whatever is no number of a session. */
function sessionNumber(): number {
  const number = reader.whole();
  return number <= numberMax ? number : 0;
}

/** Fields of SessionOpen, by tag; the map and the list are read where they come. */
function readOpen(): Read<SessionOpen> {
  let number = 0;
  let sessionId: string | null = '';
  let accountId: string | null = '';
  let agentId: string | null = '';
  let meter: string | null = '';
  let model: string | null = '';
  let startTimeMs = 0;
  let expectedMax = 0;
  let whole = false;
  let generation = 0;
  let problem: string | null = null;
  const known: [string, number][] = [];
  const counted: string[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === varintTag(1)) number = sessionNumber();
    else if (tag === bytesTag(2)) sessionId = reader.freshToken(idLengthMax);
    else if (tag === bytesTag(3)) accountId = reader.cachedToken(idLengthMax);
    else if (tag === bytesTag(4)) agentId = reader.cachedToken(idLengthMax);
    else if (tag === bytesTag(5)) meter = reader.cachedToken(idLengthMax);
    else if (tag === bytesTag(6)) model = reader.cachedToken(idLengthMax);
    else if (tag === varintTag(7)) startTimeMs = reader.whole();
    else if (tag === bytesTag(8)) problem = readQuantity(reader, known, 'known') ?? problem;
    else if (tag === bytesTag(9)) problem = readCounted(counted) ?? problem;
    else if (tag === varintTag(10)) expectedMax = reader.whole();
    else if (tag === varintTag(11)) whole = reader.whole() !== 0;
    else if (tag === varintTag(12)) generation = reader.whole();
    else reader.skip(tag);
  }
  if (number === 0) return { number, problem: `session ${numberRule}` };
  if (!sessionId) return { number, problem: `session_id ${idRule}` };
  if (!accountId) return { number, problem: `account_id ${idRule}` };
  if (agentId === null) return { number, problem: `agent_id ${idRule}` };
  if (!meter) return { number, problem: `meter ${idRule}` };
  if (!model) return { number, problem: `model ${idRule}` };
  problem ??= problemOfCounts(startTimeMs, known, counted, expectedMax, whole);
  if (Number.isNaN(generation)) problem ??= `generation ${wholeRule}`;
  if (problem !== null) return { number, problem };
  const names = { sessionId, accountId, agentId, meter, model };
  return { number, ...names, startTimeMs, known, counted, expectedMax, whole, generation };
}

function readCounted(counted: string[]): string | null {
  const name = reader.cachedToken(idLengthMax);
  if (!name) return `counted: a name ${idRule}`;
  if (counted.includes(name)) return `counted: ${name} comes twice`;
  if (counted.length >= quantitiesPerMeterMax) return `counted must have at most ${quantitiesPerMeterMax}`;
  counted.push(name);
  return null;
}

function problemOfCounts(
  startTimeMs: number,
  known: readonly [string, number][],
  counted: readonly string[],
  expectedMax: number,
  whole: boolean,
): string | null {
  if (!(startTimeMs > 0)) return `start_time_ms ${timeRule}`;
  if (counted.length === 0) return 'counted must have at least one';
  const both = known.find(([name]) => counted.includes(name));
  if (both !== undefined) return `counted: ${both[0]} is among the known`;
  if (Number.isNaN(expectedMax)) return `expected_max ${wholeRule}`;
  return whole && expectedMax === 0 ? 'whole needs expected_max' : null;
}

function readSettle(): Read<SessionSettle> {
  let number = 0;
  let eventTimeMs = 0;
  let problem: string | null = null;
  const quantities: [string, number][] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === varintTag(1)) number = sessionNumber();
    else if (tag === bytesTag(2)) problem = readQuantity(reader, quantities, 'quantities') ?? problem;
    else if (tag === varintTag(3)) eventTimeMs = reader.whole();
    else reader.skip(tag);
  }
  if (number === 0) problem = `session ${numberRule}`;
  else if (problem === null && quantities.length === 0) problem = 'quantities must have at least one';
  else if (!(eventTimeMs > 0)) problem ??= `event_time_ms ${timeRule}`;
  return problem === null ? { number, quantities, eventTimeMs } : { number, problem };
}

function readRelease(): Read<SessionRelease> {
  let number = 0;
  let eventTimeMs = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === varintTag(1)) number = sessionNumber();
    else if (tag === varintTag(2)) eventTimeMs = reader.whole();
    else reader.skip(tag);
  }
  if (number === 0) return { number, problem: `session ${numberRule}` };
  return eventTimeMs > 0 ? { number, eventTimeMs } : { number, problem: `event_time_ms ${timeRule}` };
}

/** What one MeterUsageResponse says. */
export interface SessionAnswers {
  readonly opened: readonly SessionVerdict[];
  readonly acknowledged: readonly SessionStand[];
  readonly stops: readonly SessionStopped[];
  readonly ended: readonly SessionOutcome[];
  readonly refused: readonly SessionRefusal[];
  /** 0: nothing new. */
  readonly durableThrough: number;
  readonly resend: readonly number[];
  /** Null: nothing to say. */
  readonly drainWithinMs: number | null;
}

const writer = new MessageWriter();

export function encodeMeterUsageResponse(answers: SessionAnswers): Buffer {
  writer.begin();
  for (const verdict of answers.opened) writeVerdict(verdict);
  for (const stand of answers.acknowledged) writeStand(stand);
  for (const stop of answers.stops) writeStop(stop);
  for (const outcome of answers.ended) writeOutcome(outcome);
  for (const refusal of answers.refused) writeRefusal(refusal);
  writer.whole(6, answers.durableThrough);
  if (answers.resend.length > 0) writer.packed(7, answers.resend);
  if (answers.drainWithinMs !== null) {
    const start = writer.open(8);
    writer.whole(1, answers.drainWithinMs);
    writer.close(start);
  }
  return writer.finish();
}

const VERDICT = { allowed: 1, denied: 2 } as const;

function writeVerdict(verdict: SessionVerdict): void {
  const start = writer.open(1);
  writer.whole(1, verdict.number);
  writer.whole(2, verdict.denied === null ? VERDICT.allowed : VERDICT.denied);
  if (verdict.denied !== null) writer.whole(3, REASON_NUMBERS[verdict.denied]);
  writer.whole(4, verdict.allowedThrough);
  writer.whole(5, verdict.unit);
  writer.whole(6, verdict.held);
  writer.whole(7, verdict.available);
  writer.whole(8, verdict.missing);
  writer.whole(9, verdict.catalogVersion);
  if (verdict.counts.length > 0) writer.packed(10, verdict.counts);
  writer.whole(11, verdict.generation);
  writer.close(start);
}

function writeStand(stand: SessionStand): void {
  const start = writer.open(2);
  writer.whole(1, stand.number);
  writer.packed(2, stand.acknowledged);
  writer.whole(3, stand.allowedThrough);
  writer.close(start);
}

function writeStop(stop: SessionStopped): void {
  const start = writer.open(3);
  writer.whole(1, stop.number);
  writer.whole(2, REASON_NUMBERS[stop.reason]);
  writer.whole(3, stop.allowedThrough);
  writer.close(start);
}

function writeOutcome(outcome: SessionOutcome): void {
  const start = writer.open(4);
  writer.whole(1, outcome.number);
  const inner = writer.open(outcome.kind === 'settled' ? 2 : 3);
  if (outcome.kind === 'settled') writeSettled(outcome.settled);
  else writeReleased(outcome.released);
  writer.close(inner);
  writer.close(start);
}

function writeSettled(settled: Settled): void {
  writer.whole(1, settled.unit);
  writer.whole(2, settled.charged);
  writer.whole(3, settled.released);
  writer.whole(4, settled.overdrawn);
  writer.whole(5, settled.available);
  writer.flag(6, settled.late);
  writer.flag(7, settled.holdUnknown);
  writer.flag(8, settled.unrated);
  writer.flag(9, settled.duplicate);
  writer.whole(10, settled.catalogVersion);
  writer.whole(11, settled.converted);
  writer.whole(12, settled.releasedUnit);
}

function writeReleased(released: Released): void {
  writer.whole(1, released.unit);
  writer.whole(2, released.released);
  writer.whole(3, released.available);
  writer.flag(4, released.duplicate);
}

function writeRefusal(refusal: SessionRefusal): void {
  const start = writer.open(5);
  writer.whole(1, refusal.number);
  writer.whole(2, REASON_NUMBERS[refusal.reason]);
  writer.text(3, refusal.message);
  writer.whole(4, refusal.retryAfterMs);
  writer.close(start);
}
