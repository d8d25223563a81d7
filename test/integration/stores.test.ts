/** The tests' own stores: what the fault tests rely on. */
import { existsSync, lstatSync, mkdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { makeLinks } from '../../src/embedded/binaries.js';
import { isAlive } from '../../src/embedded/process.js';
import {
  createDatabase,
  startPostgres,
  startRedis,
  type TestStore,
  temporaryDirectory,
} from '../helpers/stores.js';

const stores: TestStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) {
    await store.stop();
  }
});

function kept<T extends TestStore>(store: T): T {
  stores.push(store);
  return store;
}

async function redisCall(url: string, command: string, ...values: string[]): Promise<unknown> {
  const client = new Redis(url, { maxRetriesPerRequest: 0, lazyConnect: true });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(command, ...values);
  } finally {
    client.disconnect();
  }
}

async function sql(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

test('a Redis without an append-only file forgets when it is killed', async () => {
  const redis = kept(await startRedis());
  const before = redis.pid;
  await redisCall(redis.url, 'SET', 'key', 'value');
  await redis.kill9();
  expect(isAlive(before)).toBe(false);
  await redis.restart();
  expect(redis.pid).not.toBe(before);
  expect(await redisCall(redis.url, 'GET', 'key')).toBeNull();
});

test('a Redis with an append-only file and settings of its own remembers', async () => {
  const redis = kept(await startRedis({ appendOnly: true, settings: { maxmemory: '50mb' } }));
  await redisCall(redis.url, 'SET', 'key', 'value');
  await redis.kill9();
  await redis.restart();
  expect(await redisCall(redis.url, 'GET', 'key')).toBe('value');
  expect(await redisCall(redis.url, 'CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '52428800']);
});

test('a Postgres that is killed recovers what it committed', async () => {
  const postgres = kept(await startPostgres());
  await sql(postgres.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await postgres.kill9();
  await expect(sql(postgres.url, 'SELECT 1')).rejects.toThrow();
  await postgres.restart();
  expect(await sql(postgres.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('stopping removes the process and its data', async () => {
  const redis = await startRedis();
  const directory = dirname(redis.socketPath);
  expect(existsSync(directory)).toBe(true);
  await redis.stop();
  expect([isAlive(redis.pid), existsSync(directory)]).toEqual([false, false]);
});

test('databases of one cluster do not see each other, and a dropped one is gone', async () => {
  const first = await createDatabase();
  const second = await createDatabase();
  await sql(first.url, 'CREATE TABLE mine (id integer)');
  await sql(second.url, 'CREATE TABLE mine (id integer)');
  await first.drop();
  await expect(sql(first.url, 'SELECT 1')).rejects.toThrow('does not exist');
  await second.drop();
});

test('links that an install script did not make are made, once', () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'native/lib'), { recursive: true });
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so' }];
  writeFileSync(join(directory, 'native/pg-symlinks.json'), JSON.stringify(links));
  writeFileSync(join(directory, 'native/lib/libpq.so.5.18'), '');
  makeLinks(directory);
  makeLinks(directory);
  expect(lstatSync(join(directory, 'native/lib/libpq.so')).isSymbolicLink()).toBe(true);
  expect(readlinkSync(join(directory, 'native/lib/libpq.so'))).toBe('libpq.so.5.18');
  rmSync(directory, { recursive: true });
});
