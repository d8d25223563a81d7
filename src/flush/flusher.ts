import type { Logger } from 'pino';
import type { Metrics } from '../metrics.js';
import { type Cursor, readCursors } from '../postgres/partitions.js';
import type { Pool } from '../postgres/pool.js';
import type { Scripts } from '../redis/scripts.js';
import type { Partition } from '../usage/partition.js';
import type { Position } from '../usage/types.js';
import type { DurableWatermarks } from '../usage/watermarks.js';
import type { FlushFailure, FlushSummary } from './flush-protocol.js';
import type { FlushThread } from './flush-thread.js';
import { JournalTail } from './journal-tail.js';
import { forget, isAwaited, moveTo, placeOf, readAt, type Track, trackOf, wentBack } from './track.js';

export interface FlusherOptions {
  readonly flushConnections: number;
  readonly flushRetryMaxMs: number;
  readonly flushRestMaxMs: number;
  readonly flushEntriesMax: number;
  readonly journalTailMs: number;
}

/** First wait after a failure; doubles up to flushRetryMaxMs, with jitter. */
const RETRY_FIRST_MS = 50;
/**
 * After a flush its connection rests this many times as long as the flush took, so that what is journaled meanwhile shares the cost of a
 * transaction and of its accounts' rows. At 40,000 events/s over 1,000 accounts a flush that had 8 lines an account cost Postgres 13 us a line and
 * the sidecar 14, one of 40 lines an account 8 and 10. Where nothing is urgent an idle sidecar's flush of 4 ms delays the next one by 40.
 */
const REST_PER_DURATION = 10;
/** Entries that another sidecar has journaled are looked for this often. */
const LOOK_EVERY_MS = 100;
/** Progress is told to Redis (watermark, trim, rotation of ids) at most this often per partition. */
const PROGRESS_EVERY_MS = 500;

/** Until the time is over, or until somebody calls the function that stands in `paused` meanwhile. */
function pause(ms: number, paused: (() => void)[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      paused.splice(paused.indexOf(end), 1);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    paused.push(end);
  });
}

/**
 * Moves the journals of the partitions that this sidecar owns to Postgres, each in order, several in one transaction.
 *
 * A partition: idle -> (entries beyond its cursor) busy -> (committed) idle | (failed) waiting, with backoff -> busy ...
 * A worker, one a connection: idle -> (entries somewhere) flushing -> (committed all there was, nobody waits) resting -> (time, or somebody waits) flushing ...
 * The cursor in Postgres is the fence: a flusher that lost its lease without knowing finds it moved and reads it again.
 */
export class Flusher {
  readonly #tracks: Track[];
  readonly #workers: Promise<void>[] = [];
  /** No rest any more: what is there is flushed at once. */
  #draining = false;
  #stopping = false;
  /** Ends the pause of each worker that has nothing to do, the longest first. */
  readonly #idle: (() => void)[] = [];
  /** Ends the rest of each worker that rests after a flush. */
  readonly #resting: (() => void)[] = [];

