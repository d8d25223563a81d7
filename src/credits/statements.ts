import { DrawdownError } from '../errors.js';
import { closedBefore, monthOf, monthStartMs } from '../ledger/month.js';
import { writeOpening } from '../postgres/openings.js';
import type { Pool, PoolClient } from '../postgres/pool.js';
import {
  beginBounded,
  commit,
  countLinesBefore,
  type LedgerEnd,
  type LineRange,
  readBalancesAfter,
  readBalancesNow,
  readLedgerEnd,
  readMovements,
  readUsedQuantities,
  readUses,
} from '../postgres/statements.js';
import type { Executor } from '../usage/executor.js';
import { caughtUp } from './caught-up.js';
import { detachedError } from './detached.js';
import { fromPostgres } from './from-postgres.js';
import {
  type Statement,
  type StatementQuery,
  type StatementReader,
  type StatementUse,
  statementUse,
  USE_KINDS,
  type WalletRows,
  walletStatements,
} from './statement.js';

/** Lines that one statement adds up. Measured at some 5 us each over three passes: five seconds, within the default deadline. */
const STATEMENT_LINES_MAX = 1_000_000;
/** Statements made at once: they leave connections and a core to the flushers. */
const STATEMENTS_IN_FLIGHT_MAX = 2;
/** How many more may wait for their turn: with ten thousand lines each they are done within the default deadline. */
const STATEMENTS_WAITING_MAX = 50;

/** What is known of a call before the ledger is read. */
interface Reading {
  readonly accountKey: number;
  /** Redis' clock. Everything that was acknowledged before is in the ledger. */
  readonly nowMs: number;
  readonly deadlineMs: number;
  readonly page: PageToken | null;
}

/** Reads statements from the ledger, each in one snapshot. */
export class Statements implements StatementReader {
  #inFlight = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly executor: Executor,
    private readonly pool: Pool,
    private readonly options: { readonly clockSkewMaxMs: number },
  ) {}

  async read(query: StatementQuery, { deadlineMs }: { readonly deadlineMs: number }): Promise<Statement> {
    const page = pageToken(query.pageToken);
    const { account, nowMs } = await caughtUp(this.executor, query.accountId, deadlineMs);
    if (query.fromTimeMs > nowMs) {
      throw new DrawdownError('FIELD_INVALID', 'from_time_ms: lies ahead', { field: 'from_time_ms' });
    }
    await this.#turn();
    try {
      return await this.#read(query, { accountKey: account.key, nowMs, deadlineMs, page });
    } finally {
      this.#done();
    }
  }

  async #read(query: StatementQuery, reading: Reading): Promise<Statement> {
    const { accountKey, nowMs, deadlineMs, page } = reading;
    const isOpen = query.toTimeMs === 0 || query.toTimeMs > nowMs;
    const read = await fromPostgres(async () => {
      if (page === null && query.fromTimeMs > 0) {
        const month = monthOf(query.fromTimeMs);
        const isClosed = monthStartMs(month) <= closedBefore(nowMs, this.options.clockSkewMaxMs);
        if (isClosed) {
          await inTransaction(this.pool, 'READ COMMITTED', deadlineMs, (client) =>
            writeOpening(client, accountKey, month),
          );
        }
      }
      return inTransaction(this.pool, 'REPEATABLE READ READ ONLY', deadlineMs, async (client) => {
        const end = await readLedgerEnd(client, accountKey);
        const lines =
          page === null
            ? await readRange(client, query, { accountKey, isOpen, end })
            : pageRange(page, accountKey, end);
        checkSize(lines);
        const wallets = page === null ? await readWallets(client, lines, isOpen) : null;
        return {
          end,
          lines,
          wallets,
          ...(await readUsePage(client, lines, page?.offset ?? 0, query.pageSize)),
        };
      });
    });
    const { end, lines, wallets, uses, nextPageToken } = read;
    return {
      accountId: query.accountId,
      fromTimeMs: query.fromTimeMs,
      toTimeMs: isOpen ? 0 : query.toTimeMs,
      through: { partition: end.partition, epoch: end.epoch, seq: end.seq },
      afterAccountSeq: lines.afterSeq,
      throughAccountSeq: lines.throughSeq,
      wallets: wallets === null ? [] : walletStatements(wallets),
      uses,
      nextPageToken,
    };
  }

  async #turn(): Promise<void> {
    if (this.#inFlight < STATEMENTS_IN_FLIGHT_MAX) {
      this.#inFlight += 1;
      return;
    }
    if (this.#waiting.length >= STATEMENTS_WAITING_MAX) {
      throw new DrawdownError('LIMIT_REACHED', 'statementsWaitingMax is reached; nothing was changed', {
        retryAfterMs: 1_000,
      });
    }
    // Whoever is done hands its place over.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #done(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inFlight -= 1;
    else next();
  }
}

