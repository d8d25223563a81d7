import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import {
  encodeBatchApplied,
  encodeDrainNotice,
  encodeDurableWatermark,
  encodeRecordUsageBatchResponse,
  encodeResendBatches,
  REASON_NUMBERS,
} from '../../src/grpc/record-codec.js';
import { protoDirectory } from '../../src/paths.js';
import type { EventResult, Reason } from '../../src/usage/types.js';

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
root.loadSync('drawdown/v1/usage_service.proto');
const responseType = root.lookupType('drawdown.v1.RecordUsageResponse');
const batchResponseType = root.lookupType('drawdown.v1.RecordUsageBatchResponse');

const whole = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 1e14, Number.MAX_SAFE_INTEGER),
);

const reasons = Object.keys(REASON_NUMBERS) as Reason[];
const result: fc.Arbitrary<EventResult> = fc.oneof(
  fc.record({
    outcome: fc.constantFrom('recorded' as const, 'duplicate' as const),
    unit: fc.constantFrom(1 as const, 2 as const, 3 as const),
    charged: whole,
    overdrawn: whole,
    available: whole,
    unrated: fc.boolean(),
    converted: whole,
  }),
  fc.record({
    outcome: fc.constant('refused' as const),
    reason: fc.constantFrom(...reasons),
    message: fc.string({ unit: 'grapheme', maxLength: 300 }),
  }),
);

/** What protobufjs should read for a result, with the defaults filled in. */
function expected(one: EventResult): object {
  const none = {
    unit: 0,
    charged: 0,
    overdrawn: 0,
    available: 0,
    unrated: false,
    reason: 0,
    message: '',
    converted: 0,
  };
  if (one.outcome === 'refused') {
    return { ...none, outcome: 3, reason: REASON_NUMBERS[one.reason], message: one.message };
  }
  return { ...none, ...one, outcome: one.outcome === 'recorded' ? 1 : 2 };
}

const asObject = { longs: Number, defaults: true, arrays: true };

describe('encoding responses', () => {
  it('writes batches that protobufjs reads', () => {
    fc.assert(
      fc.property(whole, fc.array(result, { maxLength: 40 }), (batchNumber, results) => {
        const bytes = encodeBatchApplied(batchNumber, results);
        expect(responseType.toObject(responseType.decode(bytes), asObject)).toEqual({
          applied: { batchNumber, results: results.map(expected) },
        });
        const unary = encodeRecordUsageBatchResponse(results);
        expect(batchResponseType.toObject(batchResponseType.decode(unary), asObject)).toEqual({
          results: results.map(expected),
        });
      }),
    );
  });

  it('writes watermarks, resends and drain notices that protobufjs reads', () => {
    fc.assert(
      fc.property(whole, fc.array(whole, { maxLength: 300 }), (number, numbers) => {
        const read = (bytes: Buffer) => responseType.toObject(responseType.decode(bytes), asObject);
        expect(read(encodeDurableWatermark(number))).toEqual({ durable: { durableThrough: number } });
        expect(read(encodeDrainNotice(number))).toEqual({ drain: { withinMs: number } });
        expect(read(encodeResendBatches(numbers))).toEqual({ resend: { batchNumbers: numbers } });
      }),
    );
  });

  it('knows every reason of the proto by its number', () => {
    const values = { ...root.lookupEnum('drawdown.v1.Reason').values };
    delete values.REASON_UNSPECIFIED;
    const ours = Object.fromEntries(reasons.map((reason) => [`REASON_${reason}`, REASON_NUMBERS[reason]]));
    expect(ours).toEqual(values);
  });

  it('takes an amount that is not a whole number for a mistake of ours', () => {
    const broken = {
      outcome: 'recorded',
      unit: 1,
      charged: -1,
      overdrawn: 0,
      available: 0,
      unrated: false,
      converted: 0,
    } as const;
    expect(() => encodeBatchApplied(1, [broken])).toThrow('amount -1');
  });
});
