/** What wallets had when a month began: written in the background, and audited. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Openings } from '../../src/flush/openings.js';
import { createMetrics } from '../../src/metrics.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { Partition } from '../../src/usage/partition.js';
import { verifyInstallation } from '../../src/verify/index.js';
import { sql } from '../helpers/audit.js';
import { rebook } from '../helpers/booked.js';
import { usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';

const PARTITIONS = 4;
const logger = pino({ level: 'silent' });
const limits = { connectTimeoutMs: 5_000, commandTimeoutMs: 5_000, statementTimeoutMs: 0, connectionsMax: 4 };

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let pool: Pool;
let connection: RedisConnection;
beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  pool = createPool({ url: database.url, ...limits, logger });
  connection = new RedisConnection({ url: redis.url, ...limits, logger });
  await connection.connect();
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
});
afterEach(async () => {
  await sidecar.stop();
  await connection.close();
  await pool.end();
  await Promise.all([redis.stop(), database.drop()]);
});

/** As each sidecar has one; this one believes that it owns every partition. */
function openings(): Openings {
  const partitions = Array.from({ length: PARTITIONS }, (_, number) => {
    const partition = new Partition(
      number,
      partitionKeys('drawdown', number),
      '',
      () => undefined,
      () => undefined,
    );
    partition.open({ epoch: 1, seq: 0, runId: '' });
    return partition;
  });
  const owned = new Set(partitions.map(({ number }) => number));
  const metrics = createMetrics({ processMetrics: false });
  return new Openings(partitions, () => owned, connection, pool, { clockSkewMaxMs: 5_000 }, metrics, logger);
}

/** Some days before this month began, and the month's number. */
// As the product sees it: a little behind, for clocks that are set back.
const now = new Date(Date.now() - 10_000);
const lastMonthMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1) - 5 * 86_400_000;
const month = now.getUTCFullYear() * 100 + now.getUTCMonth() + 1;

async function makeAccounts(count: number): Promise<string[]> {
  const accounts = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const accountId = await sidecar.client.account(`account-${i}`, 1_000);
      await sidecar.client.topUp(accountId, 50, { requestId: 'voice', unit: 'UNIT_TTS_CHARACTERS' });
      await sidecar.client.reserve(accountId, 'open', 70, { holdTimeMs: 3_600_000 });
      await sidecar.client.record([usageEvent(accountId, 'before', 100 + i)], 'ACK_LEVEL_DURABLE');
      await sidecar.client.record([usageEvent(accountId, 'after', 5)], 'ACK_LEVEL_DURABLE');
      return accountId;
    }),
  );
  for (const accountId of accounts) {
    await rebook(database.url, accountId, (seq) => (seq < 5 ? lastMonthMs : Date.now()));
  }
  await sql(database.url, 'DELETE FROM opened_months');
  return accounts;
}

const stored = () =>
  sql(
    database.url,
    `SELECT account_id, month, unit, account_seq, remaining, held, o.debt FROM opening_balances o JOIN accounts USING (account_key)
     ORDER BY account_id COLLATE "C", unit`,
  );

async function openedPartitions(): Promise<number[]> {
  const rows = await sql(database.url, 'SELECT partition FROM opened_months WHERE month = $1 ORDER BY 1', [
    month,
  ]);
  return rows.map((row) => Number(row.partition));
}

describe('openings of a month', () => {
  it('are written for every account, once, by however many sidecars', async () => {
    const accounts = await makeAccounts(9);
    const [first, second] = [openings(), openings()];
    await Promise.all([first.look(), second.look()]);
    const line = { month: String(month), account_seq: '4', debt: '0' };
    expect(await stored()).toEqual(
      accounts.flatMap((account_id, i) => [
        { ...line, account_id, unit: 'credits', remaining: String(900 - i), held: '70' },
        { ...line, account_id, unit: 'tts_characters', remaining: '50', held: '0' },
      ]),
    );
    expect(await openedPartitions()).toEqual([0, 1, 2, 3]);
    const before = await stored();
    await sql(database.url, 'DELETE FROM opened_months');
    await openings().look();
    expect(await stored()).toEqual(before);
  });

  it('wait until everything that was booked before is in the ledger', async () => {
    await makeAccounts(1);
    const own = partitionOf('account-0', PARTITIONS);
    // The cursor is locked: the flusher cannot commit what Redis has booked.
    const blocker = await pool.connect();
    const block = async (): Promise<void> => {
      await blocker.query('BEGIN');
      await blocker.query('SELECT FROM partitions WHERE partition = $1 FOR UPDATE', [own]);
    };
    await block();
    await sidecar.client.record([usageEvent('account-0', 'pending', 1)]);
    const opener = openings();
    await opener.look();
    expect(await openedPartitions()).toEqual([0, 1, 2, 3].filter((partition) => partition !== own));
    expect(await stored()).toEqual([]);
    await blocker.query('ROLLBACK');
    await sidecar.client.ledger('account-0');
    // What comes after the first look belongs to the month: it need not be waited for.
    await block();
    await sidecar.client.record([usageEvent('account-0', 'pending-too', 1)]);
    await opener.look();
    expect(await openedPartitions()).toEqual([0, 1, 2, 3]);
    expect(await stored()).toHaveLength(2);
    await blocker.query('ROLLBACK');
    blocker.release();
  });

  it('are audited: changed, missing and stray ones are found', async () => {
    await makeAccounts(3);
    await openings().look();
    const findings = async (): Promise<string[]> => {
      const { problems } = await verifyInstallation({ pool, connection, redisKeyPrefix: 'drawdown' });
      // Booked times were moved, which the checksums show.
      return problems
        .filter(({ check }) => check === 'openings' || check === 'balances')
        .map(({ account, message }) => `${account}: ${message}`);
    };
    expect(await findings()).toEqual([]);
    const change = (text: string) =>
      sql(
        database.url,
        `${text} account_key = (SELECT account_key FROM accounts WHERE account_id = 'account-0') AND unit = 'credits'`,
      );
    const opening = `account-0: opening of ${month}:`;
    await change('UPDATE opening_balances SET remaining = 901 WHERE');
    expect(await findings()).toEqual([
      `${opening} credits remaining 901, held 70, debt 0, the lines add up to remaining 900, held 70, debt 0`,
    ]);
    await change('UPDATE opening_balances SET remaining = 900, account_seq = 3 WHERE');
    expect(await findings()).toEqual([`${opening} after line 3`]);
    await change('DELETE FROM opening_balances WHERE');
    expect(await findings()).toEqual([`${opening} credits is not there`]);
    await sql(database.url, 'DELETE FROM opening_balances');
    expect((await findings()).sort()).toEqual([0, 1, 2].map((i) => `account-${i}: no opening of ${month}`));
    await sql(database.url, `INSERT INTO opening_balances VALUES (99, ${month}, 'credits', 1, 0, 0, 0)`);
    expect(await findings()).toContain('key 99: opening_balances of an account that is not there');
  });
});
