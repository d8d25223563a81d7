import type { Logger } from 'pino';
import type { StoredAccount } from '../ledger/account-audit.js';
import type { Finding } from '../ledger/finding.js';
import type { LedgerLine } from '../ledger/line.js';
import type { Metrics } from '../metrics.js';
import { checksumHolds, copiedRows, decodeEntry } from '../postgres/entry-reader.js';
import { breakConnection, type Pool, type PoolClient } from '../postgres/pool.js';
import {
  readAccountsOfPartitionsAfter,
  readOpenedMonths,
  type VerifiedAccount,
} from '../postgres/verified-accounts.js';
import {
  beginOwnSnapshot,
  copyEntriesOfAccounts,
  endSnapshot,
  readVerifiedCursors,
  type VerifiedCursor,
} from '../postgres/verify.js';
import type { RedisConnection } from '../redis/connection.js';
import type { Partition } from '../usage/partition.js';
import { AccountLines } from './account-lines.js';
import { Discrepancies } from './discrepancies.js';
import { compareWithStored } from './hot-pass.js';
import { Tally } from './report.js';
import { readStoredAccounts, readStoredOpenings } from './stored-accounts.js';

/** One snapshot a tick: what it costs is shared by the accounts of the tick. */
const TICK_MS = 1_000;
/** Ledger lines for each account of a tick, on average. At 10 us of CPU a line and 700 us an account the default rate takes 17 ms a tick at most, a third of it in Postgres. */
const LINES_PER_ACCOUNT = 100;
/** An account with more open holds is left to `drawdown verify`: they are read at once, and these take 20 ms. */
const OPEN_HOLDS_MAX = 10_000;
/** Of one account so many findings are kept: more say nothing new. */
const FINDINGS_PER_ACCOUNT_MAX = 20;
/** Postgres or Redis does not answer: others say so, and looking goes on later. */
const FAILED_PAUSE_MS = 10_000;

export interface BackgroundOptions {
  /** 0: off. */
  readonly verifyAccountsPerSecond: number;
  readonly partitionCount: number;
  readonly postgresStatementTimeoutMs: number;
}

/** An account of which lines have been read. */
interface Begun {
  readonly accountKey: number;
  readonly lines: AccountLines;
  readonly tally: Tally;
  /** The last line that was read. */
  accountSeq: number;
  seq: number;
}

/** What a tick saw. */
interface Looked {
  readonly verified: readonly Verified[];
  /** The last account that is complete. */
  readonly afterKey: number;
  /** The account behind it, where some of its lines were read. */
  readonly begun: Begun | null;
  /** There is no account behind it. */
  readonly isEnd: boolean;
}

/** An account whose lines were all read, as one snapshot has it. */
interface Verified {
  readonly account: StoredAccount;
  readonly findings: readonly Finding[];
  readonly driftMicros: bigint;
  /** Lines from before an opening are gone: their months were detached. */
  readonly isDetached: boolean;
  readonly cursor: VerifiedCursor | undefined;
}

/**
 * Verifies the accounts of the partitions that this sidecar owns, one after the other and round and round, a few a second: their lines
 * against what Postgres stores beside them, in one snapshot, and that against Redis where both are at the same entry. An account with
 * more lines than a tick reads goes on in the next: lines never change, so what was read of them before stands.
 */
