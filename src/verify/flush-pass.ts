import { FlushAudit, type FlushPlace, type StoredEpoch } from '../ledger/flush-audit.js';
import { checksumHolds, copiedRows, entryPlace } from '../postgres/entry-reader.js';
import type { PoolClient } from '../postgres/pool.js';
import {
  copyEntriesByPlace,
  readEpochs,
  readFlushAfterLines,
  readFlushesAfter,
  readVerifiedCursors,
  type VerifiedFlush,
} from '../postgres/verify.js';
import { FORMAT } from '../redis/format.js';
import type { PassContext } from './pass.js';
import type { Tally } from './report.js';

/** The flushes that were audited so far: through one of a partition, which its audit was left at. */
export interface FlushesPlace extends FlushKey {
  readonly toSeq: number;
  readonly audit: FlushPlace;
}

const FLUSHES_PER_PAGE_MAX = 2_000;
/** A flush by its key. */
interface FlushKey {
  readonly partition: number;
  readonly fromSeq: number;
}

/** Flushes in order of partition and seq, a page in memory at a time. */
class FlushPages {
  #page: VerifiedFlush[] = [];
  #place = 0;
  #ended = false;
  #after: FlushKey;

  constructor(
    private readonly client: PoolClient,
    after: FlushKey,
    private readonly through: FlushKey | null,
  ) {
    this.#after = after;
  }

  async peek(): Promise<VerifiedFlush | null> {
    if (this.#place >= this.#page.length && !this.#ended) {
      this.#page = await readFlushesAfter(this.client, this.#after, this.through, FLUSHES_PER_PAGE_MAX);
      this.#place = 0;
      this.#after = this.#page.at(-1) ?? this.#after;
      this.#ended = this.#page.length < FLUSHES_PER_PAGE_MAX;
    }
    return this.#page[this.#place] ?? null;
  }

  take(): void {
    this.#place += 1;
  }
}

/** Walks the flushes of all partitions beside the lines: each line belongs to the flush that covers its seq, or to none. */
class FlushWalk {
  readonly #audits: Map<number, FlushAudit>;
  readonly #said = new Set<number>();
  /** The flush whose lines are being read. */
  #current: VerifiedFlush | null = null;

  constructor(
    private readonly pages: FlushPages,
    partitions: readonly number[],
    epochs: readonly StoredEpoch[],
    private readonly tally: Tally,
    from: FlushesPlace | null,
  ) {
    // The part before has said what there is to say of it.
    if (from !== null) this.#said.add(from.partition);
    this.#audits = new Map(
      partitions.map((partition) => [
        partition,
        new FlushAudit(
          partition,
          epochs.filter((epoch) => epoch.partition === partition),
          tally.report,
          from?.partition === partition ? from.audit : null,
        ),
      ]),
    );
  }

  /** Undefined, and said once: the partition has no cursor. */
  audit(partition: number): FlushAudit | undefined {
    const audit = this.#audits.get(partition);
    if (audit === undefined) this.#unknown(partition);
    return audit;
  }

  #unknown(partition: number): void {
    if (this.#said.has(partition)) return;
    this.#said.add(partition);
    this.tally.report({
      check: 'flushes',
      partition,
      message: 'flushes or lines of a partition without a cursor',
    });
  }

  /** Does the flush being read cover this place? Then no page has to be read. */
  covers(partition: number, seq: number): boolean {
    const flush = this.#current;
    return flush !== null && flush.partition === partition && seq >= flush.fromSeq && seq <= flush.toSeq;
  }

  /** Goes on to the flush that covers a place or lies after it. Infinity: to the end. */
  async advance(partition: number, seq: number): Promise<void> {
    for (;;) {
      const flush = this.#current;
      if (flush !== null) {
        if (flush.partition > partition || (flush.partition === partition && flush.toSeq >= seq)) return;
        this.#audits.get(flush.partition)?.end();
        this.#current = null;
      }
      const next = await this.pages.peek();
      if (next === null || next.partition > partition || (next.partition === partition && next.fromSeq > seq))
        return;
      this.pages.take();
      this.#current = next;
      this.tally.flushes += 1;
      const audit = this.#audits.get(next.partition);
      if (audit !== undefined) audit.begin(next);
      else this.#unknown(next.partition);
      if (next.format !== FORMAT) {
        const { partition, epoch, fromSeq: seq, toSeq, format } = next;
        const message = `the flush of seq ${seq} to ${toSeq} has format ${format}, this version knows ${FORMAT}`;
        this.tally.report({ check: 'flushes', partition, epoch, seq, message });
      }
    }
  }
}

/**
 * Checksums of the lines of the next flushes, those hashes, chain and cursor; as many flushes as wrote `linesMax` lines. Returns where it
 * ended; null: with the last.
 */
export async function passByPlace(
  { snapshot, tally, linesMax, onLines }: PassContext,
  from: FlushesPlace | null,
): Promise<FlushesPlace | null> {
  const after = from ?? { partition: -1, fromSeq: -1, toSeq: -1 };
  const through = await readFlushAfterLines(snapshot.rows, after, linesMax);
  const cursors = (await readVerifiedCursors(snapshot.rows)).filter(
    ({ partition }) => partition >= after.partition && partition <= (through?.partition ?? partition),
  );
  const walk = new FlushWalk(
    new FlushPages(snapshot.rows, after, through),
    cursors.map(({ partition }) => partition),
    await readEpochs(snapshot.rows),
    tally,
    from,
  );
  const lines = copyEntriesByPlace(snapshot.lines, {
    after: from === null ? null : { partition: from.partition, seq: from.toSeq },
    through: through === null ? null : { partition: through.partition, seq: through.toSeq },
  });
  for await (const rows of copiedRows(lines)) {
    for (const row of rows) {
      const place = entryPlace(row);
      const { partition, seq } = place;
      if (!checksumHolds(row)) {
        tally.report({ check: 'checksum', ...place, message: 'the line is not what was written' });
      }
      if (!walk.covers(partition, seq)) await walk.advance(partition, seq);
      const audit = walk.audit(partition);
      if (walk.covers(partition, seq)) audit?.line(place, row);
      else audit?.stray(seq);
    }
    tally.lines += rows.length;
    onLines(rows.length);
  }
  await walk.advance(Number.POSITIVE_INFINITY, 0);
  for (const cursor of cursors) {
    if (cursor.partition !== through?.partition) walk.audit(cursor.partition)?.finish(cursor);
  }
  if (through === null) return null;
  // Of a partition without a cursor there is nothing to go on from.
  const left = walk.audit(through.partition) ?? new FlushAudit(through.partition, [], tally.report);
  return { ...through, audit: left.place };
}
