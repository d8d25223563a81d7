/** What a flush writes about holds that several journal records changed. */
import { describe, expect, it } from 'vitest';
import { StateChanges } from '../../src/flush/state-changes.js';
import type { AccountState } from '../../src/redis/format.js';
import { packBegunHold } from '../../src/redis/hold-format.js';
import type { JournalRecord } from '../../src/redis/journal.js';

const account = { key: 7, wallets: [], lotsMade: 0 } as unknown as AccountState;

/** A record that leaves one hold like this: begun by operation `begunBy`, or ended (null). */
function record(firstSeq: number, begunBy: number | null): JournalRecord {
  const said = Buffer.from(`${'\x01'.repeat(17)}agent\0llm\0model\0{}\0`);
  const opened = { holdTimeMs: 3, charge: 5, said };
  const held = { seq: begunBy ?? 0, accountKey: 7, unit: 1, amount: 8, lot: 1, nowMs: 10 };
  const packed = (): Buffer => packBegunHold(opened, held);
  const hold = { accountId: 'acme', holdId: 'h', beganSeq: held.seq, packed };
  const rest = { entries: [], subscriptions: [], batch: { accountIds: ['acme'] } };
  return { ...rest, firstSeq, accounts: [[0, account]], holds: [hold] } as unknown as JournalRecord;
}

function flushed(...records: JournalRecord[]): { put: number; deleted: string[] } {
  const changes = new StateChanges();
  for (const one of records) changes.add(one, 0);
  const { holds, ended } = changes.rows();
  return { put: holds.length, deleted: ended.map(({ holdId }) => holdId) };
}

describe('a hold', () => {
  it('that began and ended in a flush is not written at all', () => {
    expect(flushed(record(10, 10), record(12, null))).toEqual({ put: 0, deleted: [] });
    expect(flushed(record(10, 11), record(13, 11), record(15, null))).toEqual({ put: 0, deleted: [] });
  });

  it('of an earlier flush is deleted when it ends, also where it grew in the same flush', () => {
    expect(flushed(record(10, null))).toEqual({ put: 0, deleted: ['h'] });
    expect(flushed(record(10, 9), record(12, null))).toEqual({ put: 0, deleted: ['h'] });
  });

  it('that is open at the end is written once', () => {
    expect(flushed(record(10, 10), record(12, 10))).toEqual({ put: 1, deleted: [] });
  });
});