export class BackgroundVerifier {
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #notBeforeMs = 0;
  #isFailing = false;
  /** The last account that was verified in this round. */
  #afterKey = -1;
  #begun: Begun | null = null;
  #roundBeganMs = performance.now();
  /** When the last round that is complete began: no account was verified longer ago. */
  #lastRoundBeganMs = this.#roundBeganMs;
  readonly #discrepancies: Discrepancies;

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly owned: () => ReadonlySet<number>,
    private readonly connection: RedisConnection,
    private readonly pool: Pool,
    private readonly options: BackgroundOptions,
    private readonly metrics: Pick<
      Metrics,
      | 'verifyAccounts'
      | 'verifyProblems'
      | 'verifyDriftMicros'
      | 'verifyDiscrepantAccounts'
      | 'verifyRoundSeconds'
      | 'verifyFailures'
    >,
    private readonly logger: Logger,
  ) {
    this.#discrepancies = new Discrepancies(metrics, logger);
  }

  start(): void {
    if (this.options.verifyAccountsPerSecond > 0) this.#timer = setInterval(() => void this.tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  /** How long ago the account was verified that waits longest, at most; 0 where none is to be verified. */
  oldestAgeMs(): number {
    const idle = this.options.verifyAccountsPerSecond === 0 || this.owned().size === 0;
    return idle ? 0 : performance.now() - this.#lastRoundBeganMs;
  }

  /** Verifies the next accounts. Never rejects: what failed is verified later. */
  tick(): Promise<void> {
    if (performance.now() < this.#notBeforeMs) return Promise.resolve();
    this.#running ??= this.#tick()
      .then(() => {
        this.#isFailing = false;
      })
      .catch((error: unknown) => {
        // Of an account that was being read nobody knows how far.
        this.#begun = null;
        this.#notBeforeMs = performance.now() + FAILED_PAUSE_MS;
        this.metrics.verifyFailures.inc();
        // Where a store is away others say so, again and again.
        if (!this.#isFailing)
          this.logger.warn({ reason: String(error) }, 'accounts could not be verified; they will be');
        this.#isFailing = true;
      })
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  async #tick(): Promise<void> {
    const owned = this.owned();
    this.#discrepancies.keepOnly(owned);
    if (owned.size === 0) return this.#beginRound();
    const looked = await this.#inSnapshot((client) => this.#look(client, [...owned]));
    // Redis is read after the snapshot was taken, so it is never behind; and the snapshot need not wait for it.
    for (const verified of looked.verified) await this.#compare(verified);
    this.#afterKey = looked.afterKey;
    this.#begun = looked.begun;
    if (!looked.isEnd) return;
    this.metrics.verifyRoundSeconds.set((performance.now() - this.#roundBeganMs) / 1000);
    this.#beginRound();
  }

  async #inSnapshot<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    const { postgresStatementTimeoutMs: limitMs } = this.options;
    // COPY knows no timeout of its own.
    const late = setTimeout(() => breakConnection(client, `it took longer than ${limitMs} ms`), limitMs);
    try {
      await beginOwnSnapshot(client);
      const result = await work(client);
      await endSnapshot(client);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  #beginRound(): void {
    this.#lastRoundBeganMs = this.#roundBeganMs;
    this.#roundBeganMs = performance.now();
    this.#afterKey = -1;
    this.#begun = null;
  }

  /** Reads the next accounts, and verifies those of which it has all lines then. */
  async #look(client: PoolClient, partitions: readonly number[]): Promise<Looked> {
    const countMax = this.options.verifyAccountsPerSecond;
    const linesMax = countMax * LINES_PER_ACCOUNT;
    const found = await readAccountsOfPartitionsAfter(client, {
      partitions,
      afterKey: this.#afterKey,
      countMax,
    });
    // It may have gone to another sidecar meanwhile.
    const begun = found[0]?.accountKey === this.#begun?.accountKey ? this.#begun : null;
    const page = begun === null ? fitting(found, linesMax) : found.slice(0, 1);
    const lines = await this.#readLines(client, page, begun, linesMax);
    const verified = await this.#verify(client, page.slice(0, lines.complete), lines.byKey);
    const next = page[lines.complete];
    return {
      verified,
      afterKey: page[lines.complete - 1]?.accountKey ?? this.#afterKey,
      begun: next === undefined ? null : (lines.byKey.get(next.accountKey) ?? null),
      isEnd: next === undefined && page.length === found.length && found.length < countMax,
    };
  }

  /** Adds the next lines of some accounts to what was begun of them; says how many accounts are complete. */
  async #readLines(
    client: PoolClient,
    page: readonly VerifiedAccount[],
    begun: Begun | null,
    linesMax: number,
  ): Promise<{ byKey: Map<number, Begun>; complete: number }> {
    const byKey = new Map<number, Begun>();
    for (const { accountKey } of page) byKey.set(accountKey, begun ?? beginAccount(accountKey));
    const wanted = {
      accountKeys: page.filter(isReadable).map(({ accountKey }) => accountKey),
      afterAccountSeq: begun?.accountSeq ?? 0,
      afterSeq: begun?.seq ?? 0,
      linesMax,
    };
    let read = 0;
    let last = -1;
    if (wanted.accountKeys.length > 0) {
      for await (const rows of copiedRows(copyEntriesOfAccounts(client, wanted))) {
        for (const row of rows) {
          const line = decodeEntry(row);
          const account = byKey.get(line.accountKey) as Begun;
          if (!checksumHolds(row)) account.tally.report(changedLine(line));
          account.lines.add(line);
          account.accountSeq = line.accountSeq;
          account.seq = line.seq;
          last = line.accountKey;
        }
        read += rows.length;
      }
    }
    const cut = page.findIndex(({ accountKey }) => accountKey === last);
    return { byKey, complete: read < linesMax ? page.length : cut };
  }

  async #verify(
    client: PoolClient,
    page: readonly VerifiedAccount[],
    byKey: ReadonlyMap<number, Begun>,
  ): Promise<Verified[]> {
    if (page.length === 0) return [];
    const readable = page.filter(isReadable);
    const accounts = await readStoredAccounts(client, readable);
    const openings = await readStoredOpenings(
      client,
      readable.map(({ accountKey }) => accountKey),
    );
    const beside = {
      partitionCount: this.options.partitionCount,
      openedMonths: await readOpenedMonths(client),
    };
    const cursors = new Map(
      (await readVerifiedCursors(client)).map((cursor) => [cursor.partition, cursor] as const),
    );
    const skipped = page.length - readable.length;
    if (skipped > 0) this.metrics.verifyAccounts.inc({ outcome: 'skipped' }, skipped);
    return accounts.map((account) => {
      const { lines, tally } = byKey.get(account.accountKey) as Begun;
      const own = openings.get(account.accountKey) ?? [];
      const drift = lines.finish(account, own, beside);
      const isDetached =
        lines.fold.lastMissing > 0 && own.some(({ accountSeq }) => accountSeq >= lines.fold.lastMissing);
      return {
        account,
        findings: isDetached ? tally.findings.filter(saysItself) : tally.findings,
        driftMicros: isDetached ? 0n : drift,
        isDetached,
        cursor: cursors.get(account.partition),
      };
    });
  }

  /** Compares an account with Redis, and says what was found of it. */
  async #compare({ account, findings, driftMicros, isDetached, cursor }: Verified): Promise<void> {
    const hot = new Tally(FINDINGS_PER_ACCOUNT_MAX);
    const partition = this.partitions.find(({ number }) => number === account.partition);
    const { accountId } = account;
    // What Redis holds of another epoch than the snapshot, or while nobody knows what it holds, says nothing.
    const isComparable = (): boolean => partition?.isOpen === true && partition.epoch === cursor?.epoch;
    let ahead = 0;
    if (accountId !== null && partition !== undefined && cursor !== undefined && isComparable()) {
      const place = { partition: partition.number, keys: partition.keys, cursorSeq: cursor.seq };
      const stored = new Map([[accountId, account]]);
      const context = { connection: this.connection, tally: hot };
      ahead = (await compareWithStored(context, place, [accountId], stored)).length;
    }
    const counts = isComparable();
    this.#discrepancies.say(account, {
      findings: counts ? [...findings, ...hot.findings] : findings,
      driftMicros: counts ? driftMicros + hot.driftMicros : driftMicros,
    });
    this.metrics.verifyAccounts.inc({
      outcome: outcome(isDetached, counts ? hot.comparedWithRedis : 0, ahead),
    });
  }
}

