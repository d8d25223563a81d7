import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import type { Config } from './config.js';
import { AccountCalls } from './credits/account-calls.js';
import { AccountControl } from './credits/accounts.js';
import { AgentControl } from './credits/agents.js';
import { CatalogControl } from './credits/catalog-control.js';
import { seedFromFile } from './credits/catalog-seed.js';
import { ConversionControl } from './credits/conversions.js';
import { CorrectionControl } from './credits/corrections.js';
import { PlanControl } from './credits/plans.js';
import { Statements } from './credits/statements.js';
import { catalogThresholds } from './credits/watch.js';
import { Watches } from './credits/watches.js';
import { type Embedded, startEmbedded } from './embedded/index.js';
import { DrawdownError } from './errors.js';
import { Flusher } from './flush/flusher.js';
import { Leases } from './flush/leases.js';
import { Opener } from './flush/opener.js';
import { Openings } from './flush/openings.js';
import { Sweeper } from './flush/sweeper.js';
import { Health } from './grpc/health.js';
import { createGrpcServer } from './grpc/server.js';
import { createHttpServer } from './http/server.js';
import { createMetrics, type Metrics } from './metrics.js';
import { packageRoot } from './paths.js';
import { readOrCreateInstallation } from './postgres/installation.js';
import { migrate } from './postgres/migrate.js';
import { createFirstEpochs } from './postgres/partitions.js';
import { createPool, type Pool } from './postgres/pool.js';
import { RedisConnection } from './redis/connection.js';
import { FORMAT } from './redis/format.js';
import { partitionKeys } from './redis/keys.js';
import { Scripts } from './redis/scripts.js';
import { Catalogs } from './usage/catalogs.js';
import { Executor } from './usage/executor.js';
import { Meter } from './usage/meter.js';
import { Partition } from './usage/partition.js';
import { PartitionQueue } from './usage/partition-queue.js';
import { PostgresResolver } from './usage/resolver.js';
import { ScriptSlots } from './usage/script-slots.js';
import { DurableWatermarks } from './usage/watermarks.js';

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
  /** As in ScriptOptions: a test that sets the scripts' clock. */
  readonly replacedIncludes?: ReadonlyMap<string, string>;
}

/** How often the sidecar asks itself whether it is ready. */
const READINESS_EVERY_MS = 1_000;
/** Part of the drain that is for the streams; the rest is for the last flush. */
const DRAIN_STREAMS_SHARE = 0.7;

/** The chain begins with nothing. */
const FIRST_CHAIN = Buffer.alloc(32);

/** Stores, opened and checked. */
interface Stores {
  readonly embedded: Embedded | null;
  readonly pool: Pool;
  readonly connection: RedisConnection;
}

/**
 * Starts a sidecar: stores, migrations, partitions, flusher, servers. The only place that wires. Rejects with a DrawdownError
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
    const scripts = new Scripts(stores.connection, config, options.replacedIncludes);
    const core = startCore(config, { ...stores, scripts }, installation, catalogs, { metrics, logger });
    cleanups.push(() => core.stop());
    await core.opened;
    await core.leases.start();

    const grpc = createGrpcServer({
      config,
      reflection: config.reflection === 'on' || (config.reflection === 'auto' && stores.embedded !== null),
      meter: core.meter,
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
    const readiness = watchReadiness(stores, core.partitions, catalogs, health, metrics);
    cleanups.push(() => clearInterval(readiness));
    const grpcAddress = await grpc.listen();

    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      clearInterval(readiness);
      health.setServing(false, 'stopping');
      await grpc.drain(config.drainTimeoutMs * DRAIN_STREAMS_SHARE);
      await core.flushRest(config.drainTimeoutMs * (1 - DRAIN_STREAMS_SHARE));
      await cleanUp();
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
  const pool = createPool({
    url: (config.postgresUrl ?? embedded?.postgresUrl) as string,
    connectTimeoutMs: config.postgresConnectTimeoutMs,
    connectionsMax: config.postgresPoolMax,
    statementTimeoutMs: config.postgresStatementTimeoutMs,
    logger,
  });
  cleanups.push(() => pool.end());
  const connection = new RedisConnection({
    url: (config.redisUrl ?? embedded?.redisUrl) as string,
    connectTimeoutMs: config.redisConnectTimeoutMs,
    commandTimeoutMs: config.redisCommandTimeoutMs,
    logger,
  });
  cleanups.push(() => connection.close());
  await connection.connect();
  return { embedded, pool, connection };
}

/** Migrates, and makes sure that this database belongs to an installation of this shape; returns its id. */
async function prepareInstallation(pool: Pool, config: Config): Promise<string> {
  try {
    await migrate(pool);
    const installation = await readOrCreateInstallation(pool, config.partitionCount, FORMAT);
    if (installation.partitionCount !== config.partitionCount) {
      throw new Error(
        `this installation has ${installation.partitionCount} partitions, partitionCount says ${config.partitionCount}: it changes offline only`,
      );
    }
    if (installation.format !== FORMAT) {
      throw new Error(`this installation has format ${installation.format}; this version knows ${FORMAT}`);
    }
    await createFirstEpochs(pool, config.partitionCount, FIRST_CHAIN);
    return installation.id;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('E')) {
      throw new DrawdownError('UNAVAILABLE', 'Postgres does not answer', { cause });
    }
    throw cause;
  }
}

