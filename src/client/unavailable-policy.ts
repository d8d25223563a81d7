import type { HoldName, ReserveRequest } from './types.js';

/** What `reserve` answers when nobody can judge it in time. */
export type WhenUnavailable =
  /** Not allowed, with the reason UNAVAILABLE. */
  | 'deny'
  /** Allowed, as long as what is allowed so and not yet settled or released stays within a limit for each account. */
  | {
      readonly unitsPerAccountMax: bigint;
      /** What a request counts: the client knows no prices, so its owner says. For example its characters. */
      readonly unitsOf: (request: ReserveRequest) => bigint;
    };

/** Holds that were allowed and not judged. Each is some 300 bytes; past it requests are denied. */
const unjudgedHoldsMax = 10_000;

/** An unjudged hold whose request names no time counts so long: the sidecar's own default. */
const holdTimeDefaultMs = 10 * 60_000;

interface Allowed {
  readonly accountId: string;
  readonly units: bigint;
  /** Whoever never settles it gets its units back as if it were a hold. */
  readonly timer: NodeJS.Timeout;
}

/** Counts what was allowed while nobody could judge, until it is booked, released or out of time. */
export class UnavailablePolicy {
  readonly #allowed = new Map<string, Allowed>();
  readonly #units = new Map<string, bigint>();

  constructor(private readonly policy: WhenUnavailable) {}

  allows(request: ReserveRequest): boolean {
    if (this.policy === 'deny') return false;
    const name = nameOf(request);
    if (this.#allowed.has(name)) return true;
    if (this.#allowed.size >= unjudgedHoldsMax) return false;
    const { accountId, holdTimeMs } = request;
    const units = this.policy.unitsOf(request);
    const after = (this.#units.get(accountId) ?? 0n) + units;
    if (units < 0n || after > this.policy.unitsPerAccountMax) return false;
    const timer = setTimeout(() => this.ended(request), holdTimeMs ?? holdTimeDefaultMs).unref();
    this.#allowed.set(name, { accountId, units, timer });
    this.#units.set(accountId, after);
    return true;
  }

  /**
   * How far a request of growing counts may go: the largest count within its bounds that is allowed, which takes its units; null: not
   * so far as the least. Units do not fall as the count grows.
   */
  allowsThrough(
    requestFor: (count: number) => ReserveRequest,
    { countMin, countMax }: { countMin: number; countMax: number },
  ): number | null {
    if (this.policy === 'deny') return null;
    const { unitsOf, unitsPerAccountMax } = this.policy;
    const least = requestFor(countMin);
    const left = unitsPerAccountMax - (this.#units.get(least.accountId) ?? 0n);
    let reached = countMin;
    let beyond = countMax + 1;
    while (beyond - reached > 1) {
      const count = reached + Math.floor((beyond - reached) / 2);
      if (unitsOf(requestFor(count)) <= left) reached = count;
      else beyond = count;
    }
    return this.allows(requestFor(reached)) ? reached : null;
  }

  has(hold: HoldName): boolean {
    return this.#allowed.has(nameOf(hold));
  }

  /** Its settle is kept: it counts until that is delivered, however long it takes. */
  kept(hold: HoldName): void {
    clearTimeout(this.#allowed.get(nameOf(hold))?.timer);
  }

  /** It was booked, released, or judged after all. */
  ended(hold: HoldName): void {
    const name = nameOf(hold);
    const found = this.#allowed.get(name);
    if (found === undefined) return;
    clearTimeout(found.timer);
    this.#allowed.delete(name);
    const left = (this.#units.get(found.accountId) ?? 0n) - found.units;
    if (left > 0n) this.#units.set(found.accountId, left);
    else this.#units.delete(found.accountId);
  }
}

/** No id has a space in it. */
function nameOf({ accountId, holdId }: HoldName): string {
  return `${accountId} ${holdId}`;
}
