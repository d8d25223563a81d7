import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { type Embedded, type StoreExit, startEmbedded } from '../../src/embedded/index.js';
import { commandLine, isAlive, waitUntil } from '../../src/embedded/process.js';
import { unprivilegedUser } from '../../src/embedded/user.js';
import { packageRoot } from '../../src/paths.js';
import { temporaryDirectory } from '../helpers/stores.js';

const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const started: Embedded[] = [];
const directories: string[] = [];
const children: ChildProcess[] = [];
/** Stores of owners that were killed: a test that fails before they are adopted must not leave them behind. */
const orphans: number[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
  }
  for (const embedded of started.splice(0)) {
    await embedded.stop();
  }
  for (const pid of orphans.splice(0)) {
    const command = await commandLine(pid);
    if (directories.some((directory) => command.includes(directory))) {
      process.kill(pid, 'SIGKILL');
    }
  }
  for (const directory of directories.splice(0)) {
    rmSync(directory, { recursive: true, force: true });
  }
});

function newDataDir(): string {
  const directory = temporaryDirectory();
  directories.push(directory);
  return directory;
}

async function start(options: Omit<Parameters<typeof startEmbedded>[0], 'logger'>): Promise<Embedded> {
  const embedded = await startEmbedded({ logger, ...options });
  started.push(embedded);
  return embedded;
}

async function withRedis<T>(embedded: Embedded, action: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(embedded.redisUrl ?? '', { maxRetriesPerRequest: 0, lazyConnect: true });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await action(client);
  } finally {
    client.disconnect();
  }
}

async function sql(embedded: Embedded, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: embedded.postgresUrl });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

function postgresSocketDirectory(embedded: Embedded): string {
  return new URL((embedded.postgresUrl ?? '').replace('@/', '@localhost/')).searchParams.get('host') ?? '';
}

