import { pino } from 'pino';
import type { Config } from './config.js';
import { FlushThread, flushThreadOptions } from './flush/flush-thread.js';
import { Rebuild } from './flush/rebuild.js';
import { createMetrics } from './metrics.js';
import { readInstallation } from './postgres/verify.js';
import { EpochScripts } from './redis/epochs.js';
import { partitionKeys } from './redis/keys.js';
import { openStores } from './stores.js';
import { Partition } from './usage/partition.js';

export interface RebuiltPartition {
  readonly partition: number;
  /** What only people can settle; null: a sidecar opens it. */
  readonly fenced: string | null;
}

/** A sidecar that rebuilds the same partition at this moment needs less than a second; then it is looked at again. */
const BUSY_LOOKS_MAX = 20;
const BUSY_PAUSE_MS = 250;

/**
 * Does for every partition what a sidecar does before it opens it. With `acceptLoss` also where Redis has what Postgres cannot be brought
 * to: the ledger goes on where it is, what Redis has beyond is set aside. Rejects where a store does not answer.
 */
export async function rebuildInstallation(
  config: Config,
  { acceptLoss }: { readonly acceptLoss: boolean },
): Promise<RebuiltPartition[]> {
  const stores = await openStores(config);
  const thread = new FlushThread(flushThreadOptions(config, stores));
  try {
    const { pool, connection } = stores;
    const installation = await readInstallation(pool);
    if (installation === null) throw new Error('there is no installation in this Postgres');
    const logger = pino({ level: config.logLevel });
    const scripts = new EpochScripts(connection, config);
    const rebuild = new Rebuild(pool, connection, scripts, thread, config.leaseMs, createMetrics(), logger);
    const rebuilt: RebuiltPartition[] = [];
    for (let number = 0; number < installation.partitionCount; number++) {
      const ignore = (): void => undefined;
      const keys = partitionKeys(config.redisKeyPrefix, number);
      const partition = new Partition(number, keys, installation.id, ignore, ignore);
      rebuilt.push({
        partition: number,
        fenced: await rebuildOne(rebuild, partition, connection.runId, acceptLoss),
      });
    }
    return rebuilt;
  } finally {
    await thread.stop();
    await stores.close();
  }
}

async function rebuildOne(
  rebuild: Rebuild,
  partition: Partition,
  runId: string | null,
  acceptLoss: boolean,
): Promise<string | null> {
  if (runId === null) throw new Error('Redis is not connected');
  for (let look = 1; look <= BUSY_LOOKS_MAX; look++) {
    const rebuilt = await rebuild.run(partition, runId, acceptLoss);
    if (rebuilt === 'done') return null;
    if (rebuilt !== 'busy') return rebuilt.fenced;
    await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
  }
  throw new Error(`somebody else rebuilds partition ${partition.number} and does not end`);
}
