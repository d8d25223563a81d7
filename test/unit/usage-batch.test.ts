import type { MethodDefinition } from '@grpc/proto-loader';
import { describe, expect, it } from 'vitest';
import { decodeAnswer, encodeBatch, encodeSource } from '../../src/demo/usage-batch.js';
import { packageDefinition } from '../../src/grpc/proto.js';
import {
  encodeBatchApplied,
  encodeDrainNotice,
  encodeDurableWatermark,
  encodeResendBatches,
} from '../../src/grpc/record-codec.js';
import { UNITS } from '../../src/usage/types.js';

const method = (
  packageDefinition['drawdown.v1.UsageService'] as Record<string, MethodDefinition<object, object>>
).RecordUsage as MethodDefinition<object, object>;

describe("the caller's half of RecordUsage", () => {
  it('writes batches that protobuf reads as they were meant', () => {
    const events = [0, 1, 127, 128, 1_899, 2 ** 31, Number.MAX_SAFE_INTEGER].map((tokens, i) => ({
      eventId: `${'e'.repeat(i * 20 + 1)}`,
      source: encodeSource(`acct-${i}`, 'gpt-4o-mini'),
      inputTokens: tokens,
      outputTokens: Number.MAX_SAFE_INTEGER - tokens,
      eventTimeMs: 1_700_000_000_000 + i,
    }));
    for (const batchNumber of [1, 300]) {
      expect(method.requestDeserialize(encodeBatch(batchNumber, events))).toEqual({
        batchNumber: String(batchNumber),
        events: events.map((event, i) => ({
          eventId: event.eventId,
          accountId: `acct-${i}`,
          agentId: '',
          meter: 'llm',
          model: 'gpt-4o-mini',
          quantities: {
            input_tokens: String(event.inputTokens),
            output_tokens: String(event.outputTokens),
          },
          eventTimeMs: String(event.eventTimeMs),
        })),
      });
    }
  });

  it("counts what became of a batch's events", () => {
    const booked = { unit: UNITS.credits, available: 7, unrated: false, converted: 0 };
    const answer = encodeBatchApplied(41, [
      { outcome: 'recorded', ...booked, charged: 500, overdrawn: 0 },
      { outcome: 'recorded', ...booked, charged: 300, overdrawn: 20 },
      { outcome: 'duplicate', ...booked, charged: 300, overdrawn: 20 },
      { outcome: 'refused', reason: 'ACCOUNT_UNKNOWN', message: 'nobody' },
    ]);
    expect(decodeAnswer(answer)).toEqual({
      kind: 'applied',
      batchNumber: 41,
      recorded: 2,
      duplicate: 1,
      refused: 1,
      overdrawn: 1,
      chargedMicros: 800,
      refusedBecause: new Map([[2, 1]]),
    });
  });

  it('reads the other answers', () => {
    expect(decodeAnswer(encodeDurableWatermark(300))).toEqual({ kind: 'durable', durableThrough: 300 });
    expect(decodeAnswer(encodeResendBatches([3, 400]))).toEqual({ kind: 'resend', batchNumbers: [3, 400] });
    expect(decodeAnswer(encodeDrainNotice(5_000))).toEqual({ kind: 'drain' });
  });
});
