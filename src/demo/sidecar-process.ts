import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { environmentWithoutSettings } from '../config.js';

/** A sidecar of one's own, for a while: embedded stores in a temporary folder, a process of its own. */

const mainFile = fileURLToPath(new URL('../main.js', import.meta.url));

/** Those of `npm start` and of the container. */
const START_FLAGS = ['--max-semi-space-size=64'];

export interface SidecarProcess {
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly dataDir: string;
  readonly pids: { readonly sidecar: number; readonly redis: number; readonly postgres: number };
  /** Stops it with its stores and removes the folder. */
  stop(): Promise<void>;
}

export interface SidecarProcessOptions {
  /** Begin of the folder's name. */
  readonly name: string;
  /** Flags of Node, such as those of a profiler. */
  readonly nodeFlags?: readonly string[];
  /** Settings beside its folder and its addresses. */
  readonly flags?: readonly string[];
}

export async function startSidecarProcess(options: SidecarProcessOptions): Promise<SidecarProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), `${options.name}-`));
  const flags = ['--data-dir', dataDir, '--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0'];
  // A process group of its own: Ctrl-C reaches only us, and we stop the sidecar in order.
  const child = spawn(
    process.execPath,
    [...START_FLAGS, ...(options.nodeFlags ?? []), mainFile, '--json', ...flags, ...(options.flags ?? [])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
      env: environmentWithoutSettings(),
    },
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    removeData(dataDir);
  };
  try {
    const addresses = JSON.parse(await firstLine(child)) as { grpcAddress: string; httpAddress: string };
    const pids = {
      sidecar: child.pid as number,
      redis: readPid(join(dataDir, 'redis/redis.pid')),
      postgres: readPid(join(dataDir, 'postgres/data/postmaster.pid')),
    };
    return { ...addresses, dataDir, pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The sidecar ended with code ${code} before it served`);
  });
  ended.catch(() => undefined); // Later ends are noticed by whoever calls it.
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  return line;
}

/** The first line of the file. */
function readPid(file: string): number {
  return Number.parseInt(readFileSync(file, 'utf8'), 10);
}

/** Removes the folder of embedded stores that have stopped. */
export function removeData(dataDir: string): void {
  // Where the unprivileged user of Postgres cannot reach the folder, its part is a link to another one.
  try {
    rmSync(realpathSync(join(dataDir, 'postgres')), { recursive: true, force: true });
  } catch {
    // It was never made.
  }
  rmSync(dataDir, { recursive: true, force: true });
}
