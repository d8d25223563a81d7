import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/ledger/finding.js';
import {
  FlushAudit,
  type FlushPlace,
  type StoredCursor,
  type StoredEpoch,
  type StoredFlush,
} from '../../src/ledger/flush-audit.js';

const sha = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

/** Flushes of two lines each over 30 seqs, chained as docs and migration say; the third is of epoch 2. */
function history(): {
  flushes: StoredFlush[];
  rows: Map<number, Buffer>;
  epochs: StoredEpoch[];
  cursor: StoredCursor;
} {
  const rows = new Map([1, 5, 11, 15, 21, 30].map((seq) => [seq, Buffer.from(`row ${seq}`)]));
  let chain = Buffer.alloc(32);
  const flushes = [1, 11, 21].map((fromSeq): StoredFlush => {
    const toSeq = fromSeq + 9;
    const own = [...rows].filter(([seq]) => seq >= fromSeq && seq <= toSeq).map(([, row]) => row);
    const rawHash = sha(Buffer.from(`raw ${fromSeq}`));
    const rowsHash = sha(...own);
    chain = sha(chain, rawHash, rowsHash) as Buffer<ArrayBuffer>;
    return {
      partition: 0,
      epoch: fromSeq === 21 ? 2 : 1,
      fromSeq,
      toSeq,
      lines: 2,
      rawHash,
      rowsHash,
      chain,
    };
  });
  const epochs = [
    { partition: 0, epoch: 1, afterSeq: 0, lastSeq: 20, isClosed: true },
    { partition: 0, epoch: 2, afterSeq: 20, lastSeq: null, isClosed: false },
  ];
  return { flushes, rows, epochs, cursor: { partition: 0, epoch: 2, seq: 30, recordSeq: 25, chain } };
}

type History = ReturnType<typeof history>;

function audit(change: (history: History) => void): string[] {
  const changed = history();
  change(changed);
  const found: Finding[] = [];
  const audited = new FlushAudit(0, changed.epochs, (finding) => found.push(finding));
  const left = [...changed.rows];
  for (const flush of changed.flushes) {
    while ((left[0]?.[0] ?? Number.POSITIVE_INFINITY) < flush.fromSeq)
      audited.stray(left.shift()?.[0] as number);
    audited.begin(flush);
    while ((left[0]?.[0] ?? Number.POSITIVE_INFINITY) <= flush.toSeq) {
      const [seq, row] = left.shift() as [number, Buffer];
      audited.line({ epoch: flush.epoch, seq }, row);
    }
    audited.end();
  }
  for (const [seq] of left) audited.stray(seq);
  audited.finish(changed.cursor);
  return found.map(({ seq, message }) => `${seq}: ${message}`);
}

function second(changed: History, more: Partial<StoredFlush>): void {
  changed.flushes[1] = { ...(changed.flushes[1] as StoredFlush), ...more };
}

