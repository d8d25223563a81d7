import { createHash } from 'node:crypto';
import { catalogFromJson } from '../catalog/canonical.js';
import { type CompiledCatalog, compileCatalog } from '../catalog/pricing.js';
import { conversionProblem } from '../ledger/conversion-pairs.js';
import { FlushAudit, type StoredEpoch } from '../ledger/flush-audit.js';
import type { LedgerLine } from '../ledger/line.js';
import { repriceProblem } from '../ledger/reprice.js';
import { checksumHolds, copiedRows, decodeEntry, entryPlace } from '../postgres/entry-reader.js';
import type { PoolClient } from '../postgres/pool.js';
import {
  copyEntriesByAccount,
  copyEntriesByPlace,
  type OddCorrection,
  readEpochs,
  readFlushesAfter,
  readOddCorrections,
  readOpenedMonths,
  readRepeatedIds,
  readStoredCatalogs,
  readStrays,
  readVerifiedCursors,
  type VerifiedFlush,
} from '../postgres/verify.js';
import { AccountLines } from './account-lines.js';
import type { Tally } from './report.js';
import { AccountPages } from './stored-accounts.js';

/** One snapshot of Postgres on two connections: one for the long stream of lines, one for all that is read beside it. */
export interface Snapshot {
  readonly lines: PoolClient;
  readonly rows: PoolClient;
}

export interface PassContext {
  readonly snapshot: Snapshot;
  readonly tally: Tally;
  readonly partitionCount: number;
  /** Called after every piece of work; throws to stop. */
  readonly onLines: (lines: number) => void;
}

const FLUSHES_PER_PAGE_MAX = 2_000;
/** Of repeated ids and stray rows so many are looked for: more say nothing new. */
const LISTED_MAX = 1_000;

/** Flushes in order of partition and seq, a page in memory at a time. */
class FlushPages {
  #page: VerifiedFlush[] = [];
  #place = 0;
  #after = { partition: -1, fromSeq: -1 };
  #ended = false;

  constructor(private readonly client: PoolClient) {}

