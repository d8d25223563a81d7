import type { Pool } from '../postgres/pool.js';
import { readAccountIds } from '../postgres/verified-accounts.js';
import {
  countFlushedLines,
  countSetAside,
  readInstallation,
  readVerifiedCursors,
  type VerifiedInstallation,
} from '../postgres/verify.js';
import type { RedisConnection } from '../redis/connection.js';
import { FORMAT } from '../redis/format.js';
import { passByAccount } from './account-pass.js';
import { type Checkpoint, FIRST_CHECKPOINT } from './checkpoint.js';
import { passByPlace } from './flush-pass.js';
import { type PassContext, type Snapshot, withSnapshot } from './pass.js';
import { passOverRedis } from './redis-pass.js';
import { Tally, type VerifyReport } from './report.js';

export { type Checkpoint, checkpointOf, checkpointText } from './checkpoint.js';
export { problemText, reportJson, type VerifyReport } from './report.js';

export interface VerifyProgress {
  readonly step: 'flushes' | 'accounts' | 'redis' | 'moving';
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
  /** Ledger lines of one part, about. */
  readonly linesPerPartMax?: number;
  /** What an interrupted run had verified. */
  readonly from?: Checkpoint;
  /** Hears what is verified after every part of the ledger. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal?: AbortSignal;
}

const PROBLEMS_MAX = 100;
/**
 * A part takes some ten seconds where nothing else runs: so long a snapshot keeps Postgres from vacuuming, and so much an interruption costs.
 * Each part may read the whole ledger to find its lines, so it should not be much smaller.
 */
const LINES_PER_PART_MAX = 2_000_000;

/**
 * Audits an installation while it works, part by part, each in a snapshot of Postgres of its own: flushes in order, then accounts in order of
 * their keys, each with all its lines; at last Redis wherever both are at the same entry. Memory stays bounded whatever the size
 * of the ledger. Problems are values; it rejects where it cannot look.
 */
export async function verifyInstallation(options: VerifyOptions): Promise<VerifyReport> {
  const { pool, connection, redisKeyPrefix, signal, onProgress } = options;
  const problemsMax = options.problemsMax ?? PROBLEMS_MAX;
  const installation = await withSnapshot(pool, ({ rows }) => readKnownInstallation(rows));
  const from = options.from ?? FIRST_CHECKPOINT;
  if (options.from !== undefined && from.installation !== installation.id)
    throw new Error(`it was begun on installation ${from.installation}, and this one is ${installation.id}`);
  const tally = new Tally(problemsMax, from.tally);
  await passOverLedger(options, installation, { ...from, installation: installation.id }, tally);
  const throwIfStopped = (): void => signal?.throwIfAborted();
  await passOverRedis(
    {
      pool,
      connection,
      redisKeyPrefix,
      tally,
      ...(signal === undefined ? {} : { signal }),
      onBatch: () => {
        throwIfStopped();
        onProgress?.({ step: 'redis', done: tally.comparedWithRedis, total: 0 });
      },
      onMoving: (round, roundsMax) => onProgress?.({ step: 'moving', done: round, total: roundsMax }),
    },
    installation,
  );
  tally.verified('redis', new Date(), '');
  const ids = await readAccountIds(pool, tally.unnamed());
  return tally.finish(
    new Map(
      ids.flatMap(({ accountKey, accountId }) => (accountId === null ? [] : [[accountKey, accountId]])),
    ),
  );
}

async function readKnownInstallation(rows: Snapshot['rows']): Promise<VerifiedInstallation> {
  const installation = await readInstallation(rows);
  if (installation === null) throw new Error('there is no installation in this Postgres');
  if (installation.format !== FORMAT) {
    throw new Error(`this installation has format ${installation.format}; this version knows ${FORMAT}`);
  }
  return installation;
}

async function passOverLedger(
  options: VerifyOptions,
  { partitionCount }: VerifiedInstallation,
  from: Checkpoint,
  tally: Tally,
): Promise<void> {
  const linesMax = options.linesPerPartMax ?? LINES_PER_PART_MAX;
  let { done } = from;
  let total = 0;
  const part = async <End>(
    step: 'flushes' | 'accounts',
    pass: (context: PassContext) => Promise<End>,
    through: (end: End) => string,
  ): Promise<End> => {
    options.signal?.throwIfAborted();
    const onLines = (lines: number): void => {
      options.signal?.throwIfAborted();
      done += lines;
      options.onProgress?.({ step, done, total });
    };
    return withSnapshot(options.pool, async (snapshot) => {
      if (options.onProgress !== undefined) total = await countFlushedLines(snapshot.rows);
      tally.setAsideRecords = await countSetAside(snapshot.rows);
      const end = await pass({ snapshot, tally, partitionCount, linesMax, onLines });
      tally.verified(step, snapshot.asOf, through(end));
      return end;
    });
  };
  const save = (at: Pick<Checkpoint, 'flushes' | 'accounts'>): void =>
    options.onCheckpoint?.({ installation: from.installation, done, ...at, tally: tally.save() });

  let { flushes, accounts } = from;
  if (flushes === 'first')
    await withSnapshot(options.pool, ({ rows }) => countCursors(rows, partitionCount, tally));
  while (flushes !== 'all') {
    const after = flushes === 'first' ? null : flushes;
    const end = await part(
      'flushes',
      (context) => passByPlace(context, after),
      (last) => (last === null ? '' : `partition ${last.partition} seq ${last.toSeq}`),
    );
    flushes = end ?? 'all';
    if (flushes === 'all') done = 0;
    save({ flushes, accounts });
  }
  while (accounts !== 'all') {
    const after = accounts === 'first' ? null : accounts;
    const end = await part(
      'accounts',
      (context) => passByAccount(context, after),
      (last) => (last === null ? '' : `key ${last}`),
    );
    accounts = end ?? 'all';
    save({ flushes, accounts });
  }
}

async function countCursors(rows: Snapshot['rows'], partitionCount: number, tally: Tally): Promise<void> {
  const { length } = await readVerifiedCursors(rows);
  if (length === partitionCount) return;
  tally.report({ check: 'flushes', message: `${length} cursors for ${partitionCount} partitions` });
}
