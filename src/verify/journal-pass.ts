import type { Report } from '../ledger/finding.js';
import type { Pool } from '../postgres/pool.js';
import { readVerifiedCursors, type VerifiedCursor } from '../postgres/verify.js';
import type { RedisConnection } from '../redis/connection.js';
import { FORMAT } from '../redis/format.js';
import { readJournal } from '../redis/journal.js';
import type { PartitionKeys } from '../redis/keys.js';
import { type Meta, readMeta } from '../redis/meta.js';

/** Records read at once. */
const RECORDS_PER_READ_MAX = 100;
/** The flusher may move on and trim what is being read; then it is read again from where it stands. */
const ATTEMPTS_MAX = 5;

export interface JournalContext {
  readonly pool: Pool;
  readonly connection: RedisConnection;
  readonly installation: string;
  readonly report: Report;
}

/** Does Redis go on where Postgres stands? Returns false where the partition has no keys in Redis. */
export async function verifyJournal(
  context: JournalContext,
  keys: PartitionKeys,
  cursor: VerifiedCursor,
): Promise<boolean> {
  const { partition } = cursor;
  const meta = await readMeta(context.connection, keys);
  const find = (seq: number, message: string): void =>
    context.report({ check: 'journal', partition, epoch: cursor.epoch, seq, message });
  if (meta === null) {
    if (cursor.seq > 0) find(cursor.seq, 'Redis has lost its keys, Postgres knows entries');
    return false;
  }
  const { installation } = context;
  if (meta.format !== FORMAT)
    find(meta.seq, `Redis holds format ${meta.format}, this version knows ${FORMAT}`);
  if (meta.installation !== installation)
    find(meta.seq, `Redis belongs to installation ${meta.installation}, Postgres to ${installation}`);
  if (meta.epoch !== cursor.epoch)
    find(meta.seq, `Redis is at epoch ${meta.epoch}, Postgres at ${cursor.epoch}`);
  if (meta.seq < cursor.seq) find(meta.seq, `Redis is at seq ${meta.seq}, Postgres has ${cursor.seq}`);
  if (meta.epoch === cursor.epoch && meta.seq >= cursor.seq) await verifyRecords(context, keys, cursor, meta);
  const now = (await readVerifiedCursors(context.pool)).find((one) => one.partition === partition);
  if (now !== undefined && now.epoch === meta.epoch && meta.durableSeq > now.seq) {
    find(meta.durableSeq, `Redis was told that seq ${meta.durableSeq} is durable, Postgres has ${now.seq}`);
  }
  return true;
}

/** The record at the cursor is the one that Postgres has, and nothing is missing from there to where Redis was. */
async function verifyRecords(
  { pool, connection, report }: JournalContext,
  keys: PartitionKeys,
  snapshotCursor: VerifiedCursor,
  meta: Meta,
): Promise<void> {
  let cursor: VerifiedCursor | undefined = snapshotCursor;
  const { partition } = cursor;
  let contradiction: { seq: number; message: string } | null = null;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX && cursor !== undefined; attempt++) {
    contradiction = await contradictionAt(connection, keys, cursor, meta.seq);
    if (contradiction === null) return;
    const before: VerifiedCursor = cursor;
    cursor = (await readVerifiedCursors(pool)).find((one) => one.partition === partition);
    // Nobody has moved the cursor, so nobody has trimmed: it is as it looks.
    if (cursor === undefined || cursor.seq === before.seq) break;
  }
  if (contradiction !== null) report({ check: 'journal', partition, epoch: meta.epoch, ...contradiction });
}

async function contradictionAt(
  connection: RedisConnection,
  keys: PartitionKeys,
  cursor: VerifiedCursor,
  throughSeq: number,
): Promise<{ seq: number; message: string } | null> {
  const { epoch } = cursor;
  const read = (fromSeq: number, recordsMax: number) =>
    readJournal(connection, keys[7], { epoch, fromSeq, recordsMax });
  if (cursor.recordSeq !== null) {
    const seq = cursor.recordSeq;
    const [record] = await read(seq, 1);
    if (record === undefined || record.firstSeq !== seq)
      return { seq, message: 'the journal lacks the record at the cursor' };
    if (cursor.recordHash === null || !record.hash.equals(cursor.recordHash)) {
      return { seq, message: "the journal's record at the cursor is not the one that Postgres has" };
    }
  }
  let next = cursor.seq + 1;
  while (next <= throughSeq) {
    const records = await read(next, RECORDS_PER_READ_MAX);
    if (records.length === 0) return { seq: next, message: `the journal lacks seq ${next} to ${throughSeq}` };
    for (const record of records) {
      if (record.firstSeq !== next)
        return { seq: next, message: `the journal lacks seq ${next} to ${record.firstSeq - 1}` };
      next = record.lastSeq + 1;
    }
  }
  return null;
}
