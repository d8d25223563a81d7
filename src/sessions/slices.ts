/**
 * How far ahead of its counts a session is held. All in counts of its first counted quantity; pure.
 *
 * A slice covers what comes in SLICE_TICKS checkpoint intervals at the session's speed. The tick grows a hold of which less than half is left
 * (two intervals: one for the next tick, one for a Redis that is slow or refuses once), and counts that leave less than a quarter grow it at
 * once: the session became faster than it was. So a steady session grows every second tick, in the same scripts as everything else.
 * Near the end of a balance the script shrinks what is granted to a part among all open holds (docs/accounting.md), down to one count.
 */

const SLICE_TICKS = 4;

/**
 * So often the tick tries again to grow a session that has nothing left, while others have set something aside: after SLICE_TICKS intervals whoever
 * had a slice ahead of a steady speed has used it or has ended and given it back. Less than five seconds at the default interval.
 */
export const lastTriesMax = SLICE_TICKS;

/** The first slice, while no speed is known: some two seconds of a fast model (128 tokens/s), 0.02 to 0.4 cents of one. */
export const firstSliceCounts = 256;

/** Below it growing costs more scripts than the units are worth that it leaves to others: a slow model in one interval. */
export const sliceCountsMin = 64;

/** 16,384 counts a second, a hundred times the fastest model: past it a session grows more often. A power of two above the first. */
export const sliceCountsMax = 65_536;

/** A slice at most doubles, so that one burst does not pin a balance. */
const SLICE_GROWTH_MAX = 2;

/** Counts per millisecond: rises at once, falls by half of the difference, and stays as it is through a pause. */
export function speedAfter(speed: number, moved: number, elapsedMs: number): number {
  if (moved <= 0) return speed;
  const recent = moved / Math.max(1, elapsedMs);
  return recent > speed ? recent : (recent + speed) / 2;
}

export function nextSlice(last: number, speed: number, intervalMs: number): number {
  const wanted = Math.ceil(speed * intervalMs * SLICE_TICKS);
  return Math.min(Math.max(wanted, sliceCountsMin), sliceCountsMax, SLICE_GROWTH_MAX * last);
}

/** The count from which a hold is grown at once: what was ahead of the counts when it was granted has a quarter left. */
export function growAtOnceFrom(count: number, allowedThrough: number): number {
  return allowedThrough - Math.floor(Math.max(0, allowedThrough - count) / 4);
}

/** The count from which the tick grows it: half is left. */
export function growAtTickFrom(count: number, allowedThrough: number): number {
  return allowedThrough - Math.floor(Math.max(0, allowedThrough - count) / 2);
}

/** Up to which count is wanted: a slice ahead of where the session is, never beyond where it says that it will end. */
export function wantedThrough(count: number, slice: number, expectedMax: number): number {
  const through = Math.min(count + slice, Number.MAX_SAFE_INTEGER);
  return expectedMax > 0 ? Math.min(through, expectedMax) : through;
}
