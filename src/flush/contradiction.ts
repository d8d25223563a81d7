import { type OpenEpoch, readOpenEpoch } from '../postgres/epochs.js';
import type { Cursor } from '../postgres/partitions.js';
import type { Pool } from '../postgres/pool.js';
import type { RedisConnection } from '../redis/connection.js';
import { NOBODY } from '../redis/epochs.js';
import { FORMAT } from '../redis/format.js';
import { hashOf, readRawJournal, recordHead } from '../redis/journal.js';
import { type Meta, readMeta } from '../redis/meta.js';
import type { Partition } from '../usage/partition.js';

/** Records read at once while the journal beyond the cursor is looked at. */
const RECORDS_PER_READ_MAX = 100;

/** Why the keys in Redis cannot go on as the epoch that Postgres has open. */
export interface Contradiction {
  readonly kind: 'restarted' | 'lost' | 'went_back' | 'forked' | 'gap' | 'sealed';
  readonly message: string;
}

/** What Postgres and Redis say of a partition; never Redis after an epoch began that Postgres was read before. */
export async function lookAt(
  pool: Pool,
  connection: RedisConnection,
  partition: Partition,
): Promise<{ epoch: OpenEpoch; meta: Meta | null }> {
  const read = async () => {
    const epoch = await openEpochOf(pool, partition);
    return { epoch, meta: await readMeta(connection, partition.keys) };
  };
  const seen = await read();
  // Somebody may have begun an epoch in between.
  return (seen.meta?.epoch ?? 0) > seen.epoch.cursor.epoch ? read() : seen;
}

export async function openEpochOf(pool: Pool, { number }: Partition): Promise<OpenEpoch> {
  const epoch = await readOpenEpoch(pool, number);
  if (epoch === null) throw new Error(`Postgres has no cursor for partition ${number}`);
  return epoch;
}

/** What only people can settle: nothing is changed on either side. Null: nothing is. `acceptLoss`: they have, as far as it can be. */
export function forPeople(
  meta: Meta | null,
  { cursor }: OpenEpoch,
  partition: Partition,
  acceptLoss = false,
): string | null {
  if (meta === null) return null;
  if (meta.format !== FORMAT)
    return `Redis holds data of format ${meta.format}, which this version does not know`;
  if (meta.installation !== partition.fenceArguments().installation)
    return "Redis holds another installation's data";
  if (meta.epoch > cursor.epoch && !acceptLoss)
    return `Postgres went back to epoch ${cursor.epoch}, Redis is at epoch ${meta.epoch}`;
  return null;
}

/** Were more entries told to be durable than Postgres has? Then only a whole journal in Redis repairs it. */
export function toldDurable(meta: Meta | null, { cursor, token }: OpenEpoch): boolean {
  return meta !== null && meta.token === token && meta.epoch === cursor.epoch && meta.durableSeq > cursor.seq;
}

/**
 * Compares what Redis has of a partition with the open epoch in Postgres, and with what this process has seen. Null: the
 * keys are that epoch's, on the server that they serve under (or they serve nobody yet), and lack nothing.
 */
export async function contradictionOf(
  connection: RedisConnection,
  partition: Partition,
  { cursor, token, runId: admittedRunId }: OpenEpoch,
  meta: Meta | null,
  runId: string,
): Promise<Contradiction | null> {
  if (meta === null) return { kind: 'lost', message: 'Redis has lost its keys' };
  if (meta.epoch !== cursor.epoch)
    return { kind: 'went_back', message: `Redis is at epoch ${meta.epoch}, Postgres at ${cursor.epoch}` };
  if (meta.token !== token)
    return { kind: 'lost', message: 'Redis has other keys than those that were admitted' };
  const wrong = await journalContradiction(connection, partition, cursor, meta.seq);
  if (wrong !== null) return wrong;
  if (meta.isSealed) return { kind: 'sealed', message: 'a rebuild began and did not end' };
  // Keys that serve nobody may have lost that they served.
  if ((meta.runId === NOBODY ? admittedRunId : meta.runId) !== runId)
    return { kind: 'restarted', message: 'Redis was restarted' };
  // Under another server the epoch ends anyway; here somebody has put older keys in the place of newer ones.
  if (partition.epoch === cursor.epoch && meta.seq < partition.seqSeen)
    return {
      kind: 'went_back',
      message: `Redis went back to seq ${meta.seq}, ${partition.seqSeen} was acknowledged`,
    };
  return null;
}

/** Does the record at the cursor carry the hash that Postgres stored, and is nothing missing from there through `seq`? */
export async function journalContradiction(
  connection: RedisConnection,
  partition: Partition,
  cursor: Cursor,
  seq: number,
): Promise<Contradiction | null> {
  if (seq < cursor.seq)
    return { kind: 'went_back', message: `Redis went back to seq ${seq}, Postgres has ${cursor.seq}` };
  if (!(await hasRecordAtCursor(connection, partition, cursor)))
    return {
      kind: 'forked',
      message: `the journal's record at the cursor (seq ${cursor.recordSeq}) is not the one that Postgres has`,
    };
  let next = cursor.seq + 1;
  while (next <= seq) {
    const records = await readRawJournal(connection, partition.keys[7], {
      epoch: cursor.epoch,
      from: { seq: next },
      recordsMax: RECORDS_PER_READ_MAX,
    });
    if (records.length === 0) return { kind: 'gap', message: `the journal lacks seq ${next} of ${seq}` };
    for (const record of records) {
      const { firstSeq, lastSeq } = recordHead(record);
      if (firstSeq !== next) return { kind: 'gap', message: `the journal lacks seq ${next}` };
      next = lastSeq + 1;
    }
  }
  // More than that: another sidecar is working.
  return null;
}

/** True also where nothing of the epoch is in the ledger yet: then whatever is there begins with it. */
export async function hasRecordAtCursor(
  connection: RedisConnection,
  partition: Partition,
  { epoch, recordSeq, recordHash }: Cursor,
): Promise<boolean> {
  if (recordSeq === null || recordHash === null) return true;
  const [raw] = await readRawJournal(connection, partition.keys[7], {
    epoch,
    from: { seq: recordSeq },
    recordsMax: 1,
  });
  return raw !== undefined && recordHead(raw).firstSeq === recordSeq && hashOf(raw).equals(recordHash);
}
