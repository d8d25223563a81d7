/** How far ahead of its counts a session is held. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  firstSliceCounts,
  growAtOnceFrom,
  growAtTickFrom,
  nextSlice,
  sliceCountsMax,
  sliceCountsMin,
  speedAfter,
  wantedThrough,
} from '../../src/sessions/slices.js';

const intervalMs = 1_000;

describe('slices', () => {
  it('stay within their limits and at most double', () => {
    expect(sliceCountsMin).toBeLessThan(firstSliceCounts);
    expect(firstSliceCounts).toBeLessThan(sliceCountsMax);
    const speeds = fc.double({ min: 0, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: sliceCountsMin, max: sliceCountsMax }), speeds, (last, speed) => {
        const next = nextSlice(last, speed, intervalMs);
        expect(next).toBeGreaterThanOrEqual(sliceCountsMin);
        expect(next).toBeLessThanOrEqual(Math.min(sliceCountsMax, 2 * last));
        expect(Number.isInteger(next)).toBe(true);
      }),
    );
  });

  it('let a steady session go on without ever reaching its end, growing every second tick', () => {
    for (const perSecond of [20, 100, 1_000, 2_000]) {
      let [count, slice, speed, grown] = [0, firstSliceCounts, 0, 0];
      let allowed = firstSliceCounts;
      let [atOnce, atTick] = [growAtOnceFrom(0, allowed), growAtTickFrom(0, allowed)];
      const grow = () => {
        slice = nextSlice(slice, speed, intervalMs);
        allowed = wantedThrough(count, slice, 0);
        [atOnce, atTick] = [growAtOnceFrom(count, allowed), growAtTickFrom(count, allowed)];
        grown++;
      };
      for (let tick = 0; tick < 100; tick++) {
        // Ten updates between two ticks.
        for (let update = 1; update <= 10; update++) {
          count += perSecond / 10;
          if (count >= atOnce) {
            speed = speedAfter(speed, perSecond / 10, 100);
            grow();
          }
          expect(count).toBeLessThanOrEqual(allowed);
        }
        speed = speedAfter(speed, perSecond, intervalMs);
        if (count >= atTick) grow();
      }
      expect(count).toBeLessThan(allowed);
      expect(grown).toBeLessThanOrEqual(70);
    }
  });

  it('want nothing beyond the expected maximum', () => {
    expect(wantedThrough(100, 256, 0)).toBe(356);
    expect(wantedThrough(100, 256, 200)).toBe(200);
    expect(wantedThrough(Number.MAX_SAFE_INTEGER - 1, 256, 0)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('grow before the end, the tick before the counts', () => {
    const counts = fc.nat(1_000_000);
    fc.assert(
      fc.property(counts, counts, (count, ahead) => {
        const allowed = count + ahead;
        const [tick, once] = [growAtTickFrom(count, allowed), growAtOnceFrom(count, allowed)];
        expect(tick).toBeLessThanOrEqual(once);
        expect(once).toBeLessThanOrEqual(allowed);
        expect(tick).toBeGreaterThanOrEqual(count);
      }),
    );
    // Overrun: at once.
    expect(growAtOnceFrom(10, 5)).toBe(5);
  });

  it('follow a session that becomes faster at once, and one that becomes slower in steps, and a pause not at all', () => {
    expect(speedAfter(0.1, 500, 1_000)).toBe(0.5);
    expect(speedAfter(0.5, 100, 1_000)).toBe(0.3);
    expect(speedAfter(0.5, 0, 60_000)).toBe(0.5);
    expect(speedAfter(0, 10, 0)).toBe(10);
  });
});
