/** Share of the time that the event loop works, from which on it is under pressure: there is little left to answer with. */
const PRESSED_FROM = 0.6;
/** Time over which it is measured: many turns of a busy loop, short against what a caller notices. */
const WINDOW_MS = 100;

/** Whether the event loop of this thread is busy, as last measured; measures when it is asked, so that an idle process does nothing. */
export class LoopPressure {
  #since = performance.eventLoopUtilization();
  #sinceMs = performance.now();
  #isHigh = false;

  get isHigh(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#sinceMs < WINDOW_MS) return this.#isHigh;
    this.#isHigh = performance.eventLoopUtilization(this.#since).utilization >= PRESSED_FROM;
    this.#since = performance.eventLoopUtilization();
    this.#sinceMs = nowMs;
    return this.#isHigh;
  }
}
