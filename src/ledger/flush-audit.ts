import { createHash, type Hash } from 'node:crypto';
import type { Report } from './finding.js';

/** One flush, as Postgres stores it. */
export interface StoredFlush {
  readonly partition: number;
  readonly epoch: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly lines: number;
  readonly rawHash: Buffer;
  readonly rowsHash: Buffer;
  readonly chain: Buffer;
}

export interface StoredEpoch {
  readonly partition: number;
  readonly epoch: number;
  /** Seq of the last entry before the epoch. */
  readonly afterSeq: number;
  /** Null while it is open. */
  readonly lastSeq: number | null;
  /** It has a time at which it was closed. */
  readonly isClosed: boolean;
}

/** How far the flushes of a partition were followed: what another audit needs to go on. */
export interface FlushPlace {
  readonly chain: Buffer;
  readonly epoch: number;
  readonly seq: number;
  /** Lines in no flush so far, and the seq of the first. */
  readonly strays: number;
  readonly firstStray: number;
}

export interface StoredCursor {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly recordSeq: number | null;
  readonly chain: Buffer;
}

/** The chain begins with nothing. */
const FIRST_CHAIN = Buffer.alloc(32);

/**
 * Follows the flushes of one partition in order of seq, with the lines that each wrote: contiguous over all epochs, every line
 * in a flush, hash and chain as they were. It shares no code with the flusher: an audit that computed a wrong hash with the same
 * function would agree with it.
 *
 * Calls: begin(flush), line() for each of its lines, end(); ... ; finish(cursor).
 */
export class FlushAudit {
  #flush: StoredFlush | null = null;
  #chain: Buffer = FIRST_CHAIN;
  #epoch = 0;
  #seq = 0;
  #hash: Hash | null = null;
  #lines = 0;
  #strays = 0;
  #firstStray = 0;

  constructor(
    readonly partition: number,
    private readonly epochs: readonly StoredEpoch[],
    private readonly report: Report,
    /** Null: from the first flush on. Else its begin was audited by another one, which said what is wrong with the epochs. */
    from: FlushPlace | null = null,
  ) {
    this.#seq = epochs[0]?.afterSeq ?? 0;
    if (from === null) this.#auditEpochs();
    else {
      this.#chain = from.chain;
      this.#epoch = from.epoch;
      this.#seq = from.seq;
      this.#strays = from.strays;
      this.#firstStray = from.firstStray;
    }
  }

  /** Call after end(). */
  get place(): FlushPlace {
    return {
      chain: this.#chain,
      epoch: this.#epoch,
      seq: this.#seq,
      strays: this.#strays,
      firstStray: this.#firstStray,
    };
  }

