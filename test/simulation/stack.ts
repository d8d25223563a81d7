/** The whole of a sidecar but its servers, in this process, on real stores and a simulated clock. */
import { pino } from 'pino';
import { canonicalCatalog } from '../../src/catalog/canonical.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { type Config, loadConfig } from '../../src/config.js';
import { type Core, startCore } from '../../src/core.js';
import {
  JOURNAL_AGE_MAX_MS,
  SIMULATED_INCLUDES,
  type SimulatedClock,
} from '../../src/demo/simulated-clock.js';
import { Sweeper } from '../../src/flush/sweeper.js';
import { loadCatalogs, prepareInstallation } from '../../src/installation.js';
import { createMetrics } from '../../src/metrics.js';
import { publishCatalog } from '../../src/postgres/catalogs.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { EpochScripts } from '../../src/redis/epochs.js';
import { Scripts } from '../../src/redis/scripts.js';
import type { Catalogs } from '../../src/usage/catalogs.js';

const DAY_MS = 86_400_000;
/** Real time in which whatever is waited for must happen. */
const PATIENCE_MS = 60_000;

export interface StorePlaces {
  readonly redisUrl: string;
  readonly postgresUrl: string;
  /** The first version of the catalog. */
  readonly catalogFile: string;
}

export class Stack {
  #published = 0;

  private constructor(
    readonly core: Core,
    readonly pool: Pool,
    readonly connection: RedisConnection,
    readonly config: Config,
    /** Sweeps every partition, whoever has the leases. */
    readonly strayingSweeper: Sweeper,
    private readonly catalogs: Catalogs,
    private readonly clock: SimulatedClock,
  ) {}

  static async start(places: StorePlaces, clock: SimulatedClock): Promise<Stack> {
    const config: Config = {
      ...loadConfig({ environment: {} }),
      ...places,
      partitionCount: 4,
      bulkRestMaxMs: 0,
      journalAgeMaxMs: JOURNAL_AGE_MAX_MS,
      // Holds that outlive billing periods.
      holdTimeMaxMs: 30 * DAY_MS,
      // Sweeps happen when the simulation says so.
      sweepIntervalMs: 2 ** 31 - 1,
    };
    const logger = pino({ level: process.env.TEST_LOG ?? 'silent' });
    const metrics = createMetrics();
    const pool = createPool({
      url: places.postgresUrl,
      connectTimeoutMs: config.postgresConnectTimeoutMs,
      connectionsMax: config.postgresPoolMax,
      statementTimeoutMs: config.postgresStatementTimeoutMs,
      logger,
    });
    const connection = new RedisConnection({
      url: places.redisUrl,
      connectTimeoutMs: config.redisConnectTimeoutMs,
      commandTimeoutMs: config.redisCommandTimeoutMs,
      logger,
    });
    await connection.connect();
    await clock.rule(connection);
    const scripts = new Scripts(connection, config, SIMULATED_INCLUDES);
    const epochScripts = new EpochScripts(connection, config, SIMULATED_INCLUDES);
    const installation = await prepareInstallation(pool, config);
    const catalogs = await loadCatalogs(pool, config, metrics, logger);
    const stores = { pool, connection, scripts, epochScripts, ...places };
    const core = startCore(config, stores, installation, catalogs, {
      metrics,
      logger,
    });
    await core.opened;
    await core.leases.start();
    const all = new Set(core.partitions.map(({ number }) => number));
    const straying = new Sweeper(
      core.partitions,
      () => all,
      core.executor,
      connection,
      scripts,
      pool,
      config,
      metrics,
      logger,
    );
    return new Stack(core, pool, connection, config, straying, catalogs, clock);
  }

  get options(): { readonly durable: false; readonly deadlineMs: number } {
    return { durable: false, deadlineMs: this.clock.nowMs + PATIENCE_MS };
  }

  /** Puts the next version of the catalog in force; returns its number. */
  async publish(text: string): Promise<number> {
    const parsed = parseCatalog(text, 'simulation');
    if (!('catalog' in parsed)) throw new Error(JSON.stringify(parsed.problems));
    const { json, hash } = canonicalCatalog(parsed.catalog);
    this.#published += 1;
    await publishCatalog(this.pool, {
      requestId: `publish-${this.#published}`,
      json,
      hash,
      publishedBy: 'simulation',
    });
    await this.catalogs.refresh();
    return this.catalogs.current().version;
  }

  /** Resolves once all that was booked is in Postgres. */
  async durable(): Promise<void> {
    const { partitions, watermarks } = this.core;
    const positions = partitions.map((partition) => ({
      partition: partition.number,
      epoch: partition.epoch,
      seq: partition.seqSeen,
    }));
    await watermarks.wait(positions, this.clock.nowMs + PATIENCE_MS);
  }

  async stop(): Promise<void> {
    this.clock.leave(this.connection);
    await this.core.stop();
    await this.connection.close();
    await this.pool.end();
  }
}
