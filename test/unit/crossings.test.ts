import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crossingsBetween } from '../../src/ledger/crossings.js';

const amount = fc.integer({ min: 0, max: 100 });
const thresholds = fc
  .uniqueArray(fc.bigInt({ min: 0n, max: 100n }))
  .map((values) => values.sort((a, b) => Number(a - b)));

describe('crossings', () => {
  it('go down to a threshold or below it, and up above it, in the order of passing', () => {
    const at = (before: number, after: number) =>
      crossingsBetween(before, after, [0n, 10n, 20n]).map(
        ({ direction, threshold }) => `${direction} ${threshold}`,
      );
    expect(at(30, 0)).toEqual(['down 20', 'down 10', 'down 0']);
    expect(at(0, 30)).toEqual(['up 0', 'up 10', 'up 20']);
    expect(at(20, 10)).toEqual(['down 10']);
    expect(at(10, 20)).toEqual(['up 10']);
    expect(at(11, 20)).toEqual([]);
    expect(at(10, 10)).toEqual([]);
  });

  it('alternate for each threshold, however balances move', () => {
    fc.assert(
      fc.property(fc.array(amount), thresholds, (balances, limits) => {
        const above = new Map(limits.map((limit) => [limit, false]));
        let before = 0;
        for (const after of balances) {
          for (const { threshold, direction } of crossingsBetween(before, after, limits)) {
            expect(above.get(threshold)).toBe(direction === 'down');
            above.set(threshold, direction === 'up');
          }
          for (const [limit, isAbove] of above) expect(isAbove).toBe(after > limit);
          before = after;
        }
      }),
    );
  });
});
