/** The background verification of a sidecar: silent on sound accounts whatever goes on, and soon loud on damaged ones. */
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMetrics, type Metrics } from '../../src/metrics.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { RedisConnection } from '../../src/redis/connection.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { Partition } from '../../src/usage/partition.js';
import { BackgroundVerifier } from '../../src/verify/background.js';
import { agentCatalogFile, MOVED_CLOCK, moveClock } from '../helpers/agents.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { SessionStream, sessionOpen } from '../helpers/session-stream.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';

const CREDIT = 1_000_000;
const DAY_MS = 86_400_000;
const PARTITIONS = 4;

let redis: TestRedis;
let direct: Redis;
let database: TestDatabase;
let sidecar: TestSidecar;
beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  direct = new Redis(redis.url);
  sidecar = await startTestSidecar(
    { redisUrl: redis.url, postgresUrl: database.url },
    {
      catalogFile: agentCatalogFile(),
      clockSkewMaxMs: 400 * DAY_MS,
      journalAgeMaxMs: 400 * DAY_MS,
      accountIdleMs: 200,
      verifyAccountsPerSecond: 500,
    },
    { replacedIncludes: MOVED_CLOCK },
  );
});
afterAll(async () => {
  await sidecar.stop();
  direct.disconnect();
  await Promise.all([redis.stop(), database.drop()]);
});

const verified = (outcome = '') =>
  metric(sidecar, 'drawdown_verify_accounts_total', outcome === '' ? '' : `outcome="${outcome}"`);
const problems = (check = '') => metric(sidecar, 'drawdown_verify_problems_total', check);
const drift = () => metric(sidecar, 'drawdown_verify_drift_micros');
const discrepant = () => metric(sidecar, 'drawdown_verify_discrepant_accounts');

/** In SQL: is a row of this account. */
function own(accountId: string): string {
  return `account_key = (SELECT account_key FROM accounts WHERE account_id = '${accountId}')`;
}

async function makeAccount(accountId: string): Promise<void> {
  const { client } = sidecar;
  await client.account(accountId, 500 * CREDIT);
  await client.topUp(accountId, 300, { requestId: 'voice', unit: 'UNIT_TTS_CHARACTERS' });
}

/** Charges, holds, and characters beyond the allowance, for which credits are converted. */
async function use(accountId: string, round: number): Promise<void> {
  const { client } = sidecar;
  const tts = { meter: 'tts', model: 'tts-1', quantities: { characters: 120 } };
  await client.record([usageEvent(accountId, `u${round}`, 10), usageEvent(accountId, `t${round}`, 0, tts)]);
  await client.reserve(accountId, `h${round}`, 1_000);
  await client.settle(accountId, `h${round}`, 700);
}

describe('the background verification of a sidecar', () => {
  // First, because the clock is moved afterwards.
  it('finds nothing of sessions that are open and share a deadline', async () => {
    await makeAccount('live');
    const stream = new SessionStream(sidecar.grpcAddress);
    const sessions = Array.from({ length: 20 }, (_, i) => i + 1);
    stream.send({ opens: sessions.map((session) => sessionOpen(session, 'live')) });
    await until('all are open', () => stream.opened.size === sessions.length);
    const [, , , , , , deadlines] = partitionKeys('drawdown', partitionOf('live', PARTITIONS));
    const shared = (await direct.zrange(deadlines, '0', '-1')).filter((member) => member.startsWith('m'));
    expect(shared).not.toEqual([]);
    // Accounts without holds are evicted, so that what is compared is this one.
    const before = await verified('compared');
    await until('it is compared again and again', async () => (await verified('compared')) >= before + 3);
    expect([await problems(), await drift(), await discrepant()]).toEqual([0, 0, 0]);
    for (const session of sessions) await stream.settle(session, 100, 1);
    await stream.end();
  });

  it('finds nothing while accounts are charged, evicted, renewed and converted', async () => {
    const { client } = sidecar;
    const busy = ['acme', 'beta', 'gamma'];
    for (const accountId of [...busy, 'idle']) await makeAccount(accountId);
    await client.call('AgentService/UnlockAgent', {
      accountId: 'idle',
      agentId: 'support',
      tier: 'endowed',
      requestId: 'unlock',
      eventTimeMs: Date.now(),
    });
    let going = true;
    const traffic = Promise.all(
      busy.map(async (accountId) => {
        for (let round = 0; going; round++) await use(accountId, round);
      }),
    );
    try {
      await until('an idle account is evicted and verified', async () => (await verified('cold')) > 0);
      await moveClock(direct, 31 * DAY_MS);
      await client.record([usageEvent('idle', 'wakes', 1)], 'ACK_LEVEL_DURABLE');
      const before = await verified('compared');
      await until('accounts are compared', async () => (await verified('compared')) > before + 2);
    } finally {
      going = false;
      await traffic;
    }
    const [kinds] = await sql(
      database.url,
      `SELECT count(DISTINCT kind) AS n FROM entries WHERE kind IN ('conversion', 'agent_renewal', 'settle')`,
    );
    expect(kinds).toEqual({ n: '3' });
    expect(await metric(sidecar, 'drawdown_accounts_evicted_total')).toBeGreaterThan(0);
    expect([await problems(), await drift(), await discrepant()]).toEqual([0, 0, 0]);
    expect(await metric(sidecar, 'drawdown_verify_round_seconds')).toBeGreaterThan(0);
    expect(await metric(sidecar, 'drawdown_verify_oldest_age_seconds')).toBeGreaterThan(0);
  });

  it('what is changed by hand in Postgres and in Redis shows in the metrics until it is repaired', async () => {
    const { client } = sidecar;
    await makeAccount('hot');
    // What has an open hold is not evicted.
    await client.reserve('hot', 'open', 1_000, { holdTimeMs: 3_600_000 });
    const before = await verified('compared');
    await until('it is compared', async () => (await verified('compared')) > before);
    const key = partitionKeys('drawdown', partitionOf('hot', PARTITIONS))[1];
    const state = (await direct.hgetBuffer(key, 'hot')) as Buffer;
    const changed = Buffer.from(state);
    // The first lot's remaining: head 53, wallet 24, lot number, source, priority and expiry 16 bytes in.
    const at = 53 + 24 + 16;
    changed.writeUInt8(changed.readUInt8(at) ^ 2, at);
    await sql(database.url, `UPDATE entries SET spent = spent + 7 WHERE id = 'u0' AND ${own('acme')}`);
    await direct.hset(key, 'hot', changed);
    await until('both are found', async () => (await drift()) === 9);
    expect(await discrepant()).toBe(2);
    expect(await problems('check="checksum"')).toBe(1);
    expect(await problems('check="redis"')).toBeGreaterThan(0);
    await direct.hset(key, 'hot', state);
    await sql(database.url, `UPDATE entries SET spent = spent - 7 WHERE id = 'u0' AND ${own('acme')}`);
    await until('they are found sound', async () => (await discrepant()) === 0);
    expect(await drift()).toBe(0);
  });
});

