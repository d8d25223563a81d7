import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAnswer, decodeEvent, encodeBatch, encodeEvent } from '../../src/client/event-codec.js';
import { REASONS, type UsageEvent } from '../../src/client/types.js';
import {
  decodeRecordUsageRequest,
  encodeBatchApplied,
  encodeDrainNotice,
  encodeDurableWatermark,
  encodeResendBatches,
  REASON_NUMBERS,
} from '../../src/grpc/record-codec.js';

/** What the client writes the sidecar reads, and the other way round. */

const name = fc.stringMatching(/^[A-Za-z0-9._\-:@/]{1,128}$/);
const count = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constant(Number.MAX_SAFE_INTEGER),
);
const anyEvent: fc.Arbitrary<UsageEvent> = fc.record({
  eventId: name,
  accountId: name,
  agentId: name,
  meter: name,
  model: name,
  quantities: fc.dictionary(
    name.filter((text) => text !== '__proto__'),
    count,
    { minKeys: 1, maxKeys: 24 },
  ),
  eventTimeMs: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
});

function encoded(event: UsageEvent): { bytes: Buffer } {
  const bytes = encodeEvent(event);
  if (typeof bytes === 'string') throw new Error(bytes);
  return { bytes };
}

const sample: UsageEvent = {
  eventId: 'event',
  accountId: 'account',
  meter: 'llm',
  model: 'example-small',
  quantities: { input_tokens: 3n, output_tokens: 4 },
  eventTimeMs: 1_700_000_000_000,
};

test('the sidecar reads the events of a batch as they were given', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 5 }), fc.integer({ min: 1 }), (events, batchNumber) => {
      const batch = decodeRecordUsageRequest(encodeBatch(batchNumber, events.map(encoded)), 5);
      expect(batch.batchNumber).toBe(batchNumber);
      expect(batch.invalid).toEqual([]);
      expect(
        batch.events.map((event) => ({ ...event, quantities: Object.fromEntries(event.quantities) })),
      ).toEqual(events);
    }),
  );
});

test('a kept event is told as it was given', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      expect(decodeEvent(encoded(event).bytes)).toEqual(event);
    }),
  );
  expect(decodeEvent(encoded(sample).bytes)).toEqual({
    ...sample,
    quantities: { input_tokens: 3, output_tokens: 4 },
  });
});

test.each([
  [{ eventId: '' }, 'event_id must be'],
  [{ eventId: 7 as unknown as string }, 'event_id must be'],
  [{ eventId: undefined as unknown as string }, 'event_id must be'],
  [{ accountId: 'a b' }, 'account_id must be'],
  [{ agentId: 'ä' }, 'agent_id must be'],
  [{ meter: 'x'.repeat(129) }, 'meter must be'],
  [{ model: '' }, 'model must be'],
  [{ quantities: {} }, 'quantities must have at least one'],
  [{ quantities: { '': 1 } }, 'quantities: a name must be'],
  [{ quantities: { x: 1.5 } }, 'quantities["x"] must be a whole number'],
  [{ quantities: { x: -1 } }, 'quantities["x"] must be a whole number'],
  [{ quantities: { x: Number.NaN } }, 'quantities["x"] must be a whole number'],
  [{ quantities: { x: 2n ** 53n } }, 'quantities["x"] must be a whole number'],
  [{ quantities: { x: '12' as unknown as number } }, 'quantities["x"] must be a whole number'],
  [
    { quantities: Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`q${i}`, 1])) },
    'quantities must have at most 24',
  ],
  [{ eventTimeMs: 0 }, 'event_time_ms must be'],
  [{ eventTimeMs: 1.5 }, 'event_time_ms must be'],
] as [Partial<UsageEvent>, string][])('an event with %o is refused: %s', (change, problem) => {
  expect(encodeEvent({ ...sample, ...change })).toContain(problem);
});

test('the client reads what the sidecar answers', () => {
  const booked = {
    outcome: 'recorded',
    unit: 2,
    charged: Number.MAX_SAFE_INTEGER,
    overdrawn: 300,
    available: 0,
    unrated: true,
    converted: 1_000_000,
  } as const;
  const results = [
    booked,
    { ...booked, outcome: 'duplicate', unrated: false, unit: 1 } as const,
    { outcome: 'refused', reason: 'EVENT_TOO_OLD', message: 'zu früh 😀' } as const,
  ];
  expect(decodeAnswer(encodeBatchApplied(70_000, results))).toEqual({
    kind: 'applied',
    batchNumber: 70_000,
    results: [
      {
        outcome: 'recorded',
        unit: 'tts_characters',
        charged: 2n ** 53n - 1n,
        overdrawn: 300n,
        available: 0n,
        converted: 1_000_000n,
        unrated: true,
      },
      expect.objectContaining({ outcome: 'duplicate', unit: 'credits', unrated: false }),
      { outcome: 'refused', reason: 'EVENT_TOO_OLD', message: 'zu früh 😀' },
    ],
  });
  expect(decodeAnswer(encodeDurableWatermark(300))).toEqual({ kind: 'durable', durableThrough: 300 });
  expect(decodeAnswer(encodeResendBatches([1, 300]))).toEqual({ kind: 'resend', batchNumbers: [1, 300] });
  // A packed list, as other encoders write it.
  expect(decodeAnswer(Buffer.from([0x1a, 4, 0x0a, 2, 1, 2]))).toEqual({
    kind: 'resend',
    batchNumbers: [1, 2],
  });
  expect(decodeAnswer(encodeDrainNotice(5))).toEqual({ kind: 'drain' });
  expect(decodeAnswer(Buffer.from([0x52, 0]))).toBeNull();
  expect(decodeAnswer(Buffer.alloc(0))).toBeNull();
});

test('the reasons have the numbers of the contract', () => {
  const numbers = Object.fromEntries(REASONS.flatMap((reason, i) => (reason === null ? [] : [[reason, i]])));
  expect(numbers).toEqual(REASON_NUMBERS);
});
