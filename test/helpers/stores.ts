/**
 * Real stores for tests: each one a process of its own on a unix socket in a temporary directory. Only processes that
 * were started here are ended, by their pid.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { postgresProcess } from '../../src/embedded/postgres.js';
import { commandLine, endProcess, isAlive } from '../../src/embedded/process.js';
import { redisProcess } from '../../src/embedded/redis.js';
import type { StoreProcess } from '../../src/embedded/store.js';
import { migrate } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Any database of the cluster that all files of a test run share. */
    postgresUrl: string;
  }
}

export interface TestStore {
  readonly url: string;
  readonly pid: number;
  /** Ends it as a power cut would; resolves when it is gone. */
  kill9(): Promise<void>;
  /** Starts it again on the same data, after kill9() or of a running one; resolves when it serves. */
  restart(): Promise<void>;
  /** Ends it in peace; restart() starts it again. */
  shutDown(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export interface TestPostgres extends TestStore {
  readonly dataDir: string;
}

export interface TestRedis extends TestStore {
  readonly socketPath: string;
}

export interface RedisTestOptions {
  /** Off by default: without it a restarted Redis is empty, which is what most fault tests want to see. */
  appendOnly?: boolean;
  /** More settings, by their name in redis.conf, such as `maxmemory`. */
  settings?: Readonly<Record<string, string>>;
}

const prefix = 'drawdown-test-';

/** Named after this process, so that a later run can tell what a killed one left behind. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

export async function startRedis(options: RedisTestOptions = {}): Promise<TestRedis> {
  const directory = temporaryDirectory();
  const store = redisProcess({
    directory,
    appendOnly: options.appendOnly ?? false,
    settings: options.settings ?? {},
  });
  const running = await run(store, directory);
  return Object.assign(running, { socketPath: store.socketPath });
}

/** A cluster of one's own, for tests that kill it. Others take createDatabase(), which is much faster. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const base = temporaryDirectory();
  openForPostgres(base);
  const quick = { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB', max_connections: '200' };
  // The server survives kill -9 with fsync off: only a power cut of the machine would lose something.
  const store = postgresProcess({ directory: join(base, 'postgres'), settings: { ...quick, ...settings } });
  return Object.assign(await run(store, base), { dataDir: join(base, 'postgres', 'data') });
}

export interface TestDatabase {
  readonly url: string;
  /** A copy of it as it is now; nobody may be connected to it. */
  copy(): Promise<TestDatabase>;
  /** Ends the connections to it and removes it. */
  drop(): Promise<void>;
}

/** A migrated database, of which copies are made faster than any can be migrated. */
const template = 'migrated';

const urlOf = (adminUrl: string, name: string): string => adminUrl.replace(/@\/[^?]*/, `@/${name}`);

/** Makes the template once, in the cluster of the whole run. */
export async function makeTemplate(adminUrl: string): Promise<void> {
  await execute(adminUrl, `CREATE DATABASE ${template}`);
  const pool = createPool({
    url: urlOf(adminUrl, template),
    connectTimeoutMs: 10_000,
    connectionsMax: 1,
    statementTimeoutMs: 60_000,
    logger: pino({ level: 'silent' }),
  });
  await migrate(pool);
  await pool.end();
}

/** A fresh database in the cluster that vitest's global setup started, migrated unless it is to be empty. */
export async function createDatabase(from: 'migrated' | 'empty' = 'migrated'): Promise<TestDatabase> {
  return copyDatabase(from === 'migrated' ? template : 'template1');
}

async function copyDatabase(source: string): Promise<TestDatabase> {
  const adminUrl = inject('postgresUrl');
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`;
  // Copying files takes a fifth of the time of copying through the log.
  await execute(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${source} STRATEGY file_copy`);
  return {
    url: urlOf(adminUrl, name),
    copy: () => copyDatabase(name),
    drop: () => execute(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Pids to end should this process leave without stop(). */
const living = new Set<number>();
process.on('exit', () => {
  for (const pid of living) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
  }
});

async function run(store: StoreProcess, directory: string): Promise<TestStore> {
  let { pid } = await store.start();
  living.add(pid);

  async function end(how: (pid: number) => Promise<void>): Promise<void> {
    if (isAlive(pid)) {
      await how(pid);
    }
    living.delete(pid);
  }
  const kill9 = (): Promise<void> => end((one) => endProcess(one, [{ signal: 'SIGKILL', limitMs: 10_000 }]));

  return {
    url: store.url,
    get pid() {
      return pid;
    },
    kill9,
    shutDown: () => end((one) => store.stop(one)),
    async restart() {
      await end((one) => store.stop(one));
      pid = (await store.start()).pid;
      living.add(pid);
    },
    async stop() {
      await end((one) => store.stop(one));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** As root, Postgres runs as another user, who must be able to enter the directory above its own. */
function openForPostgres(directory: string): void {
  chmodSync(directory, 0o711);
}

/** Ends what test runs that were killed have left behind: their directories name them. */
export async function sweepLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const owner = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (!(owner > 0) || isAlive(owner)) {
      continue;
    }
    const directory = join(tmpdir(), name);
    for (const pidFile of ['redis.pid', 'redis/redis.pid', 'postgres/data/postmaster.pid']) {
      const file = join(directory, pidFile);
      const pid = existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 0;
      if (pid > 0 && isAlive(pid) && (await commandLine(pid)).includes(directory)) {
        await endProcess(pid, [{ signal: 'SIGKILL', limitMs: 10_000 }]);
      }
    }
    rmSync(directory, { recursive: true, force: true });
  }
}
