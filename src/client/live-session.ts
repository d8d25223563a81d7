import { aborted, type CallLimits, watchLimits } from './call-limits.js';
import type { Ending } from './ending.js';
import { fieldInvalid, MeterError } from './errors.js';
import { isWhole } from './event-codec.js';
import type { PendingOpen } from './pending-open.js';
import type { Listed } from './roster.js';
import type { Opened } from './session-codec.js';
import type { SessionStream } from './session-stream.js';
import type { EndOptions, OpenRequest, Session } from './session-types.js';
import { type Quantities, type Reason, type ReleaseResult, type SettleResult, UNITS } from './types.js';

/** Who carries sessions to the sidecars. */
export interface SessionCarrier {
  settle(session: LiveSession, quantities: Quantities, options: EndOptions): Promise<SettleResult>;
  release(session: LiveSession, options: EndOptions): Promise<ReleaseResult>;
}

interface Waiter {
  readonly count: number;
  settle(hasRoom: boolean): void;
}

const everyone = (): boolean => true;
/** Most sessions have neither a waiter nor a listener. */
const none: readonly never[] = [];

/**
 * States: *opening* -> *open* (a stream carries it) -> *ending* -> *over*. A stream that breaks or drains makes it *away* until another
 * one carries it: what was allowed holds meanwhile. What ended without us (by its deadline, or because nobody would open it again), and what
 * nobody judged, is *detached*: no stream carries it any more, but it can still be settled. Denied, moved to another gateway, left by
 * `close`: *over*.
 */
export class LiveSession implements Session, Listed {
  place = 0;
  state: 'opening' | 'open' | 'away' | 'detached' | 'ending' | 'over' = 'opening';
  /** The caller no longer waits for the verdict: a hold that was made all the same is given back. */
  isAbandoned = false;
  /** A sidecar may have heard of it. */
  wasSent = false;
  /** Opens since the last verdict: each may have raised the generation. */
  unansweredOpens = 0;
  /** Those before the first verdict named no generation: whenever a sidecar comes to them, they take the session from this very client. */
  #firstOpensLost = 0;
  /** The stream that carries it, and its number there. */
  stream: SessionStream | null = null;
  number = 0;
  /** The call of `open` that waits for its verdict. */
  pending: PendingOpen | null = null;
  ending: Ending | null = null;
  /** It has counts to report. */
  isDirty = false;

  allowed = false;
  judged = true;
  reason: Reason | null = null;
  unit: Session['unit'] = null;
  held = 0n;
  available = 0n;
  missing = 0n;
  catalogVersion = 0;
  generation = 0;
  allowedThrough = 0;
  stopped: Reason | null = null;

  readonly sessionId: string;
  readonly accountId: string;
  readonly latest: number[];
  readonly #acknowledged: number[];
  #waiters: readonly Waiter[] = none;
  #listeners: readonly ((reason: Reason) => void)[] = none;

  constructor(
    readonly request: OpenRequest,
    readonly startTimeMs: number,
    /** What it counts of what is kept. */
    readonly costBytes: number,
    private readonly carrier: SessionCarrier,
  ) {
    this.sessionId = request.sessionId;
    this.accountId = request.accountId;
    this.latest = request.counted.map(() => 0);
    this.#acknowledged = this.latest.slice();
  }

  get counts(): Quantities {
    return this.#named(this.latest);
  }

  get acknowledged(): Quantities {
    return this.#named(this.#acknowledged);
  }

  report(counts: Quantities): void {
    const { counted } = this.request;
    const { allowedThrough } = this;
    const hadRoom = (this.latest[0] as number) < allowedThrough;
    let hasMoved = false;
    for (const name in counts) {
      const index = name === counted[0] ? 0 : counted.indexOf(name);
      if (index < 0) throw fieldInvalid(`counts["${name}"]`, `is none of the counted: ${counted.join(', ')}`);
      let count = counts[name] as number;
      if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
        count = wholeOf(count, name);
      if (count <= (this.latest[index] as number)) continue;
      this.latest[index] = count;
      hasMoved = true;
    }
    if (hasMoved) this.#move(hadRoom && (this.latest[0] as number) >= allowedThrough);
  }

