/** Every cell of the table of billing periods in docs/states.md is a test, through gRPC and the real stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallFailure, type TestClient } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { cellsUnder } from '../helpers/states-table.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

const ACCOUNTS = [
  'no period',
  'period over',
  'period runs',
  'next stored',
  'change scheduled',
  'frozen, period runs',
  'closed, period runs',
];
const CALLS = [
  'start -1 20',
  'start -5 5',
  'start -5 6',
  'start 5 10',
  'start 4 10',
  'start 10 20',
  'start -20 -10',
  'upgrade',
  'downgrade',
  'cancel',
];

const cells = cellsUnder('Billing periods of an account', ACCOUNTS, CALLS);
type Cell = (typeof cells)[number];

const CREDITS = 1_000_000;
const STARTER = 1_000 * CREDITS;
const PRO = 3_000 * CREDITS;
const FREE = 100 * CREDITS;
const NOW = Date.now();
const day = (number: number): number => NOW + number * 86_400_000;

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  ({ client } = sidecar);
  await Promise.all(cells.map(prepare));
});
afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

function accountOf({ state, call }: Cell): string {
  return `${state}/${call}`.replace(/[ ,]/g, '_');
}

const own = (accountId: string, requestId: string) => ({ accountId, requestId, eventTimeMs: NOW });

function start(accountId: string, startTimeMs: number, endTimeMs: number, requestId = 'before') {
  const period = { plan: 'starter', startTimeMs, endTimeMs };
  return client.call('AccountService/StartBillingPeriod', { ...own(accountId, requestId), ...period });
}

async function prepare(cell: Cell): Promise<void> {
  const account = await client.account(accountOf(cell));
  const { state } = cell;
  if (state === 'no period') return;
  if (state === 'period over') {
    // All cells are prepared at once, on a machine that may be busy: the period must still run when the call comes.
    const endTimeMs = Date.now() + 4_000;
    await start(account, endTimeMs - 5_000, endTimeMs);
    await until('the period is over', async () => (await shown(account)).period === null);
    return;
  }
  await start(account, day(-5), day(5));
  if (state === 'next stored') await start(account, day(5), day(10), 'next');
  const request = own(account, 'then');
  if (state === 'change scheduled')
    await client.call('AccountService/ChangePlan', { ...request, plan: 'free' });
  if (state.startsWith('frozen')) await client.call('AccountService/FreezeAccount', request);
  if (state.startsWith('closed')) await client.call('AccountService/CloseAccount', request);
}

function shown(accountId: string) {
  return client.call('AccountService/GetBalance', { accountId });
}

async function attempt(account: string, call: string): Promise<string> {
  const request = own(account, 'the-call');
  const [verb, from, to] = call.split(' ');
  try {
    if (verb === 'cancel') {
      const answer = await client.call('AccountService/CancelScheduledChange', request);
      return answer.duplicate ? 'duplicate' : 'withdrawn';
    }
    const answer =
      verb === 'start'
        ? await start(account, day(Number(from)), day(Number(to)), 'the-call')
        : await client.call('AccountService/ChangePlan', {
            ...request,
            ...(verb === 'upgrade' ? { plan: 'pro', periodEndTimeMs: day(30) } : { plan: 'free' }),
          });
    const outcome = answer.outcome.replace(/^PLAN_OUTCOME_(PERIOD_)?/, '').toLowerCase();
    return answer.duplicate ? 'duplicate' : outcome;
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    expect(error.status).toBe(error.reason === 'ID_CONFLICT' ? 'ALREADY_EXISTS' : 'FAILED_PRECONDITION');
    return error.reason as string;
  }
}

/** What a call that is not refused grants. */
function grantedBy({ call, says }: Cell): number {
  if (says === 'started') return call === 'upgrade' ? PRO : STARTER;
  return says === 'changed' ? FREE : 0;
}

/** The kind of line that a call leaves. */
const LINES: Readonly<Record<string, string>> = {
  started: 'ENTRY_KIND_PLAN_GRANT PLAN_EVENT_UNSPECIFIED',
  stored: 'ENTRY_KIND_PLAN_CHANGE PLAN_EVENT_PERIOD_STORED',
  scheduled: 'ENTRY_KIND_PLAN_CHANGE PLAN_EVENT_SCHEDULED',
  withdrawn: 'ENTRY_KIND_PLAN_CHANGE PLAN_EVENT_WITHDRAWN',
  changed: 'ENTRY_KIND_PLAN_GRANT PLAN_EVENT_UNSPECIFIED',
};

describe.each(ACCOUNTS)('an account: %s', (state) => {
  it.each(cells.filter((cell) => cell.state === state))('$call: $says', async (cell) => {
    const account = accountOf(cell);
    const { available: before } = await client.balance(account);
    const linesBefore = await client.ledger(account);
    expect(await attempt(account, cell.call)).toBe(cell.says);
    expect((await client.balance(account)).available).toBe(before + grantedBy(cell));

    const lines = (await client.ledger(account)).slice(linesBefore.length);
    const last = lines.at(-1);
    expect(last && `${last.kind} ${last.planEvent}`).toBe(LINES[cell.says]);
    // The same request again.
    if (last !== undefined) expect(await attempt(account, cell.call)).toBe('duplicate');
  });
});
