/** Verification finds what was changed by hand, and nothing where nothing was. */
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ENTRY_COLUMNS } from '../../src/postgres/entry-row.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { type VerifyReport, verifyInstallation } from '../../src/verify/index.js';
import { sql } from '../helpers/audit.js';
import { type TestClient, usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';

const PARTITIONS = 4;
const CREDIT = 1_000_000;

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let pool: Pool;
let connection: RedisConnection;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  const logger = pino({ level: 'silent' });
  pool = createPool({ url: database.url, connectTimeoutMs: 5_000, connectionsMax: 3, logger });
  connection = new RedisConnection({
    url: redis.url,
    connectTimeoutMs: 5_000,
    commandTimeoutMs: 5_000,
    logger,
  });
  await connection.connect();
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  await makeTraffic(sidecar.client);
});
afterAll(async () => {
  await sidecar.stop();
  await connection.close();
  await pool.end();
  await Promise.all([redis.stop(), database.drop()]);
});

function verify(): Promise<VerifyReport> {
  return verifyInstallation({ pool, connection, redisKeyPrefix: 'drawdown' });
}

/** Every kind of line, lots that expire, debt, open holds, an allowance, a charge that only Postgres sees was made twice. */
async function makeTraffic(client: TestClient): Promise<void> {
  for (const account of ['acme', 'beta', 'gamma', 'delta', 'epsilon']) {
    await client.account(account, 2 * CREDIT);
    await client.topUp(account, 90_000, { requestId: 'soon', expiresAtMs: Date.now() + 400 });
    await client.topUp(account, 7_000, { requestId: 'later', expiresAtMs: Date.now() + 3_600_000 });
    await client.topUp(account, 300, { requestId: 'voice', unit: 'UNIT_TTS_CHARACTERS' });
    const events = Array.from({ length: 20 }, (_, i) => usageEvent(account, `e${i}`, 100 + i));
    events.push(usageEvent(account, 'unrated', 5, { model: 'nobody-knows-this' }));
    const tts = { meter: 'tts', model: 'tts-1', quantities: { characters: 120 } };
    for (const id of ['t1', 't2', 't3']) events.push(usageEvent(account, id, 0, tts));
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
  await client.record([usageEvent('delta', 'much', 3 * CREDIT)], 'ACK_LEVEL_DURABLE');
  await client.topUp('delta', CREDIT, { requestId: 'pays-debt' });
  await until('the lots expire', async () => (await kinds('lot_expired')) >= 5);
  await chargeTwice(client, 'gamma');
}

/** Redis forgets an id, so the charge is made again; Postgres notices. */
async function chargeTwice(client: TestClient, account: string): Promise<void> {
  const event = usageEvent(account, 'twice', 777);
  await client.record([event], 'ACK_LEVEL_DURABLE');
  const keys = partitionKeys('drawdown', partitionOf(account, PARTITIONS));
  await connection.client.hdel(keys[4], `u${account.length}:${account}twice`);
  await client.record([event], 'ACK_LEVEL_DURABLE');
  await until('the charge is given back', async () => (await kinds('reversal')) === 1);
}

async function kinds(kind: string): Promise<number> {
  const [row] = await sql(database.url, 'SELECT count(*) FROM entries WHERE kind = $1', [kind]);
  return Number(row?.count);
}

describe('beside traffic', () => {
  it('is clean while events, holds and top-ups go on', async () => {
    const { client } = sidecar;
    let going = true;
    const traffic = (async () => {
      for (let round = 0; going; round++) {
        const events = Array.from({ length: 20 }, (_, i) => usageEvent('epsilon', `r${round}-${i}`, 1));
        await Promise.all([
          client.record(events),
          client.record([usageEvent('beta', `r${round}`, 1)], 'ACK_LEVEL_DURABLE'),
          client.reserve('acme', `r${round}`, 10).then(() => client.settle('acme', `r${round}`, 7)),
        ]);
      }
    })();
    for (let i = 0; i < 3; i++) {
      const report = await verify();
      expect(report.problems).toEqual([]);
      expect(report).toMatchObject({ clean: true, accounts: 5, driftMicros: 0n, missing: 0, doubled: 0 });
      expect(report.comparedWithRedis + report.moving).toBe(5);
    }
    going = false;
    await traffic;
  });
});

describe('at rest', () => {
  const TABLES = [
    'entries',
    'flushes',
    'accounts',
    'wallets',
    'lots',
    'holds',
    'partitions',
    'epochs',
    'catalog_versions',
  ];
  /** A line of usage in the middle of an account's life. */
  const victim = `account_key = (SELECT account_key FROM accounts WHERE account_id = 'acme') AND kind = 'usage' AND id = 'e7'`;
  let place: { accountSeq: number; partition: number; seq: number };

  beforeAll(async () => {
    await sidecar.stop();
    for (const table of TABLES)
      await sql(database.url, `CREATE TABLE saved_${table} AS SELECT * FROM ${table}`);
    const [row] = await sql(database.url, `SELECT account_seq, partition, seq FROM entries WHERE ${victim}`);
    place = {
      accountSeq: Number(row?.account_seq),
      partition: Number(row?.partition),
      seq: Number(row?.seq),
    };
  });

  async function restore(): Promise<void> {
    const statements = TABLES.map(
      (table) => `DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM saved_${table};`,
    );
    await sql(database.url, statements.join('\n'));
  }

  it('is clean, and has compared every account', async () => {
    const report = await verify();
    expect(report.problems).toEqual([]);
    const [counts] = await sql(
      database.url,
      'SELECT (SELECT count(*) FROM entries) AS lines, (SELECT count(*) FROM flushes) AS flushes, (SELECT count(*) FROM holds) AS holds',
    );
    expect(report).toEqual({
      clean: true,
      accounts: 5,
      lines: Number(counts?.lines),
      flushes: Number(counts?.flushes),
      holds: Number(counts?.holds),
      comparedWithRedis: 5,
      moving: 0,
      driftMicros: 0n,
      missing: 0,
      doubled: 0,
      problemsTotal: 0,
      problems: [],
    });
    expect(report.holds).toBeGreaterThanOrEqual(5);
    const lineKinds = await sql(database.url, 'SELECT DISTINCT kind FROM entries ORDER BY kind');
    expect(lineKinds.map((row) => row.kind)).toEqual([
      'account_created',
      'duplicate',
      'grant',
      'hold_expired',
      'lot_expired',
      'release',
      'reversal',
      'settle',
      'usage',
    ]);
  });

  describe('after one column of one ledger line was changed by hand', () => {
    afterEach(restore);

    /** What else a column may hold, by its type. */
    function changed(column: string, type: string): string {
      if (type === 'text') return `${column} || 'x'`;
      if (type === 'json') return `'{"input_tokens":108}'::json`;
      if (type === 'timestamp with time zone') return `${column} + interval '1 microsecond'`;
      return `${column} + ${column === 'account_key' ? 1_000 : 1}`;
    }

    it.each(ENTRY_COLUMNS.map((column) => [column]))('%s', async (column) => {
      const [found] = await sql(
        database.url,
        `SELECT data_type, (SELECT event_month FROM entries WHERE ${victim}) AS month FROM information_schema.columns WHERE table_name = 'entries' AND column_name = $1`,
        [column],
      );
      await sql(database.url, `SELECT ensure_entries_month(${Number(found?.month) + 1})`);
      const type = String(found?.data_type);
      await sql(database.url, `UPDATE entries SET ${column} = ${changed(column, type)} WHERE ${victim}`);
      const report = await verify();
      expect(report.clean).toBe(false);
      const moved: readonly string[] = ['account_key', 'account_seq', 'partition', 'epoch', 'seq'];
      const named = report.problems.filter(({ check }) => check === 'checksum');
      expect(named).toHaveLength(1);
      if (moved.includes(column)) {
        expect(report.problems.some(({ account }) => account === 'acme')).toBe(true);
      } else {
        expect(named[0]).toMatchObject({ account: 'acme', ...place });
      }
    });

    it('a changed charge is found by its arithmetic too, whatever its checksum says', async () => {
      await sql(database.url, `UPDATE entries SET spent = spent + 5 WHERE ${victim}`);
      const report = await verify();
      const checks = new Set(report.problems.map(({ check }) => check));
      expect([...checks].sort()).toEqual(['balances', 'checksum', 'conservation', 'flushes', 'price']);
      for (const check of ['checksum', 'conservation', 'price']) {
        expect(report.problems.find((problem) => problem.check === check)).toMatchObject({
          account: 'acme',
          ...place,
        });
      }
      expect(report.driftMicros).toBe(5n);
    });
  });

  /** What was done, and which check must say what. */
  const damages: readonly [what: string, statement: string, check: string, message: RegExp][] = [
    [
      'a deleted line',
      `DELETE FROM entries WHERE ${victim}`,
      'numbers',
      /^line \d+ missing before this line$/,
    ],
    [
      'a deleted line, in its flush',
      `DELETE FROM entries WHERE ${victim}`,
      'flushes',
      /wrote \d+ lines, \d+ are there/,
    ],
    [
      'the last line of an account deleted',
      `DELETE FROM entries WHERE (account_key, account_seq) = (SELECT account_key, entries FROM accounts WHERE account_id = 'acme')`,
      'balances',
      /^the ledger ends at line \d+, the account at \d+$/,
    ],
    [
      'a deleted flush',
      'DELETE FROM flushes WHERE (partition, from_seq) = (SELECT partition, min(from_seq) FROM flushes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)',
      'flushes',
      /^seq 1 to \d+ is in no flush$/,
    ],
    [
      'the last flush deleted',
      'DELETE FROM flushes WHERE (partition, from_seq) = (SELECT partition, max(from_seq) FROM flushes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)',
      'flushes',
      /^the cursor is at seq \d+, the last flush ends at \d+$/,
    ],
    [
      'a changed raw hash',
      `UPDATE flushes SET raw_hash = '\\x00' WHERE from_seq = 1`,
      'flushes',
      /does not continue the chain/,
    ],
    [
      'a changed hash of lines',
      `UPDATE flushes SET rows_hash = '\\x00' WHERE from_seq = 1`,
      'flushes',
      /wrote other lines/,
    ],
    ['a changed chain at the cursor', `UPDATE partitions SET chain = '\\x00'`, 'flushes', /cursor's chain/],
    [
      'a cursor that went back',
      'UPDATE partitions SET seq = seq - 1 WHERE seq > 0',
      'flushes',
      /^the cursor is at seq/,
    ],
    [
      'a changed lot',
      'UPDATE lots SET remaining = remaining + 1 WHERE remaining > 0',
      'balances',
      /^credits: lot \d+ has \d+ remaining, the ledger says \d+$/,
    ],
    [
      'units held by nobody',
      'UPDATE lots SET held = held + 1 WHERE remaining > held',
      'balances',
      /holds \d+, the open holds \d+$/,
    ],
    [
      'a changed debt',
      `UPDATE wallets SET debt = debt + 1 WHERE unit = 'credits'`,
      'balances',
      /^credits: debt is \d+ in the ledger, \d+ in the wallet$/,
    ],
    [
      'a changed total',
      'UPDATE wallets SET expired = expired + 1',
      'balances',
      /add up to expired \d+, the wallet says \d+$/,
    ],
    [
      'a total beyond 2^53',
      'UPDATE wallets SET granted = 9223372036854775807',
      'balances',
      /the wallet says 9223372036854775807$/,
    ],
    [
      'a deleted wallet',
      `DELETE FROM wallets WHERE unit = 'tts_characters'`,
      'balances',
      /^the wallet of tts_characters is missing$/,
    ],
    ['a deleted hold', 'DELETE FROM holds', 'balances', /^0 open holds, the account says/],
    [
      'a changed hold',
      'UPDATE holds SET held = held + 1',
      'balances',
      /^hold open: its columns and its state differ$/,
    ],
    [
      'an unreadable hold',
      `UPDATE holds SET state = '\\x00'`,
      'balances',
      /^hold open: its state is not readable$/,
    ],
    [
      'a later expiry',
      'UPDATE accounts SET next_due_ms = next_due_ms + 1',
      'balances',
      /^the next lot expires at/,
    ],
    [
      'a deleted account',
      `DELETE FROM accounts WHERE account_id = 'acme'`,
      'balances',
      /^lines of an account that is not there$/,
    ],
    [
      'wallets of nobody',
      `DELETE FROM accounts WHERE account_id = 'acme'`,
      'balances',
      /^wallets of an account that is not there$/,
    ],
    [
      'a renamed account',
      `UPDATE accounts SET account_id = 'acme2' WHERE account_id = 'acme'`,
      'redis',
      /Postgres does not know it/,
    ],
    [
      'a changed price',
      `UPDATE catalog_versions SET content = replace(content::text, '0.15', '0.16')::json`,
      'price',
      /^catalog version 1 is not what was published/,
    ],
    ['a missing catalog', 'DELETE FROM catalog_versions', 'price', /^catalog version 1 is not there$/],
  ];

  describe('after damage by hand', () => {
    afterEach(restore);

    it.each(damages)('%s', async (_, statement, check, message) => {
      await sql(database.url, statement);
      const { clean, problems } = await verify();
      expect(clean).toBe(false);
      const messages = problems
        .filter((problem) => problem.check === check)
        .map((problem) => problem.message);
      expect(messages).toContainEqual(expect.stringMatching(message));
    });

    it('counts missing lines, also at the end of an account', async () => {
      await sql(database.url, `DELETE FROM entries WHERE ${victim}`);
      await sql(
        database.url,
        `DELETE FROM entries WHERE (account_key, account_seq) = (SELECT account_key, entries FROM accounts WHERE account_id = 'beta')`,
      );
      expect((await verify()).missing).toBe(2);
    });

    it('a line copied into another month is an id twice', async () => {
      const [row] = await sql(database.url, `SELECT event_month AS month FROM entries WHERE ${victim}`);
      const next = Number(row?.month) + 1;
      await sql(database.url, `SELECT ensure_entries_month(${next})`);
      const columns = ENTRY_COLUMNS.map((column) => (column === 'event_month' ? String(next) : column));
      await sql(
        database.url,
        `INSERT INTO entries (${ENTRY_COLUMNS}) SELECT ${columns} FROM entries WHERE ${victim}`,
      );
      const report = await verify();
      expect(report.problems).toContainEqual(
        expect.objectContaining({ check: 'once', account: 'acme', message: 'usage e7 is there 2 times' }),
      );
      expect(report.problems).toContainEqual(
        expect.objectContaining({ check: 'numbers', message: `a second line of number ${place.accountSeq}` }),
      );
      expect(report.doubled).toBe(2);
    });

    it('keeps a bounded number of problems and counts all', async () => {
      await sql(database.url, `UPDATE entries SET flags = flags || 'x'`);
      const report = await verifyInstallation({
        pool,
        connection,
        redisKeyPrefix: 'drawdown',
        problemsMax: 8,
      });
      expect(report.problems.length).toBeLessThanOrEqual(8);
      expect(report.problemsTotal).toBeGreaterThan(100);
    });
  });

  describe('after damage in Redis', () => {
    const keys = () => partitionKeys('drawdown', partitionOf('acme', PARTITIONS));

    async function messages(): Promise<string[]> {
      return (await verify()).problems.map(
        (problem) => `${problem.check} ${problem.account ?? ''}: ${problem.message}`,
      );
    }

    /** Changes a field, looks, and puts it back. */
    async function withField(
      key: string,
      field: string,
      change: (value: Buffer) => Buffer | null,
    ): Promise<string[]> {
      const before = (await connection.client.hgetBuffer(key, field)) as Buffer;
      const after = change(before);
      if (after === null) await connection.client.hdel(key, field);
      else await connection.client.hset(key, field, after);
      const found = await messages();
      await connection.client.hset(key, field, before);
      return found;
    }

    it('a changed balance is found, with the drift', async () => {
      const key = keys()[1];
      const before = (await connection.client.hgetBuffer(key, 'acme')) as Buffer;
      const after = Buffer.from(before);
      // The first lot's remaining: head 46, wallet 10, lot number, source, priority and expiry 16 bytes in.
      const at = 46 + 10 + 16;
      after.writeUInt8(after.readUInt8(at) ^ 1, at);
      await connection.client.hset(key, 'acme', after);
      const report = await verify();
      await connection.client.hset(key, 'acme', before);
      expect(report.problems).toEqual([
        expect.objectContaining({
          check: 'redis',
          account: 'acme',
          message: expect.stringMatching(/^credits: lot /),
        }),
      ]);
      expect(report.driftMicros).toBe(1n);
    });

    it('an account that went back is found', async () => {
      const found = await withField(keys()[1], 'acme', (value) => {
        const after = Buffer.from(value);
        // The seq of the last change.
        after.writeUInt8(0, 1 + 7 + 1 + 7);
        after.writeUInt8(0, 1 + 7 + 1 + 7 + 1);
        return after;
      });
      expect(found).toEqual([
        expect.stringMatching(/^redis acme: Redis has it at seq \d+, Postgres at \d+$/),
      ]);
    });

    it('an account that Postgres never had is found', async () => {
      const key = keys()[1];
      const copy = (await connection.client.hgetBuffer(key, 'acme')) as Buffer;
      await connection.client.hset(key, 'nobody', copy);
      expect(await messages()).toContainEqual(expect.stringMatching(/^redis nobody: Redis has it since seq/));
      await connection.client.hdel(key, 'nobody');
    });

    it('an unreadable account is found', async () => {
      expect(await withField(keys()[1], 'acme', () => Buffer.from('x'))).toEqual([
        'redis acme: its state in Redis is not readable',
      ]);
    });

    it('an open hold that Redis forgot is found', async () => {
      expect(await withField(keys()[3], '4:acmeopen', () => null)).toEqual([
        'redis acme: hold open is open in Postgres, Redis does not have it',
      ]);
    });

    it('a hold that only Redis has is found', async () => {
      const copy = (await connection.client.hgetBuffer(keys()[3], '4:acmeopen')) as Buffer;
      await connection.client.hset(keys()[3], '4:acmeghost', copy);
      expect(await messages()).toEqual([
        'redis acme: hold ghost is open in Redis, Postgres does not have it',
      ]);
      await connection.client.hdel(keys()[3], '4:acmeghost');
    });

    it('a hold that would never be swept is found', async () => {
      const member = 'h4:acmeopen';
      const score = (await connection.client.zscore(keys()[6], member)) as string;
      await connection.client.zrem(keys()[6], member);
      expect(await messages()).toEqual([
        expect.stringMatching(/^redis acme: hold open ends at \d+, Redis will look at 0$/),
      ]);
      await connection.client.zadd(keys()[6], score, member);
    });

    it('a foreign installation, another epoch and a watermark ahead of Postgres are found', async () => {
      const key = keys()[0];
      const other = await withField(key, 'installation', () => Buffer.from('another'));
      expect(other).toEqual([expect.stringMatching(/^journal : Redis belongs to installation another/)]);
      expect(await withField(key, 'epoch', () => Buffer.from('7'))).toEqual([
        expect.stringMatching(/^journal : Redis is at epoch 7, Postgres at 1$/),
      ]);
      expect(await withField(key, 'durable_seq', () => Buffer.from('999999'))).toEqual([
        expect.stringMatching(/^journal : Redis was told that seq 999999 is durable/),
      ]);
      expect(await withField(key, 'seq', () => Buffer.from('1'))).toEqual([
        expect.stringMatching(/^journal : Redis is at seq 1, /),
      ]);
      expect(await withField(key, 'seq', (value) => Buffer.from(String(Number(value) + 1)))).toEqual([
        expect.stringMatching(/^journal : the journal lacks seq \d+ to \d+$/),
      ]);
    });

    it('lost keys and a journal without the record at the cursor are found', async () => {
      const [meta, , , , , , , journal] = keys();
      await connection.client.rename(meta, 'aside');
      expect(await messages()).toEqual(['journal : Redis has lost its keys, Postgres knows entries']);
      await connection.client.rename('aside', meta);
      await connection.client.rename(journal, 'aside');
      expect(await messages()).toEqual(['journal : the journal lacks the record at the cursor']);
      await connection.client.rename('aside', journal);
      expect((await verify()).clean).toBe(true);
    });
  });

  it('rejects where it cannot look', async () => {
    const [, name] = /\/(test_\w+)/.exec(database.url) ?? [];
    const empty = new pg.Pool({ connectionString: database.url.replace(`${name}`, 'postgres'), max: 3 });
    await expect(verifyInstallation({ pool: empty, connection, redisKeyPrefix: 'drawdown' })).rejects.toThrow(
      'there is no installation in this Postgres',
    );
    await empty.end();
    const stopped = AbortSignal.abort(new Error('interrupted'));
    const options = { pool, connection, redisKeyPrefix: 'drawdown', signal: stopped };
    await expect(verifyInstallation(options)).rejects.toThrow('interrupted');
    expect((await verify()).clean).toBe(true);
  });
});
