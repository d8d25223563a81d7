/** Every cell of the table of accounts in docs/states.md is a test, through gRPC and the real stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishUnknownModel, UNKNOWN_MODEL } from '../helpers/catalog.js';
import {
  CallFailure,
  reserveRequest,
  settleRequest,
  type TestClient,
  usageEvent,
} from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { cellsUnder } from '../helpers/states-table.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { expectVerified } from '../helpers/verified.js';

const STATUSES = ['active', 'frozen', 'closed'] as const;
type Status = (typeof STATUSES)[number];
const CALLS = [
  'Reserve',
  'Extend',
  'Settle',
  'Release',
  'RecordUsage',
  'CheckBalance',
  'TopUp',
  'ConvertCredits',
  'ReverseUsage',
  'ExpireLot',
  'RerateUsage',
  'FreezeAccount',
  'UnfreezeAccount',
  'CloseAccount',
  'ReopenAccount',
] as const;
type Call = (typeof CALLS)[number];

const cells = cellsUnder('Statuses of an account', STATUSES, CALLS);
type Cell = (typeof cells)[number];

const GRANTED = 1_000_000;
const HELD = 10_000;
const CHARGED = 3_000;
const UNRATED = 700;

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

function accountOf({ state, call }: Cell): string {
  return `${state}/${call}`;
}

/** Every account has its open hold and its events before the model is priced. */
beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  const before = await startTestSidecar(places);
  await Promise.all(cells.map((cell) => prepare(before.client, accountOf(cell), cell.state)));
  await before.stop();
  await publishUnknownModel(database.url);
  sidecar = await startTestSidecar(places);
  ({ client } = sidecar);
});
afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

async function prepare(early: TestClient, account: string, status: Status): Promise<void> {
  await early.account(account, GRANTED);
  await early.reserve(account, 'hold', HELD, { holdTimeMs: 3_600_000 });
  await early.record([
    usageEvent(account, 'charged', CHARGED),
    usageEvent(account, 'unrated', UNRATED, { model: UNKNOWN_MODEL }),
  ]);
  const request = { requestId: 'before', accountId: account, eventTimeMs: Date.now() };
  if (status === 'frozen') await early.call('AccountService/FreezeAccount', request);
  if (status === 'closed') await early.call('AccountService/CloseAccount', request);
}

function attempt(account: string, call: Call): Promise<object> {
  const own = { requestId: 'the-call', accountId: account, eventTimeMs: Date.now() };
  switch (call) {
    case 'Reserve':
      return client.call('UsageService/Reserve', reserveRequest(account, 'another', 100));
    case 'Extend':
      return client.call('UsageService/Extend', { ...own, extendId: 'extend', holdId: 'hold', addAmount: 5 });
    case 'Settle':
      return client.call('UsageService/Settle', settleRequest(account, 'hold', 4_000));
    case 'Release':
      return client.release(account, 'hold');
    case 'RecordUsage':
      return client.record([usageEvent(account, 'new', 500)]).then(([result]) => result as object);
    case 'CheckBalance':
      return client.call('UsageService/CheckBalance', { accountId: account });
    case 'TopUp':
      return client.topUp(account, 900, { requestId: 'second' });
    case 'ConvertCredits':
      return client.call('AccountService/ConvertCredits', {
        ...own,
        unit: 'UNIT_TTS_CHARACTERS',
        units: 7,
      });
    case 'ReverseUsage':
      return client.call('AccountService/ReverseUsage', { ...own, eventId: 'charged' });
    case 'ExpireLot':
      return client.call('AccountService/ExpireLot', { ...own, lotId: 1, reasonCode: 'a_test' });
    case 'RerateUsage':
      return client.call('AccountService/RerateUsage', { accountId: account });
    default:
      return client.call(`AccountService/${call}`, own);
  }
}

async function run(account: string, call: Call): Promise<Record<string, unknown>> {
  const answer = await attempt(account, call).catch((error: unknown) => {
    if (!(error instanceof CallFailure)) throw error;
    return { failure: `${error.status} ${error.reason}` };
  });
  return answer as Record<string, unknown>;
}