/** The version in force. Where the file says something else than that, an operator may have forgotten to publish it. */
async function loadCatalogs(
  pool: Pool,
  { catalogFile }: Config,
  metrics: Metrics,
  logger: Logger,
): Promise<Catalogs> {
  const hash = await seedFromFile(pool, catalogFile);
  const catalogs = await Catalogs.load(pool, metrics, logger);
  const { version } = catalogs.current();
  if (catalogs.current().hash !== hash)
    logger.warn(
      { file: catalogFile, inForce: version },
      'the catalog file differs from the version in force',
    );
  return catalogs;
}

interface Core {
  readonly meter: Meter;
  readonly accounts: AccountControl;
  readonly statements: Statements;
  readonly watches: Watches;
  readonly corrections: CorrectionControl;
  readonly conversions: ConversionControl;
  readonly plans: PlanControl;
  readonly agents: AgentControl;
  readonly watermarks: DurableWatermarks;
  readonly leases: Leases;
  readonly partitions: readonly Partition[];
  /** Resolves once every partition is open or fenced. */
  readonly opened: Promise<void>;
  /** Makes durable what is applied, as far as the time allows. */
  flushRest(withinMs: number): Promise<void>;
  stop(): Promise<void>;
}

function startCore(
  config: Config,
  { pool, connection, scripts }: Stores & { readonly scripts: Scripts },
  installation: string,
  catalogs: Catalogs,
  { metrics, logger }: { metrics: Metrics; logger: Logger },
): Core {
  const onStopped = (partition: Partition): void => {
    const { state } = partition;
    if (state.kind === 'fenced') {
      logger.error(
        { partition: partition.number, why: state.why },
        'partition fenced: it does not serve until an operator acts',
      );
    } else {
      void opener.openAll();
    }
  };
  const partitions = Array.from(
    { length: config.partitionCount },
    (_, number) =>
      new Partition(number, partitionKeys(config.redisKeyPrefix, number), installation, onStopped),
  );
  const watermarks = new DurableWatermarks(config.partitionCount);
  const resolver = new PostgresResolver(pool, scripts, metrics);
  const slots = new ScriptSlots(config.scriptsInFlightMax);
  const queues = partitions.map(
    (partition) => new PartitionQueue(partition, scripts, resolver, slots, config, metrics),
  );
  const executor = new Executor(queues, watermarks);
  const calls = new AccountCalls(executor, config);
  const flusher = new Flusher(partitions, pool, connection, scripts, watermarks, config, metrics, logger);
  const leases = new Leases(
    `${hostname()}/${process.pid}/${randomUUID()}`,
    config.partitionCount,
    pool,
    watermarks,
    config.leaseMs,
    (owned) => flusher.own(owned),
    logger,
  );
  const watches = new Watches(
    pool,
    watermarks,
    () => catalogThresholds(catalogs.current().catalog),
    metrics,
    logger,
  );
  const sweeper = new Sweeper(
    partitions,
    () => leases.owned,
    executor,
    connection,
    scripts,
    pool,
    config,
    metrics,
    logger,
  );
  const opener = new Opener(partitions, pool, connection, scripts, logger);
  const openings = new Openings(partitions, () => leases.owned, connection, pool, config, metrics, logger);

  connection.onDown(() => {
    for (const partition of partitions) partition.close('Redis is not connected');
  });
  connection.onUp(() => void opener.openAll());
  metrics.onScrape(() => updateGauges(metrics, { config, partitions, queues, leases, flusher, connection }));
  flusher.start();
  sweeper.start();
  openings.start();

  let flushed: Promise<void> | undefined;
  const flushRest = async (withinMs: number): Promise<void> => {
    await sweeper.stop();
    flushed ??= flusher.stop(withinMs).then((durable) => {
      if (durable) return;
      const entries = flusher.backlog();
      logger.warn({ entries }, 'stopping with entries that are not durable; they stay in the journal');
    });
    await flushed;
  };
  return {
    meter: new Meter(executor, catalogs, pool, config, metrics),
    statements: new Statements(executor, pool, config),
    watches,
    accounts: new AccountControl(calls, pool, catalogs),
    corrections: new CorrectionControl(calls, pool, catalogs),
    conversions: new ConversionControl(calls, catalogs),
    plans: new PlanControl(calls, catalogs),
    agents: new AgentControl(calls, catalogs),
    watermarks,
    leases,
    partitions,
    opened: opener.openAll(),
    flushRest,
    stop: async () => {
      opener.stop();
      watches.stop();
      await openings.stop();
      await flushRest(0);
      watermarks.stop();
      await leases.stop();
    },
  };
}