/** A sidecar of its own: starts the stores of the data directory, prints their pids, waits to be killed. */
async function startOwner(
  dataDir: string,
): Promise<{ child: ChildProcess; redisPid: number; postgresPid: number }> {
  const script = join(packageRoot, 'test/helpers/embeddedOwner.mjs');
  // Detached: a process group of its own, as a shell makes one for a command in the foreground.
  const child = spawn(process.execPath, [script, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const pids = JSON.parse(line) as { redisPid: number; postgresPid: number };
    orphans.push(pids.redisPid, pids.postgresPid);
    return { child, ...pids };
  }
  throw new Error('The owner ended before its stores ran');
}

async function killOwner(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

test('both stores start with the settings that money needs', async () => {
  const embedded = await start({ dataDir: newDataDir() });
  await withRedis(embedded, async (client) => {
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await client.config('GET', 'port')).toEqual(['port', '0']);
  });
  const rows = await sql(
    embedded,
    `SELECT current_database() AS database, current_setting('server_encoding') AS encoding,
       current_setting('synchronous_commit') AS commit, current_setting('listen_addresses') AS listen,
       current_setting('fsync') AS fsync, (SELECT datcollate FROM pg_database WHERE datname = 'drawdown') AS collate`,
  );
  expect(rows).toEqual([
    { database: 'drawdown', encoding: 'UTF8', commit: 'on', listen: '', fsync: 'on', collate: 'C' },
  ]);
});

test('nobody but the owner can enter the directories of the sockets', async () => {
  const embedded = await start({ dataDir: newDataDir() });
  const redisSocket = new URL(embedded.redisUrl ?? '').pathname;
  for (const directory of [dirname(redisSocket), postgresSocketDirectory(embedded)]) {
    expect(statSync(directory).mode & 0o077, directory).toBe(0);
  }
});

test('data survives an orderly stop, which leaves no process behind', async () => {
  const dataDir = newDataDir();
  const first = await start({ dataDir });
  const pids = [first.redisPid, first.postgresPid] as number[];
  await withRedis(first, (client) => client.set('kept', 'yes'));
  await sql(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  expect(pids.filter(isAlive)).toEqual([]);
  expect(existsSync(join(dataDir, 'owner.lock'))).toBe(false);

  const second = await start({ dataDir });
  expect(await withRedis(second, (client) => client.get('kept'))).toBe('yes');
  expect(await sql(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('the next owner adopts what a killed owner left running, and stops it', async () => {
  const dataDir = newDataDir();
  const owner = await startOwner(dataDir);
  await killOwner(owner.child);
  expect([isAlive(owner.redisPid), isAlive(owner.postgresPid)]).toEqual([true, true]);

  const next = await start({ dataDir });
  expect([next.redisPid, next.postgresPid]).toEqual([owner.redisPid, owner.postgresPid]);
  await next.stop();
  expect([isAlive(owner.redisPid), isAlive(owner.postgresPid)]).toEqual([false, false]);
});

test('Ctrl-C in the terminal, which goes to a process group, reaches the owner and not its stores', async () => {
  const { child, redisPid, postgresPid } = await startOwner(newDataDir());
  const groupOf = (pid: number) =>
    Number(execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }));
  expect([child.pid, redisPid, postgresPid].map((pid) => groupOf(pid as number))).toEqual([
    child.pid,
    redisPid,
    postgresPid,
  ]);
});

test('an adopted store that dies is replaced', async () => {
  const dataDir = newDataDir();
  const owner = await startOwner(dataDir);
  await killOwner(owner.child);
  const next = await start({ dataDir });
  process.kill(owner.redisPid, 'SIGKILL');
  const replaced = () => next.redisPid !== undefined && next.redisPid !== owner.redisPid;
  expect(await waitUntil(replaced, { limitMs: 20_000 })).toBe(true);
  expect(await withRedis(next, (client) => client.ping())).toBe('PONG');
});

test('a second owner of a living data directory is refused and told by whom', async () => {
  const dataDir = newDataDir();
  const embedded = await start({ dataDir });
  await expect(startEmbedded({ dataDir, logger })).rejects.toThrow(`in use by process ${process.pid}`);
  expect(await withRedis(embedded, (client) => client.ping())).toBe('PONG');
});

test('a lock whose pid went to another process is void', async () => {
  const dataDir = newDataDir();
  writeFileSync(join(dataDir, 'owner.lock'), `${process.ppid} 1\n`);
  const embedded = await start({ dataDir, postgres: false });
  expect(await withRedis(embedded, (client) => client.ping())).toBe('PONG');
});

test('a pid file of Postgres whose pid went to another process does not keep it from starting', async () => {
  const dataDir = newDataDir();
  const first = await start({ dataDir, redis: false });
  await first.stop();
  // A stranger of the same user: Postgres itself passes over those of other users.
  const user = process.getuid?.() === 0 ? unprivilegedUser() : {};
  const stranger = spawn('sleep', ['600'], { ...user, stdio: 'ignore' });
  children.push(stranger);
  const pidFile = join(dataDir, 'postgres/data/postmaster.pid');
  writeFileSync(
    pidFile,
    `${stranger.pid}\n${join(dataDir, 'postgres/data')}\n1700000000\n5432\n/nowhere\n\n`,
  );
  const second = await start({ dataDir, redis: false });
  expect(await sql(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test.each(['redis', 'postgres'] as const)(
  '%s that is killed is reported and comes back with its data',
  async (store) => {
    const exits: StoreExit[] = [];
    const embedded = await start({ dataDir: newDataDir(), onExit: (exit) => exits.push(exit) });
    const pidOf = () => (store === 'redis' ? embedded.redisPid : embedded.postgresPid);
    await withRedis(embedded, (client) => client.set('kept', 'yes'));
    await sql(embedded, 'CREATE TABLE kept AS SELECT 42 AS answer');

    const killed = pidOf() as number;
    process.kill(killed, 'SIGKILL');
    const back = () => pidOf() !== undefined && pidOf() !== killed;
    expect(await waitUntil(back, { limitMs: 30_000 })).toBe(true);
    expect(exits[0]).toMatchObject({ store, pid: killed, signal: 'SIGKILL' });
    expect(await withRedis(embedded, (client) => client.get('kept'))).toBe('yes');
    expect(await sql(embedded, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  },
);

test('one half can be used alone', async () => {
  const embedded = await start({ dataDir: newDataDir(), redis: false });
  expect(embedded.redisUrl).toBeUndefined();
  expect(embedded.redisPid).toBeUndefined();
  expect(await sql(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a data directory that is too deep for a socket and closed to others still works', async () => {
  const deep = join(newDataDir(), 'd'.repeat(60), 'e'.repeat(60), 'with a blank');
  mkdirSync(deep, { recursive: true });
  const embedded = await start({ dataDir: deep });
  // As root, Postgres runs as another user, who cannot enter the closed directory above: its files lie elsewhere.
  directories.push(realpathSync(join(deep, 'postgres')));
  directories.push(dirname(new URL(embedded.redisUrl ?? '').pathname), postgresSocketDirectory(embedded));
  expect(await withRedis(embedded, (client) => client.ping())).toBe('PONG');
  expect(await sql(embedded, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});