/** What the answer to a call must hold for the words of a cell, and what remains of the account afterwards. */
function expected(words: string): { answer: Record<string, unknown>; remaining: number } {
  const untouched = GRANTED - CHARGED;
  const [verdict, reason] = words.split(' ');
  switch (verdict) {
    case 'ALLOWED':
      return { answer: { verdict: 'VERDICT_ALLOWED' }, remaining: untouched };
    case 'DENIED':
      return { answer: { verdict: 'VERDICT_DENIED', reason: `REASON_${reason}` }, remaining: untouched };
    case 'booked':
      return { answer: {}, remaining: Number.NaN };
    case 'released':
      return { answer: { released: String(HELD) }, remaining: untouched };
    case 'granted':
      return { answer: { granted: '900' }, remaining: untouched + 900 };
    case 'converted':
      return {
        answer: { verdict: 'VERDICT_ALLOWED', converted: '70000', granted: '7' },
        remaining: untouched - 70_000,
      };
    case 'reversed':
      return { answer: { reversed: String(CHARGED), duplicate: false }, remaining: GRANTED };
    case 'expired':
      return { answer: { expired: String(untouched - HELD), available: '0' }, remaining: HELD };
    case 'rerated':
      return {
        answer: {
          rerated: '1',
          leftUnrated: '0',
          charged: [{ unit: 'UNIT_CREDITS', value: String(UNRATED) }],
        },
        remaining: untouched - UNRATED,
      };
    case '->':
      return {
        answer: { status: `ACCOUNT_STATUS_${reason?.toUpperCase()}`, duplicate: false },
        remaining: untouched,
      };
    case 'FAILED_PRECONDITION':
      return { answer: { failure: words }, remaining: untouched };
    default:
      throw new Error(`docs/states.md says "${words}", which this test does not know`);
  }
}

describe.each(STATUSES)('an account that is %s', (status) => {
  it.each(cells.filter((cell) => cell.state === status))('$call: $says', async (cell) => {
    const account = accountOf(cell);
    const { call, says } = cell;
    const { answer, remaining } = expected(says);
    expect(await run(account, call)).toMatchObject(answer);

    const after = says.startsWith('->') ? says.slice(3) : status;
    const balance = await client.call('AccountService/GetBalance', { accountId: account });
    expect(balance.status).toBe(`ACCOUNT_STATUS_${after.toUpperCase()}`);
    const [credits] = balance.balances;
    const booked = call === 'Settle' ? 4_000 : 500;
    const left = Number.isNaN(remaining) ? GRANTED - CHARGED - booked : remaining;
    expect(Number(credits?.available) + Number(credits?.held)).toBe(left);

    const lines = await client.ledger(account);
    const [, flag] = says.split(' ');
    if (/^(booked|rerated)/.test(says)) expect(lines.at(-1)?.flags).toEqual(flag === undefined ? [] : [flag]);
    if (says.startsWith('->'))
      expect(lines.at(-1)).toMatchObject({ kind: 'ENTRY_KIND_ACCOUNT_STATUS', status: balance.status });
  });
});

describe('what the table says below', () => {
  it('a repeated change is a duplicate in every status, with another payload a conflict', async () => {
    const account = await client.account('repeated', GRANTED);
    const freeze = {
      requestId: 'freeze',
      accountId: account,
      reasonCode: 'fraud',
      reasonText: 'Größe: 3 accounts',
      eventTimeMs: Date.now(),
    };
    const first = await client.call('AccountService/FreezeAccount', freeze);
    expect(first).toEqual({ accountId: account, status: 'ACCOUNT_STATUS_FROZEN', duplicate: false });
    const reserve = reserveRequest(account, 'hold', 100);
    for (const next of ['CloseAccount', 'ReopenAccount'] as const) {
      expect(await client.call('AccountService/FreezeAccount', freeze)).toEqual({
        ...first,
        duplicate: true,
      });
      await client.call(`AccountService/${next}`, { ...freeze, requestId: next });
    }
    expect(
      await client.failure('AccountService/FreezeAccount', { ...freeze, reasonText: 'another' }),
    ).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'ID_CONFLICT' });
    expect(await client.failure('AccountService/CloseAccount', freeze)).toMatchObject({
      reason: 'ID_CONFLICT',
    });
    // Reopened it is active.
    expect(await client.call('UsageService/Reserve', reserve)).toMatchObject({ verdict: 'VERDICT_ALLOWED' });
    const changes = await client.ledger(account, { kinds: ['ENTRY_KIND_ACCOUNT_STATUS'] });
    expect(
      changes.map(({ id, status, reasonCode, reasonText }) => [id, status, reasonCode, reasonText]),
    ).toEqual([
      ['freeze', 'ACCOUNT_STATUS_FROZEN', 'fraud', 'Größe: 3 accounts'],
      ['CloseAccount', 'ACCOUNT_STATUS_CLOSED', 'fraud', 'Größe: 3 accounts'],
      ['ReopenAccount', 'ACCOUNT_STATUS_ACTIVE', 'fraud', 'Größe: 3 accounts'],
    ]);
  });

  it('a repeated Reserve of an open hold is a duplicate although the account is frozen', async () => {
    const account = await client.account('held', GRANTED);
    const reserve = reserveRequest(account, 'hold', 100);
    await client.call('UsageService/Reserve', reserve);
    await client.call('AccountService/FreezeAccount', {
      requestId: 'freeze',
      accountId: account,
      eventTimeMs: Date.now(),
    });
    expect(await client.call('UsageService/Reserve', reserve)).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      duplicate: true,
    });
  });

  it('an account that does not exist cannot be frozen', async () => {
    const request = { requestId: 'freeze', accountId: 'nobody', eventTimeMs: Date.now() };
    expect(await client.failure('AccountService/FreezeAccount', request)).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'ACCOUNT_UNKNOWN',
    });
  });
});
