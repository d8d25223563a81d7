import type { Logger } from 'pino';
import type { Config } from './config.js';
import { seedFromFile } from './credits/catalog-seed.js';
import { DrawdownError } from './errors.js';
import type { Metrics } from './metrics.js';
import { readOrCreateInstallation } from './postgres/installation.js';
import { migrate } from './postgres/migrate.js';
import { createFirstEpochs } from './postgres/partitions.js';
import type { Pool } from './postgres/pool.js';
import { FORMAT } from './redis/format.js';
import { Catalogs } from './usage/catalogs.js';

/** The chain begins with nothing. */
const FIRST_CHAIN = Buffer.alloc(32);

/** Migrates, and makes sure that this database belongs to an installation of this shape; returns its id. */
export async function prepareInstallation(pool: Pool, config: Config): Promise<string> {
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
export async function loadCatalogs(
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
