import { quantitiesPerMeterMax } from '../catalog/limits.js';
import { partitionOf } from '../redis/keys.js';
import type { LedgerDetails } from '../redis/opaque.js';
import type { Reason, Unit } from '../usage/types.js';
import { quantitiesAt, type SessionPrice } from './session-price.js';
import {
  firstSliceCounts,
  growAtOnceFrom,
  growAtTickFrom,
  lastTriesMax,
  nextSlice,
  speedAfter,
  wantedThrough,
} from './slices.js';
import type { SessionOpen } from './types.js';

/** Whom a session tells what became of it: its stream. */
export interface SessionListener {
  /** Its counts are acknowledged, or it may go further, or both. */
  acknowledged(session: Session): void;
  /** It will not grow; `isLost`: and it is no longer this stream's. */
  stopped(session: Session, reason: Reason, isLost: boolean): void;
  /** Its last counts have no price: they are dropped. */
  countsRefused(session: Session, message: string): void;
}

/** What one update came to. */
export const UPDATE = { taken: 0, growAtOnce: 1, tooManyCounts: 2, noCount: 3 } as const;
export type Update = (typeof UPDATE)[keyof typeof UPDATE];

/** What goes into a checkpoint beyond who it is of. */
export interface Stand {
  readonly charge: number;
  readonly details: LedgerDetails;
  readonly growLeast: number;
  readonly growWanted: number;
}

/** By how many there are; nobody writes anything else into them. A session that is settled before it counts needs no more. */
const zeros = Array.from({ length: quantitiesPerMeterMax + 1 }, (_, length) => new Float64Array(length));

/**
 * One session of one stream, as this sidecar has it.
 *
 * States:
 * - *opening*: its open is with Redis. Updates are taken, its end waits for the verdict.
 * - *open*: it may go on through `allowedThrough`; the checkpointer acknowledges its counts and lets it grow.
 * - *stopped*: as open, but it will not grow.
 * - *ending*: its settle or release is with Redis.
 * - *gone*: nothing here owns it any more. What still resolves is dropped.
 *
 * opening -> open (allowed) or gone (denied, refused); open -> stopped (the last try to grow was refused); open, stopped -> ending (settle,
 * release) -> gone (judged), or back (could not be judged); open, stopped -> gone (taken over elsewhere, or ended by others). A session whose
 * stream is gone is *abandoned*: what is on its way is awaited, then one last checkpoint gives it the grace period -> gone.
 */
export class Session {
  state: 'opening' | 'open' | 'stopped' | 'ending' | 'gone' = 'opening';
  isAbandoned = false;
  readonly partition: number;
  /** The largest counts that were reported. These three are the shared zeros until the session counts anything. */
  counts: Float64Array;
  /** Those of the last checkpoint that Redis has. */
  acknowledged: Float64Array;
  /** Those of the checkpoint on its way. */
  #sent: Float64Array;
  generation = 0;
  /** What its hold pays for, in what its charge is counted in. */
  covers = 0;
  allowedThrough = 0;
  /** Redis has not confirmed all that was reported. */
  hasMoved = false;
  /** Since when; means nothing where it has not moved. */
  movedSinceMs = 0;
  isCheckpointing = false;
  /** Waits for a checkpoint out of turn. */
  isGrowingSoon = false;
  /** Is on its stream's list of acknowledgements to write. */
  isAcknowledging = false;
  /** When its deadline was renewed last. */
  renewedMs = 0;
  #price: SessionPrice | null = null;
  /** Updates with this count or more let it grow at once. */
  #growAtOnceFrom = Number.POSITIVE_INFINITY;
  #growAtTickFrom = Number.POSITIVE_INFINITY;
  /** How often it was tried in vain to grow it since it stands at its end. */
  #lastTries = 0;
  #slice = firstSliceCounts;
  #speed = 0;
  #measuredMs = 0;
  #measuredCount = 0;

  constructor(
    readonly opened: SessionOpen,
    readonly listener: SessionListener,
    partitionCount: number,
  ) {
    this.partition = partitionOf(opened.accountId, partitionCount);
    const nothing = zeros[opened.counted.length] as Float64Array;
    this.counts = nothing;
    this.acknowledged = nothing;
    this.#sent = nothing;
  }

  get number(): number {
    return this.opened.number;
  }

  /** What its charge is counted in. */
  get unit(): Unit {
    return this.#priced().unit;
  }

  get isOpen(): boolean {
    return this.state === 'open' || this.state === 'stopped';
  }

  /** The hot path: no allocation but with the first count, no call. */
  update(counts: Float64Array, length: number, nowMs: number): Update {
    let own = this.counts;
    if (length > own.length) return UPDATE.tooManyCounts;
    for (let i = 0; i < length; i++) if (Number.isNaN(counts[i])) return UPDATE.noCount;
    for (let i = 0; i < length; i++) {
      const count = counts[i] as number;
      if (count <= (own[i] as number)) continue;
      if (own === this.acknowledged) own = this.#beginCounting();
      own[i] = count;
      if (this.hasMoved) continue;
      this.hasMoved = true;
      this.movedSinceMs = nowMs;
    }
    const isDue = (own[0] as number) >= this.#growAtOnceFrom && !this.isGrowingSoon && this.state === 'open';
    return isDue ? UPDATE.growAtOnce : UPDATE.taken;
  }

