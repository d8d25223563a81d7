import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from '../ledger/finding.js';
import type { Pool } from '../postgres/pool.js';
import {
  readEpochs,
  readVerifiedCursors,
  type VerifiedCursor,
  type VerifiedEpoch,
} from '../postgres/verify.js';
import type { RedisConnection } from '../redis/connection.js';
import { FORMAT } from '../redis/format.js';
import { readJournal } from '../redis/journal.js';
import type { PartitionKeys } from '../redis/keys.js';
import { type Meta, readMeta } from '../redis/meta.js';

/** Records read at once. */
const RECORDS_PER_READ_MAX = 100;
/** The flusher may move on and trim what is being read; then it is read again from where it stands. */
const ATTEMPTS_MAX = 5;
/** Longer than an epoch takes to be ended and begun. */
const REBUILD_PAUSE_MS = 500;

export interface JournalContext {
  readonly pool: Pool;
  readonly connection: RedisConnection;
  readonly installation: string;
  readonly report: Report;
}

/** Does Redis go on where Postgres stands? Returns false where the partition has no keys in Redis that serve. */
export async function verifyJournal(
  context: JournalContext,
  keys: PartitionKeys,
  cursor: VerifiedCursor,
): Promise<boolean> {
  const { partition } = cursor;
  let places = await readPlaces(context, keys, partition);
  // An epoch that is being ended and followed by the next one contradicts itself for a moment.
  if (contradictionsOf(context, places).length > 0) {
    await sleep(REBUILD_PAUSE_MS);
    places = await readPlaces(context, keys, partition);
  }
  for (const finding of contradictionsOf(context, places))
    context.report({ check: 'journal', partition, epoch: cursor.epoch, ...finding });
  const { meta, now } = places;
  if (meta === null || meta.isSealed) return false;
  // Where another epoch began since the snapshot, it is the one to look at.
  const at = cursor.epoch === meta.epoch ? cursor : now;
  if (at !== undefined && meta.epoch === at.epoch && meta.seq >= at.seq)
    await verifyRecords(context, keys, at, meta);
  return cursor.epoch === meta.epoch || now?.epoch !== meta.epoch;
}

/** What Redis says of a partition, and Postgres before and after that. */
interface Places {
  readonly before: VerifiedCursor | undefined;
  readonly meta: Meta | null;
  readonly now: VerifiedCursor | undefined;
  readonly epoch: VerifiedEpoch | undefined;
}

async function readPlaces(
  { pool, connection }: JournalContext,
  keys: PartitionKeys,
  partition: number,
): Promise<Places> {
  const cursor = async () => (await readVerifiedCursors(pool)).find((one) => one.partition === partition);
  const before = await cursor();
  const meta = await readMeta(connection, keys);
  const now = await cursor();
  const epoch = (await readEpochs(pool)).find(
    (one) => one.partition === partition && one.epoch === now?.epoch,
  );
  return { before, meta, now, epoch };
}

function contradictionsOf(
  { installation }: JournalContext,
  { before, meta, now, epoch }: Places,
): { seq: number; message: string }[] {
  if (before === undefined || now === undefined) return [];
  if (meta === null) {
    const message = 'Redis has lost its keys, Postgres knows entries';
    return before.seq > 0 ? [{ seq: before.seq, message }] : [];
  }
  // Whoever opens it next goes on from here.
  if (meta.isSealed) return [];
  const { seq } = meta;
  const found: { seq: number; message: string }[] = [];
  if (meta.format !== FORMAT)
    found.push({ seq, message: `Redis holds format ${meta.format}, this version knows ${FORMAT}` });
  if (meta.installation !== installation) {
    const message = `Redis belongs to installation ${meta.installation}, Postgres to ${installation}`;
    found.push({ seq, message });
  }
  if (meta.epoch !== now.epoch)
    found.push({ seq, message: `Redis is at epoch ${meta.epoch}, Postgres at ${now.epoch}` });
  else if (epoch !== undefined && epoch.token !== null && epoch.token !== meta.token)
    found.push({ seq, message: `Redis holds other keys of epoch ${meta.epoch} than Postgres admitted` });
  // Not the later cursor: entries may have been made and flushed since Redis was read.
  if (meta.seq < before.seq)
    found.push({ seq, message: `Redis is at seq ${meta.seq}, Postgres has ${before.seq}` });
  if (now.epoch === meta.epoch && meta.durableSeq > now.seq) {
    const message = `Redis was told that seq ${meta.durableSeq} is durable, Postgres has ${now.seq}`;
    found.push({ seq: meta.durableSeq, message });
  }
  return found;
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
