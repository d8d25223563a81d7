/** Both audits at the end of a test: the product's own, and sums in SQL that share no code with it. */
import { expect } from 'vitest';
import type { Config } from '../../src/config.js';
import { openStores } from '../../src/stores.js';
import { verifyInstallation } from '../../src/verify/index.js';
import { auditLedger, postgresBalance } from './audit.js';
import type { TestClient } from './client.js';
import { until } from './until.js';

/** Waits until the journal is drained, then expects that nothing is wrong, and that every account has what it must. */
export async function expectClean(
  config: Config,
  client: TestClient,
  expected: ReadonlyMap<string, number>,
): Promise<void> {
  for (const [account, available] of expected) {
    // Reading the ledger waits until what was booked before is durable.
    await client.call('AccountService/ListLedgerEntries', { accountId: account, pageSize: 1 });
    expect(await client.balance(account), account).toEqual({ available, held: 0, debt: 0 });
    expect(await postgresBalance(config.postgresUrl as string, account), account).toEqual({
      available,
      held: 0,
      debt: 0,
    });
  }
  await expectVerified(config);
}

export async function expectVerified(config: Config): Promise<void> {
  const postgresUrl = config.postgresUrl as string;
  await until('no reversal is due', async () =>
    (await auditLedger(postgresUrl)).every((problem) => !problem.startsWith('a reversal')),
  );
  expect(await auditLedger(postgresUrl)).toEqual([]);
  const stores = await openStores(config);
  try {
    const report = await verifyInstallation({
      pool: stores.pool,
      connection: stores.connection,
      redisKeyPrefix: config.redisKeyPrefix,
    });
    expect(report).toMatchObject({ problems: [] });
  } finally {
    await stores.close();
  }
}
