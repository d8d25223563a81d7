/**
 * The records of one partition's journal that a repair of Postgres may need, by flushes: a standby that is promoted may lack the last transactions.
 * Times are monotonic.
 */
export class JournalTail {
  /** The last record of each flush and when it was committed, oldest first. */
  readonly #flushes: { readonly recordSeq: number; readonly committedMs: number }[] = [];
  #confirmedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly journalTailMs: number) {}

  committed(recordSeq: number): void {
    this.#flushes.push({ recordSeq, committedMs: performance.now() });
  }

  /** Postgres had all that was known to be durable, when it was asked at this time. */
  confirmed(askedMs: number): void {
    this.#confirmedMs = askedMs;
  }

  forget(): void {
    this.#flushes.length = 0;
  }

  /**
   * Takes away what no repair needs any more; returns the first seq that stays (0: all do). That is what has been in Postgres for journalTailMs, counted
   * back from when it was seen there: not while Postgres is away, nor because this process stood still. The record at the cursor always stays: it
   * shows whether Redis is the one that Postgres knows.
   */
  takeTrimmed(cursorRecordSeq: number): number {
    const cutoffMs = this.#confirmedMs - this.journalTailMs;
    let keepFrom = 0;
    for (let [first] = this.#flushes; first !== undefined; [first] = this.#flushes) {
      const isLast = this.#flushes.length === 1;
      if (isLast || first.committedMs >= cutoffMs || first.recordSeq > cursorRecordSeq) break;
      keepFrom = first.recordSeq;
      this.#flushes.shift();
    }
    return keepFrom;
  }
}
