/**
 * How many scripts are on their way to Redis at once, over all partitions. Redis runs one at a time: a few keep it busy, and more
 * would only make batches smaller, because a partition that waits for a slot gathers what arrives meanwhile. First come, first served.
 */
export class ScriptSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(scriptsInFlightMax: number) {
    this.#free = scriptsInFlightMax;
  }

  /** Resolves once a slot is the caller's, who must give it back. */
  take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
