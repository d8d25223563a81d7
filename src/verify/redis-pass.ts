import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from '../postgres/pool.js';
import { readVerifiedCursors, type VerifiedInstallation } from '../postgres/verify.js';
import type { RedisConnection } from '../redis/connection.js';
import { partitionKeys } from '../redis/keys.js';
import {
  compareAccounts,
  type HotContext,
  type HotPartition,
  verifyHotAccounts,
  verifyHotHolds,
} from './hot-pass.js';
import { verifyJournal } from './journal-pass.js';
import { type Snapshot, withSnapshot } from './pass.js';
import type { Tally } from './report.js';
import { ACCOUNTS_PER_PAGE_MAX } from './stored-accounts.js';

/** Accounts that Redis holds at a later entry are looked at again so often: a flush is rarely later than that. */
const MOVING_ROUNDS_MAX = 8;
const MOVING_PAUSE_MS = 250;
/** Such accounts remembered for another look; the others count as moving at once. */
const MOVING_ACCOUNTS_MAX = 20_000;

export interface RedisPassOptions {
  readonly pool: Pool;
  readonly connection: RedisConnection;
  readonly redisKeyPrefix: string;
  readonly tally: Tally;
  /** Called after every batch; throws to stop. */
  readonly onBatch: () => void;
  /** Called before each look at what was moving. */
  readonly onMoving: (round: number, roundsMax: number) => void;
  readonly signal?: AbortSignal;
}

/** Accounts to look at again, by partition. */
type Moving = Map<number, Set<string>>;

/** Redis beside Postgres: each partition in a snapshot of its own, so that most accounts are at the same entry. */
export async function passOverRedis(
  options: RedisPassOptions,
  installation: VerifiedInstallation,
): Promise<void> {
  const moving: Moving = new Map();
  const remember = boundedBy(MOVING_ACCOUNTS_MAX);
  const partitions = (await readVerifiedCursors(options.pool)).map(({ partition }) => partition);
  for (const partition of partitions) {
    const again = new Set<string>();
    moving.set(partition, again);
    await withSnapshot(options.pool, (snapshot) =>
      passOverPartition(options, installation, { snapshot, partition }, (accountId) => {
        if (remember()) again.add(accountId);
        else options.tally.moving += 1;
      }),
    );
  }
  options.tally.moving += await passOverMoving(options, moving);
}

/** True so many times. */
function boundedBy(max: number): () => boolean {
  let count = 0;
  return () => {
    count += 1;
    return count <= max;
  };
}

async function passOverPartition(
  options: RedisPassOptions,
  { id: installation }: VerifiedInstallation,
  { snapshot, partition }: { readonly snapshot: Snapshot; readonly partition: number },
  moving: (accountId: string) => void,
): Promise<void> {
  const { pool, connection, tally } = options;
  const cursor = (await readVerifiedCursors(snapshot.rows)).find((one) => one.partition === partition);
  if (cursor === undefined) return;
  const keys = partitionKeys(options.redisKeyPrefix, partition);
  if (!(await verifyJournal({ pool, connection, installation, report: tally.report }, keys, cursor))) return;
  const context = hotContext(options, snapshot);
  const place: HotPartition = { partition, keys, cursorSeq: cursor.seq };
  await verifyHotAccounts(context, place, moving);
  await verifyHotHolds(context, place);
}

function hotContext({ connection, tally, onBatch }: RedisPassOptions, snapshot: Snapshot): HotContext {
  return { connection, rows: snapshot.rows, tally, onBatch };
}

/** Looks again at accounts that Redis held at a later entry, each time in a fresh snapshot; returns how many still are. */
async function passOverMoving(options: RedisPassOptions, moving: Moving): Promise<number> {
  const count = (): number => [...moving.values()].reduce((sum, accounts) => sum + accounts.size, 0);
  for (let round = 1; round <= MOVING_ROUNDS_MAX && count() > 0; round++) {
    options.onMoving(round, MOVING_ROUNDS_MAX);
    if (round > 1)
      await sleep(MOVING_PAUSE_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
    await withSnapshot(options.pool, async (snapshot) => {
      const context = hotContext(options, snapshot);
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
