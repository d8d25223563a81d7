import type { Config } from './config.js';
import type { Flusher } from './flush/flusher.js';
import type { Leases } from './flush/leases.js';
import type { Metrics } from './metrics.js';
import type { ClockWatch } from './redis/clock-watch.js';
import type { RedisConnection } from './redis/connection.js';
import type { Partition } from './usage/partition.js';
import type { PartitionQueue } from './usage/partition-queue.js';
import type { BackgroundVerifier } from './verify/background.js';

interface Gauged {
  readonly config: Config;
  readonly partitions: readonly Partition[];
  readonly queues: readonly PartitionQueue[];
  readonly leases: Leases;
  readonly flusher: Flusher;
  readonly verifier: BackgroundVerifier;
  readonly clock: ClockWatch;
  readonly connection: RedisConnection;
}

/** Gauges are computed when somebody looks. */
export function updateGauges(
  metrics: Metrics,
  { config, partitions, queues, leases, flusher, verifier, clock, connection }: Gauged,
): void {
  const nowMs = Date.now();
  const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
    items.reduce((total, item) => total + value(item), 0);
  // Of the others their owner tells: here nobody hears when they become durable.
  const owned = partitions.filter(({ number }) => leases.owned.has(number));
  const pendingBytesMax = Math.max(0, ...owned.map((partition) => partition.pendingBytes));
  const pendingAgeMsMax = Math.max(0, ...owned.map((partition) => partition.pendingAgeMs(nowMs)));
  for (const lane of ['urgent', 'bulk'] as const) {
    metrics.queueOperations.set(
      { lane },
      sum(queues, (queue) => queue.waiting(lane)),
    );
  }
  metrics.journalEntries.set(flusher.backlog());
  metrics.journalBytes.set(sum(owned, (partition) => partition.pendingBytes));
  metrics.journalFullestRatio.set(
    Math.max(pendingBytesMax / config.journalBytesMax, pendingAgeMsMax / config.journalAgeMaxMs),
  );
  metrics.journalOldestAgeSeconds.set(pendingAgeMsMax / 1000);
  metrics.accountsHot.set(sum(partitions, (partition) => partition.progress?.accounts ?? 0));
  metrics.openHolds.set(sum(partitions, (partition) => partition.progress?.openHolds ?? 0));
  metrics.clockSkewSeconds.set(clock.skewMs / 1000);
  metrics.verifyOldestAgeSeconds.set(verifier.oldestAgeMs() / 1000);
  metrics.partitionsOwned.set(leases.owned.size);
  metrics.partitionsFenced.set(sum(partitions, (partition) => (partition.state.kind === 'fenced' ? 1 : 0)));
  metrics.storeUp.set({ store: 'redis' }, connection.runId === null ? 0 : 1);
}
