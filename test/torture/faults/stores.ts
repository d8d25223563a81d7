/** Redis forgets, goes back, or is full; disks are full; clocks are wrong. */
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config.js';
import { partitionKeys } from '../../../src/redis/keys.js';
import { sql } from '../../helpers/audit.js';
import { until } from '../../helpers/until.js';
import { type Cluster, SIDECARS } from '../cluster.js';
import { type SidecarProcess, sidecarSettings } from '../sidecar.js';
import { type Fault, needsPostgres, needsRedis, type Scene } from './fault.js';

/** A store that ran out of disk starts again at once, or once whoever watches it has started it. */
const BACK_MAX_MS = 30_000;
/** What a full Redis still has room for: some scripts, then none. */
const ROOM_BYTES = 32 * 1_024;
/** The end of a file, from one record to some hundred. */
const CUT_BYTES_MAX = 50_000;

function noDisk(store: 'redis' | 'postgres', { disks, directories }: Cluster): string | null {
  if ('problem' in disks) return disks.problem;
  // As root, Postgres goes where its user may go.
  return disks[store].holds(directories[store])
    ? null
    : 'the store lies elsewhere, where its user can reach it';
}

/** True: the store has met its full disk. */
async function diskFull(
  { cluster, lasts }: Scene,
  store: 'redis' | 'postgres',
  hasMet: () => Promise<boolean>,
): Promise<boolean> {
  if ('problem' in cluster.disks) return false;
  const disk = cluster.disks[store];
  disk.fill();
  await lasts(500, 2_500);
  const met = await hasMet();
  disk.empty();
  return met;
}

/** Nobody can write there: 8 MB are more than Postgres has in reserve. */
async function postgresIsFull({ postgres }: Cluster): Promise<boolean> {
  const grow = `CREATE TABLE probe AS SELECT repeat('x', 8000) FROM generate_series(1, 1000)`;
  return sql(postgres.url, grow).then(
    () => false,
    () => true,
  );
}

const redisWrites = async ({ redis }: Cluster): Promise<boolean> =>
  redis.isAlive && (await redis.ask((one) => one.info('persistence'))).includes('aof_last_write_status:ok');

const dataOf = ({ directories }: Cluster): string => join(directories.postgres, 'data');

/** Every sidecar serves: another fault that keeps one from it is over by then. */
async function ready({ sidecars }: Cluster): Promise<void> {
  for (const sidecar of sidecars) {
    await until(`${sidecar.name} serves`, () => sidecar.isReady(), BACK_MAX_MS);
  }
}

/** The last entry of each partition. */
/** What Redis has of every partition. */
function inRedis({ redis }: Cluster, field: 'seq' | 'epoch'): Promise<number[]> {
  const metas = Array.from(
    { length: sidecarSettings.partitionCount },
    (_, partition) => partitionKeys(loadConfig({ environment: {} }).redisKeyPrefix, partition)[0],
  );
  return redis.ask((one) => Promise.all(metas.map(async (meta) => Number(await one.hget(meta, field)))));
}

async function isThrough({ postgres }: Cluster, seqs: readonly number[]): Promise<boolean> {
  const cursors = await sql(postgres.url, 'SELECT seq FROM partitions ORDER BY partition');
  return seqs.every((seq, partition) => Number(cursors[partition]?.seq) >= seq);
}

