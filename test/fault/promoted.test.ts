/** A sidecar reaches a replica before it is promoted. */
import { Redis } from 'ioredis';
import { afterEach, it } from 'vitest';
import { startProxy } from '../helpers/proxy.js';
import { readiness, startTestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanups.splice(0).reverse()) await step();
});

async function redisOf(): Promise<TestRedis> {
  const redis = await startRedis({ appendOnly: false, settings: { 'repl-diskless-sync-delay': '0' } });
  cleanups.push(() => redis.stop());
  return redis;
}

it('a replica that is promoted while a sidecar is connected to it serves without a new connection', async () => {
  const [primary, replica] = [await redisOf(), await redisOf()];
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  const link = await startProxy(() => primary.socketPath);
  cleanups.push(() => link.stop());
  const direct = new Redis(replica.url);
  cleanups.push(async () => direct.disconnect());
  await direct.replicaof('127.0.0.1', link.port);
  await until('it is a replica', async () => /master_link_status:up/.test(await direct.info('replication')));
  let target = primary.socketPath;
  const proxy = await startProxy(() => target);
  cleanups.push(() => proxy.stop());
  const places = { redisUrl: `redis://127.0.0.1:${proxy.port}`, postgresUrl: database.url };
  const sidecar = await startTestSidecar(places);
  cleanups.push(() => sidecar.stop());
  const account = await sidecar.client.account('early', 1_000);
  target = replica.socketPath;
  proxy.setDown(true);
  proxy.setDown(false);
  await until('it is refused', async () =>
    (await readiness(sidecar)).reasons.some((reason) => reason.startsWith('Redis is a replica')),
  );
  await direct.replicaof('NO', 'ONE');
  await until('it is ready', async () => (await readiness(sidecar)).ready);
  await expectClean(sidecar.config, sidecar.client, new Map([[account, 1_000]]));
});