  /** `isAtEnd`: nothing is left to go on with, so the sidecar hears of it now and not with the next tick. */
  #move(isAtEnd: boolean): void {
    if (!this.isDirty) {
      this.isDirty = true;
      if (this.state === 'open') this.stream?.moved(this);
    }
    if (!isAtEnd) return;
    if (!this.judged) this.stop('UNAVAILABLE');
    else if (this.state === 'open') this.stream?.hurry();
  }

  room(count: number, limits: CallLimits = {}): Promise<boolean> {
    const { signal = this.request.signal, timeoutMs } = limits;
    if (this.allowedThrough >= count) return Promise.resolve(true);
    if (!this.#mayGrow) return Promise.resolve(false);
    if (signal?.aborted) return Promise.reject(aborted(signal));
    // The sidecar stops a session that stands where it may not go on, and no other: so it must know that this one does.
    if ((this.latest[0] as number) < this.allowedThrough) {
      this.latest[0] = this.allowedThrough;
      this.#move(true);
    }
    return new Promise((resolve, reject) => {
      const stopWatch = watchLimits({ signal, timeoutMs }, (error) => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter);
        reject(error);
      });
      const waiter = {
        count,
        settle: (hasRoom: boolean) => {
          stopWatch();
          resolve(hasRoom);
        },
      };
      this.#waiters = [...this.#waiters, waiter];
    });
  }

  onStop(listener: (reason: Reason) => void): void {
    if (this.stopped === null) this.#listeners = [...this.#listeners, listener];
    else tell(listener, this.stopped);
  }

  settle(quantities: Quantities = this.knownAndCounted, options: EndOptions = {}): Promise<SettleResult> {
    return this.carrier.settle(this, quantities, options);
  }

  release(options: EndOptions = {}): Promise<ReleaseResult> {
    return this.carrier.release(this, options);
  }

  get knownAndCounted(): Quantities {
    return { ...this.request.known, ...this.counts };
  }

  /** A stream carries it: opened, taken over, or opened again because Redis forgot. */
  carried(opened: Opened): void {
    this.state = 'open';
    this.judge(opened);
    this.acknowledge(opened.counts, opened.allowedThrough);
    this.isDirty = this.latest.some((count, i) => count > (this.#acknowledged[i] as number));
    if (this.isDirty) this.stream?.moved(this);
  }

  /** That this client can own; 0: it has none yet. */
  get newestGeneration(): number {
    return this.generation === 0 ? 0 : this.generation + this.#firstOpensLost + this.unansweredOpens;
  }

  /** Somebody has opened it since: was it perhaps this client? Asked once; whoever opens it again then finds out. */
  mayHaveMovedItself(): boolean {
    const opens = this.#firstOpensLost;
    this.unansweredOpens += opens;
    this.#firstOpensLost = 0;
    return opens > 0;
  }

  judge(opened: Opened): void {
    if (this.generation === 0) this.#firstOpensLost = this.unansweredOpens - 1;
    this.unansweredOpens = 0;
    this.allowed = opened.isAllowed;
    this.reason = opened.reason;
    this.unit = UNITS[opened.unit] ?? null;
    this.held = BigInt(opened.held);
    this.available = BigInt(opened.available);
    this.missing = BigInt(opened.missing);
    this.catalogVersion = opened.catalogVersion;
    this.generation = opened.generation;
  }

  /** It may not go on, by the verdict of whoever judged it or because nobody could. */
  deny(reason: Reason, judged: boolean): void {
    this.judged = judged;
    this.reason = reason;
    this.state = 'over';
  }

  /** Nobody could judge it, and it may go on so far: no stream will carry it. */
  allowUnjudged(allowedThrough: number): void {
    this.judged = false;
    this.allowed = true;
    this.allowedThrough = allowedThrough;
    this.state = 'detached';
  }

  acknowledge(counts: readonly number[], allowedThrough: number): void {
    const known = Math.min(counts.length, this.latest.length);
    for (let i = 0; i < known; i++) {
      const count = counts[i] as number;
      this.#acknowledged[i] = count;
      if (count > (this.latest[i] as number)) this.latest[i] = count;
    }
    this.allowedThrough = allowedThrough;
    if (this.#waiters.length === 0) return;
    this.#wake((waiter) => waiter.count <= allowedThrough, true);
    if (!this.#mayGrow) this.#wake(everyone, false);
  }

  stop(reason: Reason): void {
    if (this.stopped !== null) return;
    this.stopped = reason;
    this.#wake(everyone, false);
    const listeners = this.#listeners;
    this.#listeners = none;
    for (const listener of listeners) tell(listener, reason);
  }

  /** It is settled, released or left: nobody waits for room any more. */
  end(state: 'ending' | 'over'): void {
    this.state = state;
    this.#wake(everyone, false);
  }

  get #mayGrow(): boolean {
    const { expectedMax = 0 } = this.request;
    if (expectedMax > 0 && this.allowedThrough >= expectedMax) return false;
    return this.stopped === null && (this.state === 'open' || this.state === 'away');
  }

  #wake(whom: (waiter: Waiter) => boolean, hasRoom: boolean): void {
    if (this.#waiters.length === 0) return;
    const woken = this.#waiters.filter(whom);
    this.#waiters = this.#waiters.filter((waiter) => !woken.includes(waiter));
    for (const waiter of woken) waiter.settle(hasRoom);
  }

  #named(counts: readonly number[]): Quantities {
    return Object.fromEntries(this.request.counted.map((name, i) => [name, counts[i] as number]));
  }
}

/** What listeners throw is the caller's. */
function tell(listener: (reason: Reason) => void, reason: Reason): void {
  queueMicrotask(() => listener(reason));
}

function wholeOf(count: unknown, name: string): number {
  if (isWhole(count)) return Number(count);
  const rule = `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
  throw fieldInvalid(`counts["${name}"]`, rule);
}

export function sessionOver({ sessionId, stopped }: LiveSession): MeterError {
  const why = stopped === 'SESSION_MOVED' ? 'was opened elsewhere' : 'has ended';
  return new MeterError('FAILED_PRECONDITION', `The session ${sessionId} ${why}`, { reason: 'SESSION_OVER' });
}
