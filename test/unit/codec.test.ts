import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { DrawdownError } from '../../src/errors.js';
import {
  decodeRecordUsageBatchRequest,
  decodeRecordUsageRequest,
  mergeResults,
} from '../../src/grpc/record-codec.js';
import { protoDirectory } from '../../src/paths.js';

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
root.loadSync('drawdown/v1/usage_service.proto');
const requestType = root.lookupType('drawdown.v1.RecordUsageRequest');
const batchRequestType = root.lookupType('drawdown.v1.RecordUsageBatchRequest');

const eventsMax = 1_000;
const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:@/'];
const token = fc
  .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 128 })
  .map((characters) => characters.join(''));
const whole = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 1e14, Number.MAX_SAFE_INTEGER),
);
const event = fc.record({
  eventId: token,
  accountId: token,
  agentId: fc.oneof(fc.constant(''), token),
  meter: token,
  model: token,
  quantities: fc.uniqueArray(fc.tuple(token, whole), {
    minLength: 1,
    maxLength: 24,
    selector: ([name]) => name,
  }),
  eventTimeMs: whole.filter((time) => time > 0),
});
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** A field that no version of the proto knows, of every wire type. */
const unknownField = fc.oneof(
  fc.tuple(fc.constant(0), fc.maxSafeNat()),
  fc.tuple(fc.constant(1), fc.uint8Array({ minLength: 8, maxLength: 8 })),
  fc.tuple(fc.constant(2), fc.uint8Array({ maxLength: 40 })),
  fc.tuple(fc.constant(5), fc.uint8Array({ minLength: 4, maxLength: 4 })),
  fc.tuple(fc.constant(3), fc.maxSafeNat()),
);

function writeUnknown(
  writer: protobuf.Writer,
  [wireType, value]: [number, number | Uint8Array],
  id: number,
): void {
  writer.uint32(id * 8 + wireType);
  if (wireType === 2) writer.bytes(value as Uint8Array);
  else if (wireType === 0) writer.int64(value as number);
  else if (wireType === 3) {
    // A group with one varint inside.
    writer.uint32(8).int64(value as number);
    writer.uint32(id * 8 + 4);
  } else writeRaw(writer, value as Uint8Array);
}

function writeRaw(writer: protobuf.Writer, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 4) {
    writer.fixed32(Buffer.from(bytes).readUInt32LE(at));
  }
}

/** Writes an event with its fields in the given order and strange fields between them. */
function encodeEvent(
  event: Event,
  order: readonly number[],
  unknown: [number, number | Uint8Array][],
): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const field of order) {
    const extra = unknown[field];
    if (extra !== undefined) writeUnknown(writer, extra, 100 + field);
    if (field === 1) writer.uint32(10).string(event.eventId);
    if (field === 2) writer.uint32(18).string(event.accountId);
    if (field === 3 && event.agentId !== '') writer.uint32(26).string(event.agentId);
    if (field === 4) writer.uint32(34).string(event.meter);
    if (field === 5) writer.uint32(42).string(event.model);
    if (field === 6) {
      for (const [index, [name, count]] of event.quantities.entries()) {
        writer.uint32(50).fork();
        // Key and value of a map's entry may come in any order, and 0 may be left out.
        if (index % 2 === 0) writer.uint32(10).string(name);
        if (count !== 0 || index % 3 === 0) writer.uint32(16).int64(count);
        if (index % 2 === 1) writer.uint32(10).string(name);
        writer.ldelim();
      }
    }
    if (field === 7) writer.uint32(56).int64(event.eventTimeMs);
  }
  return writer.finish();
}

function encodeRequest(batchNumber: number, events: readonly Uint8Array[]): Buffer {
  const writer = protobuf.Writer.create();
  for (const bytes of events) writer.uint32(18).bytes(bytes);
  writer.uint32(8).int64(batchNumber);
  return Buffer.from(writer.finish());
}

const validEvent: Event = {
  eventId: 'e1',
  accountId: 'a1',
  agentId: '',
  meter: 'llm',
  model: 'gpt-4o-mini',
  quantities: [['input_tokens', 5]],
  eventTimeMs: 1_700_000_000_000,
};
const fieldOrder = [1, 2, 3, 4, 5, 6, 7];

