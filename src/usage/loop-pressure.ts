/**
 * Share of the time that the event loop works, from which on it is under pressure, and at which it has no time left: where Redis and callers share
 * its cores it waits for them in the rest.
 */
const PRESSED_FROM = 0.5;
const PRESSED_FULLY = 0.75;
/** Time over which it is measured: many turns of a busy loop, short against what a caller notices. */
const WINDOW_MS = 100;

/** How busy the event loop of this thread is, as last measured; measures when it is asked, so that an idle process does nothing. */
export class LoopPressure {
  #since = performance.eventLoopUtilization();
  #sinceMs = performance.now();
  #level = 0;

  /** From 0, where the loop has time to spare, to 1, where it has none. */
  get level(): number {
    const nowMs = performance.now();
    if (nowMs - this.#sinceMs < WINDOW_MS) return this.#level;
    const { utilization } = performance.eventLoopUtilization(this.#since);
    const level = (utilization - PRESSED_FROM) / (PRESSED_FULLY - PRESSED_FROM);
    this.#level = Math.min(1, Math.max(0, level));
    this.#since = performance.eventLoopUtilization();
    this.#sinceMs = nowMs;
    return this.#level;
  }
}
