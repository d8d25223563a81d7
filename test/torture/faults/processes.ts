/** Processes are killed, frozen, and restarted in order. */
import type { SeededRandom } from '../../helpers/until.js';
import type { ClientHandle } from '../client-handle.js';
import { CLIENTS, type Cluster, SIDECARS } from '../cluster.js';
import { freeze, wake } from '../process-tree.js';
import { type SidecarProcess, sidecarSettings } from '../sidecar.js';
import { type Fault, type Needs, needsPostgres, needsRedis, type Scene } from './fault.js';

const needsSidecar = (random: SeededRandom): Needs => {
  const place = random.between(0, SIDECARS - 1);
  return { locks: [`sidecar-${place}`], place };
};
const needsClient = (random: SeededRandom): Needs => {
  const place = random.between(0, CLIENTS - 1);
  return { locks: [`client-${place}`], place };
};

const sidecarAt = (cluster: Cluster, place: number): SidecarProcess =>
  cluster.sidecars[place] as SidecarProcess;
const clientAt = (cluster: Cluster, place: number): ClientHandle => cluster.clients[place] as ClientHandle;

/** Shorter than a lease, than the wait for a Redis command, than anybody's patience. */
const NAP_MS = [100, 900] as const;

async function frozen(
  { lasts }: Scene,
  pid: number,
  [minMs, maxMs]: readonly [number, number],
): Promise<boolean> {
  if (pid === 0) return false;
  freeze(pid);
  await lasts(minMs, maxMs);
  wake(pid);
  return true;
}

export const processFaults: readonly Fault[] = [
  {
    kind: 'sidecar_killed',
    what: 'kill -9 of a sidecar, which is started again',
    needs: needsSidecar,
    async play({ cluster, lasts }, place) {
      const sidecar = sidecarAt(cluster, place);
      await sidecar.kill9();
      await lasts(0, 1_500);
      await sidecar.start();
      return true;
    },
  },
  {
    kind: 'sidecar_frozen',
    what: 'SIGSTOP of a sidecar for less than its leases last',
    needs: needsSidecar,
    play: (scene, place) => frozen(scene, sidecarAt(scene.cluster, place).pid, NAP_MS),
  },
  {
    kind: 'lease_owner_frozen',
    what: 'SIGSTOP of a sidecar for longer than its leases last: the other one takes them over, then both believe to own them',
    needs: needsSidecar,
    play: (scene, place) =>
      frozen(scene, sidecarAt(scene.cluster, place).pid, [
        1.5 * sidecarSettings.leaseMs,
        2.5 * sidecarSettings.leaseMs,
      ]),
  },
  {
    kind: 'sidecar_restarted',
    what: 'SIGTERM of a sidecar in the middle of its streams: it drains and is started again',
    needs: needsSidecar,
    async play({ cluster }, place) {
      const sidecar = sidecarAt(cluster, place);
      await sidecar.drain();
      await sidecar.start();
      return true;
    },
  },
  {
    kind: 'client_killed',
    what: 'kill -9 of a client, which reads its log when it is started again',
    needs: needsClient,
    async play({ cluster, lasts }, place) {
      const client = clientAt(cluster, place);
      await client.kill9();
      await lasts(0, 2_000);
      client.start();
      return true;
    },
  },
  {
    kind: 'client_frozen',
    what: 'SIGSTOP of a client, at times for longer than its sessions wait for it',
    needs: needsClient,
    play: (scene, place) => frozen(scene, clientAt(scene.cluster, place).pid, [200, 3_000]),
  },
  {
    kind: 'redis_killed',
    what: 'kill -9 of Redis, which loads its append-only file',
    losesRedis: 'everysec',
    needs: needsRedis,
    async play({ cluster, lasts }) {
      await cluster.redis.kill9();
      await lasts(0, 1_500);
      await cluster.redis.start();
      return true;
    },
  },
  {
    kind: 'redis_frozen',
    what: 'SIGSTOP of Redis, at times for longer than a command may take',
    needs: needsRedis,
    play: (scene) => frozen(scene, scene.cluster.redis.pid, [100, 2_000]),
  },
  {
    kind: 'postgres_killed',
    what: 'kill -9 of Postgres and all its backends',
    needs: needsPostgres,
    async play({ cluster, lasts }) {
      await cluster.postgres.kill9();
      await lasts(0, 1_500);
      await cluster.postgres.start();
      return true;
    },
  },
  {
    kind: 'postgres_frozen',
    what: 'SIGSTOP of Postgres and all its backends',
    needs: needsPostgres,
    play: (scene) => frozen(scene, scene.cluster.postgres.pid, [100, 2_000]),
  },
];
