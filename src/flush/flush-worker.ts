/** The flush thread: reads journals, encodes lines and writes them to Postgres, so that the thread that serves only serves. See flush-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import { EntryEncoder } from '../postgres/entry-row.js';
import { FLUSH_APPLICATION } from '../postgres/partitions.js';
import { createPool } from '../postgres/pool.js';
import { RedisConnection } from '../redis/connection.js';
import { UnreadableRecord } from '../redis/journal.js';
import { CursorMoved, type FlushResult, flush } from './flush.js';
import type { FlushPart } from './flush-batch.js';
import type {
  FlushFailure,
  FlushReply,
  FlushSummary,
  FlushThreadOptions,
  PartPlace,
} from './flush-protocol.js';
import { readPart } from './read-part.js';

const options = workerData as FlushThreadOptions;
const logger = pino({ level: options.logLevel });
const pool = createPool({
  url: options.postgresUrl,
  connectTimeoutMs: options.postgresConnectTimeoutMs,
  connectionsMax: options.flushConnections,
  statementTimeoutMs: options.postgresStatementTimeoutMs,
  applicationName: FLUSH_APPLICATION,
  transactionIdleMs: options.leaseMs,
  logger,
});
const connection = new RedisConnection({
  url: options.redisUrl,
  connectTimeoutMs: options.redisConnectTimeoutMs,
  commandTimeoutMs: options.redisCommandTimeoutMs,
  logger,
});
/** Encoders that no flush uses. */
const encoders: EntryEncoder[] = [];
/** Months whose partitions of the ledger exist; forgotten after a failure, because one may have been detached. */
const knownMonths = new Set<number>();

async function write(places: readonly PartPlace[]): Promise<FlushSummary> {
  if (!isRunIdOf(places)) await connection.identify();
  checkRunId(places);
  const read = await Promise.all(places.map((place) => readPart(connection, place, options.flushEntriesMax)));
  checkRunId(places);
  const parts: FlushPart[] = [];
  const gaps: { partition: number; missingSeq: number }[] = [];
  for (const part of read) {
    if (part === null) continue;
    if ('missingSeq' in part) gaps.push(part);
    else parts.push(part);
  }
  if (parts.length === 0) return { parts: [], gaps, rows: {}, expiredUnits: {}, renewals: {}, duplicates: 0 };
  const encoder = encoders.pop() ?? new EntryEncoder();
  try {
    const timeoutMs = options.postgresStatementTimeoutMs;
    return { ...summaryOf(await flush(pool, parts, encoder, { knownMonths, timeoutMs })), gaps };
  } finally {
    encoders.push(encoder);
  }
}

function isRunIdOf(places: readonly PartPlace[]): boolean {
  return places.every(({ runId }) => runId === connection.runId);
}

function checkRunId(places: readonly PartPlace[]): void {
  if (!isRunIdOf(places)) throw new Error('the flush thread is not connected to the Redis that was verified');
}

function summaryOf({ cursors, prepared, duplicates }: FlushResult): Omit<FlushSummary, 'gaps'> {
  const { accounts, wallets, lots, holds, ended } = prepared.changes;
  return {
    parts: prepared.parts.map((part, i) => ({
      partition: part.partition,
      epoch: part.epoch,
      afterSeq: part.afterSeq,
      seq: part.lastSeq,
      bytes: (cursors[i] as { bytes: number }).bytes,
      record: { seq: part.last.firstSeq, hash: part.last.hash },
      lastBookedMs: part.last.bookedTimeMs,
      firstBookedMs: part.firstBookedMs,
    })),
    rows: {
      entries: prepared.lines,
      accounts: accounts.length,
      wallets: wallets.length,
      lots: lots.length,
      holds: holds.length + ended.length,
    },
    expiredUnits: prepared.expiredUnits,
    renewals: prepared.renewals,
    duplicates,
  };
}

async function answer(places: readonly PartPlace[]): Promise<FlushReply> {
  try {
    return { done: await write(places) };
  } catch (error) {
    knownMonths.clear();
    const message = error instanceof Error ? error.message : String(error);
    return { failed: { reason: reasonOf(error), message } };
  }
}

function reasonOf(error: unknown): FlushFailure['reason'] {
  if (error instanceof UnreadableRecord) return 'unreadable';
  return error instanceof CursorMoved ? 'cursor_moved' : 'store';
}

// Flushes wait for it. What fails here is said by those that find no connection; it connects by itself later.
await connection.connect().catch((error: unknown) => logger.warn({ reason: String(error) }, 'flush thread'));
parentPort?.on('message', (message: { id: number; places: readonly PartPlace[] } | 'stop') => {
  if (message === 'stop') {
    parentPort?.close();
    void connection.close();
    void pool.end();
    return;
  }
  void answer(message.places).then((reply) => parentPort?.postMessage({ id: message.id, reply }));
});
