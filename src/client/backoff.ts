/**
 * How long to wait before the next try: doubled each time up to a bound, and half of it by chance, so that clients that
 * lost the same sidecar do not come back together.
 */
export class Backoff {
  #tries = 0;

  next(retryAfterMs: number | null = null): number {
    const waitMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#tries++, doublingsMax));
    const half = waitMs / 2;
    return half + Math.random() * half + (retryAfterMs ?? 0);
  }

  /** After a success. */
  reset(): void {
    this.#tries = 0;
  }
}

/** A few round trips on one machine: a sidecar that restarts is found quickly. */
const backoffMinMs = 50;
/** As long as a sidecar needs to start: one that is back is found within seconds, one that is away is hardly asked. */
const backoffMaxMs = 2_000;
/** 50 ms doubled so often is above backoffMaxMs. */
const doublingsMax = 6;