interface Gauged {
  readonly config: Config;
  readonly partitions: readonly Partition[];
  readonly queues: readonly PartitionQueue[];
  readonly leases: Leases;
  readonly flusher: Flusher;
  readonly connection: RedisConnection;
}

/** Gauges are computed when somebody looks. */
function updateGauges(
  metrics: Metrics,
  { config, partitions, queues, leases, flusher, connection }: Gauged,
): void {
  const nowMs = Date.now();
  const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
    items.reduce((total, item) => total + value(item), 0);
  const pendingBytesMax = Math.max(0, ...partitions.map((partition) => partition.pendingBytes));
  const skewMs = partitions.reduce(
    (worst, { skewMs }) => (Math.abs(skewMs) > Math.abs(worst) ? skewMs : worst),
    0,
  );
  for (const lane of ['urgent', 'bulk'] as const) {
    metrics.queueOperations.set(
      { lane },
      sum(queues, (queue) => queue.waiting(lane)),
    );
  }
  metrics.journalEntries.set(flusher.backlog());
  metrics.journalBytes.set(sum(partitions, (partition) => partition.pendingBytes));
  metrics.journalFullestRatio.set(pendingBytesMax / config.journalBytesMax);
  metrics.journalOldestAgeSeconds.set(Math.max(0, ...partitions.map((p) => p.pendingAgeMs(nowMs))) / 1000);
  metrics.accountsHot.set(sum(partitions, (partition) => partition.progress?.accounts ?? 0));
  metrics.openHolds.set(sum(partitions, (partition) => partition.progress?.openHolds ?? 0));
  metrics.clockSkewSeconds.set(skewMs / 1000);
  metrics.partitionsOwned.set(leases.owned.size);
  metrics.partitionsFenced.set(sum(partitions, (partition) => (partition.state.kind === 'fenced' ? 1 : 0)));
  metrics.storeUp.set({ store: 'redis' }, connection.runId === null ? 0 : 1);
}

/** Ready: Redis is connected and verified, Postgres answers, every partition serves. */
function watchReadiness(
  stores: Stores,
  partitions: readonly Partition[],
  catalogs: Catalogs,
  health: Health,
  metrics: Metrics,
): NodeJS.Timeout {
  const look = async (): Promise<void> => {
    const reasons: string[] = [];
    if (stores.connection.runId === null) reasons.push(stores.connection.refusal ?? 'redis is not connected');
    const postgresUp = await stores.pool.query('SELECT 1').then(
      () => true,
      () => false,
    );
    metrics.storeUp.set({ store: 'postgres' }, postgresUp ? 1 : 0);
    if (!postgresUp) reasons.push('postgres does not answer');
    for (const partition of partitions) {
      const unavailability = partition.unavailability();
      if (unavailability !== null) reasons.push(unavailability.message);
    }
    health.setWarnings(catalogs.warning === null ? [] : [catalogs.warning]);
    health.setServing(reasons.length === 0, reasons);
    metrics.ready.set(reasons.length === 0 ? 1 : 0);
  };
  let looking = false;
  const lookOnce = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    await look();
    looking = false;
  };
  void lookOnce();
  return setInterval(() => void lookOnce(), READINESS_EVERY_MS);
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return String((manifest as { version: unknown }).version);
}