function encodeWith(changes: Partial<Record<keyof Event, unknown>>): Uint8Array {
  const message = { ...validEvent, ...changes };
  return root
    .lookupType('drawdown.v1.UsageEvent')
    .encode({
      ...message,
      quantities: Object.fromEntries(message.quantities as [string, number][]),
    } as never)
    .finish();
}

describe('decoding RecordUsage requests', () => {
  it('reads what protobufjs writes, whatever the order of the fields and the strange fields between them', () => {
    const batch = fc.record({
      number: whole,
      events: fc.array(
        fc.tuple(
          event,
          fc.shuffledSubarray(fieldOrder, { minLength: 7 }),
          fc.array(unknownField, { maxLength: 9 }),
        ),
        { maxLength: 6 },
      ),
    });
    fc.assert(
      fc.property(batch, ({ number, events }) => {
        const bytes = encodeRequest(
          number,
          events.map(([one, order, unknown]) => encodeEvent(one, order, unknown)),
        );
        expect(() => requestType.decode(bytes)).not.toThrow();
        expect(decodeRecordUsageRequest(bytes, eventsMax)).toEqual({
          batchNumber: number,
          count: events.length,
          events: events.map(([one]) => one),
          invalid: [],
        });
      }),
    );
  });

  it('raises a typed error or returns for every truncation and every mutation', () => {
    const sample = fc.tuple(
      fc.array(event, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 400 }),
      fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 5 }),
    );
    fc.assert(
      fc.property(sample, ([events, cut, changes]) => {
        const whole = encodeRequest(
          1,
          events.map((one) => encodeEvent(one, fieldOrder, [])),
        );
        const bytes = Buffer.from(whole.subarray(0, cut));
        for (const [at, value] of changes) bytes[at % Math.max(1, bytes.length)] = value;
        decodesOrRefuses(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it('raises a typed error or returns for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodesOrRefuses(Buffer.from(bytes))),
      {
        numRuns: 2_000,
      },
    );
  });

  it.each([
    ['a field beyond the end', [0x12, 0x05, 0x0a]],
    ['a varint of eleven bytes', [0x08, ...new Array(10).fill(0x80), 1]],
    ['a varint without an end', [0x08, 0x80]],
    ['field number 0', [0x02, 0x00]],
    ['a group that never ends', [0x1b, 0x08, 0x01]],
    ['groups within groups without end', new Array(100).fill(0x1b)],
    ['the end of a group that never began', [0x1c]],
    [
      'groups nested too deeply, each with its end',
      [...new Array(100).fill(0x1b), ...new Array(100).fill(0x1c)],
    ],
    ['an impossible wire type', [0x0e]],
    ['a varint that reaches into the next event', [0x12, 0x02, 0x38, 0x80, 0x08, 0x08, 0x01]],
    ['a length of 2^62', [0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]],
    ['an inner field that reaches into the next event', [0x12, 0x02, 0x0a, 0x05, 0x61, 0x61, 0x61, 0x61]],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decodeRecordUsageRequest(Buffer.from(bytes), eventsMax)).toThrow(
      expect.objectContaining({
        code: 'FIELD_INVALID',
        message: expect.stringContaining('not valid protobuf'),
      }),
    );
  });

  it.each([
    ['event_id', { eventId: '' }],
    ['event_id', { eventId: 'x'.repeat(129) }],
    ['event_id', { eventId: 'a b' }],
    ['account_id', { accountId: '' }],
    ['account_id', { accountId: 'x'.repeat(129) }],
    ['account_id', { accountId: 'zwölf' }],
    ['agent_id', { agentId: 'a\u0000' }],
    ['meter', { meter: '' }],
    ['model', { model: 'gpt 4' }],
    ['quantities', { quantities: [] }],
    ['quantities: a name', { quantities: [['', 1]] }],
    ['quantities["input_tokens"]', { quantities: [['input_tokens', -1]] }],
    ['quantities["input_tokens"]', { quantities: [['input_tokens', 2 ** 53]] }],
    ['quantities must have at most 24', { quantities: Array.from({ length: 25 }, (_, n) => [`q${n}`, 1]) }],
    ['event_time_ms', { eventTimeMs: 0 }],
    ['event_time_ms', { eventTimeMs: -1 }],
    ['event_time_ms', { eventTimeMs: 2 ** 60 }],
  ])('refuses only the event whose %s is bad', (field, changes) => {
    const bytes = encodeRequest(7, [encodeWith({}), encodeWith(changes), encodeWith({ eventId: 'e3' })]);
    const decoded = decodeRecordUsageRequest(bytes, eventsMax);
    expect(decoded.events.map(({ eventId }) => eventId)).toEqual(['e1', 'e3']);
    expect(decoded.invalid).toEqual([
      {
        index: 1,
        result: {
          outcome: 'refused',
          reason: 'FIELD_INVALID',
          message: expect.stringContaining(`events[1].${field}`),
        },
      },
    ]);
  });

  it('gives a batch number beyond 2^53-1 as NaN', () => {
    expect(decodeRecordUsageRequest(encodeRequest(2 ** 53, []), eventsMax).batchNumber).toBeNaN();
    expect(decodeRecordUsageRequest(encodeRequest(-1, []), eventsMax).batchNumber).toBeNaN();
  });

  it('takes the later count of a quantity that comes twice', () => {
    const twice = protobuf.Writer.create();
    twice.uint32(10).string('e').uint32(18).string('a').uint32(34).string('llm').uint32(42).string('m');
    for (const count of [1, 2]) {
      twice.uint32(50).fork().uint32(10).string('input_tokens').uint32(16).int64(count).ldelim();
    }
    twice.uint32(56).int64(1);
    const { events } = decodeRecordUsageRequest(encodeRequest(1, [twice.finish()]), eventsMax);
    expect(events[0]?.quantities).toEqual([['input_tokens', 2]]);
  });

  it('keeps names apart that share a slot of its cache', () => {
    const names = Array.from({ length: 50_000 }, (_, index) => `account-${index}`);
    for (const name of names) {
      const { events } = decodeRecordUsageRequest(
        encodeRequest(1, [encodeWith({ accountId: name })]),
        eventsMax,
      );
      if (events[0]?.accountId !== name) expect(events[0]?.accountId).toBe(name);
    }
  });

  it('refuses more events than the limit, and says that waiting does not help', () => {
    const bytes = encodeRequest(1, [encodeWith({}), encodeWith({}), encodeWith({})]);
    expect(() => decodeRecordUsageRequest(bytes, 2)).toThrow(
      expect.objectContaining({
        code: 'LIMIT_REACHED',
        message: expect.stringContaining('batchEventsMax'),
        details: { field: 'events', retryAfterMs: 0 },
      }),
    );
  });

  it('reads the unary request with the same rules', () => {
    const bytes = Buffer.from(
      batchRequestType
        .encode({ events: [{ ...validEvent, quantities: { input_tokens: 5 } }], ackLevel: 2 } as never)
        .finish(),
    );
    const decoded = decodeRecordUsageBatchRequest(bytes, eventsMax);
    expect(decoded).toEqual({ ackLevel: 2, count: 1, events: [validEvent], invalid: [] });
  });
});

