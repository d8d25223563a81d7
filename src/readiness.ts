import type { Core } from './core.js';
import type { Health } from './grpc/health.js';
import type { Metrics } from './metrics.js';
import type { Pool } from './postgres/pool.js';
import type { RedisConnection } from './redis/connection.js';
import type { Catalogs } from './usage/catalogs.js';

/** How often the sidecar asks Postgres, and itself whether it is ready. `/readyz` knows of everything but Postgres at once. */
const READINESS_EVERY_MS = 1_000;

export interface ReadinessWatch {
  /** Calls are taken: from now on nothing else stands in the way. */
  started(): void;
  /** Not ready any more, whatever a look under way finds. */
  end(why: string): void;
}

/** Ready: it has started, Redis is connected and verified, the clocks agree, Postgres answers, every partition serves. */
export function watchReadiness(
  stores: { readonly pool: Pool; readonly connection: RedisConnection },
  { partitions, clock, flusher }: Pick<Core, 'partitions' | 'clock' | 'flusher'>,
  catalogs: Catalogs,
  health: Health,
  metrics: Metrics,
): ReadinessWatch {
  let hasStarted = false;
  let ended = false;
  let postgresUp = false;
  const tell = (): void => {
    if (ended) return;
    const reasons: string[] = [];
    if (stores.connection.runId === null) reasons.push(stores.connection.refusal ?? 'redis is not connected');
    if (clock.refusal !== null) reasons.push(clock.refusal);
    if (!postgresUp) reasons.push('postgres does not answer');
    for (const partition of partitions) {
      const unavailability = partition.unavailability();
      if (unavailability !== null) reasons.push(unavailability.message);
    }
    if (!hasStarted) reasons.push('starting');
    health.setWarnings([...flusher.warnings, ...(catalogs.warning === null ? [] : [catalogs.warning])]);
    health.setServing(reasons.length === 0, reasons);
    metrics.ready.set(reasons.length === 0 ? 1 : 0);
  };
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    postgresUp = await stores.pool.query('SELECT 1').then(
      () => true,
      () => false,
    );
    looking = false;
    metrics.storeUp.set({ store: 'postgres' }, postgresUp ? 1 : 0);
    tell();
  };
  void look();
  // Told also while Postgres hangs.
  const timer = setInterval(() => {
    tell();
    void look();
  }, READINESS_EVERY_MS);
  health.onAsked(tell);
  return {
    started: () => {
      hasStarted = true;
      void look();
    },
    end: (why) => {
      ended = true;
      clearInterval(timer);
      health.setServing(false, why);
      metrics.ready.set(0);
    },
  };
}
