/**
 * The embedded Redis: the machine's own redis-server or valkey-server on a unix socket, with an append-only file,
 * and never evicting, because every key is money.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { commandLine, endProcess, isAlive, logTail, waitUntil } from './process.js';
import { socketDirectory, socketDirectoryOf } from './socket.js';
import { adoptedRun, type StoreProcess, type StoreRun, spawned } from './store.js';

export interface RedisOptions {
  /** Its append-only file, log and socket lie here. */
  directory: string;
  /** Off only in tests that do not restart it. */
  appendOnly?: boolean;
  /** More settings of redis.conf, by name. */
  settings?: Readonly<Record<string, string>>;
}

const programs = ['redis-server', 'valkey-server'] as const;
const socketName = 'redis.sock';

/** Loading is bounded by the disk: at 100 MB/s this is an append-only file of 30 GB. */
const loadLimitMs = 300_000;
/** An old process that is going down flushes its file first; the same limit that stop() gives it. */
const stopLimitMs = 30_000;
/** SIGKILL cannot be refused; what remains is the kernel's own work. */
const killLimitMs = 10_000;
const probeTimeoutMs = 1_000;

type Probe = { state: 'ready'; pid: number } | { state: 'loading' } | { state: 'absent' };

export function redisProcess(options: RedisOptions): StoreProcess & { socketPath: string } {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const socketPath = join(socketDirectory(options.directory, socketName), socketName);
  const pidFile = join(options.directory, 'redis.pid');
  const logFile = join(options.directory, 'redis.log');

  async function start(): Promise<StoreRun> {
    const left = await findLeftBehind(socketPath, pidFile);
    if (left !== undefined) {
      return adoptedRun(left);
    }
    const run = await launch(settingsOf(options, { socketPath, pidFile, logFile }), options.directory);
    let gone = false;
    void run.exited.then(() => {
      gone = true;
    });
    const ready = await waitUntil(async () => gone || (await probe(socketPath)).state === 'ready', {
      limitMs: loadLimitMs,
    });
    if (gone || !ready) {
      if (!gone) {
        await stop(run.pid);
      }
      throw new Error(`Redis did not start; the end of ${logFile}:\n${logTail(logFile)}`);
    }
    return run;
  }

  async function stop(pid: number): Promise<void> {
    // SIGTERM is SHUTDOWN: Redis writes and syncs the append-only file, then leaves.
    await endProcess(pid, [
      { signal: 'SIGTERM', limitMs: stopLimitMs },
      { signal: 'SIGKILL', limitMs: killLimitMs },
    ]);
  }

  return { name: 'redis', url: `unix://${socketPath}`, socketPath, start, stop };
}

/** The URL of the Redis that serves this directory now, whoever started it; undefined where none does. Makes nothing. */
export async function findRedis(directory: string): Promise<string | undefined> {
  const socketPath = join(socketDirectoryOf(directory, socketName), socketName);
  return (await probe(socketPath)).state === 'ready' ? `unix://${socketPath}` : undefined;
}

function settingsOf(
  options: RedisOptions,
  files: { socketPath: string; pidFile: string; logFile: string },
): Record<string, string> {
  return {
    port: '0',
    unixsocket: files.socketPath,
    unixsocketperm: '700',
    daemonize: 'no',
    pidfile: files.pidFile,
    logfile: files.logFile,
    loglevel: 'notice',
    dir: options.directory,
    save: '',
    appendonly: options.appendOnly === false ? 'no' : 'yes',
    // What a crash of the machine may lose is caught by the fence; see the promise about "applied".
    appendfsync: 'everysec',
    // The file is written anew by a child that costs a quarter of Redis' time while it runs (measured at 40,000 events/s), most of
    // it compression: not before the file has a gigabyte, which loads in seconds.
    rdbcompression: 'no',
    'auto-aof-rewrite-min-size': '1gb',
    'maxmemory-policy': 'noeviction',
    ...options.settings,
  };
}

async function launch(settings: Record<string, string>, directory: string): Promise<StoreRun> {
  const parameters = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  for (const program of programs) {
    try {
      // Its own session: Ctrl-C in the terminal reaches the sidecar only, which then stops it in order.
      return await spawned(spawn(program, parameters, { cwd: directory, detached: true, stdio: 'ignore' }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw error;
      }
    }
  }
  throw new Error(
    `Neither ${programs.join(' nor ')} is on the PATH: install one with your package manager ` +
      '(scripts/setup.sh does it), or point DRAWDOWN_REDIS_URL to a Redis of your own',
  );
}

/** The process that a killed owner left behind, once it serves. Two servers on one append-only file would ruin it. */
async function findLeftBehind(socketPath: string, pidFile: string): Promise<number | undefined> {
  let pid: number | undefined;
  const settled = await waitUntil(
    async () => {
      const answer = await probe(socketPath);
      pid = answer.state === 'ready' ? answer.pid : undefined;
      return answer.state !== 'loading' && (pid !== undefined || !(await pidFileLives(pidFile, socketPath)));
    },
    { limitMs: stopLimitMs },
  );
  if (!settled) {
    throw new Error(`A Redis of an earlier run (see ${pidFile}) is alive but does not answer; stop it first`);
  }
  return pid;
}

/** After a reboot the pid may be another Redis, so the process must name our socket as well. */
async function pidFileLives(pidFile: string, socketPath: string): Promise<boolean> {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return pid > 0 && isAlive(pid) && (await commandLine(pid)).includes(socketPath);
  } catch {
    return false;
  }
}

async function probe(socketPath: string): Promise<Probe> {
  const client = new Redis(socketPath, {
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: probeTimeoutMs,
    commandTimeout: probeTimeoutMs,
    retryStrategy: () => null,
  });
  client.on('error', () => undefined); // The rejected call says the same.
  try {
    await client.connect();
    await client.ping();
    const pid = /process_id:(\d+)/.exec(await client.info('server'))?.[1];
    return pid === undefined ? { state: 'absent' } : { state: 'ready', pid: Number(pid) };
  } catch (error) {
    return { state: String(error).includes('LOADING') ? 'loading' : 'absent' };
  } finally {
    client.disconnect();
  }
}
