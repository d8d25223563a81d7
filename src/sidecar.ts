import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import type { Config } from './config.js';
import { type CoreStores, startCore } from './core.js';
import { CatalogControl } from './credits/catalog-control.js';
import { type Embedded, startEmbedded } from './embedded/index.js';
import { Health } from './grpc/health.js';
import { createGrpcServer } from './grpc/server.js';
import { createHttpServer } from './http/server.js';
import { loadCatalogs, prepareInstallation } from './installation.js';
import { createMetrics } from './metrics.js';
import { packageRoot } from './paths.js';
import { createPool, endPool } from './postgres/pool.js';
import { watchReadiness } from './readiness.js';
import { RedisConnection } from './redis/connection.js';
import { EpochScripts } from './redis/epochs.js';
import { Scripts } from './redis/scripts.js';
import { Sessions } from './sessions/sessions.js';

export { migrateInstallation } from './stores.js';

/** A running sidecar. */
export interface Sidecar {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  /** Where embedded stores keep their data; null where both are somebody else's. */
  readonly dataDir: string | null;
  /** Process ids of the embedded stores, for measuring them. */
  readonly embedded: { readonly redisPid: number | undefined; readonly postgresPid: number | undefined };
  /** Drains, makes durable what is applied, and stops everything that was started. Once; repeats wait for the first. */
  stop(): Promise<void>;
}

export interface SidecarOptions {
  /** A store was lost for good: the process should end. */
  readonly onFatal?: (error: Error) => void;
  /** As in ScriptOptions: whoever sets the scripts' clock. */
  readonly replacedIncludes?: ReadonlyMap<string, string>;
  /** Awaited before the first script runs on the connection: what replaced includes read is put in place here. */
  readonly onRedis?: (connection: RedisConnection) => Promise<void>;
}

/** Part of the drain that is for the streams; the rest is for the last flush. */
const DRAIN_STREAMS_SHARE = 0.7;
/** Giving leases back and closing connections takes milliseconds where the stores answer; after so long whatever still waits for them is given up. */
const CLOSE_MAX_MS = 2_000;

interface Stores extends CoreStores {
  readonly embedded: Embedded | null;
}

/**
 * Starts a sidecar: stores, migrations, partitions, flusher, servers. Only this and core.ts wire. Rejects with a DrawdownError
 * or an Error that says what an operator must do; what was started until then is stopped.
 */
export async function startSidecar(config: Config, options: SidecarOptions = {}): Promise<Sidecar> {
  const logger = pino({ level: config.logLevel });
  const metrics = createMetrics();
  metrics.buildInfo.set({ version: packageVersion() }, 1);
  const health = new Health();
  const http = createHttpServer({ config, metrics, health, logger });
  const cleanups: (() => Promise<void> | void)[] = [];
  const cleanUp = async (): Promise<void> => {
    for (const step of cleanups.reverse()) {
      await Promise.resolve(step()).catch((error: unknown) =>
        logger.error({ reason: String(error) }, 'stopping failed'),
      );
    }
  };
  try {
    const httpAddress = await http.listen();
    cleanups.push(() => http.stop());
    const stores = await openStores(config, logger, options, cleanups);
    const installation = await prepareInstallation(stores.pool, config);
    const catalogs = await loadCatalogs(stores.pool, config, metrics, logger);
    catalogs.follow();
    cleanups.push(() => catalogs.stop());
    const core = startCore(config, stores, installation, catalogs, { metrics, logger });
    cleanups.push(() => core.stop());
    // A store or a clock may keep it from opening its partitions: it says so while it waits.
    const readiness = watchReadiness(stores, core, catalogs, health, metrics);
    cleanups.push(() => readiness.end('stopping'));
    await core.opened;
    await core.leases.start();
    const sessions = new Sessions(core.sessions, core.meter, catalogs, config, metrics, logger);
    core.watermarks.onEpochClosed((partition) => sessions.sayAgain(partition));
    cleanups.push(() => sessions.stop());

    const grpc = createGrpcServer({
      config,
      reflection: config.reflection === 'on' || (config.reflection === 'auto' && stores.embedded !== null),
      meter: core.meter,
      sessions,
      watermarks: core.watermarks,
      accounts: core.accounts,
      statements: core.statements,
      watches: core.watches,
      corrections: core.corrections,
      conversions: core.conversions,
      plans: core.plans,
      agents: core.agents,
      catalog: catalogs,
      publisher: new CatalogControl(stores.pool, catalogs),
      health,
      logger,
      metrics,
    });
    const grpcAddress = await grpc.listen();
    readiness.started();

    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      readiness.end('stopping');
      const giveUp = setTimeout(() => core.giveUp(), config.drainTimeoutMs + CLOSE_MAX_MS);
      await grpc.drain(config.drainTimeoutMs * DRAIN_STREAMS_SHARE);
      // The last checkpoints of the sessions whose streams are gone; each has a deadline of its own.
      await sessions.idle();
      await core.flushRest(config.drainTimeoutMs * (1 - DRAIN_STREAMS_SHARE));
      await cleanUp();
      clearTimeout(giveUp);
    };
    return {
      grpcAddress,
      httpAddress,
      dataDir: stores.embedded === null ? null : config.dataDir,
      embedded: {
        get redisPid() {
          return stores.embedded?.redisPid;
        },
        get postgresPid() {
          return stores.embedded?.postgresPid;
        },
      },
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function openStores(
  config: Config,
  logger: Logger,
  options: SidecarOptions,
  cleanups: (() => Promise<void> | void)[],
): Promise<Stores> {
  let embedded: Embedded | null = null;
  if (config.redisUrl === undefined || config.postgresUrl === undefined) {
    embedded = await startEmbedded({
      dataDir: config.dataDir,
      logger,
      redis: config.redisUrl === undefined,
      postgres: config.postgresUrl === undefined,
      ...(options.onFatal === undefined ? {} : { onGivenUp: options.onFatal }),
    });
    const started = embedded;
    cleanups.push(() => started.stop());
  }
  const redisUrl = (config.redisUrl ?? embedded?.redisUrl) as string;
  const postgresUrl = (config.postgresUrl ?? embedded?.postgresUrl) as string;
  const pool = createPool({
    url: postgresUrl,
    connectTimeoutMs: config.postgresConnectTimeoutMs,
    connectionsMax: config.postgresPoolMax,
    statementTimeoutMs: config.postgresStatementTimeoutMs,
    logger,
  });
  cleanups.push(() => endPool(pool, CLOSE_MAX_MS));
  const connection = new RedisConnection({
    url: redisUrl,
    connectTimeoutMs: config.redisConnectTimeoutMs,
    commandTimeoutMs: config.redisCommandTimeoutMs,
    logger,
  });
  cleanups.push(() => connection.close());
  await connection.connect();
  await options.onRedis?.(connection);
  return {
    embedded,
    pool,
    connection,
    scripts: new Scripts(connection, config, options.replacedIncludes),
    epochScripts: new EpochScripts(connection, config, options.replacedIncludes),
    redisUrl,
    postgresUrl,
  };
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return String((manifest as { version: unknown }).version);
}
