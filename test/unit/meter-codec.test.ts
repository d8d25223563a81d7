/** The codec of MeterUsage, compared with protobufjs in both directions. */
import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import {
  decodeMeterUsageRequest,
  encodeMeterUsageResponse,
  readProgress,
  type SessionAnswers,
} from '../../src/grpc/meter-codec.js';
import { REASON_NUMBERS } from '../../src/grpc/record-codec.js';
import { protoDirectory } from '../../src/paths.js';
import type { SessionOpen } from '../../src/sessions/types.js';
import type { Reason } from '../../src/usage/types.js';

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
root.loadSync('drawdown/v1/usage_service.proto');
const requestType = root.lookupType('drawdown.v1.MeterUsageRequest');
const responseType = root.lookupType('drawdown.v1.MeterUsageResponse');
const plain = { longs: Number, defaults: true, arrays: true, objects: true };

const alphabet = [...'ABCXYZabcxyz0189._-:@/'];
const token = fc
  .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: 128 })
  .map((characters) => characters.join(''));
const whole = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 1e14, Number.MAX_SAFE_INTEGER),
);
const time = whole.filter((value) => value > 0);
const number = fc.oneof(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.constantFrom(1, 127, 128, 2 ** 32 - 1));
const names = fc.uniqueArray(token, { minLength: 1, maxLength: 24 });
const open: fc.Arbitrary<SessionOpen> = fc
  .record({
    number,
    sessionId: token,
    accountId: token,
    agentId: fc.oneof(fc.constant(''), token),
    meter: token,
    model: token,
    startTimeMs: time,
    names,
    values: fc.array(whole, { minLength: 24, maxLength: 24 }),
    countedShare: fc.nat(23),
    expectedMax: whole,
    whole: fc.boolean(),
    generation: fc.nat(2 ** 31 - 1),
  })
  .map(({ names, values, countedShare, ...rest }) => {
    const split = Math.min(names.length - 1, countedShare);
    const known = names.slice(0, split).map((name, index) => [name, values[index] as number] as const);
    const isWhole = rest.whole && rest.expectedMax > 0;
    return { ...rest, whole: isWhole, known, counted: names.slice(split) };
  });
const update = fc.record({ number, counts: fc.array(whole, { maxLength: 24 }) });
const settle = fc.record({
  number,
  quantities: fc.uniqueArray(fc.tuple(token, whole), {
    minLength: 1,
    maxLength: 24,
    selector: ([name]) => name,
  }),
  eventTimeMs: time,
});
const release = fc.record({ number, eventTimeMs: time });

interface Update {
  readonly number: number;
  readonly counts: readonly number[];
}

function progressOf(bytes: Buffer): Update[] {
  const updates: Update[] = [];
  readProgress(bytes, decodeMeterUsageRequest(bytes), {
    progress: (number, counts, length) => updates.push({ number, counts: [...counts.subarray(0, length)] }),
  });
  return updates;
}

function encoded(message: object): Buffer {
  return Buffer.from(requestType.encode(requestType.fromObject(message)).finish());
}

const asOpen = ({ number, known, ...rest }: SessionOpen) => ({
  ...rest,
  session: number,
  known: Object.fromEntries(known),
});

