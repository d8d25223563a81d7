import { appendLines, type Line } from './flush/ledger-lines.js';
import type { Pool } from './postgres/pool.js';
import {
  readBooked,
  readSetAside,
  type SetAsidePlace,
  type StoredSetAsideRecord,
} from './postgres/set-aside.js';
import { decodeRecord, UnreadableRecord } from './redis/journal.js';

/** Records read at once; each is a batch of at most some thousand operations. */
const RECORDS_PER_READ_MAX = 20;

/** Where a line or record stood in the journal, and when it was set aside. */
interface Place {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly setAsideTimeMs: number;
}

/** A line that a record would have brought into the ledger. */
export interface SetAsideLine extends Place {
  readonly account: string;
  readonly bookedTimeMs: number;
  readonly eventTimeMs: number;
  readonly kind: string;
  readonly id: string;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Readonly<Record<string, number>>;
  readonly unit: string;
  /** What it would have added to the owner's, negative: taken from it; in its unit. */
  readonly change: number;
  /** A line of this kind and id of the account is there: it was sent again. */
  readonly inLedger: boolean;
}

/** A record that this version cannot read. */
export interface UnreadableSetAside extends Place {
  readonly unreadable: string;
}

/** What records that were set aside would have booked, in order of partition, epoch and seq, in bounded memory. */
export async function* setAsideLines(pool: Pool): AsyncGenerator<SetAsideLine | UnreadableSetAside> {
  for (let after: SetAsidePlace | null = null; ; ) {
    const records: StoredSetAsideRecord[] = await readSetAside(pool, after, RECORDS_PER_READ_MAX);
    for (const record of records) yield* await linesOf(pool, record);
    const last = records.at(-1);
    if (last === undefined || records.length < RECORDS_PER_READ_MAX) return;
    after = last;
  }
}

async function linesOf(
  pool: Pool,
  { partition, epoch, firstSeq, fields, setAsideTimeMs }: StoredSetAsideRecord,
): Promise<(SetAsideLine | UnreadableSetAside)[]> {
  const appended: Line[] = [];
  const accounts: string[] = [];
  try {
    const record = decodeRecord([Buffer.from(`${epoch}-${firstSeq}`), fields]);
    appendLines(record, partition, appended);
    for (const { entry } of appended) accounts.push(record.batch.accountIds[entry.account] as string);
  } catch (error) {
    if (!(error instanceof UnreadableRecord)) throw error;
    return [{ partition, epoch, seq: firstSeq, setAsideTimeMs, unreadable: error.message }];
  }
  const lines = appended.map(({ row }, i) => ({ account: accounts[i] as string, row }));
  const booked = await readBooked(
    pool,
    lines.map(({ account, row: { id, kind } }) => ({ account, id, kind })),
  );
  return lines.map(({ account, row }, i) => ({
    ...{ partition, epoch, seq: row.seq, setAsideTimeMs, account },
    bookedTimeMs: row.bookedTimeMs,
    eventTimeMs: row.eventTimeMs,
    kind: row.kind,
    id: row.id,
    agent: row.agent,
    meter: row.meter,
    model: row.model,
    quantities: JSON.parse(row.quantities) as Record<string, number>,
    unit: row.unit,
    change: row.granted - row.spent - row.expired - row.converted,
    inLedger: booked.has(i),
  }));
}
