import { Backoff } from './backoff.js';
import { toSettle } from './call-codec.js';
import type { Calls } from './calls.js';
import { closed, type MeterError } from './errors.js';
import type { Room } from './room.js';
import type { Lost, SettleRequest } from './types.js';

/** What a settle costs in memory at most: its request, as objects and as a message. */
const settleBytes = 2_048;

/** Settles under way at once: enough to catch up quickly, few beside what a sidecar takes (connectionStreamsMax 1,000). */
const settlesAtOnceMax = 16;

/** Longer than the sidecar's own longest wait for Postgres (durableWaitMaxMs), so that its answer arrives. */
const durableTimeoutMs = 40_000;

/** A settle that was judged and refused is refused again; anything else is worth another try. */
const REFUSALS: ReadonlySet<MeterError['code']> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
]);

/**
 * Settles that could not be delivered: kept and repeated until they are durable. A settle is self-contained and never
 * refused for being late, and its hold's id charges it once, so it may be repeated as often as needed, by anybody.
 */
export class SettleKeeper {
  /** All that are kept, oldest first; those that are not in it wait for their turn. */
  readonly #kept = new Set<SettleRequest>();
  #waiting: SettleRequest[] = [];
  #underWay = 0;
  readonly #backoff = new Backoff();
  #timer: NodeJS.Timeout | undefined;
  readonly #stopped = new AbortController();

  constructor(
    private readonly calls: Calls,
    private readonly room: Room,
    private readonly listener: {
      /** It is durable. */
      delivered(settle: SettleRequest): void;
      lost(lost: Lost): void;
    },
  ) {}

  /** Takes it over, or throws KEPT_FULL or CLOSED. */
  keep(settle: SettleRequest): void {
    if (this.#stopped.signal.aborted) throw closed();
    this.room.take(1, settleBytes);
    this.#kept.add(settle);
    this.#waiting.push(settle);
    this.#rest();
  }

  /** Gives up, and says what is not durable. */
  stop(): readonly SettleRequest[] {
    clearTimeout(this.#timer);
    this.#stopped.abort();
    return [...this.#kept];
  }

  #rest(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#go();
    }, this.#backoff.next());
  }

  #go(): void {
    while (this.#underWay < settlesAtOnceMax && this.#timer === undefined) {
      const settle = this.#waiting.shift();
      if (settle === undefined) return;
      this.#underWay += 1;
      void this.#deliver(settle);
    }
  }

  /** Never rejects. */
  async #deliver(settle: SettleRequest): Promise<void> {
    const { signal } = this.#stopped;
    try {
      await this.calls.call('Settle', toSettle(settle, 'durable'), { timeoutMs: durableTimeoutMs, signal });
      this.#backoff.reset();
      this.#forget(settle);
      this.listener.delivered(settle);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = thrown as MeterError;
      if (REFUSALS.has(error.code)) {
        this.#forget(settle);
        this.listener.lost({ kind: 'settle', settle, error });
      } else {
        this.#waiting.push(settle);
        this.#rest();
      }
    } finally {
      this.#underWay -= 1;
    }
    this.#go();
  }

  #forget(settle: SettleRequest): void {
    this.#kept.delete(settle);
    this.room.release(1, settleBytes);
  }
}
