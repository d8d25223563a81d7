import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from '../postgres/pool.js';
import {
  beginSnapshot,
  countFlushedLines,
  endSnapshot,
  joinSnapshot,
  readAccountIds,
  readInstallation,
  readVerifiedCursors,
  type VerifiedInstallation,
} from '../postgres/verify.js';
import type { RedisConnection } from '../redis/connection.js';
import { FORMAT } from '../redis/format.js';
import { partitionKeys } from '../redis/keys.js';
import {
  compareAccounts,
  type HotContext,
  type HotPartition,
  verifyHotAccounts,
  verifyHotHolds,
} from './hot-pass.js';
import { verifyJournal } from './journal-pass.js';
import {
  type PassContext,
  passByAccount,
  passByPlace,
  passOverTables,
  type Snapshot,
} from './ledger-passes.js';
import { Tally, type VerifyReport } from './report.js';
import { ACCOUNTS_PER_PAGE_MAX } from './stored-accounts.js';

export { problemText, reportJson, type VerifyReport } from './report.js';

export interface VerifyProgress {
  readonly step: 'redis' | 'flushes' | 'accounts' | 'ids' | 'moving';
  readonly done: number;
  /** 0: not known. */
  readonly total: number;
}

export interface VerifyOptions {
  /** At least three connections: two share a snapshot, one looks at what has happened since. */
  readonly pool: Pool;
  readonly connection: RedisConnection;
  readonly redisKeyPrefix: string;
  /** Problems kept in the report; all are counted. */
  readonly problemsMax?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal?: AbortSignal;
}

const PROBLEMS_MAX = 100;
/** Accounts that Redis holds at a later entry are looked at again so often: a flush is rarely later than that. */
const MOVING_ROUNDS_MAX = 8;
const MOVING_PAUSE_MS = 250;
/** Such accounts remembered for another look; the others count as moving at once. */
const MOVING_ACCOUNTS_MAX = 20_000;

/**
 * Audits an installation while it works: the ledger in one snapshot of Postgres against itself, its flushes, the balances
 * beside it, and Redis wherever both are at the same entry. Memory stays bounded whatever the size of the ledger. Problems are values; it
 * rejects where it cannot look.
 */
export async function verifyInstallation(options: VerifyOptions): Promise<VerifyReport> {
  const tally = new Tally(options.problemsMax ?? PROBLEMS_MAX);
  const moving = await withSnapshot(options.pool, (snapshot) => verifySnapshot(options, snapshot, tally));
  tally.moving += await verifyMoving(options, tally, moving);
  const ids = await readAccountIds(options.pool, tally.unnamed());
  return tally.finish(
    new Map(
      ids.flatMap(({ accountKey, accountId }) => (accountId === null ? [] : [[accountKey, accountId]])),
    ),
  );
}

/** Accounts to look at again, by partition. */
type Moving = Map<number, Set<string>>;

async function verifySnapshot(options: VerifyOptions, snapshot: Snapshot, tally: Tally): Promise<Moving> {
  const installation = await readInstallation(snapshot.rows);
  if (installation === null) throw new Error('there is no installation in this Postgres');
  if (installation.format !== FORMAT) {
    throw new Error(`this installation has format ${installation.format}; this version knows ${FORMAT}`);
  }
  const total = options.onProgress === undefined ? 0 : await countFlushedLines(snapshot.rows);
  const passes = (step: VerifyProgress['step']): PassContext => {
    let done = 0;
    return {
      snapshot,
      tally,
      partitionCount: installation.partitionCount,
      onLines: (lines) => {
        options.signal?.throwIfAborted();
        done += lines;
        options.onProgress?.({ step, done, total });
      },
    };
  };
  // Redis first: the longer ago the snapshot was taken, the fewer accounts are still at the same entry.
  const moving = await verifyRedis(options, installation, snapshot, tally);
  await passByPlace(passes('flushes'));
  await passByAccount(passes('accounts'));
  await passOverTables(passes('ids'));
  return moving;
}