function beginAccount(accountKey: number): Begun {
  const tally = new Tally(FINDINGS_PER_ACCOUNT_MAX);
  return { accountKey, tally, lines: new AccountLines(accountKey, tally.report), accountSeq: 0, seq: 0 };
}

/** As many accounts as have so many lines in all; the first, whatever it has. */
function fitting(accounts: readonly VerifiedAccount[], linesMax: number): VerifiedAccount[] {
  let lines = 0;
  const end = accounts.findIndex(({ entries }, i) => {
    lines += entries;
    return i > 0 && lines >= linesMax;
  });
  return end < 0 ? [...accounts] : accounts.slice(0, end);
}

function isReadable({ openHolds }: VerifiedAccount): boolean {
  return openHolds <= OPEN_HOLDS_MAX;
}

function changedLine({ accountKey, accountSeq, partition, epoch, seq }: LedgerLine): Finding {
  const message = 'the line is not what was written';
  return { check: 'checksum', message, accountKey, accountSeq, partition, epoch, seq };
}

/** Where earlier lines are gone, nothing that follows from them can be said: only what each line says of itself. */
function saysItself({ check }: Finding): boolean {
  return check === 'checksum';
}

function outcome(isDetached: boolean, compared: number, ahead: number): string {
  if (isDetached) return 'detached';
  if (compared > 0) return 'compared';
  return ahead > 0 ? 'ahead' : 'cold';
}