  /** Each epoch begins where the one before ended, and only the last is open. */
  #auditEpochs(): void {
    for (const [i, { epoch, afterSeq, lastSeq, isClosed }] of this.epochs.entries()) {
      const next = this.epochs[i + 1];
      if (isClosed !== (lastSeq !== null))
        this.#find(
          epoch,
          afterSeq,
          `epoch ${epoch} has ${isClosed ? 'no last seq' : 'a last seq'}, and is ${isClosed ? 'closed' : 'open'}`,
        );
      if (next === undefined) {
        if (lastSeq !== null) this.#find(epoch, lastSeq, `epoch ${epoch} is closed, and there is no other`);
        continue;
      }
      if (next.epoch !== epoch + 1)
        this.#find(next.epoch, next.afterSeq, `epoch ${next.epoch} after epoch ${epoch}`);
      if (lastSeq !== next.afterSeq) {
        this.#find(
          epoch,
          next.afterSeq,
          `epoch ${epoch} ended at seq ${lastSeq}, epoch ${next.epoch} begins after ${next.afterSeq}`,
        );
      }
    }
  }

  begin(flush: StoredFlush): void {
    this.#flush = flush;
    this.#hash = createHash('sha256');
    this.#lines = 0;
    const { epoch, fromSeq, toSeq } = flush;
    const known = this.epochs.find((one) => one.epoch === epoch);
    if (known === undefined) this.#find(epoch, fromSeq, `a flush of epoch ${epoch}, which is not there`);
    else if (fromSeq <= known.afterSeq || toSeq > (known.lastSeq ?? Number.POSITIVE_INFINITY)) {
      this.#find(epoch, fromSeq, `a flush of seq ${fromSeq} to ${toSeq} lies outside of epoch ${epoch}`);
    }
    if (epoch < this.#epoch)
      this.#find(epoch, fromSeq, `a flush of epoch ${epoch} after one of epoch ${this.#epoch}`);
    const gap = fromSeq !== this.#seq + 1;
    if (gap) {
      const what = fromSeq > this.#seq + 1 ? 'is in no flush' : 'is in two flushes';
      const [from, to] = [Math.min(this.#seq + 1, fromSeq), Math.max(fromSeq - 1, this.#seq)];
      this.#find(epoch, fromSeq, `seq ${from} to ${to} ${what}`);
    }
    if (toSeq < fromSeq) this.#find(epoch, fromSeq, `a flush of seq ${fromSeq} to ${toSeq}`);
    // After a gap the chain before this flush is not known.
    if (!gap) {
      const chain = createHash('sha256')
        .update(this.#chain)
        .update(flush.rawHash)
        .update(flush.rowsHash)
        .digest();
      if (!chain.equals(flush.chain)) {
        this.#find(epoch, fromSeq, `the flush of seq ${fromSeq} to ${toSeq} does not continue the chain`);
      }
    }
    this.#chain = flush.chain;
    this.#epoch = epoch;
    this.#seq = Math.max(this.#seq, toSeq);
  }

  /** A line of the flush that was begun. */
  line(line: { readonly epoch: number; readonly seq: number }, row: Buffer): void {
    this.#hash?.update(row);
    this.#lines += 1;
    if (line.epoch !== this.#flush?.epoch) {
      this.#find(
        line.epoch,
        line.seq,
        `a line of epoch ${line.epoch} in a flush of epoch ${this.#flush?.epoch}`,
      );
    }
  }

  end(): void {
    const flush = this.#flush;
    const hash = this.#hash;
    this.#flush = null;
    this.#hash = null;
    if (flush === null || hash === null) return;
    const { epoch, fromSeq, toSeq, lines } = flush;
    const range = `the flush of seq ${fromSeq} to ${toSeq}`;
    if (this.#lines !== lines) {
      this.#find(epoch, fromSeq, `${range} wrote ${lines} lines, ${this.#lines} are there`);
    } else if (!hash.digest().equals(flush.rowsHash)) {
      this.#find(epoch, fromSeq, `${range} wrote other lines than are there`);
    }
  }

  /** A line that no flush covers. They are counted and reported together. */
  stray(seq: number): void {
    if (this.#strays === 0) this.#firstStray = seq;
    this.#strays += 1;
  }

  finish(cursor: StoredCursor): void {
    this.end();
    if (this.#strays > 0) {
      this.#find(
        cursor.epoch,
        this.#firstStray,
        `${this.#strays} lines in no flush, the first at seq ${this.#firstStray}`,
      );
    }
    const { epoch, seq, recordSeq, chain } = cursor;
    const last = this.epochs.at(-1);
    if (last === undefined || last.epoch !== epoch) {
      this.#find(epoch, seq, `the cursor is in epoch ${epoch}, the last epoch is ${last?.epoch ?? 'none'}`);
    }
    const through = Math.max(this.#seq, last?.afterSeq ?? 0);
    if (seq !== through)
      this.#find(epoch, seq, `the cursor is at seq ${seq}, the last flush ends at ${through}`);
    if (!chain.equals(this.#chain))
      this.#find(epoch, seq, "the cursor's chain is not that of the last flush");
    if (recordSeq !== null && recordSeq > seq)
      this.#find(epoch, seq, `the record at the cursor begins at seq ${recordSeq}`);
  }

  #find(epoch: number, seq: number, message: string): void {
    this.report({ check: 'flushes', message, partition: this.partition, epoch, seq });
  }
}
