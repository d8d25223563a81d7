/** The transaction of a flush, where another one is in its way or Postgres cannot take it. */
import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CursorMoved, flush } from '../../src/flush/flush.js';
import type { FlushPart } from '../../src/flush/flush-batch.js';
import { recordAt } from '../../src/flush/flush-protocol.js';
import { readPart } from '../../src/flush/read-part.js';
import { EntryEncoder } from '../../src/postgres/entry-row.js';
import { type Cursor, readCursors } from '../../src/postgres/partitions.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { openStores } from '../../src/stores.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectClean } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  ({ client } = sidecar);
});
afterEach(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

async function transactionsWait(count: number): Promise<void> {
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await until(`${count} transactions wait`, async () => (await sql(database.url, waiting)).length === count);
}

it('of two flushers at one cursor the second waits for the first, and writes nothing', async () => {
  const account = await client.account('raced', 1_000);
  const partition = partitionOf(account, sidecar.config.partitionCount);
  const stores = await openStores(sidecar.config);
  const blocker = new pg.Client({ connectionString: database.url });
  await blocker.connect();
  try {
    // The sidecar's flush stands still after its lines, before its cursor.
    await blocker.query('BEGIN; LOCK TABLE flushes IN SHARE ROW EXCLUSIVE MODE');
    await client.record([usageEvent(account, 'event', 100)]);
    await transactionsWait(1);
    // Another flusher that believes in its lease: it has read the same cursor, and the same records after it.
    const cursors = await readCursors(stores.pool);
    const cursor = cursors.find((one) => one.partition === partition) as Cursor;
    const { epoch, seq: afterSeq } = cursor;
    const journalKey = partitionKeys(sidecar.config.redisKeyPrefix, partition)[7];
    const place = { partition, journalKey, epoch, afterSeq, record: recordAt(cursor), runId: '' };
    const part = (await readPart(stores.connection, place, 100)) as FlushPart;
    const limits = { knownMonths: new Set<number>(), timeoutMs: 30_000 };
    const second = flush(stores.pool, [part], new EntryEncoder(), limits);
    const ended = second.then(
      () => 'committed',
      (error) => (error instanceof CursorMoved ? 'the cursor has moved' : String(error)),
    );
    await transactionsWait(2);
    await blocker.query('COMMIT');
    expect(await ended).toBe('the cursor has moved');
  } finally {
    await blocker.end();
    await stores.close();
  }
  await expectClean(sidecar.config, client, new Map([[account, 900]]));
});

it('lines that Postgres cannot take are not durable, and are booked once it can', async () => {
  const account = await client.account('refused', 1_000);
  // The month of the ledger is gone: somebody detached it too early.
  const [month] = await sql(
    database.url,
    `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'entries'::regclass AND EXISTS (SELECT 1 FROM entries e WHERE e.tableoid = c.oid)`,
  );
  await sql(database.url, `ALTER TABLE entries DETACH PARTITION ${month?.name}`);
  await client.record([usageEvent(account, 'event', 100)]);
  const isDurable = async (): Promise<boolean> =>
    (await client.call('UsageService/GetUsage', { accountId: account, eventId: 'event' })).durable;
  const refusals = (): Promise<number> => metric(sidecar, 'drawdown_flush_retries_total', 'reason="store"');
  await until('a flush was tried', async () => (await refusals()) > 0 || (await isDurable()));
  expect(await isDurable()).toBe(false);
  await sql(database.url, `ALTER TABLE entries ATTACH PARTITION ${month?.name} ${month?.bound}`);
  await until('it is durable', isDurable);
  await expectClean(sidecar.config, client, new Map([[account, 900]]));
});