async function verifyRedis(
  options: VerifyOptions,
  installation: VerifiedInstallation,
  snapshot: Snapshot,
  tally: Tally,
): Promise<Moving> {
  const { pool, connection } = options;
  const moving: Moving = new Map();
  let remembered = 0;
  const cursors = await readVerifiedCursors(snapshot.rows);
  if (cursors.length !== installation.partitionCount) {
    tally.report({
      check: 'flushes',
      message: `${cursors.length} cursors for ${installation.partitionCount} partitions`,
    });
  }
  const context = hotContext(options, snapshot, tally);
  const present: HotPartition[] = [];
  for (const cursor of cursors) {
    const keys = partitionKeys(options.redisKeyPrefix, cursor.partition);
    const journal = { pool, connection, installation: installation.id, report: tally.report };
    if (await verifyJournal(journal, keys, cursor)) {
      present.push({ partition: cursor.partition, keys, cursorSeq: cursor.seq });
    }
  }
  for (const place of present) {
    const again = new Set<string>();
    moving.set(place.partition, again);
    await verifyHotAccounts(context, place, (accountId) => {
      remembered += 1;
      if (remembered <= MOVING_ACCOUNTS_MAX) again.add(accountId);
      else tally.moving += 1;
    });
    await verifyHotHolds(context, place);
  }
  return moving;
}

function hotContext(options: VerifyOptions, snapshot: Snapshot, tally: Tally): HotContext {
  return {
    connection: options.connection,
    rows: snapshot.rows,
    tally,
    onBatch: () => {
      options.signal?.throwIfAborted();
      options.onProgress?.({ step: 'redis', done: tally.comparedWithRedis, total: 0 });
    },
  };
}

/** Looks again at accounts that Redis held at a later entry, each time in a fresh snapshot; returns how many still are. */
async function verifyMoving(options: VerifyOptions, tally: Tally, moving: Moving): Promise<number> {
  const count = (): number => [...moving.values()].reduce((sum, accounts) => sum + accounts.size, 0);
  for (let round = 1; round <= MOVING_ROUNDS_MAX && count() > 0; round++) {
    options.onProgress?.({ step: 'moving', done: round, total: MOVING_ROUNDS_MAX });
    if (round > 1)
      await sleep(MOVING_PAUSE_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
    await withSnapshot(options.pool, async (snapshot) => {
      const context = hotContext(options, snapshot, tally);
      const cursors = await readVerifiedCursors(snapshot.rows);
      for (const [partition, accounts] of moving) {
        const cursorSeq = cursors.find((cursor) => cursor.partition === partition)?.seq ?? 0;
        const keys = partitionKeys(options.redisKeyPrefix, partition);
        const ids = [...accounts];
        accounts.clear();
        for (let first = 0; first < ids.length; first += ACCOUNTS_PER_PAGE_MAX) {
          const page = ids.slice(first, first + ACCOUNTS_PER_PAGE_MAX);
          for (const id of await compareAccounts(context, { partition, keys, cursorSeq }, page))
            accounts.add(id);
          context.onBatch();
        }
      }
    });
  }
  return count();
}

/** Two connections on one snapshot. Where the work fails, a stream may be open on one of them: they are closed. */
async function withSnapshot<Result>(
  pool: Pool,
  work: (snapshot: Snapshot) => Promise<Result>,
): Promise<Result> {
  const lines = await pool.connect();
  try {
    const rows = await pool.connect();
    try {
      await joinSnapshot(rows, await beginSnapshot(lines));
      const result = await work({ lines, rows });
      await endSnapshot(lines);
      await endSnapshot(rows);
      rows.release();
      lines.release();
      return result;
    } catch (error) {
      rows.release(true);
      throw error;
    }
  } catch (error) {
    lines.release(true);
    throw error;
  }
}
