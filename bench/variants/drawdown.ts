import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SidecarClient } from '../../src/cli/client.js';
import type { StartOptions, System } from '../system.js';

const mainFile = fileURLToPath(new URL('../../src/main.js', import.meta.url));
/** Setting accounts up: so many calls at once. */
const setupCallsAtOnce = 64;
/** 1,000,000,000 credits: no run spends them. */
const grantMicros = '1000000000000000';

/** A sidecar of its own with the embedded stores and the default settings. */
export async function startDrawdown({ accountIds, profileDir }: StartOptions): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'drawdown-bench-'));
  // Postgres, which may run as another user, looks for its directory below.
  const child = spawn(
    process.execPath,
    [
      ...(profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]),
      mainFile,
      '--json',
      '--data-dir',
      dataDir,
      '--grpc-address',
      '127.0.0.1:0',
      '--http-address',
      '127.0.0.1:0',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const { grpcAddress } = JSON.parse(await firstLine(child)) as { grpcAddress: string };
    await createAccounts(grpcAddress, accountIds);
    return {
      address: grpcAddress,
      pids: {
        sidecar: child.pid as number,
        redis: Number(readFileSync(join(dataDir, 'redis/redis.pid'), 'utf8')),
        postgres: Number.parseInt(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8'), 10),
      },
      config: { stores: 'embedded', settings: 'default' },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The sidecar ended with code ${code} before it served`);
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  ended.catch(() => undefined); // Later ends are noticed by the client.
  return line;
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
