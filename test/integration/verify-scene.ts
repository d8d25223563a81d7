/** A sidecar with traffic of every kind behind it, for the tests of verification. */
import { pino } from 'pino';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { type VerifyReport, verifyInstallation } from '../../src/verify/index.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase } from '../helpers/stores.js';
import { SOON_MS, until } from '../helpers/until.js';

/** What the helpers' sidecars have. */
export const PARTITIONS = 4;
const CREDIT = 1_000_000;

export interface Scene {
  readonly database: TestDatabase;
  readonly sidecar: TestSidecar;
  readonly pool: Pool;
  readonly connection: RedisConnection;
  verify(problemsMax?: number): Promise<VerifyReport>;
  stop(): Promise<void>;
}

export async function startScene(): Promise<Scene> {
  const [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  const logger = pino({ level: 'silent' });
  const pool = createPool({
    url: database.url,
    connectTimeoutMs: 5_000,
    connectionsMax: 3,
    statementTimeoutMs: 0,
    logger,
  });
  const connection = new RedisConnection({
    url: redis.url,
    connectTimeoutMs: 5_000,
    commandTimeoutMs: 5_000,
    logger,
  });
  await connection.connect();
  const sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  await makeTraffic(sidecar.client, database.url, connection);
  return {
    database,
    sidecar,
    pool,
    connection,
    verify: (problemsMax = 100) =>
      verifyInstallation({ pool, connection, redisKeyPrefix: 'drawdown', problemsMax }),
    async stop() {
      await sidecar.stop();
      await connection.close();
      await pool.end();
      await Promise.all([redis.stop(), database.drop()]);
    },
  };
}

/** Every kind of line, lots that expire, debt, open holds, an allowance, a charge that only Postgres sees was made twice. */
async function makeTraffic(client: TestClient, url: string, connection: RedisConnection): Promise<void> {
  const kinds = async (kind: string): Promise<number> => {
    const [row] = await sql(url, 'SELECT count(*) FROM entries WHERE kind = $1', [kind]);
    return Number(row?.count);
  };
  for (const account of ['acme', 'beta', 'gamma', 'delta', 'epsilon']) {
    await client.account(account, 2 * CREDIT);
    const tts = { meter: 'tts', model: 'tts-1', quantities: { characters: 120 } };
    await client.topUp(account, 300, { requestId: 'voice', unit: 'UNIT_TTS_CHARACTERS' });
    // The third is more than the allowance has left: credits are converted for it.
    await client.record(['t1', 't2', 't3'].map((id) => usageEvent(account, id, 0, tts)));
    await client.topUp(account, 90_000, { requestId: 'soon', expiresAtMs: Date.now() + SOON_MS });
    await client.topUp(account, 7_000, { requestId: 'later', expiresAtMs: Date.now() + 3_600_000 });
    const events = Array.from({ length: 20 }, (_, i) => usageEvent(account, `e${i}`, 100 + i));
    events.push(usageEvent(account, 'unrated', 5, { model: 'nobody-knows-this' }));
    await client.record(events);
    await client.record(events.slice(0, 3));
    await client.reserve(account, 'settled', 10_000);
    await client.settle(account, 'settled', 4_000);
    await client.reserve(account, 'over', 1_000);
    await client.settle(account, 'over', 3_000);
    await client.reserve(account, 'released', 9_000);
    await client.release(account, 'released');
    await client.reserve(account, 'expired', 8_000, { holdTimeMs: 50 });
    await client.settle(account, 'unknown', 500);
    await client.reserve(account, 'open', 6_000);
    await client.call('UsageService/Extend', {
      extendId: 'x1',
      accountId: account,
      holdId: 'open',
      addAmount: 6_500,
      eventTimeMs: Date.now(),
    });
    await until(
      'the hold expires',
      async () => (await client.holdState(account, 'expired')) === 'USAGE_STATE_EXPIRED',
    );
    await client.settle(account, 'expired', 2_000);
  }
  // Before delta spends all that it has, what would expire included.
  await until('the lots expire', async () => (await kinds('lot_expired')) >= 5);
  await client.record([usageEvent('delta', 'much', 3 * CREDIT)], 'ACK_LEVEL_DURABLE');
  await client.topUp('delta', CREDIT, { requestId: 'pays-debt' });
  await correct(client, 'beta');
  await chargeTwice(client, 'gamma', connection);
  await until('the charge is given back', async () => (await kinds('reversal')) === 3);
}

async function correct(client: TestClient, accountId: string): Promise<void> {
  const own = { accountId, eventTimeMs: Date.now(), reasonCode: 'a_test' };
  await client.call('AccountService/ReverseUsage', { ...own, requestId: 'reverse', eventId: 'e7' });
  await client.call('AccountService/ReverseUsage', { ...own, requestId: 'reverse-hold', holdId: 'over' });
  const { lots } = await client.call('AccountService/ListLots', { accountId });
  const later = lots.find(({ expiresAtMs }) => Number(expiresAtMs) > Date.now());
  await client.call('AccountService/ExpireLot', { ...own, requestId: 'lot', lotId: Number(later?.lotId) });
  await client.call('AccountService/FreezeAccount', { ...own, requestId: 'freeze' });
  await client.record([usageEvent(accountId, 'frozen', 50)]);
  await client.call('AccountService/UnfreezeAccount', { ...own, requestId: 'unfreeze' });
}

/** Redis forgets an id, so the charge is made again; Postgres notices. */
async function chargeTwice(client: TestClient, account: string, connection: RedisConnection): Promise<void> {
  const event = usageEvent(account, 'twice', 777);
  await client.record([event], 'ACK_LEVEL_DURABLE');
  const keys = partitionKeys('drawdown', partitionOf(account, PARTITIONS));
  await connection.client.hdel(keys[4], `u${account.length}:${account}twice`);
  await client.record([event], 'ACK_LEVEL_DURABLE');
}
