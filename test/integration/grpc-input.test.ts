import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { readErrorDetails } from '../../src/grpc/errors.js';
import { failure, type Harness, type HarnessOptions, startHarness, usageEvent } from './grpc-fakes.js';

let harness: Harness;
const start = async (options?: HarnessOptions) => {
  harness = await startHarness(options);
};
afterEach(() => harness.stop());

const time = 1_700_000_000_000;
const reserve = {
  holdId: 'h1',
  accountId: 'a1',
  meter: 'llm',
  model: 'gpt-4o-mini',
  amount: { unit: 'UNIT_CREDITS' as const, value: 100 },
  startTimeMs: time,
};
const settle = { ...reserve, eventTimeMs: time };

describe('bad input', () => {
  type Call = (harness: Harness) => (done: (error: ServiceError | null) => void) => unknown;
  const cases: [field: string, name: string, call: Call][] = [
    [
      'hold_id',
      'Reserve without a hold id',
      (h) => (done) => h.usage.reserve({ ...reserve, holdId: '' }, done),
    ],
    [
      'account_id',
      'a long account id',
      (h) => (d) => h.usage.reserve({ ...reserve, accountId: 'x'.repeat(129) }, d),
    ],
    [
      'agent_id',
      'an agent id with a space',
      (h) => (done) => h.usage.reserve({ ...reserve, agentId: 'a b' }, done),
    ],
    ['meter', 'no meter', (h) => (done) => h.usage.reserve({ ...reserve, meter: '' }, done)],
    [
      'model',
      'a model with other letters',
      (h) => (done) => h.usage.reserve({ ...reserve, model: 'é' }, done),
    ],
    ['estimate', 'no estimate', (h) => (done) => h.usage.reserve({ ...reserve, amount: null }, done)],
    [
      'amount.unit',
      'an amount without a unit',
      (h) => (done) => h.usage.reserve({ ...reserve, amount: { value: 5 } }, done),
    ],
    [
      'amount.unit',
      'an unknown unit',
      (h) => (done) => h.usage.reserve({ ...reserve, amount: { unit: 99 as never, value: 5 } }, done),
    ],
    [
      'amount.value',
      'a negative amount',
      (h) => (done) => h.usage.reserve({ ...reserve, amount: { unit: 'UNIT_CREDITS', value: -1 } }, done),
    ],
    [
      'amount.value',
      'an amount beyond 2^53-1',
      (h) => (done) => h.usage.reserve({ ...reserve, amount: { unit: 1, value: '9007199254740992' } }, done),
    ],
    [
      'quantities.values',
      'empty quantities',
      (h) => (done) => h.usage.reserve({ ...reserve, amount: null, quantities: { values: {} } }, done),
    ],
    [
      'quantities.values["input_tokens"]',
      'a negative quantity',
      (h) => (done) =>
        h.usage.reserve({ ...reserve, amount: null, quantities: { values: { input_tokens: -1 } } }, done),
    ],
    ['start_time_ms', 'no start', (h) => (done) => h.usage.reserve({ ...reserve, startTimeMs: 0 }, done)],
    [
      'hold_time_ms',
      'a hold too long',
      (h) => (done) => h.usage.reserve({ ...reserve, holdTimeMs: 1e12 }, done),
    ],
    [
      'ack_level',
      'an unknown level',
      (h) => (done) => h.usage.reserve({ ...reserve, ackLevel: 7 as never }, done),
    ],
    ['final', 'Settle without a count', (h) => (done) => h.usage.settle({ ...settle, amount: null }, done)],
    [
      'event_time_ms',
      'Settle without a time',
      (h) => (done) => h.usage.settle({ ...settle, eventTimeMs: -4 }, done),
    ],
    [
      'add_amount',
      'Extend by nothing',
      (h) => (done) => h.usage.extend({ extendId: 'x', accountId: 'a', holdId: 'h', eventTimeMs: 1 }, done),
    ],
    [
      'generation',
      'a generation below 0',
      (h) => (done) => h.usage.settle({ ...settle, generation: -1 }, done),
    ],
    ['hold_id', 'Release without a hold', (h) => (done) => h.usage.release({ accountId: 'a' }, done)],
    ['id', 'GetUsage without an id', (h) => (done) => h.usage.getUsage({ accountId: 'a' }, done)],
    [
      'ack_level',
      'a batch with an unknown level',
      (h) => (d) => h.usage.recordUsageBatch({ ackLevel: 9 as never }, d),
    ],
    [
      'meter',
      'an estimate without a meter',
      (h) => (done) => h.usage.checkBalance({ accountId: 'a', amount: { unit: 1, value: 1 } }, done),
    ],
    [
      'request_id',
      'CreateAccount without an id',
      (h) => (done) => h.accounts.createAccount({ accountId: 'a' }, done),
    ],
    [
      'amount',
      'TopUp without an amount',
      (h) => (d) => h.accounts.topUp({ requestId: 'r', accountId: 'a' }, d),
    ],
    [
      'amount.value',
      'TopUp of nothing',
      (h) => (d) => h.accounts.topUp({ requestId: 'r', accountId: 'a', amount: { unit: 1, value: 0 } }, d),
    ],
    [
      'page_size',
      'a huge page',
      (h) => (done) => h.accounts.listLots({ accountId: 'a', pageSize: 1_001 }, done),
    ],
    [
      'page_size',
      'a negative page',
      (h) => (done) => h.accounts.listHolds({ accountId: 'a', pageSize: -1 }, done),
    ],
    [
      'page_token',
      'a token that is none',
      (h) => (done) => h.accounts.listLots({ accountId: 'a', pageToken: 'x'.repeat(513) }, done),
    ],
    [
      'order',
      'an unknown order',
      (h) => (d) => h.accounts.listLedgerEntries({ accountId: 'a', order: 9 as never }, d),
    ],
    [
      'kinds[1]',
      'an unknown kind',
      (h) => (d) => h.accounts.listLedgerEntries({ accountId: 'a', kinds: [2, 99 as never] }, d),
    ],
    [
      'to_time_ms',
      'a time span that ends before it begins',
      (h) => (d) => h.accounts.listLedgerEntries({ accountId: 'a', fromTimeMs: 5, toTimeMs: 5 }, d),
    ],
    ['version', 'a negative version', (h) => (done) => h.catalog.getCatalog({ version: -1 }, done)],
    [
      'request_id',
      'PublishCatalog without an id',
      (h) => (done) => h.catalog.publishCatalog({ publishedBy: 'ops' }, done),
    ],
    [
      'published_by',
      'PublishCatalog by nobody',
      (h) => (done) => h.catalog.publishCatalog({ requestId: 'p' }, done),
    ],
    [
      'page_size',
      'a huge page of versions',
      (h) => (done) => h.catalog.listCatalogVersions({ pageSize: 1_001 }, done),
    ],
    [
      'quantities',
      'no quantities',
      (h) => (done) => h.catalog.estimateCost({ meter: 'llm', model: 'm' }, done),
    ],
    [
      'quantities.tokens',
      'a quantity that the meter does not have',
      (h) => (d) => h.catalog.estimateCost({ meter: 'llm', model: 'm', quantities: { tokens: 1 } }, d),
    ],
    [
      'meter',
      'an unknown meter',
      (h) => (d) => h.catalog.estimateCost({ meter: 'telepathy', model: 'm', quantities: { tokens: 1 } }, d),
    ],
  ];

  it.each(cases)('names %s for %s', async (field, _name, call) => {
    await start();
    const error = await failure(call(harness) as never);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(readErrorDetails(error.metadata).field).toBe(field);
    expect(error.details).toContain(field);
  });

  it('that cannot be decoded is INVALID_ARGUMENT, for every method', async () => {
    await start();
    const client = new Client(harness.address, credentials.createInsecure());
    const identity = (bytes: Buffer) => bytes;
    for (const method of ['UsageService/Reserve', 'UsageService/RecordUsageBatch', 'AccountService/TopUp']) {
      const error = await failure((done) =>
        client.makeUnaryRequest(
          `/drawdown.v1.${method}`,
          identity,
          identity,
          Buffer.from([0x7f]),
          done as never,
        ),
      );
      expect([method, error.code]).toEqual([method, status.INVALID_ARGUMENT]);
      expect(readErrorDetails(error.metadata).reason).toBe('FIELD_INVALID');
      expect(error.details).toContain('not valid protobuf');
    }
    client.close();
  });

  it('that is too many events is RESOURCE_EXHAUSTED and names the limit, without advice to wait', async () => {
    await start({ flags: { batchEventsMax: '1' } });
    const events = [usageEvent('1'), usageEvent('2')];
    const error = await failure((done) => harness.usage.recordUsageBatch({ events }, done));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error.details).toContain('batchEventsMax');
    expect(readErrorDetails(error.metadata).retryAfterMs).toBeNull();
  });
});