function decodesOrRefuses(bytes: Buffer): void {
  try {
    const decoded = decodeRecordUsageRequest(bytes, eventsMax);
    expect(decoded.events.length + decoded.invalid.length).toBe(decoded.count);
  } catch (error) {
    expect(error).toBeInstanceOf(DrawdownError);
    expect((error as DrawdownError).code).toBe('FIELD_INVALID');
  }
}

describe('merging results', () => {
  it('puts refused events back into their places', () => {
    const bytes = encodeRequest(1, [
      encodeWith({ eventId: '' }),
      encodeWith({}),
      encodeWith({ eventId: 'e2' }),
      encodeWith({ meter: '' }),
      encodeWith({ eventId: 'e4' }),
      encodeWith({ model: '' }),
    ]);
    const decoded = decodeRecordUsageRequest(bytes, eventsMax);
    const none = { overdrawn: 0, available: 0, unrated: false, converted: 0 };
    const booked = { outcome: 'recorded', unit: 1, ...none } as const;
    const merged = mergeResults(decoded, [
      { ...booked, charged: 1 },
      { ...booked, charged: 2 },
      { ...booked, charged: 4 },
    ]);
    expect(merged.map((one) => (one.outcome === 'refused' ? one.message.slice(0, 9) : one.charged))).toEqual([
      'events[0]',
      1,
      2,
      'events[3]',
      4,
      'events[5]',
    ]);
  });

  it('takes a missing answer for a mistake of ours', () => {
    const decoded = decodeRecordUsageRequest(encodeRequest(1, [encodeWith({})]), eventsMax);
    expect(() => mergeResults(decoded, [])).toThrow('answered 0 of 1');
  });
});
