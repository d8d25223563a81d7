/** What the sidecar's thread and the flush thread say to each other. */

/** How the flush thread works, for as long as it lives. */
export interface FlushThreadOptions {
  readonly redisUrl: string;
  readonly redisConnectTimeoutMs: number;
  readonly redisCommandTimeoutMs: number;
  readonly postgresUrl: string;
  readonly postgresConnectTimeoutMs: number;
  readonly postgresStatementTimeoutMs: number;
  /** A transaction in which a flush says nothing for so long is ended by Postgres, for whoever has its leases then. */
  readonly leaseMs: number;
  /** Flushes in progress at once, each on a connection of its own. */
  readonly flushConnections: number;
  /** About how many entries of a partition a flush takes. */
  readonly flushEntriesMax: number;
  readonly logLevel: string;
}

/** What follows a partition's cursor is to be made durable. */
export interface PartPlace {
  readonly partition: number;
  readonly journalKey: string;
  readonly epoch: number;
  readonly afterSeq: number;
  /** The record that holds the entry at the cursor, by its first seq and hash; null before the first flush of an epoch. */
  readonly record: { readonly seq: number; readonly hash: Uint8Array } | null;
  /** Of the Redis that was verified: records of another one are not flushed. */
  readonly runId: string;
}

/** What a place says of the record at a cursor. */
export function recordAt({
  recordSeq,
  recordHash,
}: {
  readonly recordSeq: number | null;
  readonly recordHash: Uint8Array | null;
}): PartPlace['record'] {
  return recordSeq === null || recordHash === null ? null : { seq: recordSeq, hash: recordHash };
}

/** A partition's part of a committed flush. */
export interface FlushedPart {
  readonly partition: number;
  readonly epoch: number;
  readonly afterSeq: number;
  /** The cursor now: last seq, and bytes of the journal through it. */
  readonly seq: number;
  readonly bytes: number;
  /** The last record: its first seq and hash, and when it and the flush's first one were booked. */
  readonly record: { readonly seq: number; readonly hash: Uint8Array };
  readonly lastBookedMs: number;
  readonly firstBookedMs: number;
}

export interface FlushSummary {
  readonly parts: readonly FlushedPart[];
  /** Partitions whose journal does not go on after their cursor: it has other records at it, or lacks them. */
  readonly gaps: readonly { readonly partition: number; readonly missingSeq: number }[];
  /** Rows written, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** What lots lost because their time came, by unit. */
  readonly expiredUnits: Readonly<Record<string, number>>;
  /** Renewals of agents, by what became of them. */
  readonly renewals: Readonly<Record<string, number>>;
  /** Charges that only Postgres saw were made before. */
  readonly duplicates: number;
}

export interface FlushFailure {
  /** unreadable: a record of a format that this version does not know, or a damaged one. */
  readonly reason: 'cursor_moved' | 'store' | 'unreadable';
  readonly message: string;
}

export type FlushReply = { readonly done: FlushSummary } | { readonly failed: FlushFailure };
