/** Everything that a run tortures: stores, sidecars, clients, and a link between each two that talk. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientHandle } from './client-handle.js';
import { SmallDisk } from './disk.js';
import { Link } from './link.js';
import { SidecarProcess } from './sidecar.js';
import { type Fsync, postgresSocketPath, postgresStore, RedisStore, type Store } from './stores.js';

export const SIDECARS = 2;
export const CLIENTS = 3;

/** Room for a cluster and its journal, for what some rounds write, and for the files that a restart makes. */
const POSTGRES_DISK_MEGABYTES = 1_024;
const REDIS_DISK_MEGABYTES = 512;

export interface ClusterOptions {
  readonly directory: string;
  readonly fsync: Fsync;
}

export interface Links {
  /** By client, then by sidecar. */
  readonly clients: readonly (readonly Link[])[];
  /** By sidecar. */
  readonly redis: readonly Link[];
  readonly postgres: readonly Link[];
}

export class Cluster {
  readonly redis: RedisStore;
  readonly postgres: Store;
  readonly sidecars: readonly SidecarProcess[];
  /** Those of the round. */
  clients: readonly ClientHandle[] = [];

  private constructor(
    readonly options: ClusterOptions,
    readonly disks:
      | { readonly redis: SmallDisk; readonly postgres: SmallDisk }
      | { readonly problem: string },
    /** Where the stores' data lie. */
    readonly directories: { readonly redis: string; readonly postgres: string },
    stores: { readonly redis: RedisStore; readonly postgres: Store },
    readonly links: Links,
  ) {
    this.redis = stores.redis;
    this.postgres = stores.postgres;
    this.sidecars = links.redis.map((redis, i) => {
      const postgres = links.postgres[i] as Link;
      return new SidecarProcess({
        name: `sidecar-${i + 1}`,
        directory: options.directory,
        redisUrl: `redis://127.0.0.1:${redis.port}`,
        postgresUrl: `postgresql://drawdown@127.0.0.1:${postgres.port}/drawdown`,
      });
    });
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const { directory, fsync } = options;
    mkdirSync(directory, { recursive: true });
    // As root, Postgres runs as another user, who must be able to pass.
    chmodSync(directory, 0o711);
    const disks = mountDisks(directory);
    // Short: the path of a socket has 107 bytes at most.
    const directories = {
      redis: join(directory, 'redis', 'data'),
      postgres: join(directory, 'postgres', 'data'),
    };
    const redis = new RedisStore(directories.redis, fsync);
    const postgres = postgresStore(directories.postgres);
    await Promise.all([redis.start(), postgres.start()]);
    const socket = postgresSocketPath(postgres.url);
    const cluster: Cluster = new Cluster(
      options,
      disks,
      directories,
      { redis, postgres },
      {
        clients: await rows(CLIENTS, (client) =>
          rows(SIDECARS, (sidecar) =>
            Link.listen(`client-${client + 1}-sidecar-${sidecar + 1}`, () => ({
              host: '127.0.0.1',
              port: (cluster.sidecars[sidecar] as SidecarProcess).grpcPort,
            })),
          ),
        ),
        redis: await rows(SIDECARS, (i) =>
          Link.listen(`sidecar-${i + 1}-redis`, () => ({ host: '127.0.0.1', port: redis.port })),
        ),
        postgres: await rows(SIDECARS, (i) =>
          Link.listen(`sidecar-${i + 1}-postgres`, () => ({ path: socket })),
        ),
      },
    );
    await Promise.all(cluster.sidecars.map((sidecar) => sidecar.start()));
    return cluster;
  }

  get allLinks(): readonly Link[] {
    const { clients, redis, postgres } = this.links;
    return [...clients.flat(), ...redis, ...postgres];
  }

  /** `keeps`: what lay on small disks is copied before these are gone. */
  async stop({ keeps }: { readonly keeps: boolean }): Promise<void> {
    for (const client of this.clients) await client.kill9();
    for (const sidecar of this.sidecars) await sidecar.kill9();
    await Promise.all(this.allLinks.map((link) => link.stop()));
    await Promise.all([this.redis.kill9(), this.postgres.kill9()]);
    if ('problem' in this.disks) return;
    for (const [name, disk] of Object.entries(this.disks)) {
      disk.empty();
      const { directory } = this.options;
      if (keeps) execFileSync('cp', ['-a', join(directory, name), join(directory, `${name}-kept`)]);
      disk.unmount();
    }
  }
}

function mountDisks(
  directory: string,
): { readonly redis: SmallDisk; readonly postgres: SmallDisk } | { readonly problem: string } {
  const redis = SmallDisk.mount(join(directory, 'redis'), REDIS_DISK_MEGABYTES);
  if ('problem' in redis) return redis;
  const postgres = SmallDisk.mount(join(directory, 'postgres'), POSTGRES_DISK_MEGABYTES);
  if (!('problem' in postgres)) return { redis, postgres };
  redis.unmount();
  return postgres;
}

function rows<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)));
}
