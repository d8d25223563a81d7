/** Totals of a wallet beyond 2^53: single amounts are below it, their sums need not be. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sql } from '../helpers/audit.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { expectVerified } from '../helpers/verified.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
});
afterAll(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

it('a wallet that was granted and charged 2^53-1 sixty times adds up to the unit', async () => {
  const amount = { unit: 'UNIT_CREDITS', value: String(Number.MAX_SAFE_INTEGER) } as const;
  const eventTimeMs = String(Date.now());
  const account = await sidecar.client.account('rich', 0);
  const call = { accountId: account, eventTimeMs, ackLevel: 'ACK_LEVEL_APPLIED' } as const;
  const work = { agentId: '', meter: 'llm', model: 'gpt-4o-mini', amount, final: 'amount' } as const;
  for (let i = 0; i < 60; i++) {
    await sidecar.client.call('UsageService/Settle', { ...call, ...work, holdId: `hold-${i}` });
    await sidecar.client.call('AccountService/TopUp', {
      ...call,
      amount,
      requestId: `grant-${i}`,
      expiresAtMs: '0',
    });
  }
  await sidecar.client.call('AccountService/ListLots', { accountId: account });
  const [totals] = await sql(
    database.url,
    `SELECT sum(granted) = (SELECT granted FROM wallets) AS granted,
    sum(spent) = (SELECT spent FROM wallets) AS spent, sum(granted) = 60 * 9007199254740991 AS whole FROM entries`,
  );
  expect(totals).toEqual({ granted: 't', spent: 't', whole: 't' });
  await expectVerified(sidecar.config);
}, 60_000);
