/** What an opener does where a connection is lost at the worst moment. The stores are the test's, because that moment is. */
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Opener } from '../../src/flush/opener.js';
import type { Rebuild } from '../../src/flush/rebuild.js';
import type { Pool } from '../../src/postgres/pool.js';
import type { RedisConnection } from '../../src/redis/connection.js';
import { FORMAT } from '../../src/redis/format.js';
import { partitionKeys } from '../../src/redis/keys.js';
import { Partition } from '../../src/usage/partition.js';
import { DurableWatermarks } from '../../src/usage/watermarks.js';

it('a partition stays closed where the connection is lost after its keys were verified', async () => {
  const ignore = (): void => undefined;
  const partition = new Partition(0, partitionKeys('test', 0), 'test', ignore, ignore);
  partition.open({ epoch: 1, seq: 5, runId: 'before' });
  partition.doubt('a test says so');
  const meta = [null, 'test', String(FORMAT), '2', 'token', 'server', '5', '5'];
  const connection = {
    runId: 'server' as string | null,
    identify: async () => undefined,
    client: { hmget: async () => meta },
  };
  const cursor = { partition: 0, epoch: 2, seq: 5, record_seq: null, token: 'token', runId: 'server' };
  const pool = {
    query: async ({ name }: { name: string }) => {
      if (name === 'read_open_epoch') return { rows: [cursor] };
      // What the sidecar hears of a lost connection before this is answered: the partition is closed already.
      connection.runId = null;
      return { rows: [{ epoch: 1, lastSeq: 5 }] };
    },
  };
  const opener = new Opener(
    [partition],
    pool as unknown as Pool,
    connection as unknown as RedisConnection,
    {} as Rebuild,
    new DurableWatermarks(1),
    pino({ level: 'silent' }),
  );
  await opener.openAll();
  expect(partition.state.kind).toBe('closed');
});