function checkSize({ afterSeq, throughSeq }: LineRange): void {
  const lines = throughSeq - afterSeq;
  if (lines <= STATEMENT_LINES_MAX) return;
  throw new DrawdownError(
    'LIMIT_REACHED',
    `the range has ${lines} lines of the ledger, a statement at most ${STATEMENT_LINES_MAX} (statementLinesMax): ask for shorter ranges, which add up`,
    { retryAfterMs: 0 },
  );
}

async function inTransaction<T>(
  pool: Pool,
  mode: 'READ COMMITTED' | 'REPEATABLE READ READ ONLY',
  deadlineMs: number,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const leftMs = deadlineMs - Date.now();
  if (leftMs <= 0)
    throw new DrawdownError('DEADLINE_EXCEEDED', 'the deadline passed before the ledger was read');
  const client = await pool.connect();
  let broken = true;
  try {
    await beginBounded(client, mode, leftMs);
    const result = await work(client);
    await commit(client);
    broken = false;
    return result;
  } finally {
    client.release(broken);
  }
}

async function readRange(
  client: PoolClient,
  { fromTimeMs, toTimeMs }: StatementQuery,
  { accountKey, isOpen, end }: { accountKey: number; isOpen: boolean; end: LedgerEnd },
): Promise<LineRange> {
  const before = async (momentMs: number): Promise<number> => {
    const lines = await countLinesBefore(client, accountKey, momentMs);
    if (lines === null) throw detachedError();
    return lines;
  };
  const afterSeq = fromTimeMs === 0 ? 0 : await before(fromTimeMs);
  return { accountKey, afterSeq, throughSeq: isOpen ? end.entries : await before(toTimeMs) };
}

async function readWallets(client: PoolClient, lines: LineRange, isOpen: boolean): Promise<WalletRows> {
  const { accountKey, afterSeq, throughSeq } = lines;
  const opening = await readBalancesAfter(client, accountKey, afterSeq);
  const movements = await readMovements(client, lines);
  const found = movements.reduce((sum, movement) => sum + Number(movement.lines), 0);
  if (opening === null || found !== throughSeq - afterSeq) throw detachedError();
  const closing = isOpen
    ? await readBalancesNow(client, accountKey)
    : await readBalancesAfter(client, accountKey, throughSeq);
  if (closing === null) throw detachedError();
  return { opening, closing, movements };
}

async function readUsePage(
  client: PoolClient,
  lines: LineRange,
  offset: number,
  pageSize: number,
): Promise<{ uses: StatementUse[]; nextPageToken: string }> {
  const range = { ...lines, kinds: USE_KINDS };
  const groups = await readUses(client, { ...range, offset, countMax: pageSize + 1 });
  const page = groups.slice(0, pageSize);
  const quantities = page.map((): [string, bigint][] => []);
  for (const { group, name, count } of await readUsedQuantities(client, range, page)) {
    quantities[group]?.push([name, BigInt(count)]);
  }
  return {
    uses: page.map((use, i) => statementUse(use, quantities[i] ?? [])),
    nextPageToken: groups.length > pageSize ? tokenOf(lines, offset + pageSize) : '',
  };
}

/** Which lines the first page added up, and how many groups the pages before showed. */
interface PageToken {
  readonly afterSeq: number;
  readonly throughSeq: number;
  readonly offset: number;
}

function tokenOf({ afterSeq, throughSeq }: LineRange, offset: number): string {
  return `${afterSeq}.${throughSeq}.${offset}`;
}

function pageToken(text: string): PageToken | null {
  if (text === '') return null;
  const [afterSeq = 0, throughSeq = 0, offset = 0] = text.split('.').map(Number);
  if (!/^\d{1,15}\.\d{1,15}\.\d{1,9}$/.test(text) || afterSeq > throughSeq) throw tokenInvalid();
  return { afterSeq, throughSeq, offset };
}

function pageRange({ afterSeq, throughSeq }: PageToken, accountKey: number, end: LedgerEnd): LineRange {
  if (throughSeq > end.entries) throw tokenInvalid();
  return { accountKey, afterSeq, throughSeq };
}

function tokenInvalid(): DrawdownError {
  return new DrawdownError('FIELD_INVALID', 'page_token: not one that this call returned', {
    field: 'page_token',
  });
}
