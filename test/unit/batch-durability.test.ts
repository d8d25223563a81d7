import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchDurability, resendNumbersMax } from '../../src/grpc/batch-durability.js';
import type { Position } from '../../src/usage/types.js';

/** The journal of one partition: durable through a seq, and lost from there through another. */
function journal(durableSeq: number, lostThrough = 0) {
  return {
    state(positions: readonly Position[]): 'durable' | 'resend' | 'pending' {
      const waiting = positions.filter(({ seq }) => seq > durableSeq);
      if (waiting.length === 0) return 'durable';
      return waiting.some(({ seq }) => seq <= lostThrough) ? 'resend' : 'pending';
    },
  };
}

function at(seq: number, partition = 0): Position[] {
  return [{ partition, epoch: 1, seq }];
}

function appliedThrough(count: number): BatchDurability {
  const batches = new BatchDurability();
  for (let number = 1; number <= count; number++) {
    batches.accept(number);
    batches.applied(number, at(number));
  }
  return batches;
}

describe('the durability of batches', () => {
  it('stays behind the first batch that is not durable, in whatever order they are applied', () => {
    const order = fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 6 });
    fc.assert(
      fc.property(order, fc.nat({ max: 6 }), fc.nat({ max: 6 }), (numbers, appliedCount, durableSeq) => {
        const batches = new BatchDurability();
        for (let number = 1; number <= 6; number++) expect(batches.accept(number)).toBe(true);
        const applied = new Set(numbers.slice(0, appliedCount));
        for (const number of applied) batches.applied(number, at(number));
        let expected = 0;
        while (applied.has(expected + 1) && expected + 1 <= durableSeq) expected++;
        expect(batches.advance(journal(durableSeq)).durableThrough).toBe(expected);
      }),
    );
  });

  it('takes a batch without positions for durable', () => {
    const batches = new BatchDurability();
    batches.accept(1);
    batches.applied(1, []);
    expect(batches.advance(journal(0))).toEqual({ durableThrough: 1, resend: [], more: false });
  });

  it('keeps its memory small when nothing becomes durable, and passes the last batch all the same', () => {
    const batches = appliedThrough(100_000);
    expect(batches.rangeCount).toBeLessThanOrEqual(1_024);
    expect(batches.advance(journal(99_999)).durableThrough).toBeLessThan(100_000);
    expect(batches.advance(journal(100_000)).durableThrough).toBe(100_000);
    expect(batches.allDurable).toBe(true);
  });

  it('keeps epochs apart when it merges, so that a loss is not hidden by a later commit', () => {
    const batches = new BatchDurability();
    for (let number = 1; number <= 5_000; number++) {
      batches.accept(number);
      batches.applied(number, [{ partition: 0, epoch: number <= 2_501 ? 1 : 2, seq: number }]);
    }
    const epochOneIsLost = {
      state: (positions: readonly Position[]) =>
        positions.some(({ epoch }) => epoch === 1) ? ('resend' as const) : ('durable' as const),
    };
    const resend = new Set<number>();
    for (;;) {
      const progress = batches.advance(epochOneIsLost);
      for (const number of progress.resend) resend.add(number);
      expect(progress.durableThrough).toBe(0);
      if (!progress.more) break;
    }
    for (let number = 1; number <= 2_501; number++) expect(resend.has(number)).toBe(true);
  });

  it('names at most so many lost batches at once, and all of them in the end', () => {
    const batches = appliedThrough(10_000);
    const named: number[] = [];
    for (let more = true; more; ) {
      const progress = batches.advance(journal(0, 10_000));
      expect(progress.resend.length).toBeLessThanOrEqual(resendNumbersMax);
      named.push(...progress.resend);
      more = progress.more;
    }
    expect(named.length).toBe(10_000);
    expect(named.every((number, index) => number === index + 1)).toBe(true);
    expect(batches.onlyAwaited).toBe(true);
    for (const number of named) {
      expect(batches.accept(number)).toBe(true);
      batches.applied(number, at(20_000 + number));
    }
    expect(batches.advance(journal(40_000)).durableThrough).toBe(10_000);
  });

  it('finds a loss behind a head that waits', () => {
    const batches = new BatchDurability();
    for (const number of [1, 2, 3]) {
      batches.accept(number);
      batches.applied(number, at(number, number === 1 ? 0 : 1));
    }
    const partitionOneIsLost = {
      state: ([position]: readonly Position[]) => (position?.partition === 0 ? 'pending' : 'resend') as never,
    };
    const found: number[] = [];
    for (let looks = 0; looks < 3; looks++) found.push(...batches.advance(partitionOneIsLost).resend);
    expect(found).toEqual([2, 3]);
  });

  it('takes nothing but the next batch and what is awaited, once', () => {
    const batches = appliedThrough(5);
    batches.advance(journal(1, 4));
    for (const number of [0, 1, 5, 7, Number.NaN]) expect(batches.accept(number)).toBe(false);
    expect([6, 2, 3].map((number) => batches.accept(number))).toEqual([true, true, true]);
    expect(batches.accept(2)).toBe(false);
  });

  it('takes an answer to an unknown batch for a mistake of ours', () => {
    expect(() => appliedThrough(1).applied(1, [])).toThrow('Batch 1 is not being applied');
  });
});
