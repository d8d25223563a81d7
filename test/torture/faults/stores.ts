/** Redis forgets, goes back, or is full; disks are full; clocks are wrong. */
import { sql } from '../../helpers/audit.js';
import { until } from '../../helpers/until.js';
import { type Cluster, SIDECARS } from '../cluster.js';
import type { SidecarProcess } from '../sidecar.js';
import { type Fault, needsPostgres, needsRedis, type Scene } from './fault.js';

/** A store that ran out of disk starts again at once, or once whoever watches it has started it. */
const BACK_MAX_MS = 30_000;
/** What a full Redis still has room for: some scripts, then none. */
const ROOM_BYTES = 32 * 1_024;
/** The end of a file, from one record to some hundred. */
const CUT_BYTES_MAX = 50_000;

const noDisk = ({ disks }: Cluster): string | null => ('problem' in disks ? disks.problem : null);

async function diskFull({ cluster, lasts }: Scene, name: 'redis' | 'postgres'): Promise<boolean> {
  if ('problem' in cluster.disks) return false;
  const disk = cluster.disks[name];
  disk.fill();
  await lasts(500, 2_500);
  disk.empty();
  return true;
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
    problem: noDisk,
    needs: needsRedis,
    async play(scene) {
      const { redis } = scene.cluster;
      const hasFired = await diskFull(scene, 'redis');
      await until(
        'Redis writes again',
        async () => {
          await redis.start();
          return (await redis.ask((one) => one.info('persistence'))).includes('aof_last_write_status:ok');
        },
        BACK_MAX_MS,
      );
      return hasFired;
    },
  },
  {
    kind: 'postgres_disk_full',
    what: 'the disk below Postgres is full',
    problem: noDisk,
    needs: needsPostgres,
    async play(scene) {
      const { postgres } = scene.cluster;
      const hasFired = await diskFull(scene, 'postgres');
      await until(
        'Postgres answers again',
        async () => {
          await postgres.start();
          return sql(postgres.url, 'SELECT 1').then(
            () => true,
            () => false,
          );
        },
        BACK_MAX_MS,
      );
      return hasFired;
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
