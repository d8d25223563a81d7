import type { RedisConnection } from '../redis/connection.js';
import { hashOf, type JournalRange, type RawRecord, readRawJournal, recordHead } from '../redis/journal.js';
import type { FlushPart } from './flush-batch.js';
import type { PartPlace } from './flush-protocol.js';

/** Records asked for in the first read of a flush: under load each is a batch of some hundred, and these are one flush. */
const RECORDS_FIRST_READ = 8;
/** And in the next ones, when the first were small. */
const RECORDS_PER_READ_MAX = 256;

/** How many records make up what is missing, if they are as large as those that were read. */
function recordsFor(entriesMax: number, entries: number, records: number): number {
  if (entries === 0) return RECORDS_FIRST_READ;
  const missing = Math.ceil(((entriesMax - entries) * records) / entries);
  return Math.max(1, Math.min(RECORDS_PER_READ_MAX, missing));
}

/**
 * Records of a partition after its cursor, without a gap, of about `entriesMax` entries; null where there are none. Where the journal does
 * not go on after the cursor: the seq that is missing. The record at the cursor is read again before them, because a journal that forked before it
 * may go on after it, too.
 */
export async function readPart(
  connection: RedisConnection,
  { partition, journalKey, epoch, afterSeq, record: known }: PartPlace,
  entriesMax: number,
): Promise<FlushPart | { readonly partition: number; readonly missingSeq: number } | null> {
  const records: RawRecord[] = [];
  let lastSeq = afterSeq;
  let from: JournalRange['from'] = { seq: known?.seq ?? lastSeq + 1 };
  let recordsMax = RECORDS_FIRST_READ;
  let atCursor = known;
  let more = true;
  while (more && lastSeq - afterSeq < entriesMax) {
    const read = await readRawJournal(connection, journalKey, { epoch, from, recordsMax });
    for (const record of read) {
      if (atCursor !== null) {
        if (!isRecordAtCursor(record, atCursor)) return { partition, missingSeq: afterSeq + 1 };
        from = { afterRecordSeq: atCursor.seq };
        atCursor = null;
        continue;
      }
      const head = recordHead(record);
      if (head.firstSeq !== lastSeq + 1) {
        if (records.length === 0) return { partition, missingSeq: lastSeq + 1 };
        // What stands before a gap is sound; the next read begins with the gap.
        return { partition, epoch, afterSeq, records };
      }
      records.push(record);
      lastSeq = head.lastSeq;
      from = { afterRecordSeq: head.firstSeq };
      if (lastSeq - afterSeq >= entriesMax) break;
    }
    more = read.length === recordsMax;
    recordsMax = recordsFor(entriesMax, lastSeq - afterSeq, records.length);
  }
  if (atCursor !== null) return { partition, missingSeq: afterSeq + 1 };
  return records.length === 0 ? null : { partition, epoch, afterSeq, records };
}

function isRecordAtCursor(record: RawRecord, known: NonNullable<PartPlace['record']>): boolean {
  return recordHead(record).firstSeq === known.seq && hashOf(record).equals(known.hash);
}
