import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { AccountCalls } from './credits/account-calls.js';
import { AccountControl } from './credits/accounts.js';
import { AgentControl } from './credits/agents.js';
import { ConversionControl } from './credits/conversions.js';
import { CorrectionControl } from './credits/corrections.js';
import { PlanControl } from './credits/plans.js';
import { Statements } from './credits/statements.js';
import { catalogThresholds } from './credits/watch.js';
import { Watches } from './credits/watches.js';
import { FlushThread, flushThreadOptions } from './flush/flush-thread.js';
import { Flusher } from './flush/flusher.js';
import { Leases } from './flush/leases.js';
import { Opener } from './flush/opener.js';
import { Openings } from './flush/openings.js';
import { Rebuild } from './flush/rebuild.js';
import { Sweeper } from './flush/sweeper.js';
import { updateGauges } from './gauges.js';
import type { Metrics } from './metrics.js';
import { breakPool, type Pool } from './postgres/pool.js';
import { ClockWatch } from './redis/clock-watch.js';
import type { RedisConnection } from './redis/connection.js';
import type { EpochScripts } from './redis/epochs.js';
import { partitionKeys } from './redis/keys.js';
import type { Scripts } from './redis/scripts.js';
import type { Catalogs } from './usage/catalogs.js';
import { Executor } from './usage/executor.js';
import { LoopPressure } from './usage/loop-pressure.js';
import { Meter } from './usage/meter.js';
import { Partition } from './usage/partition.js';
import { PartitionQueue } from './usage/partition-queue.js';
import { PostgresResolver } from './usage/resolver.js';
import { ScriptSlots } from './usage/script-slots.js';
import { SessionOperations } from './usage/session-operations.js';
import { DurableWatermarks } from './usage/watermarks.js';
import { BackgroundVerifier } from './verify/background.js';

/** Stores, opened and checked, and the scripts on one of them. */
export interface CoreStores {
  readonly pool: Pool;
  readonly connection: RedisConnection;
  readonly scripts: Scripts;
  readonly epochScripts: EpochScripts;
  /** For the connections of the flush thread. */
  readonly redisUrl: string;
  readonly postgresUrl: string;
}

/** What works on the stores: everything of a sidecar but its servers. */
export interface Core {
  readonly meter: Meter;
  readonly sessions: SessionOperations;
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
  readonly executor: Executor;
  readonly flusher: Flusher;
  readonly sweeper: Sweeper;
  readonly openings: Openings;
  readonly clock: ClockWatch;
  /** Resolves once every partition is open or fenced and the clocks were compared. */
  readonly opened: Promise<void>;
  /** Makes durable what is applied, as far as the time allows. */
  flushRest(withinMs: number): Promise<void>;
  /** Whatever waits for a store that stands still ends: what is not durable stays in the journal, leases expire. */
  giveUp(): void;
  stop(): Promise<void>;
}

/** Wires and starts it; partitions are opened behind it (`opened`), leases are taken by whoever starts it. */
export function startCore(
  config: Config,
  { pool, connection, scripts, epochScripts, redisUrl, postgresUrl }: CoreStores,
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
      new Partition(number, partitionKeys(config.redisKeyPrefix, number), installation, onStopped, () =>
        flusher.wake(),
      ),
  );
  const watermarks = new DurableWatermarks(config.partitionCount);
  const resolver = new PostgresResolver(pool, scripts, metrics);
  const slots = new ScriptSlots(config.scriptsInFlightMax);
  const pressure = new LoopPressure();
  const queues = partitions.map(
    (partition) => new PartitionQueue(partition, scripts, resolver, slots, pressure, config, metrics),
  );
  const executor = new Executor(queues, watermarks);
  const calls = new AccountCalls(executor, config);
  const flushThread = new FlushThread(flushThreadOptions(config, { redisUrl, postgresUrl }));
  const flusher = new Flusher(partitions, pool, flushThread, scripts, watermarks, config, metrics, logger);
  const clock = new ClockWatch(connection, config.clockSkewMaxMs, logger);
  const leases = new Leases(
    `${hostname()}/${process.pid}/${randomUUID()}`,
    partitions,
    pool,
    watermarks,
    config.leaseMs,
    config.postgresStatementTimeoutMs,
    flusher,
    () => clock.refusal === null,
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
  const rebuild = new Rebuild(pool, connection, epochScripts, flushThread, config.leaseMs, metrics, logger);
  const opener = new Opener(partitions, pool, connection, rebuild, watermarks, logger);
  const openings = new Openings(partitions, () => leases.owned, connection, pool, config, metrics, logger);
  const verifier = new BackgroundVerifier(
    partitions,
    () => leases.owned,
    connection,
    pool,
    config,
    metrics,
    logger,
  );

  connection.onDown(() => {
    for (const partition of partitions) partition.close('Redis is not connected');
  });
  connection.onUp(() => void opener.openAll());
  metrics.onScrape(() =>
    updateGauges(metrics, { config, partitions, queues, leases, flusher, verifier, clock, connection }),
  );
  opener.start();
  flusher.start();
  sweeper.start();
  openings.start();
  verifier.start();

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
    sessions: new SessionOperations(executor),
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
    executor,
    flusher,
    sweeper,
    openings,
    clock,
    opened: Promise.all([opener.openAll(), clock.start()]).then(() => undefined),
    flushRest,
    giveUp: () => {
      breakPool(pool, 'the sidecar stops');
      void flushThread.stop();
    },
    stop: async () => {
      await opener.stop();
      clock.stop();
      watches.stop();
      await openings.stop();
      await verifier.stop();
      await flushRest(0);
      await flushThread.stop();
      watermarks.stop();
      await leases.stop();
    },
  };
}
