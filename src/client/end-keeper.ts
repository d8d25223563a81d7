import { Backoff } from './backoff.js';
import {
  fromRelease,
  fromSettle,
  type ReleaseMessage,
  type SettleMessage,
  toRelease,
  toSettle,
} from './call-codec.js';
import type { Calls } from './calls.js';
import { closed, type MeterError } from './errors.js';
import type { Room } from './room.js';
import type { Lost, ReleaseRequest, ReleaseResult, SettleRequest, SettleResult } from './types.js';

/** What a settle costs in memory at most: its request, as objects and as a message. */
const settleBytes = 2_048;

/** Calls under way at once: enough to catch up quickly, few beside what a sidecar takes (connectionStreamsMax 1,000). */
const callsAtOnceMax = 16;

/** Longer than the sidecar's own longest wait for Postgres (durableWaitMaxMs), so that its answer arrives. */
const durableTimeoutMs = 40_000;

/** What was judged and refused is refused again; anything else is worth another try. */
const REFUSALS: ReadonlySet<MeterError['code']> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
]);

/** A settle or a release that is kept; one of its functions is called, once. */
export interface KeptEnd {
  readonly request: SettleRequest | ReleaseRequest;
  /** What it counts of what is kept. */
  readonly costBytes: number;
  /** It is durable. */
  delivered(result: SettleResult | ReleaseResult): void;
  refused(error: MeterError): void;
}

/** What is not durable. */
export interface Undelivered {
  readonly settles: readonly SettleRequest[];
  readonly releases: readonly ReleaseRequest[];
}

/**
 * Settles and releases that could not be delivered: kept and repeated until they are durable. They are self-contained and never
 * refused for being late, and their hold's id ends it once, so they may be repeated as often as needed, by anybody.
 */
export class EndKeeper {
  /** All that are kept, oldest first; those that are not in it wait for their turn. */
  readonly #kept = new Set<KeptEnd>();
  #waiting: KeptEnd[] = [];
  #underWay = 0;
  readonly #backoff = new Backoff();
  #timer: NodeJS.Timeout | undefined;
  readonly #stopped = new AbortController();

  constructor(
    private readonly calls: Calls,
    private readonly room: Room,
    private readonly onLost: (lost: Lost) => void,
  ) {}

  /** Takes a settle over, or throws KEPT_FULL or CLOSED. */
  keep(settle: SettleRequest, delivered: () => void): void {
    if (this.#stopped.signal.aborted) throw closed();
    this.room.take(1, settleBytes);
    const refused = (error: MeterError): void => this.onLost({ kind: 'settle', settle, error });
    this.adopt({ request: settle, costBytes: settleBytes, delivered, refused });
  }

  /** Takes over what has its room already. */
  adopt(end: KeptEnd): void {
    this.#kept.add(end);
    this.#waiting.push(end);
    if (!this.#stopped.signal.aborted) this.#rest();
  }

  /** Gives up, and says what is not durable. */
  stop(): Undelivered {
    clearTimeout(this.#timer);
    this.#stopped.abort();
    const settles: SettleRequest[] = [];
    const releases: ReleaseRequest[] = [];
    for (const { request } of this.#kept) {
      if (isSettle(request)) settles.push(request);
      else releases.push(request);
    }
    return { settles, releases };
  }

  #rest(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#go();
    }, this.#backoff.next());
  }

  #go(): void {
    while (this.#underWay < callsAtOnceMax && this.#timer === undefined) {
      const end = this.#waiting.shift();
      if (end === undefined) return;
      this.#underWay += 1;
      void this.#deliver(end);
    }
  }

  /** Never rejects. */
  async #deliver(end: KeptEnd): Promise<void> {
    const { signal } = this.#stopped;
    try {
      const result = await this.#call(end.request, signal);
      this.#backoff.reset();
      this.#forget(end);
      end.delivered(result);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = thrown as MeterError;
      if (REFUSALS.has(error.code)) {
        this.#forget(end);
        end.refused(error);
      } else {
        this.#waiting.push(end);
        this.#rest();
      }
    } finally {
      this.#underWay -= 1;
    }
    this.#go();
  }

  async #call(
    request: SettleRequest | ReleaseRequest,
    signal: AbortSignal,
  ): Promise<SettleResult | ReleaseResult> {
    const limits = { timeoutMs: durableTimeoutMs, signal };
    if (isSettle(request)) {
      return fromSettle(await this.calls.call<SettleMessage>('Settle', toSettle(request, 'durable'), limits));
    }
    return fromRelease(
      await this.calls.call<ReleaseMessage>('Release', toRelease(request, 'durable'), limits),
    );
  }

  #forget(end: KeptEnd): void {
    this.#kept.delete(end);
    this.room.release(1, end.costBytes);
  }
}

function isSettle(request: SettleRequest | ReleaseRequest): request is SettleRequest {
  return 'model' in request;
}