describe('the flushes of a partition', () => {
  it('are sound over epochs', () => {
    expect(audit(() => undefined)).toEqual([]);
  });

  it('are followed on from where another audit ended, to the same findings', () => {
    const { flushes, rows, epochs, cursor } = history();
    rows.set(25, Buffer.from('in none of them'));
    const found: Finding[] = [];
    let place: FlushPlace | null = null;
    for (const flush of flushes) {
      const audit = new FlushAudit(0, epochs, (one) => found.push(one), place);
      audit.begin(flush);
      for (const [seq, row] of rows) {
        if (seq >= flush.fromSeq && seq <= flush.toSeq && seq !== 25)
          audit.line({ epoch: flush.epoch, seq }, row);
      }
      audit.end();
      if (flush.fromSeq === 21) audit.stray(25);
      place = audit.place;
    }
    expect(found).toEqual([]);
    new FlushAudit(0, epochs, (one) => found.push(one), place).finish(cursor);
    expect(found.map(({ message }) => message)).toEqual(['1 lines in no flush, the first at seq 25']);
  });

  it('of a partition that was never used are none', () => {
    const found: Finding[] = [];
    const fresh = new FlushAudit(
      3,
      [{ partition: 3, epoch: 1, afterSeq: 0, lastSeq: null, isClosed: false }],
      (one) => found.push(one),
    );
    fresh.finish({ partition: 3, epoch: 1, seq: 0, recordSeq: null, chain: Buffer.alloc(32) });
    expect(found).toEqual([]);
  });

  it.each<[what: string, change: (changed: History) => void, says: string[]]>([
    [
      'a lost flush',
      (h) => h.flushes.splice(1, 1),
      ['21: seq 11 to 20 is in no flush', '11: 2 lines in no flush, the first at seq 11'],
    ],
    [
      'the last flush lost',
      (h) => h.flushes.pop(),
      [
        '21: 2 lines in no flush, the first at seq 21',
        '30: the cursor is at seq 30, the last flush ends at 20',
        "30: the cursor's chain is not that of the last flush",
      ],
    ],
    ['a lost line', (h) => h.rows.delete(15), ['11: the flush of seq 11 to 20 wrote 2 lines, 1 are there']],
    [
      'a changed line',
      (h) => h.rows.set(15, Buffer.from('x')),
      ['11: the flush of seq 11 to 20 wrote other lines than are there'],
    ],
    [
      'two lines in each other’s place',
      (h) => {
        h.rows.set(11, Buffer.from('row 15'));
        h.rows.set(15, Buffer.from('row 11'));
      },
      ['11: the flush of seq 11 to 20 wrote other lines than are there'],
    ],
    [
      'a changed hash of the raw records',
      (h) => second(h, { rawHash: Buffer.alloc(32) }),
      ['11: the flush of seq 11 to 20 does not continue the chain'],
    ],
    [
      'a changed hash of the lines',
      (h) => second(h, { rowsHash: Buffer.alloc(32) }),
      [
        '11: the flush of seq 11 to 20 does not continue the chain',
        '11: the flush of seq 11 to 20 wrote other lines than are there',
      ],
    ],
    [
      'a changed chain',
      (h) => second(h, { chain: Buffer.alloc(32) }),
      [
        '11: the flush of seq 11 to 20 does not continue the chain',
        '21: the flush of seq 21 to 30 does not continue the chain',
      ],
    ],
    ['flushes that overlap', (h) => second(h, { fromSeq: 9 }), ['9: seq 9 to 10 is in two flushes']],
    [
      'a flush of an epoch that is not there',
      (h) => second(h, { epoch: 7 }),
      ['11: a flush of epoch 7, which is not there', '21: a flush of epoch 2 after one of epoch 7'],
    ],
    [
      'a flush beyond the end of its epoch',
      (h) => {
        h.epochs[0] = { ...(h.epochs[0] as StoredEpoch), lastSeq: 19 };
      },
      [
        '20: epoch 1 ended at seq 19, epoch 2 begins after 20',
        '11: a flush of seq 11 to 20 lies outside of epoch 1',
      ],
    ],
    [
      'a flush in the next epoch of what the last one had applied',
      (h) => {
        h.epochs[0] = { ...(h.epochs[0] as StoredEpoch), lastSeq: 10 };
        h.epochs[1] = { ...(h.epochs[1] as StoredEpoch), afterSeq: 10 };
      },
      ['11: a flush of seq 11 to 20 lies outside of epoch 1'],
    ],
    [
      'an epoch that is closed without its last seq',
      (h) => {
        h.epochs[1] = { ...(h.epochs[1] as StoredEpoch), isClosed: true };
      },
      ['20: epoch 2 has no last seq, and is closed'],
    ],
    [
      'the last epoch closed',
      (h) => {
        h.epochs[1] = { ...(h.epochs[1] as StoredEpoch), lastSeq: 30, isClosed: true };
      },
      ['30: epoch 2 is closed, and there is no other'],
    ],
    [
      'an epoch that is not there between two',
      (h) => {
        h.epochs[1] = { ...(h.epochs[1] as StoredEpoch), epoch: 3 };
        h.cursor = { ...h.cursor, epoch: 3 };
      },
      ['20: epoch 3 after epoch 1', '21: a flush of epoch 2, which is not there'],
    ],
    [
      'a cursor in an old epoch',
      (h) => Object.assign(h.cursor, { epoch: 1 }),
      ['30: the cursor is in epoch 1, the last epoch is 2'],
    ],
    [
      'a cursor that went back',
      (h) => Object.assign(h.cursor, { seq: 20 }),
      [
        '20: the cursor is at seq 20, the last flush ends at 30',
        '20: the record at the cursor begins at seq 25',
      ],
    ],
  ])('with %s', (_, change, says) => {
    expect(audit(change)).toEqual(says);
  });
});
