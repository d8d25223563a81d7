/** Bounded waiting and seeded choice, for tests that meet real processes. */

const pollMs = 5;

/** Limits say "it hangs", not "it is slow". */
const limitDefaultMs = 30_000;

/** In how long something ends that must not end before the next calls were made, on a machine that may be busy. */
export const SOON_MS = 3_000;

/** Waits until the condition holds or returns a value; fails with `what` when it does not within the limit. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = limitDefaultMs,
): Promise<Exclude<T, false | null | undefined>> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) {
      return value as Exclude<T, false | null | undefined>;
    }
    if (performance.now() > endsAt) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** From SEED, else a new one; printed, so that a failure can be run again. */
export function seedOf(test: string): number {
  const given = Number.parseInt(process.env.SEED ?? '', 10);
  const seed = Number.isNaN(given) ? Math.floor(Math.random() * 2 ** 31) : given;
  process.stdout.write(`${test}: SEED=${seed}\n`);
  return seed;
}

/** mulberry32: small, and the same on every machine. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T;
  }
}
