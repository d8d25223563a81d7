/** The stores of a run: a Redis with its append-only file, which may get a replica, and a Postgres. */
import { existsSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { postgresProcess } from '../../src/embedded/postgres.js';
import { isAlive } from '../../src/embedded/process.js';
import { redisProcess } from '../../src/embedded/redis.js';
import type { StoreProcess } from '../../src/embedded/store.js';
import { freePort } from '../helpers/free-port.js';
import { until } from '../helpers/until.js';
import { Link } from './link.js';
import { endsWithUs, kill9 } from './process-tree.js';

export type Fsync = 'always' | 'everysec';

/** Loading what a round has written takes well below a second, a full synchronisation about one. */
const REDIS_READY_MAX_MS = 30_000;

/** One life after the other of a store's process. */
export class Store {
  #pid: number | null = null;

  constructor(private readonly process: StoreProcess) {
    endsWithUs(() => (this.isAlive ? this.pid : 0));
  }

  get url(): string {
    return this.process.url;
  }

  get pid(): number {
    return this.#pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#pid !== null && isAlive(this.#pid);
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    if (!this.isAlive) this.#pid = (await this.process.start()).pid;
  }

  async kill9(): Promise<void> {
    if (this.isAlive) await kill9(this.pid);
    this.#pid = null;
  }
}

/** A cluster of its own, which survives kill -9 although it does not wait for the disk: only a power cut of the machine would lose something. */
export function postgresStore(directory: string): Store {
  const settings = {
    fsync: 'off',
    full_page_writes: 'off',
    shared_buffers: '64MB',
    max_connections: '100',
    // Small enough for a small disk.
    max_wal_size: '96MB',
    min_wal_size: '32MB',
  };
  return new Store(postgresProcess({ directory, settings }));
}

/** What Redis says after a file was cut, a replica promoted or data flushed is what the partitions' fence has to notice. */
export class RedisStore {
  readonly fsync: Fsync;
  readonly #base: string;
  /** Files that Redis could not load: 7.0 writes such a one at times when its disk was full. */
  filesUnreadable = 0;
  #lives = 0;
  #directory = '';
  #port = 0;
  #store: Store | null = null;
  #replication: Link | null = null;

  constructor(base: string, fsync: Fsync) {
    this.#base = base;
    this.fsync = fsync;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#running.pid;
  }

  get isAlive(): boolean {
    return this.#running.isAlive;
  }

  /** Where it cannot load its file it begins with nothing, as people let it who want to go on. */
  async start(): Promise<void> {
    if (this.#store === null) this.#adopt(await this.#make());
    try {
      await this.#running.start();
    } catch (error) {
      if (!/Bad file format/.test(String(error))) throw error;
      this.filesUnreadable++;
      this.#adopt(await this.#make());
      await this.#running.start();
    }
  }

  kill9(): Promise<void> {
    return this.#running.kill9();
  }

  /** Whoever wrote it last had got no further: the end of the file is gone. */
  cutFile(bytes: number): number {
    const folder = join(this.#directory, 'appendonlydir');
    const parts = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
    const newest = parts.sort((a, b) => numberOf(b) - numberOf(a))[0];
    if (newest === undefined) return 0;
    const file = join(folder, newest);
    const { size } = statSync(file);
    const cut = Math.min(bytes, size);
    truncateSync(file, size - cut);
    return cut;
  }

  /** A replica follows, falls behind for so long, and takes the place of the primary, whose later writes are gone. */
  async promoteLagging(lag: () => Promise<void>): Promise<void> {
    const primaryPort = this.#port;
    this.#replication = await Link.listen('redis-replica', () => ({ host: '127.0.0.1', port: primaryPort }));
    const { port: viaPort } = this.#replication;
    const made = await this.#make();
    await made.store.start();
    await ask(made.port, (redis) => redis.call('REPLICAOF', '127.0.0.1', viaPort));
    await until('the replica follows', () => replicates(made.port), REDIS_READY_MAX_MS);
    this.#replication.silence();
    await lag();
    const old = this.#running;
    const oldDirectory = this.#directory;
    await old.kill9();
    await this.#replication.stop();
    await ask(made.port, (redis) => redis.call('REPLICAOF', 'NO', 'ONE'));
    this.#adopt(made);
    rmSync(oldDirectory, { recursive: true, force: true });
  }

  /** Straight to it, past the links. */
  ask<Answer>(question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    return ask(this.#port, question);
  }

  async usedBytes(): Promise<number> {
    return Number(/used_memory:(\d+)/.exec(await this.ask((redis) => redis.info('memory')))?.[1]);
  }

  get #running(): Store {
    if (this.#store === null) throw new Error('Redis was not started');
    return this.#store;
  }

  #adopt({ store, directory, port }: Made): void {
    [this.#store, this.#directory, this.#port] = [store, directory, port];
  }

  async #make(): Promise<Made> {
    const directory = join(this.#base, String(++this.#lives));
    const port = await freePort();
    const store = new Store(
      redisProcess({
        directory,
        settings: {
          bind: '127.0.0.1',
          port: String(port),
          appendfsync: this.fsync,
          'repl-diskless-sync-delay': '0',
        },
      }),
    );
    return { store, directory, port };
  }
}

interface Made {
  readonly store: Store;
  readonly directory: string;
  readonly port: number;
}

const numberOf = (name: string): number => Number(/\.(\d+)\.incr/.exec(name)?.[1] ?? 0);

async function replicates(port: number): Promise<boolean> {
  return (await ask(port, (redis) => redis.info('replication'))).includes('master_link_status:up');
}

async function ask<Answer>(port: number, question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

/** The socket of a Postgres, from its URL; `existsSync` says whether it listens. */
export function postgresSocketPath(url: string): string {
  const directory = decodeURIComponent(/\?host=(.+)$/.exec(url)?.[1] ?? '');
  if (directory === '' || !existsSync(directory)) throw new Error(`not the URL of a socket: ${url}`);
  return `${directory}/.s.PGSQL.5432`;
}