  async peek(): Promise<VerifiedFlush | null> {
    if (this.#place >= this.#page.length && !this.#ended) {
      this.#page = await readFlushesAfter(this.client, this.#after, FLUSHES_PER_PAGE_MAX);
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
  readonly #pages: FlushPages;
  readonly #audits: Map<number, FlushAudit>;
  readonly #said = new Set<number>();
  /** The flush whose lines are being read. */
  #current: VerifiedFlush | null = null;

  constructor(
    client: PoolClient,
    partitions: readonly number[],
    epochs: readonly StoredEpoch[],
    private readonly tally: Tally,
  ) {
    this.#pages = new FlushPages(client);
    this.#audits = new Map(
      partitions.map((partition) => [
        partition,
        new FlushAudit(
          partition,
          epochs.filter((epoch) => epoch.partition === partition),
          tally.report,
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
      const next = await this.#pages.peek();
      if (next === null || next.partition > partition || (next.partition === partition && next.fromSeq > seq))
        return;
      this.#pages.take();
      this.#current = next;
      this.tally.flushes += 1;
      const audit = this.#audits.get(next.partition);
      if (audit !== undefined) audit.begin(next);
      else this.#unknown(next.partition);
    }
  }
}

/** Checksums of all lines; flushes, their hashes, chain and cursor. */
export async function passByPlace({ snapshot, tally, onLines }: PassContext): Promise<void> {
  const cursors = await readVerifiedCursors(snapshot.rows);
  const partitions = cursors.map((cursor) => cursor.partition);
  const walk = new FlushWalk(snapshot.rows, partitions, await readEpochs(snapshot.rows), tally);
  for await (const rows of copiedRows(copyEntriesByPlace(snapshot.lines))) {
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
  for (const cursor of cursors) walk.audit(cursor.partition)?.finish(cursor);
}

/** Numbers, conservation, prices, and what accounts, wallets, lots and holds say beside it. */
export async function passByAccount({
  snapshot,
  tally,
  partitionCount,
  onLines,
}: PassContext): Promise<void> {
  const catalogs = await readCatalogs(snapshot.rows, tally);
  const accounts = new AccountPages(snapshot.rows);
  const beside = { partitionCount, openedMonths: await readOpenedMonths(snapshot.rows) };
  const finish = async (lines: AccountLines): Promise<void> => {
    const { fold } = lines;
    for (;;) {
      const account = await accounts.peek();
      if (account === null || account.accountKey > fold.accountKey) break;
      accounts.take();
      tally.accounts += 1;
      tally.holds += account.holds.length;
      const own = account.accountKey === fold.accountKey;
      const folded = own ? lines : new AccountLines(account.accountKey, tally.report);
      tally.driftMicros += folded.finish(account, accounts.openings(account.accountKey), beside);
      tally.missing += folded.fold.missing;
      tally.doubled += folded.fold.doubled;
      if (own) return;
    }
    if (fold.lines === 0) return;
    const { accountKey, partition, last, lastSeq } = fold;
    tally.report({
      check: 'balances',
      accountKey,
      partition,
      accountSeq: last,
      seq: lastSeq,
      message: 'lines of an account that is not there',
    });
  };

  let lines = new AccountLines(-1, tally.report);
  let before: LedgerLine | null = null;
  for await (const rows of copiedRows(copyEntriesByAccount(snapshot.lines))) {
    for (const row of rows) {
      const line = decodeEntry(row);
      if (line.accountKey !== lines.fold.accountKey) {
        await finish(lines);
        lines = new AccountLines(line.accountKey, tally.report);
        before = null;
      }
      lines.add(line);
      const catalog = (version: number) => catalogs.get(version);
      // Where a line is missing the numbers say so.
      const adjacent: LedgerLine | null = before?.accountSeq === line.accountSeq - 1 ? before : null;
      const message = repriceProblem(line, catalog) ?? conversionProblem(adjacent, line, catalog);
      before = line;
      if (message !== null) {
        const { accountKey, accountSeq, partition, epoch, seq } = line;
        tally.report({ check: 'price', accountKey, accountSeq, partition, epoch, seq, message });
      }
    }
    onLines(rows.length);
  }
  await finish(lines);
  await finish(new AccountLines(Number.POSITIVE_INFINITY, tally.report));
}

async function readCatalogs(client: PoolClient, tally: Tally): Promise<Map<number, CompiledCatalog>> {
  const catalogs = new Map<number, CompiledCatalog>();
  for (const { version, hash, json } of await readStoredCatalogs(client)) {
    if (createHash('sha256').update(json).digest('hex') !== hash) {
      tally.report({
        check: 'price',
        message: `catalog version ${version} is not what was published: its hash differs`,
      });
    }
    const parsed = catalogFromJson(json);
    if ('catalog' in parsed) catalogs.set(version, compileCatalog(parsed.catalog, version));
    else tally.report({ check: 'price', message: `catalog version ${version} is no catalog` });
  }
  return catalogs;
}

/** Ids over all months, rows that name no account, and corrections beside the charges that they name. */
export async function passOverTables({ snapshot, tally, onLines }: PassContext): Promise<void> {
  for (const { accountKey, kind, id, times, accountSeq, seq } of await readRepeatedIds(
    snapshot.rows,
    LISTED_MAX,
  )) {
    tally.doubled += times - 1;
    tally.report({
      check: 'once',
      accountKey,
      accountSeq,
      seq,
      message: `${kind} ${id} is there ${times} times`,
    });
  }
  for (const { table, accountKey } of await readStrays(snapshot.rows, LISTED_MAX)) {
    tally.report({ check: 'balances', accountKey, message: `${table} of an account that is not there` });
  }
  for (const odd of await readOddCorrections(snapshot.rows, LISTED_MAX)) {
    const { accountKey, accountSeq, seq } = odd;
    tally.report({ check: 'corrections', accountKey, accountSeq, seq, message: correctionProblem(odd) });
  }
  onLines(0);
}

function correctionProblem({ kind, charge, times, spent, taken }: OddCorrection): string {
  if (taken === null) return `a ${kind} of ${charge}, which is not there`;
  if (times > 1) return `${times} lines of kind ${kind} of ${charge}`;
  return kind === 'rerate'
    ? `a rerate of ${charge}, which was not booked unrated in this wallet`
    : `a reversal of ${charge} with spent ${spent}, which took ${taken}`;
}
