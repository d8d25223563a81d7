import { join } from 'node:path';
import { SidecarClient } from '../../src/cli/client.js';
import { startSidecarProcess } from '../../src/demo/sidecar-process.js';
import { findRedis } from '../../src/embedded/redis.js';
import type { StartOptions, System } from '../system.js';

/** Setting accounts up: so many calls at once. */
const setupCallsAtOnce = 64;
/** 1,000,000,000 credits: no run spends them. */
const grantMicros = '1000000000000000';

/** A sidecar of its own with the embedded stores and, but for the partitions, the default settings. */
export async function startDrawdown({ accountIds, partitions, profileDir }: StartOptions): Promise<System> {
  const nodeFlags = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const flags = partitions === null ? [] : ['--partition-count', String(partitions)];
  const sidecar = await startSidecarProcess({ name: 'drawdown-bench', nodeFlags, flags });
  try {
    await createAccounts(sidecar.grpcAddress, accountIds);
  } catch (error) {
    await sidecar.stop();
    throw error;
  }
  const config = {
    stores: 'embedded',
    settings: partitions === null ? 'default' : { partitionCount: partitions },
  };
  return {
    address: sidecar.grpcAddress,
    metricsUrl: `http://${sidecar.httpAddress}/metrics`,
    redisUrl: (await findRedis(join(sidecar.dataDir, 'redis'))) ?? null,
    pids: sidecar.pids,
    config,
    stop: () => sidecar.stop(),
  };
}

async function createAccounts(address: string, accountIds: readonly string[]): Promise<void> {
  const client = new SidecarClient({ address, token: undefined });
  const rest = [...accountIds];
  const eventTimeMs = String(Date.now());
  const work = async (): Promise<void> => {
    for (let accountId = rest.pop(); accountId !== undefined; accountId = rest.pop()) {
      const call = { accountId, eventTimeMs, ackLevel: 'ACK_LEVEL_APPLIED' } as const;
      await client.call('AccountService/CreateAccount', { ...call, requestId: `create-${accountId}` });
      const amount = { unit: 'UNIT_CREDITS', value: grantMicros } as const;
      await client.call('AccountService/TopUp', { ...call, requestId: `grant-${accountId}`, amount });
    }
  };
  await Promise.all(Array.from({ length: setupCallsAtOnce }, work));
  client.close();
}
