import { type Logger, pino } from 'pino';
import type { Config } from './config.js';
import { findEmbedded, startEmbedded } from './embedded/index.js';
import { migrate } from './postgres/migrate.js';
import { createPool, type Pool } from './postgres/pool.js';
import { RedisConnection } from './redis/connection.js';

/** The stores of an installation, for commands that work beside its sidecar or without one. */
export interface Stores {
  readonly pool: Pool;
  readonly connection: RedisConnection;
  readonly redisUrl: string;
  readonly postgresUrl: string;
  /** Closes what was opened, and stops what was started. */
  close(): Promise<void>;
}

/**
 * Opens the stores that the configuration names; where it names none, the embedded ones: those that run already, or else its own,
 * which close() stops again.
 */
export async function openStores(config: Config): Promise<Stores> {
  const logger = pino({ level: config.logLevel });
  const wanted = { redis: config.redisUrl === undefined, postgres: config.postgresUrl === undefined };
  const { stop, ...embedded } = await embeddedStores(config, logger, wanted);
  const redisUrl = (config.redisUrl ?? embedded.redisUrl) as string;
  const postgresUrl = (config.postgresUrl ?? embedded.postgresUrl) as string;
  const pool = openPool(config, logger, postgresUrl);
  const connection = new RedisConnection({
    url: redisUrl,
    connectTimeoutMs: config.redisConnectTimeoutMs,
    commandTimeoutMs: config.redisCommandTimeoutMs,
    logger,
  });
  const close = async (): Promise<void> => {
    await connection.close();
    await pool.end();
    await stop();
  };
  try {
    await connection.connect();
  } catch (error) {
    await close();
    throw error;
  }
  return { pool, connection, redisUrl, postgresUrl, close };
}

/** Works with Postgres alone, the one that the configuration names or the embedded one. */
export async function withPostgres<Result>(
  config: Config,
  work: (pool: Pool) => Promise<Result>,
): Promise<Result> {
  const logger = pino({ level: config.logLevel });
  const wanted = { redis: false, postgres: config.postgresUrl === undefined };
  const { postgresUrl, stop } = await embeddedStores(config, logger, wanted);
  const pool = openPool(config, logger, postgresUrl);
  try {
    return await work(pool);
  } finally {
    await pool.end();
    await stop();
  }
}

/** Brings Postgres to this version's schema; names what was applied. */
export function migrateInstallation(config: Config): Promise<{ applied: readonly string[] }> {
  return withPostgres(config, async (pool) => ({ applied: await migrate(pool) }));
}

function openPool(config: Config, logger: Logger, embeddedUrl: string | undefined): Pool {
  return createPool({
    url: (config.postgresUrl ?? embeddedUrl) as string,
    connectTimeoutMs: config.postgresConnectTimeoutMs,
    connectionsMax: Math.max(CONNECTIONS_MIN, config.postgresPoolMax),
    // An audit reads whole tables, a migration may write them.
    statementTimeoutMs: 0,
    logger,
  });
}

/** Verification reads on three connections at once. */
const CONNECTIONS_MIN = 3;

async function embeddedStores(
  config: Config,
  logger: Logger,
  wanted: { readonly redis: boolean; readonly postgres: boolean },
): Promise<{ redisUrl: string | undefined; postgresUrl: string | undefined; stop: () => Promise<void> }> {
  const nothing = async (): Promise<void> => undefined;
  if (!wanted.redis && !wanted.postgres)
    return { redisUrl: undefined, postgresUrl: undefined, stop: nothing };
  const running = await findEmbedded(config.dataDir, wanted);
  if (running !== undefined) return { ...running, stop: nothing };
  const started = await startEmbedded({ dataDir: config.dataDir, logger, ...wanted });
  return { redisUrl: started.redisUrl, postgresUrl: started.postgresUrl, stop: () => started.stop() };
}
