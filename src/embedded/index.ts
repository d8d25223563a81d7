/**
 * The zero-configuration mode: the sidecar runs its own Redis and Postgres below its data directory. What a killed
 * sidecar left running is adopted by the next one, and stopped by it.
 */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { takeOwnerLock } from './lock.js';
import { findPostgres, postgresProcess } from './postgres.js';
import { findRedis, redisProcess } from './redis.js';
import type { StoreProcess } from './store.js';
import { type StoreExit, Supervisor } from './supervisor.js';

export type { StoreExit } from './supervisor.js';

/** What is used of the sidecar's logger. */
export interface EmbeddedLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface EmbeddedOptions {
  dataDir: string;
  logger: EmbeddedLogger;
  /** False when the sidecar uses a Redis of somebody else's. */
  redis?: boolean;
  /** False when the sidecar uses a Postgres of somebody else's. */
  postgres?: boolean;
  /** A store ended without being asked to; it is restarted after `restartInMs`. */
  onExit?: (exit: StoreExit) => void;
  /** A store could not be brought back: the sidecar should end. */
  onGivenUp?: (error: Error) => void;
}

export interface Embedded {
  /** unix:///path/to/redis.sock */
  readonly redisUrl: string | undefined;
  /** postgresql://user@/database?host=/socket/directory */
  readonly postgresUrl: string | undefined;
  /** Undefined while it is down or not ours. */
  readonly redisPid: number | undefined;
  readonly postgresPid: number | undefined;
  /** Stops what was started, Redis first, and gives the data directory free. Once; repeats wait for the first. */
  stop(): Promise<void>;
}

export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const dataDir = resolve(options.dataDir);
  makeDataDirectory(dataDir);
  const lock = takeOwnerLock(dataDir);
  const supervisors: Supervisor[] = [];

  async function stopAll(): Promise<void> {
    const problems: unknown[] = [];
    for (const supervisor of supervisors) {
      await supervisor.stop().catch((error: unknown) => problems.push(error));
    }
    lock.release();
    if (problems.length > 0) {
      throw new AggregateError(problems, 'A store did not stop');
    }
  }

  try {
    const redis = options.redis === false ? undefined : redisProcess({ directory: join(dataDir, 'redis') });
    const redisSupervisor = redis && supervise(redis, options);
    const postgres =
      options.postgres === false ? undefined : postgresProcess({ directory: join(dataDir, 'postgres') });
    const postgresSupervisor = postgres && supervise(postgres, options);
    supervisors.push(...[redisSupervisor, postgresSupervisor].filter((one) => one !== undefined));
    await startTogether(supervisors, options.logger);

    let stopping: Promise<void> | undefined;
    return {
      redisUrl: redis?.url,
      postgresUrl: postgres?.url,
      get redisPid() {
        return redisSupervisor?.pid;
      },
      get postgresPid() {
        return postgresSupervisor?.pid;
      },
      stop() {
        stopping ??= stopAll();
        return stopping;
      },
    };
  } catch (error) {
    await stopAll().catch(() => undefined); // The first error is the one that explains.
    throw error;
  }
}

/**
 * The stores that serve a data directory now, whoever started them: for looking at them beside their owner, without its lock.
 * Undefined unless all that are asked for serve. Starts and makes nothing.
 */
export async function findEmbedded(
  dataDir: string,
  wanted: { readonly redis?: boolean; readonly postgres?: boolean } = {},
): Promise<{ readonly redisUrl: string | undefined; readonly postgresUrl: string | undefined } | undefined> {
  const directory = resolve(dataDir);
  const redis = wanted.redis !== false;
  const postgres = wanted.postgres !== false;
  const redisUrl = redis ? await findRedis(join(directory, 'redis')) : undefined;
  const postgresUrl = postgres ? await findPostgres(join(directory, 'postgres')) : undefined;
  const all = (!redis || redisUrl !== undefined) && (!postgres || postgresUrl !== undefined);
  return all ? { redisUrl, postgresUrl } : undefined;
}

/** The unprivileged user of Postgres must be able to pass through on its way to its own, closed directory. */
function makeDataDirectory(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  if (process.getuid?.() === 0) {
    chmodSync(dataDir, (statSync(dataDir).mode & 0o777) | 0o011);
  }
}

/** Both at once: a recovery of one need not wait for the other. Both have settled afterwards, so both can be stopped. */
async function startTogether(supervisors: readonly Supervisor[], logger: EmbeddedLogger): Promise<void> {
  const results = await Promise.allSettled(supervisors.map((supervisor) => supervisor.start()));
  for (const result of results) {
    if (result.status === 'rejected') {
      throw result.reason;
    }
    logger.info({ pid: result.value.pid, adopted: result.value.adopted }, 'embedded store runs');
  }
}

function supervise(store: StoreProcess, options: EmbeddedOptions): Supervisor {
  const { logger } = options;
  return new Supervisor({
    store,
    onExit: (exit) => {
      logger.warn(exit, `embedded ${store.name} ended`);
      options.onExit?.(exit);
    },
    onRestart: (run) => {
      logger.warn({ pid: run.pid, adopted: run.adopted }, `embedded ${store.name} runs again`);
    },
    onGivenUp: (error) => {
      logger.error({ error: error.message }, `embedded ${store.name} is given up`);
      options.onGivenUp?.(error);
    },
  });
}
