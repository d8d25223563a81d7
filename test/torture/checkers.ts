/** Looks at a cluster that is at rest, and says what is wrong with it. */
import { loadConfig } from '../../src/config.js';
import { openStores } from '../../src/stores.js';
import { problemText, verifyInstallation } from '../../src/verify/index.js';
import { auditLedger, postgresBalance } from '../helpers/audit.js';
import { until } from '../helpers/until.js';
import type { Cluster } from './cluster.js';
import { type Counts, Expectations, type RoundLogs } from './expectations.js';
import type { Report } from './findings.js';
import { Ledger } from './ledger.js';
import { residentBytes } from './process-tree.js';
import type { SidecarProcess } from './sidecar.js';

/** Six times as long as the longest hold that nobody ends lasts (15 s in the workload): sweeping comes late, never not at all. */
const REST_MAX_MS = 90_000;

/**
 * A sidecar rests at some 150 MB and had 260 MB in the longest runs; Redis had 40 MB. Twice that is a leak, or a queue without a limit.
 */
export const SIDECAR_BYTES_MAX = 512 * 1_024 * 1_024;
export const REDIS_BYTES_MAX = 256 * 1_024 * 1_024;

const UNITS = ['credits', 'tts_characters', 'llm_messages'] as const;

/** Nobody works, no hold is open, everything is durable. */
export async function comeToRest(cluster: Cluster, accounts: readonly string[]): Promise<void> {
  const { client } = cluster.sidecars[0] as SidecarProcess;
  await until(
    'every hold has ended',
    async () => {
      for (const accountId of accounts) {
        const { openHolds } = await client.call('AccountService/GetBalance', { accountId });
        if (Number(openHolds) > 0) return false;
      }
      return true;
    },
    REST_MAX_MS,
  );
  // Reading the ledger waits until what was booked before is durable.
  for (const accountId of accounts) {
    await client.call('AccountService/ListLedgerEntries', { accountId, pageSize: 1 });
  }
  const isAtRest = async (): Promise<boolean> =>
    (await auditLedger(cluster.postgres.url)).every((problem) => !problem.startsWith('a reversal'));
  await until('no reversal is due', isAtRest, REST_MAX_MS);
}

/** The clients' logs, Redis, Postgres, the product's own audit and one that shares no code with it, against each other. */
export async function check(
  cluster: Cluster,
  rounds: readonly RoundLogs[],
  accounts: readonly string[],
  report: Report,
): Promise<Counts & { readonly lines: number }> {
  for (const problem of await auditLedger(cluster.postgres.url)) report('drift', problem);
  await verified(cluster, report);
  for (const accountId of accounts) await sameEverywhere(cluster, accountId, report);
  const ledger = await Ledger.read(cluster.postgres.url);
  const expectations = new Expectations(ledger, report);
  expectations.check(rounds);
  return { ...expectations.counts, lines: ledger.count };
}

async function verified(cluster: Cluster, report: Report): Promise<void> {
  const stores = await openStores({
    ...loadConfig({ environment: {} }),
    redisUrl: `redis://127.0.0.1:${cluster.redis.port}`,
    postgresUrl: cluster.postgres.url,
    logLevel: 'silent',
  });
  try {
    const { redisKeyPrefix } = loadConfig({ environment: {} });
    const { problems, moving, driftMicros } = await verifyInstallation({ ...stores, redisKeyPrefix });
    for (const problem of problems) report('drift', `verify: ${problemText(problem)}`);
    if (driftMicros > 0n) report('drift', `verify: drift of ${driftMicros}`, Number(driftMicros));
    if (moving > 0) report('broken', `verify: ${moving} accounts move although nobody works`);
  } finally {
    await stores.close();
  }
}

/** What each sidecar says of it, from Redis, is what Postgres has. */
async function sameEverywhere(cluster: Cluster, accountId: string, report: Report): Promise<void> {
  for (const unit of UNITS) {
    const stored = await postgresBalance(cluster.postgres.url, accountId, unit);
    for (const { name, client } of cluster.sidecars) {
      const said = await client.balance(accountId, `UNIT_${unit.toUpperCase()}` as 'UNIT_CREDITS');
      if (JSON.stringify(said) === JSON.stringify(stored)) continue;
      const drift = Math.abs(said.available - stored.available);
      report(
        'drift',
        `${accountId} ${unit}: ${name} says ${JSON.stringify(said)}, Postgres ${JSON.stringify(stored)}`,
        drift,
      );
    }
  }
}

/** Largest so far, in bytes. */
export interface Memory {
  sidecar: number;
  redis: number;
}

export async function measureMemory(cluster: Cluster, memory: Memory): Promise<void> {
  for (const { pid } of cluster.sidecars) memory.sidecar = Math.max(memory.sidecar, residentBytes(pid));
  const redis = await cluster.redis.usedBytes().catch(() => 0);
  memory.redis = Math.max(memory.redis, redis);
}