describe('one tick after the other', () => {
  const logger = pino({ level: 'silent' });
  let pool: Pool;
  let connection: RedisConnection;
  beforeAll(async () => {
    const limits = {
      connectTimeoutMs: 5_000,
      commandTimeoutMs: 5_000,
      statementTimeoutMs: 0,
      connectionsMax: 2,
    };
    pool = createPool({ url: database.url, ...limits, logger });
    connection = new RedisConnection({ url: redis.url, ...limits, logger });
    await connection.connect();
  });
  afterAll(async () => {
    await connection.close();
    await pool.end();
  });

  interface Verifier {
    readonly metrics: Metrics;
    readonly logged: string[];
    tick(): Promise<void>;
    /** Accounts that were verified so far, by outcome. */
    outcomes(): Promise<Record<string, number>>;
    problems(check?: string): Promise<number>;
    drift(): Promise<number>;
  }

  /** One that believes to own the partition of an account alone, and knows no others. */
  function verifierOf(accountId: string, verifyAccountsPerSecond: number, itsPool = pool): Verifier {
    const number = partitionOf(accountId, PARTITIONS);
    const nothing = () => undefined;
    const partition = new Partition(number, partitionKeys('drawdown', number), '', nothing, nothing);
    partition.open({ epoch: 1, seq: 0, runId: '' });
    const metrics = createMetrics({ processMetrics: false });
    const options = {
      verifyAccountsPerSecond,
      partitionCount: PARTITIONS,
      postgresStatementTimeoutMs: 5_000,
    };
    const owned = () => new Set([number]);
    const logged: string[] = [];
    const errors = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) });
    const verifier = new BackgroundVerifier(
      [partition],
      owned,
      connection,
      itsPool,
      options,
      metrics,
      errors,
    );
    return {
      metrics,
      logged,
      tick: () => verifier.tick(),
      outcomes: async () => {
        const { values } = await metrics.verifyAccounts.get();
        return Object.fromEntries(
          values.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.outcome, value]),
        );
      },
      problems: async (check) => {
        const { values } = await metrics.verifyProblems.get();
        const counted = values.filter(({ labels }) => check === undefined || labels.check === check);
        return counted.reduce((total, { value }) => total + value, 0);
      },
      drift: async () => (await metrics.verifyDriftMicros.get()).values[0]?.value ?? 0,
    };
  }

  /** An account alone in its partition would be too much to ask of a name: those before it are counted. */
  async function ticksUntil(verifier: Verifier, verifiedAccounts: number): Promise<number> {
    for (let ticks = 1; ; ticks++) {
      await verifier.tick();
      const count = Object.values(await verifier.outcomes()).reduce((total, n) => total + n, 0);
      if (count >= verifiedAccounts) return ticks;
      if (ticks > 100) throw new Error(`${count} accounts after ${ticks} ticks`);
    }
  }

  it.each<[what: string, check: string, drift: number, damage: string, repair: string]>([
    [
      'a changed charge',
      'checksum',
      7,
      `UPDATE entries SET spent = spent + 7 WHERE id = 'u0' AND ${own('acme')}`,
      `UPDATE entries SET spent = spent - 7 WHERE id = 'u0' AND ${own('acme')}`,
    ],
    [
      'a lost line',
      'numbers',
      500 * CREDIT,
      `CREATE TABLE lost AS SELECT * FROM entries WHERE account_seq = 2 AND ${own('acme')};
       DELETE FROM entries WHERE (account_key, account_seq) IN (SELECT account_key, account_seq FROM lost)`,
      'INSERT INTO entries SELECT * FROM lost; DROP TABLE lost',
    ],
    [
      'a changed wallet',
      'balances',
      // From the ledger, and from Redis.
      2 * 5,
      `UPDATE wallets SET debt = debt + 5 WHERE unit = 'credits' AND ${own('acme')}`,
      `UPDATE wallets SET debt = debt - 5 WHERE unit = 'credits' AND ${own('acme')}`,
    ],
    [
      'a changed lot',
      'balances',
      2 * 11,
      `UPDATE lots SET remaining = remaining - 11 WHERE unit = 'credits' AND ${own('acme')}`,
      `UPDATE lots SET remaining = remaining + 11 WHERE unit = 'credits' AND ${own('acme')}`,
    ],
    [
      'a changed balance at the begin of a month',
      'openings',
      0,
      `INSERT INTO opening_balances SELECT account_key, 203001, unit, account_seq, 1, 0, 0 FROM entries WHERE account_seq = 2 AND ${own('acme')}`,
      `DELETE FROM opening_balances WHERE ${own('acme')}`,
    ],
  ])(
    '%s is found, counted and logged once, and gone when it is repaired',
    async (_, check, micros, damage, repair) => {
      const verifier = verifierOf('acme', 500);
      await verifier.tick();
      expect([await verifier.problems(), await verifier.drift()]).toEqual([0, 0]);
      await sql(database.url, damage);
      await verifier.tick();
      expect(await verifier.drift()).toBe(micros);
      const found = await verifier.problems();
      expect(await verifier.problems(check)).toBeGreaterThan(0);
      await verifier.tick();
      expect(await verifier.problems()).toBe(found);
      expect(verifier.logged).toHaveLength(found);
      for (const line of verifier.logged) expect(line).toMatch(/"accountKey":\d+,"accountSeq":\d+/);
      expect(verifier.logged.join()).not.toContain('acme');
      await sql(database.url, repair);
      await verifier.tick();
      expect([await verifier.problems(), await verifier.drift()]).toEqual([found, 0]);
    },
  );

  it('an account with many lines is verified in pieces', async () => {
    const { client } = sidecar;
    await client.account('long', CREDIT);
    const events = Array.from({ length: 450 }, (_, i) => usageEvent('long', `e${i}`, 3));
    await client.record(events, 'ACK_LEVEL_DURABLE');
    const [before] = await sql(
      database.url,
      `SELECT count(*) AS accounts FROM accounts WHERE account_key < (SELECT account_key FROM accounts WHERE account_id = 'long')
         AND partition = ${partitionOf('long', PARTITIONS)}`,
    );
    const accounts = Number(before?.accounts);
    const verifier = verifierOf('long', 1);
    if (accounts > 0) await ticksUntil(verifier, accounts);
    // 452 lines, 100 a tick.
    expect(await ticksUntil(verifier, accounts + 1)).toBe(5);
    expect(await verifier.problems()).toBe(0);
  });

  it('an account whose earliest months are detached is no problem, and a changed line of it is', async () => {
    const { client } = sidecar;
    const url = database.url;
    await client.account('old', CREDIT);
    for (let i = 0; i < 4; i++) await client.record([usageEvent('old', `e${i}`, 5)], 'ACK_LEVEL_DURABLE');
    await sql(
      url,
      `INSERT INTO opening_balances SELECT account_key, 203001, unit, account_seq, remaining_after, held_after, debt_after
       FROM entries WHERE ${own('old')} AND account_seq = 3`,
    );
    await sql(url, `DELETE FROM entries WHERE ${own('old')} AND account_seq < 4`);
    const verifier = verifierOf('old', 500);
    await verifier.tick();
    expect(await verifier.problems()).toBe(0);
    expect((await verifier.outcomes()).detached).toBe(1);
    await sql(url, `UPDATE entries SET spent = spent + 1 WHERE ${own('old')} AND account_seq = 6`);
    await verifier.tick();
    expect(await verifier.problems()).toBe(1);
    await sql(url, `DELETE FROM entries WHERE ${own('old')}; DELETE FROM accounts WHERE account_id = 'old'`);
  });

  it('counts where Postgres does not answer, and looks again only later', async () => {
    const away = createPool({
      url: 'postgres://127.0.0.1:1/nowhere',
      connectTimeoutMs: 1_000,
      statementTimeoutMs: 1_000,
      connectionsMax: 1,
      logger,
    });
    const verifier = verifierOf('acme', 10, away);
    for (let i = 0; i < 5; i++) await verifier.tick();
    expect((await verifier.metrics.verifyFailures.get()).values[0]?.value).toBe(1);
    expect(await verifier.problems()).toBe(0);
    await away.end();
  });
});
