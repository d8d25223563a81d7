import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  reserveFingerprint,
  sessionFingerprint,
  settleFingerprint,
  usageFingerprint,
} from '../../src/usage/fingerprint.js';
import type { Quantities, UsageEvent } from '../../src/usage/types.js';

const event: UsageEvent = {
  eventId: 'event',
  accountId: 'account',
  agentId: 'agent',
  meter: 'llm',
  model: 'model',
  eventTimeMs: 1_795_000_000_000,
  quantities: [
    ['input_tokens', 10],
    ['output_tokens', 20],
  ],
};

const name = fc.stringMatching(/^[a-z_]{1,12}$/);
const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const quantities = fc.uniqueArray(fc.tuple(name, count), { selector: ([key]) => key, maxLength: 6 });

describe('the fingerprint of a usage event', () => {
  it('is the same in whatever order the quantities come', () => {
    fc.assert(
      fc.property(quantities, (given) => {
        const backwards = [...given].reverse() as Quantities;
        expect(usageFingerprint({ ...event, quantities: backwards })).toBe(
          usageFingerprint({ ...event, quantities: given }),
        );
      }),
    );
  });

  it('is an integer of 48 bits', () => {
    fc.assert(
      fc.property(quantities, count, (given, eventTimeMs) => {
        const value = usageFingerprint({ ...event, quantities: given, eventTimeMs });
        expect(Number.isInteger(value) && value >= 0 && value < 2 ** 48).toBe(true);
      }),
    );
  });

  it('is another one for each of a million events that differ by one count, two counts or the time', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 100; j++) {
        for (let k = 0; k < 100; k++) {
          const given: Quantities = [
            ['input_tokens', i],
            ['output_tokens', j],
          ];
          seen.add(
            usageFingerprint({ ...event, quantities: given, eventTimeMs: event.eventTimeMs + k * 2 ** 31 }),
          );
        }
      }
    }
    expect(seen.size).toBe(1_000_000);
  });

  it.each([
    { agentId: 'other' },
    { meter: 'tts' },
    { model: 'other' },
    { agentId: 'agentl', meter: 'lm' },
    { eventTimeMs: event.eventTimeMs + 2 ** 32 },
    {
      quantities: [
        ['input_tokens', 20],
        ['output_tokens', 10],
      ] as Quantities,
    },
    { quantities: [['input_tokens', 10]] as Quantities },
  ])('differs for %o', (change) => {
    expect(usageFingerprint({ ...event, ...change })).not.toBe(usageFingerprint(event));
  });
});

it('a settle by amount differs from one by quantities, and by its unit', () => {
  const call = { ...event, holdId: 'hold' };
  const values = [
    settleFingerprint({ ...call, final: { kind: 'quantities', quantities: event.quantities } }),
    settleFingerprint({ ...call, final: { kind: 'amount', unit: 1, value: 10 } }),
    settleFingerprint({ ...call, final: { kind: 'amount', unit: 2, value: 10 } }),
  ];
  expect(new Set(values).size).toBe(3);
});

/** They are stored: a repetition that comes after an upgrade must not look like another call. */
it('fingerprints of sessions, settles and reserves stay as they are', () => {
  const known: Quantities = [
    ['input_tokens', 300],
    ['cached_input_tokens', 2 ** 40],
  ];
  const work = { agentId: 'agent', meter: 'llm', model: 'model', startTimeMs: 1_795_000_000_000 };
  const counted = ['output_tokens', 'audio_tokens'];
  const call = { ...work, holdId: 'hold', accountId: 'account', eventTimeMs: work.startTimeMs };
  const quantities = { kind: 'quantities', quantities: known } as const;
  expect([
    sessionFingerprint({ ...work, known, counted, expectedMax: 4_096, whole: true }),
    sessionFingerprint({
      ...{ ...work, agentId: '', known: [], counted: ['output_tokens'] },
      ...{ expectedMax: 0, whole: false },
    }),
    settleFingerprint({ ...call, final: quantities }),
    settleFingerprint({ ...call, final: { kind: 'amount', unit: 2, value: 10 } }),
    reserveFingerprint({ ...call, holdTimeMs: 60_000, estimate: quantities }),
  ]).toEqual([97509359243611, 162550222259745, 209005850065177, 272082581600336, 130296618570333]);
});
