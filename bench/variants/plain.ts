import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresProcess } from '../../src/embedded/postgres.js';
import { redisProcess } from '../../src/embedded/redis.js';
import type { StartOptions, System } from '../system.js';
import type { PlainServerConfig } from './plain-server.js';

/** Measured on 2 cores: 10, 20 and 40 differ by less than runs do. */
const connections = 20;

/** The plain design on stores of the same kind and with the same settings as the sidecar's embedded ones. */
export async function startPlain({ accountIds, profileDir }: StartOptions): Promise<System> {
  const directory = mkdtempSync(join(tmpdir(), 'drawdown-bench-plain-'));
  // As root, Postgres runs as another user, who must be able to enter the directory above its own.
  chmodSync(directory, 0o711);
  const stops: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) await step();
  };
  try {
    const redis = redisProcess({ directory: join(directory, 'redis') });
    const { pid: redisPid } = await redis.start();
    stops.push(() => redis.stop(redisPid));
    const postgres = postgresProcess({ directory: join(directory, 'postgres') });
    const { pid: postgresPid } = await postgres.start();
    stops.push(() => postgres.stop(postgresPid));

    const server = fork(new URL('./plain-server.js', import.meta.url), {
      execArgv: profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`],
    });
    stops.push(async () => {
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.kill('SIGTERM');
      await once(server, 'exit');
    });
    server.send({
      redisSocket: redis.socketPath,
      postgresUrl: postgres.url,
      connections,
      accountIds,
      grantMicros: '1000000000000000',
    } satisfies PlainServerConfig);
    const [reply] = (await once(server, 'message')) as [{ address: string } | { problem: string }];
    if ('problem' in reply) throw new Error(`The plain server did not start: ${reply.problem}`);
    return {
      address: reply.address,
      metricsUrl: null,
      redisUrl: null,
      pids: { sidecar: server.pid as number, redis: redisPid, postgres: postgresPid },
      config: { stores: 'same programs and settings', postgresConnections: connections },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
