import { createHash } from 'node:crypto';
import { catalogFromJson } from '../catalog/canonical.js';
import { type CompiledCatalog, compileCatalog } from '../catalog/pricing.js';
import { conversionProblem } from '../ledger/conversion-pairs.js';
import type { LedgerLine } from '../ledger/line.js';
import { repriceProblem } from '../ledger/reprice.js';
import { copiedRows, decodeEntry } from '../postgres/entry-reader.js';
import type { PoolClient } from '../postgres/pool.js';
import { readOpenedMonths } from '../postgres/verified-accounts.js';
import {
  copyEntriesByAccount,
  type KeyRange,
  type OddCorrection,
  readKeyAfterLines,
  readOddCorrections,
  readRepeatedIds,
  readStoredCatalogs,
  readStrays,
} from '../postgres/verify.js';
import { AccountLines } from './account-lines.js';
import type { PassContext } from './pass.js';
import type { Tally } from './report.js';
import { AccountPages } from './stored-accounts.js';

/** Of repeated ids and stray rows so many are looked for: more say nothing new. */
const LISTED_MAX = 1_000;

/**
 * Everything about the next accounts behind a key (null: the first), as many as have `linesMax` lines. Returns the key of the last one; null:
 * there are no more.
 */
export async function passByAccount(context: PassContext, afterKey: number | null): Promise<number | null> {
  const throughKey = await readKeyAfterLines(context.snapshot.rows, afterKey, context.linesMax);
  const range = { afterKey, throughKey };
  await passOverLines(context, range);
  await passOverTables(context, range);
  return throughKey;
}

/** Numbers, conservation, prices, and what accounts, wallets, lots and holds say beside it. */
async function passOverLines(
  { snapshot, tally, partitionCount, onLines }: PassContext,
  range: KeyRange,
): Promise<void> {
  const catalogs = await readCatalogs(snapshot.rows, tally);
  const accounts = new AccountPages(snapshot.rows, range);
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
  for await (const rows of copiedRows(copyEntriesByAccount(snapshot.lines, range))) {
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
async function passOverTables({ snapshot, tally, onLines }: PassContext, range: KeyRange): Promise<void> {
  for (const { accountKey, kind, id, times, accountSeq, seq } of await readRepeatedIds(
    snapshot.rows,
    range,
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
  for (const { table, accountKey } of await readStrays(snapshot.rows, range, LISTED_MAX)) {
    tally.report({ check: 'balances', accountKey, message: `${table} of an account that is not there` });
  }
  for (const odd of await readOddCorrections(snapshot.rows, range, LISTED_MAX)) {
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