  constructor(
    partitions: readonly Partition[],
    private readonly pool: Pool,
    private readonly thread: FlushThread,
    private readonly scripts: Scripts,
    private readonly watermarks: DurableWatermarks,
    private readonly options: FlusherOptions,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    this.#tracks = partitions.map((partition) => ({
      partition,
      cursor: null,
      known: null,
      awaitedSeq: 0,
      owned: false,
      busy: false,
      notBeforeMs: 0,
      failures: 0,
      unreadable: null,
      lastBookedMs: 0,
      tail: new JournalTail(options.journalTailMs),
      progressToldMs: Number.NEGATIVE_INFINITY,
      lookedMs: Number.NEGATIVE_INFINITY,
    }));
    watermarks.onAwaited((positions) => this.#hurry(positions));
  }

  start(): void {
    for (let i = 0; i < this.options.flushConnections; i++) this.#workers.push(this.#work());
  }

  /** Which partitions to flush from now on. */
  own(partitions: ReadonlySet<number>): void {
    let gained = false;
    for (const track of this.#tracks) {
      const owned = partitions.has(track.partition.number);
      if (owned && !track.owned) {
        track.cursor = null;
        gained = true;
      }
      track.owned = owned;
    }
    if (gained) this.#wakeAll();
  }

  /** Through where partitions are durable, as far as this flusher knows. */
  known(): ReadonlyMap<number, Pick<Cursor, 'epoch' | 'seq'>> {
    return new Map(
      this.#tracks.flatMap(({ partition, known }) => (known === null ? [] : [[partition.number, known]])),
    );
  }

  /**
   * Compares cursors with what was known before they were read. Where Postgres has less it went back, as a standby does that was promoted without its last
   * transactions: what it lacks is flushed again from the journal's tail. `askedMs`: when the reading began, monotonic.
   */
  compare(cursors: readonly Cursor[], known: ReturnType<Flusher['known']>, askedMs: number): void {
    for (const cursor of cursors) {
      const before = known.get(cursor.partition) ?? null;
      const track = trackOf(this.#tracks, cursor.partition);
      if (wentBack(cursor, before)) this.#onWentBack(track, cursor);
      else if (before !== null) track.tail.confirmed(askedMs);
    }
  }

  /** It is opened anew before it goes on: Postgres may not even know whose keys its epoch lives in. */
  #onWentBack(track: Track, { seq }: Cursor): void {
    const { partition, known } = track;
    this.logger.error(
      { partition: partition.number, seq, durable: known?.seq },
      'Postgres went back; what it lacks is flushed again',
    );
    this.metrics.cursorsBack.inc();
    forget(track);
    partition.doubt(`Postgres went back to seq ${seq}`);
  }

  /** Something may be there to flush: one worker that rests looks. Those that are busy look when they are done. */
  wake(): void {
    this.#idle[0]?.();
  }

  #wakeAll(): void {
    for (const end of [...this.#idle, ...this.#resting]) end();
  }

  /** Somebody waits for these: no worker rests before they are durable. */
  #hurry(positions: readonly Position[]): void {
    for (const { partition, epoch, seq } of positions) {
      const track = trackOf(this.#tracks, partition);
      if (epoch === track.partition.epoch && seq > track.awaitedSeq) track.awaitedSeq = seq;
    }
    if (this.#tracks.some(isAwaited)) (this.#idle[0] ?? this.#resting[0])?.();
  }

  /** Partitions that nothing of what is applied becomes durable of, until another version flushes them or an operator acts. */
  get warnings(): string[] {
    const stuck = this.#tracks.filter(({ owned, unreadable }) => owned && unreadable !== null);
    return stuck.map(({ partition, unreadable }) => `partition ${partition.number}: ${unreadable}`);
  }

  /** Entries of its partitions that are not durable. */
  backlog(): number {
    return this.#backlogOf(this.#tracks.filter((track) => track.owned));
  }

  #backlogOf(tracks: readonly Track[]): number {
    let entries = 0;
    for (const { partition } of tracks) {
      const durable = this.watermarks.durableThrough(partition.number);
      if (durable.epoch === partition.epoch) entries += Math.max(0, partition.seqSeen - durable.seq);
    }
    return entries;
  }

  /** Flushes what is there and stops; returns whether all of the owned partitions is durable. */
  async stop(withinMs: number): Promise<boolean> {
    const endsAt = performance.now() + withinMs;
    this.#draining = true;
    while (this.backlog() > 0 && performance.now() < endsAt) {
      this.#wakeAll();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#stopping = true;
    this.#wakeAll();
    await Promise.all(this.#workers);
    return this.backlog() === 0;
  }

  async #work(): Promise<void> {
    while (!this.#stopping) {
      const tracks = this.#claim();
      if (tracks.length === 0) {
        // For partitions that wait after a failure, and to look for entries that another sidecar has journaled.
        await pause(RETRY_FIRST_MS, this.#idle);
        continue;
      }
      let restMs = 0;
      try {
        restMs = await this.#flushTogether(tracks);
      } finally {
        for (const track of tracks) track.busy = false;
      }
      if (restMs > 0 && !this.#draining && !this.#tracks.some(isAwaited)) await pause(restMs, this.#resting);
    }
  }

  /** A fair share of the partitions that have something to flush: those that somebody waits for, else those that were flushed longest ago. */
  #claim(): Track[] {
    const nowMs = performance.now();
    const ready = this.#tracks.filter(
      (track) =>
        track.owned &&
        !track.busy &&
        track.partition.isOpen &&
        track.notBeforeMs <= nowMs &&
        this.#hasWork(track, nowMs),
    );
    const share = Math.max(1, Math.ceil(this.#tracks.length / this.options.flushConnections));
    // Those that failed go alone, so that one partition's trouble is not everybody's.
    const failed = ready.find((track) => track.failures > 0);
    const awaited = ready.filter(isAwaited);
    const inTurn = awaited.length > 0 ? awaited : ready.sort((a, b) => a.lookedMs - b.lookedMs);
    const claimed = failed === undefined ? inTurn.slice(0, share) : [failed];
    for (const track of claimed) track.busy = true;
    return claimed;
  }

  #hasWork(track: Track, nowMs: number): boolean {
    const { cursor, partition } = track;
    if (cursor === null || partition.seqSeen > cursor.seq) return true;
    return nowMs - track.lookedMs >= LOOK_EVERY_MS;
  }

  /** Returns for how long to rest afterwards: not at all where more is there already, or where it failed. */
  async #flushTogether(tracks: readonly Track[]): Promise<number> {
    const startedMs = performance.now();
    try {
      await this.#readCursors(tracks);
      for (const track of tracks) track.lookedMs = performance.now();
      const reply = await this.thread.flush(tracks.map(placeOf));
      if ('failed' in reply) {
        this.#failed(tracks, reply.failed);
        return 0;
      }
      const { done } = reply;
      const durationMs = performance.now() - startedMs;
      if (done.parts.length > 0) this.#committed(tracks, done, durationMs);
      for (const gap of done.gaps) await this.#onGap(trackOf(tracks, gap.partition), gap.missingSeq);
      await Promise.all(tracks.map((track) => this.#tellProgress(track)));
      for (const track of tracks) {
        track.failures = 0;
        track.unreadable = null;
      }
      const { flushRestMaxMs, flushEntriesMax } = this.options;
      const isBehind = done.parts.some((part) => part.seq - part.afterSeq >= flushEntriesMax);
      return isBehind || done.parts.length === 0
        ? 0
        : Math.min(flushRestMaxMs, REST_PER_DURATION * durationMs);
    } catch (error) {
      this.#failed(tracks, {
        reason: 'store',
        message: error instanceof Error ? error.message : String(error),
      });
      return 0;
    }
  }

  async #readCursors(tracks: readonly Track[]): Promise<void> {
    for (const track of tracks) {
      if (track.cursor !== null && track.cursor.epoch !== track.partition.epoch) forget(track);
    }
    if (tracks.every((track) => track.cursor !== null)) return;
    const cursors = await readCursors(this.pool);
    for (const track of tracks) {
      if (track.cursor !== null) continue;
      const cursor = cursors.find((c) => c.partition === track.partition.number);
      if (cursor === undefined) throw new Error(`partition ${track.partition.number} has no cursor`);
      if (wentBack(cursor, track.known)) {
        this.#onWentBack(track, cursor);
        throw new Error(`Postgres went back to seq ${cursor.seq} of partition ${cursor.partition}`);
      }
      if (cursor.epoch !== track.partition.epoch) {
        track.partition.doubt(`Postgres is at epoch ${cursor.epoch}`);
        throw new Error(`partition ${cursor.partition} is in epoch ${track.partition.epoch} no more`);
      }
      readAt(track, cursor);
      this.watermarks.advance(cursor.partition, cursor.epoch, cursor.seq);
    }
  }

  /**
   * The journal does not go on after the cursor. Another sidecar may have flushed and trimmed since the cursor was read here (a lease
   * runs out while a process stands still); if Postgres has not moved, entries are lost.
   */
  async #onGap(track: Track, missingSeq: number): Promise<void> {
    const { partition, known } = track;
    const cursor = (await readCursors(this.pool)).find((c) => c.partition === partition.number);
    if (cursor !== undefined && wentBack(cursor, known)) {
      this.#onWentBack(track, cursor);
    } else if (cursor !== undefined && (cursor.epoch !== known?.epoch || cursor.seq !== known.seq)) {
      readAt(track, cursor);
      this.watermarks.advance(cursor.partition, cursor.epoch, cursor.seq);
    } else {
      partition.doubt(`the journal has no record for seq ${missingSeq}, which Postgres needs next`);
    }
  }

  #committed(
    tracks: readonly Track[],
    { parts, rows, expiredUnits, renewals, duplicates }: FlushSummary,
    durationMs: number,
  ): void {
    const nowMs = Date.now();
    const { metrics } = this;
    let entries = 0;
    for (const part of parts) {
      const track = trackOf(tracks, part.partition);
      const { partition, tail } = track;
      moveTo(track, part);
      partition.saw(part.epoch, part.seq, part.lastBookedMs);
      this.watermarks.advance(part.partition, part.epoch, part.seq);
      partition.durableThrough(part.seq, part.lastBookedMs);
      tail.committed(part.record.seq);
      track.lastBookedMs = part.lastBookedMs;
      entries += part.seq - part.afterSeq;
      metrics.durableLagSeconds.observe(Math.max(0, nowMs - part.firstBookedMs) / 1000);
    }
    metrics.flushSeconds.observe(durationMs / 1000);
    metrics.flushEntries.observe(entries);
    for (const [table, count] of Object.entries(rows)) metrics.flushRows.inc({ table }, count);
    for (const [unit, count] of Object.entries(expiredUnits)) metrics.lotUnitsExpired.inc({ unit }, count);
    for (const [outcome, count] of Object.entries(renewals)) metrics.agentRenewals.inc({ outcome }, count);
    if (duplicates > 0) {
      metrics.flushFallbacks.inc();
      metrics.duplicates.inc({ caught_by: 'postgres' }, duplicates);
      this.logger.warn({ duplicates }, 'charges that only Postgres saw were made twice; they are reversed');
    }
  }

  /** Tells Redis through what it is durable, and which records no repair needs any more. */
  async #tellProgress(track: Track): Promise<void> {
    const { cursor, partition, tail } = track;
    const nowMs = performance.now();
    if (cursor === null || !partition.isOpen || nowMs - track.progressToldMs < PROGRESS_EVERY_MS) return;
    track.progressToldMs = nowMs;
    const reply = await this.scripts.durable(partition.fenceArguments(), {
      seq: cursor.seq,
      bytes: cursor.bytes,
      bookedMs: track.lastBookedMs,
      keepFromSeq: tail.takeTrimmed(cursor.record?.seq ?? 0),
    });
    // A clock that is off stops no flush: Redis is told when it is right again.
    if (reply.status === 'SKEW') return;
    if (reply.status !== 'OK') throw partition.refused(reply);
    this.metrics.journalTrimmed.inc(reply.trimmed);
    partition.progress = reply;
    partition.pendingBytes = reply.pendingBytes;
  }

  #failed(tracks: readonly Track[], { reason, message }: FlushFailure): void {
    this.metrics.flushRetries.inc({ reason });
    // Of several partitions it is not known which one: each is tried alone.
    const isUnreadable = reason === 'unreadable' && tracks.length === 1;
    if (isUnreadable) this.metrics.flushFailures.inc({ reason });
    this.logger[isUnreadable ? 'error' : 'warn'](
      { partitions: tracks.map((t) => t.partition.number), reason: message },
      'flush failed; it will be tried again',
    );
    for (const track of tracks) {
      track.unreadable = isUnreadable ? message : null;
      // A commit without an answer may have happened: the cursor tells.
      track.cursor = null;
      track.failures += 1;
      const waitMs = Math.min(
        this.options.flushRetryMaxMs,
        RETRY_FIRST_MS * 2 ** Math.min(track.failures, 10),
      );
      track.notBeforeMs = performance.now() + waitMs * (0.5 + Math.random() / 2);
    }
  }
}