  /** The verdict was ALLOWED. `acknowledged` is empty for a new session. */
  begin(
    price: SessionPrice,
    covers: number,
    generation: number,
    acknowledged: ArrayLike<number>,
    nowMs: number,
  ): void {
    this.#price = price;
    this.generation = generation;
    this.renewedMs = nowMs;
    if (acknowledged.length > 0 && this.counts === this.acknowledged) this.#beginCounting();
    for (let i = 0; i < acknowledged.length; i++) {
      const count = acknowledged[i] as number;
      this.acknowledged[i] = count;
      if ((this.counts[i] as number) < count) this.counts[i] = count;
    }
    this.hasMoved = this.#isAhead();
    this.movedSinceMs = nowMs;
    this.#measuredMs = nowMs;
    this.#measuredCount = this.acknowledged[0] as number;
    this.state = 'open';
    this.#cover(covers, this.acknowledged);
  }

  /** Is there something for the tick to do? */
  isDue(nowMs: number, renewEveryMs: number): boolean {
    if (!this.isOpen || this.isCheckpointing) return false;
    if (this.hasMoved || nowMs - this.renewedMs >= renewEveryMs) return true;
    return this.state === 'open' && (this.counts[0] as number) >= this.#growAtTickFrom;
  }

  /** What the next checkpoint says: the counts as they are now, and growth where it is due. Text: they have no price. */
  stand(nowMs: number, intervalMs: number): Stand | string {
    const { opened, counts } = this;
    const price = this.#priced();
    const quantities = quantitiesAt(opened, counts);
    const charge = price.chargeOf(quantities);
    if (typeof charge !== 'number') return `${charge.field}: ${charge.reason}`;
    this.#sent.set(counts);
    this.#measure(nowMs);
    const mayGrow = this.state === 'open' && !this.isAbandoned;
    const growth = mayGrow ? this.#growth(price, intervalMs) : null;
    return {
      charge,
      details: { meter: opened.meter, model: opened.model, agentId: opened.agentId, quantities },
      growLeast: growth?.least ?? 0,
      growWanted: growth?.wanted ?? 0,
    };
  }

  #growth(price: SessionPrice, intervalMs: number): { least: number; wanted: number } | null {
    const count = this.#sent[0] as number;
    if (count < this.#growAtTickFrom) return null;
    this.#slice = nextSlice(this.#slice, this.#speed, intervalMs);
    const through = wantedThrough(count, this.#slice, this.opened.expectedMax);
    return price.growth(this.#sent, this.covers, Math.max(count, this.allowedThrough), through);
  }

  /** Redis has the checkpoint that was on its way. Tells the stream where that changes anything for it. */
  confirm(covers: number, nowMs: number): void {
    this.renewedMs = nowMs;
    const before = this.allowedThrough;
    let changed = false;
    for (let i = 0; i < this.#sent.length; i++) {
      if (this.acknowledged[i] !== this.#sent[i]) changed = true;
    }
    this.acknowledged.set(this.#sent);
    this.hasMoved = this.#isAhead();
    this.movedSinceMs = nowMs;
    if (changed || covers !== this.covers) this.#cover(covers, this.#sent);
    if (this.allowedThrough > before) this.#lastTries = 0;
    if (changed || this.allowedThrough !== before) this.listener.acknowledged(this);
  }

  /**
   * Growth was refused. What has something left is tried again with the next tick; what has gone further than it may, or has nothing to wait
   * for, is at its end; what stands exactly there waits for what may come back, so many ticks.
   */
  refuseGrowth(mayComeBack: boolean): 'goes on' | 'at its end' {
    const count = this.#sent[0] as number;
    this.#growAtOnceFrom = this.allowedThrough;
    if (count < this.allowedThrough) return 'goes on';
    if (count > this.allowedThrough || !mayComeBack) return 'at its end';
    this.#growAtOnceFrom++;
    this.#lastTries++;
    return this.#lastTries > lastTriesMax ? 'at its end' : 'goes on';
  }

  /** What Redis has confirmed may be lost with an epoch: the next tick says it again, and asks for its growth again. */
  sayAgain(nowMs: number): void {
    this.hasMoved = true;
    this.movedSinceMs = nowMs;
  }

  /** Counts without a price are as if they had never come. */
  dropCounts(): void {
    this.counts.set(this.acknowledged);
    this.hasMoved = false;
  }

  /** Gives it room of its own. */
  #beginCounting(): Float64Array {
    const { length } = this.counts;
    this.counts = new Float64Array(length);
    this.acknowledged = new Float64Array(length);
    this.#sent = new Float64Array(length);
    return this.counts;
  }

  #priced(): SessionPrice {
    if (this.#price === null) throw new Error('The session is not open');
    return this.#price;
  }

  #isAhead(): boolean {
    for (let i = 0; i < this.counts.length; i++) if (this.counts[i] !== this.acknowledged[i]) return true;
    return false;
  }

  #measure(nowMs: number): void {
    const count = this.counts[0] as number;
    const moved = count - this.#measuredCount;
    if (moved <= 0) return;
    this.#speed = speedAfter(this.#speed, moved, nowMs - this.#measuredMs);
    this.#measuredMs = nowMs;
    this.#measuredCount = count;
  }

  #cover(covers: number, counts: Float64Array): void {
    this.covers = covers;
    this.allowedThrough = this.#priced().allowedThrough(quantitiesAt(this.opened, counts), covers);
    const count = counts[0] as number;
    this.#growAtOnceFrom = growAtOnceFrom(count, this.allowedThrough);
    this.#growAtTickFrom = growAtTickFrom(count, this.allowedThrough);
  }
}