describe('decoding MeterUsage requests', () => {
  it('reads what protobufjs writes, in any order of the parts', () => {
    const request = fc.record({
      messageNumber: whole,
      opens: fc.array(open, { maxLength: 4 }),
      progress: fc.array(update, { maxLength: 6 }),
      settles: fc.array(settle, { maxLength: 3 }),
      releases: fc.array(release, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        request,
        fc.boolean(),
        ({ messageNumber, opens, progress, settles, releases }, reversed) => {
          const parts = [
            encoded({ messageNumber }),
            encoded({ opens: opens.map(asOpen) }),
            ...progress.map(({ number, counts }) => encoded({ progress: [{ session: number, counts }] })),
            encoded({
              settles: settles.map(({ number, quantities, eventTimeMs }) => ({
                session: number,
                quantities: Object.fromEntries(quantities),
                eventTimeMs,
              })),
            }),
            encoded({
              releases: releases.map(({ number, eventTimeMs }) => ({ session: number, eventTimeMs })),
            }),
          ];
          const bytes = Buffer.concat(reversed ? parts.reverse() : parts);
          const decoded = decodeMeterUsageRequest(bytes);
          const sorted = (quantities: readonly (readonly [string, number])[]) =>
            Object.fromEntries(quantities) as object;
          expect(decoded.refused).toEqual([]);
          expect(decoded.messageNumber).toBe(messageNumber);
          expect(decoded.opens.map((one) => ({ ...one, known: sorted(one.known) }))).toEqual(
            opens.map((one) => ({ ...one, known: sorted(one.known) })),
          );
          expect(decoded.settles.map((one) => ({ ...one, quantities: sorted(one.quantities) }))).toEqual(
            settles.map((one) => ({ ...one, quantities: sorted(one.quantities) })),
          );
          expect(decoded.releases).toEqual(releases);
          expect(progressOf(bytes)).toEqual(reversed ? [...progress].reverse() : progress);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads counts that are not packed, and skips what it does not know', () => {
    const writer = protobuf.Writer.create();
    writer.uint32(26).fork();
    writer.uint32(16).int64(5).uint32(8).uint32(7).uint32(16).int64(300).uint32(800).int64(9);
    writer.ldelim();
    writer.uint32(802).string('unknown');
    writer.uint32(26).fork().uint32(8).uint32(8).ldelim();
    expect(progressOf(Buffer.from(writer.finish()))).toEqual([
      { number: 7, counts: [5, 300] },
      { number: 8, counts: [] },
    ]);
  });

  it('says which session and field is wrong, and reads the others', () => {
    const good: SessionOpen = {
      number: 7,
      sessionId: 's',
      accountId: 'a',
      agentId: '',
      meter: 'llm',
      model: 'm',
      startTimeMs: 1,
      known: [['input_tokens', 5]],
      counted: ['output_tokens'],
      expectedMax: 0,
      whole: false,
      generation: 0,
    };
    const changes: [Partial<Record<keyof SessionOpen | 'session' | 'known', unknown>>, string][] = [
      [{ session: 0 }, 'session must be a number'],
      [{ sessionId: '' }, 'session_id must'],
      [{ accountId: 'a b' }, 'account_id must'],
      [{ agentId: 'ä' }, 'agent_id must'],
      [{ meter: '' }, 'meter must'],
      [{ model: 'x'.repeat(129) }, 'model must'],
      [{ startTimeMs: 0 }, 'start_time_ms must'],
      [{ startTimeMs: -1 }, 'start_time_ms must'],
      [{ generation: -1 }, 'generation must'],
      [{ known: { input_tokens: -1 } }, 'known["input_tokens"] must'],
      [{ counted: [] }, 'counted must have at least one'],
      [{ counted: ['o', 'o'] }, 'counted: o comes twice'],
      [{ counted: ['input_tokens'] }, 'counted: input_tokens is among the known'],
      [{ counted: Array.from({ length: 25 }, (_, index) => `q${index}`) }, 'counted must have at most 24'],
      [{ expectedMax: -1 }, 'expected_max must'],
      [{ whole: true }, 'whole needs expected_max'],
    ];
    const bytes = encoded({
      opens: [...changes.map(([change]) => ({ ...asOpen(good), ...change })), asOpen(good)],
      settles: [
        { session: 3, quantities: {}, eventTimeMs: 1 },
        { session: 4, quantities: { a: 1 } },
        { session: 0, quantities: { a: 1 }, eventTimeMs: 1 },
      ],
      releases: [{ session: 5 }, { eventTimeMs: 1 }],
    });
    const { opens, refused, settles, releases } = decodeMeterUsageRequest(bytes);
    expect(opens).toEqual([good]);
    expect([...settles, ...releases]).toEqual([]);
    const expected = [
      ...changes.map(([change, rule]) => [change.session === 0 ? 0 : 7, `open.${rule}`]),
      [3, 'settle.quantities must have at least one'],
      [4, 'settle.event_time_ms must'],
      [0, 'settle.session must'],
      [5, 'release.event_time_ms must'],
      [0, 'release.session must'],
    ];
    expect(refused).toHaveLength(expected.length);
    for (const [index, [number, rule]] of expected.entries()) {
      expect(refused[index]).toEqual({
        number,
        reason: 'FIELD_INVALID',
        message: expect.stringContaining(String(rule)),
        retryAfterMs: 0,
      });
    }
  });

  it('gives counts that are no whole numbers as NaN, and more than a session may have as their number', () => {
    const bytes = encoded({
      progress: [
        { session: 1, counts: [-1, 5] },
        { session: 2, counts: Array.from({ length: 40 }, (_, index) => index) },
      ],
    });
    const lengths: number[] = [];
    const firsts: number[] = [];
    readProgress(bytes, decodeMeterUsageRequest(bytes), {
      progress: (_number, counts, length) => {
        lengths.push(length);
        firsts.push(counts[0] as number);
      },
    });
    expect(lengths).toEqual([2, 40]);
    expect(firsts).toEqual([Number.NaN, 0]);
  });

  it('raises FIELD_INVALID for bytes that are no message, wherever they are cut', () => {
    const bytes = encoded({
      messageNumber: 300,
      opens: [{ session: 1, sessionId: 's', counted: ['a'] }],
      progress: [{ session: 300, counts: [1, 2, 300] }],
    });
    const updates = fc.uint8Array({ maxLength: 60 });
    const read = (some: Buffer) => {
      try {
        progressOf(some);
      } catch (error) {
        expect(error).toMatchObject({ code: 'FIELD_INVALID' });
      }
    };
    for (let cut = 0; cut < bytes.length; cut++) read(bytes.subarray(0, cut));
    fc.assert(
      fc.property(updates, (random) => read(Buffer.from(random))),
      { numRuns: 2_000 },
    );
  });
});

const reasons = Object.keys(REASON_NUMBERS) as Reason[];
const unit = fc.constantFrom(1 as const, 2 as const, 3 as const);
const settled = fc.record({
  unit,
  charged: whole,
  released: whole,
  overdrawn: whole,
  available: whole,
  late: fc.boolean(),
  holdUnknown: fc.boolean(),
  unrated: fc.boolean(),
  duplicate: fc.boolean(),
  catalogVersion: fc.nat(2 ** 31 - 1),
  converted: whole,
  releasedUnit: unit,
  position: fc.constant({ partition: 0, epoch: 1, seq: 1 }),
});
const released = fc.record({
  unit,
  released: whole,
  available: whole,
  duplicate: fc.boolean(),
  position: fc.constant({ partition: 0, epoch: 1, seq: 1 }),
});
const counts = fc.array(whole, { maxLength: 24 });
const answers: fc.Arbitrary<SessionAnswers> = fc.record({
  opened: fc.array(
    fc.record({
      number,
      denied: fc.option(fc.constantFrom(...reasons)),
      allowedThrough: whole,
      unit,
      held: whole,
      available: whole,
      missing: whole,
      catalogVersion: fc.nat(2 ** 31 - 1),
      counts,
      generation: fc.nat(2 ** 31 - 1),
    }),
    { maxLength: 4 },
  ),
  acknowledged: fc.array(fc.record({ number, acknowledged: counts, allowedThrough: whole }), {
    maxLength: 8,
  }),
  stops: fc.array(fc.record({ number, reason: fc.constantFrom(...reasons), allowedThrough: whole }), {
    maxLength: 4,
  }),
  ended: fc.array(
    fc.oneof(
      fc.record({ number, kind: fc.constant('settled' as const), settled }),
      fc.record({ number, kind: fc.constant('released' as const), released }),
    ),
    { maxLength: 4 },
  ),
  refused: fc.array(
    fc.record({
      number,
      reason: fc.constantFrom(...reasons),
      message: fc.string({ unit: 'grapheme', maxLength: 300 }),
      retryAfterMs: whole,
    }),
    { maxLength: 4 },
  ),
  durableThrough: whole,
  resend: fc.array(whole, { maxLength: 200 }),
  drainWithinMs: fc.option(whole),
});

/** What protobufjs should read, with the defaults filled in. */
function asResponse(said: SessionAnswers): object {
  const reason = (name: Reason | null) => (name === null ? 0 : REASON_NUMBERS[name]);
  return {
    opened: said.opened.map(({ number, denied, ...rest }) => ({
      ...rest,
      session: number,
      verdict: denied === null ? 1 : 2,
      reason: reason(denied),
    })),
    acknowledged: said.acknowledged.map(({ number, acknowledged, allowedThrough }) => ({
      session: number,
      counts: acknowledged,
      allowedThrough,
    })),
    stops: said.stops.map(({ number, reason: why, allowedThrough }) => ({
      session: number,
      reason: reason(why),
      allowedThrough,
    })),
    ended: said.ended.map((outcome) => {
      const session = outcome.number;
      if (outcome.kind === 'released') {
        const { position: _, ...rest } = outcome.released;
        return { session, released: rest };
      }
      const { position: _, ...rest } = outcome.settled;
      return { session, settled: rest };
    }),
    refused: said.refused.map(({ number, reason: why, message, retryAfterMs }) => ({
      session: number,
      reason: reason(why),
      message,
      retryAfterMs,
    })),
    durableThrough: said.durableThrough,
    resend: said.resend,
    drain: said.drainWithinMs === null ? null : { withinMs: said.drainWithinMs },
  };
}

describe('encoding MeterUsage responses', () => {
  it('writes what protobufjs reads', () => {
    fc.assert(
      fc.property(answers, (said) => {
        const read = responseType.toObject(responseType.decode(encodeMeterUsageResponse(said)), plain);
        expect(read).toEqual(asResponse(said));
      }),
      { numRuns: 500 },
    );
  });
});