export const storeFaults: readonly Fault[] = [
  {
    kind: 'redis_flushed',
    what: 'FLUSHALL',
    losesRedis: 'always',
    needs: needsRedis,
    async play({ cluster }) {
      await cluster.redis.ask((redis) => redis.flushall());
      return true;
    },
  },
  {
    kind: 'redis_file_cut',
    what: 'Redis is killed, the end of its append-only file is lost, and it starts with what is left',
    losesRedis: 'always',
    needs: needsRedis,
    async play({ cluster, random }) {
      await cluster.redis.kill9();
      const cut = cluster.redis.cutFile(random.between(1, CUT_BYTES_MAX));
      await cluster.redis.start();
      return cut > 0;
    },
  },
  {
    kind: 'redis_replica_promoted',
    what: 'the primary is killed, and a replica that had fallen behind takes its place',
    losesRedis: 'always',
    needs: needsRedis,
    async play({ cluster, lasts }) {
      await cluster.redis.promoteLagging(() => lasts(200, 1_000));
      for (const link of cluster.links.redis) link.reset();
      return true;
    },
  },
  {
    kind: 'redis_scripts_flushed',
    what: 'SCRIPT FLUSH',
    needs: needsRedis,
    async play({ cluster }) {
      await cluster.redis.ask((redis) => redis.script('FLUSH'));
      return true;
    },
  },
  {
    kind: 'redis_memory_full',
    what: 'maxmemory of Redis is reached, and lifted later',
    needs: needsRedis,
    async play({ cluster, lasts }) {
      const limit = (await cluster.redis.usedBytes()) + ROOM_BYTES;
      await cluster.redis.ask((redis) => redis.config('SET', 'maxmemory', limit));
      await lasts(500, 2_500);
      await cluster.redis.ask((redis) => redis.config('SET', 'maxmemory', 0));
      return true;
    },
  },
  {
    kind: 'redis_disk_full',
    what: 'the disk below Redis is full (one that syncs always gives up, and is started again)',
    losesRedis: 'everysec',
    problem: (cluster) => noDisk('redis', cluster),
    needs: needsRedis,
    async play(scene) {
      const { cluster } = scene;
      const hasFired = await diskFull(scene, 'redis', async () => !(await redisWrites(cluster)));
      const writesAgain = async (): Promise<boolean> => {
        await cluster.redis.start();
        return redisWrites(cluster);
      };
      await until('Redis writes again', writesAgain, BACK_MAX_MS);
      return hasFired;
    },
  },
  {
    kind: 'postgres_disk_full',
    what: 'the disk below Postgres is full',
    problem: (cluster) => noDisk('postgres', cluster),
    needs: needsPostgres,
    async play(scene) {
      const { cluster } = scene;
      const hasFired = await diskFull(scene, 'postgres', () => postgresIsFull(cluster));
      const answersAgain = async (): Promise<boolean> => {
        await cluster.postgres.start();
        return sql(cluster.postgres.url, 'SELECT 1').then(
          () => true,
          () => false,
        );
      };
      await until('Postgres answers again', answersAgain, BACK_MAX_MS);
      return hasFired;
    },
  },
  {
    kind: 'postgres_went_back',
    what: 'Postgres loses its last transactions, as a standby does that is promoted without them, and is repaired from the tail of the journal',
    needs: () => ({ locks: ['postgres', 'redis'], place: 0 }),
    async play({ cluster, lasts }) {
      // An epoch that closes meanwhile has no tail.
      await ready(cluster);
      await cluster.postgres.kill9();
      const epochs = await inRedis(cluster, 'epoch');
      // With its owner and rights, about which Postgres is particular.
      execFileSync('cp', ['-a', dataOf(cluster), `${dataOf(cluster)}.old`]);
      await cluster.postgres.start();
      await lasts(500, 2_000);
      await cluster.postgres.kill9();
      // A Redis that was restarted before is noticed by now: to go back to the epoch before is for people.
      if (String(await inRedis(cluster, 'epoch')) !== String(epochs)) {
        rmSync(`${dataOf(cluster)}.old`, { recursive: true });
        await cluster.postgres.start();
        return false;
      }
      rmSync(dataOf(cluster), { recursive: true });
      renameSync(`${dataOf(cluster)}.old`, dataOf(cluster));
      const journaled = await inRedis(cluster, 'seq');
      await cluster.postgres.start();
      // Before that, what is to be repaired is in Redis alone, and lost with it.
      await until('the ledger is repaired', () => isThrough(cluster, journaled), BACK_MAX_MS);
      return true;
    },
  },
  {
    kind: 'clock_stepped',
    what: 'the clock of a sidecar jumps, by what is tolerated (clockSkewMaxMs) or by far more, and back',
    needs: (random) => {
      const place = random.between(0, SIDECARS - 1);
      return { locks: [`clock-${place}`], place };
    },
    async play({ cluster, random, lasts }, place) {
      const sidecar = cluster.sidecars[place] as SidecarProcess;
      const byMs = random.pick([random.between(200, 1_500), random.between(3_000, 20_000)]);
      sidecar.moveClock(random.pick([byMs, -byMs]));
      await lasts(500, 2_000);
      sidecar.clockIsRight();
      return true;
    },
  },
];
