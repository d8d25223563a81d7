/** What the sidecar's thread and the flush thread say to each other. */

/** How the flush thread works, for as long as it lives. */
export interface FlushThreadOptions {
  readonly redisUrl: string;
  readonly redisConnectTimeoutMs: number;
  readonly redisCommandTimeoutMs: number;
  readonly postgresUrl: string;
  readonly postgresConnectTimeoutMs: number;
  readonly postgresStatementTimeoutMs: number;
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
  /** Of the Redis that was verified: records of another one are not flushed. */
  readonly runId: string;
}

/** A partition's part of a committed flush. */
export interface FlushedPart {
  readonly partition: number;
  readonly epoch: number;
  readonly afterSeq: number;
  /** The cursor now: last seq, and bytes of the journal through it. */
  readonly seq: number;
  readonly bytes: number;
  /** The last record: its first seq, and when it and the flush's first one were booked. */
  readonly lastRecordSeq: number;
  readonly lastBookedMs: number;
  readonly firstBookedMs: number;
}

export interface FlushSummary {
  readonly parts: readonly FlushedPart[];
  /** Partitions whose journal does not go on after their cursor. */
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
