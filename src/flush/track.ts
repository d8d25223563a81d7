import type { Cursor } from '../postgres/partitions.js';
import type { Partition } from '../usage/partition.js';
import { type PartPlace, recordAt } from './flush-protocol.js';
import type { JournalTail } from './journal-tail.js';

/** Through where a partition is durable. */
type Reached = Pick<Cursor, 'epoch' | 'seq' | 'bytes'> & Pick<PartPlace, 'record'>;

/** What a flusher knows of one partition. Times without another word are monotonic: a corrected clock stops no flush. */
export interface Track {
  readonly partition: Partition;
  /** Null: read it from Postgres before the next flush. */
  cursor: Reached | null;
  /** The last cursor that was read or committed, also after a failure. */
  known: Pick<Cursor, 'epoch' | 'seq'> | null;
  /** Somebody waits until the partition is durable through this seq. */
  awaitedSeq: number;
  owned: boolean;
  busy: boolean;
  /** Not before this time, after a failure. */
  notBeforeMs: number;
  failures: number;
  /** Why its journal cannot be flushed, though both stores answer; null: it can. */
  unreadable: string | null;
  /** When the last entry of the last flush was booked, by Redis' clock; 0: unknown. */
  lastBookedMs: number;
  readonly tail: JournalTail;
  progressToldMs: number;
  lookedMs: number;
}

export function placeOf({ partition, cursor }: Track): PartPlace {
  const { epoch, seq, record } = cursor as Reached;
  const { runId } = partition.fenceArguments();
  return { partition: partition.number, journalKey: partition.keys[7], epoch, afterSeq: seq, record, runId };
}

export function trackOf(tracks: readonly Track[], partition: number): Track {
  return tracks.find((track) => track.partition.number === partition) as Track;
}

/** What is known of an epoch that is over. */
export function forget(track: Track): void {
  track.cursor = null;
  track.known = null;
  track.awaitedSeq = 0;
  track.lastBookedMs = 0;
  track.tail.forget();
}

export function moveTo(track: Track, reached: Reached): void {
  track.cursor = reached;
  track.known = reached;
}

export function readAt(track: Track, cursor: Cursor): void {
  moveTo(track, { ...cursor, record: recordAt(cursor) });
}

/** Postgres has less than it had, as a standby that was promoted without its last transactions. */
export function wentBack({ epoch, seq }: Cursor, known: Track['known']): boolean {
  return known !== null && (epoch < known.epoch || (epoch === known.epoch && seq < known.seq));
}

export function isAwaited({ owned, cursor, awaitedSeq }: Track): boolean {
  return owned && cursor !== null && awaitedSeq > cursor.seq;
}
