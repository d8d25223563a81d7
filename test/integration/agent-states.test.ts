/** Every cell of the table of agents in docs/states.md is a test, through gRPC and the real stores. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentCatalogFile, MOVED_CLOCK, moveClock } from '../helpers/agents.js';
import { CallFailure, type TestClient, usageEvent } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { cellsUnder } from '../helpers/states-table.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { expectVerified } from '../helpers/verified.js';

const STATES = [
  'never unlocked',
  'active',
  'active, renewal unpaid',
  'suspended',
  'removed',
  'active, account frozen',
  'suspended, account closed',
];
const CALLS = [
  'UnlockAgent',
  'ActivateAgent',
  'SuspendAgent',
  'RemoveAgent',
  'Reserve',
  'Extend',
  'CheckBalance',
  'RecordUsage',
  'Settle',
];

const cells = cellsUnder('Agents', STATES, CALLS);
type Cell = (typeof cells)[number];

const CREDITS = 1_000_000;
const DAY = 86_400_000;
const NOW = Date.now();
const UNPAID = 'active, renewal unpaid';
const agentId = 'support';

let redis: TestRedis;
let direct: Redis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  direct = new Redis(redis.url);
  // A cycle of 30 days has ended half a day ago.
  await moveClock(direct, -30.5 * DAY);
  sidecar = await startTestSidecar(
    { redisUrl: redis.url, postgresUrl: database.url },
    { catalogFile: agentCatalogFile(), clockSkewMaxMs: 40 * DAY, journalAgeMaxMs: 40 * DAY },
    { replacedIncludes: MOVED_CLOCK },
  );
  ({ client } = sidecar);
  const unpaid = cells.filter(({ state }) => state === UNPAID);
  await Promise.all(unpaid.map((cell) => client.account(accountOf(cell), 14 * CREDITS).then(unlock)));
  await moveClock(direct, 0);
  await Promise.all(cells.map(prepare));
});
afterAll(async () => {
  await expectVerified(sidecar.config);
  await sidecar.stop();
  direct.disconnect();
  await Promise.all([redis.stop(), database.drop()]);
});

function accountOf({ state, call }: Cell): string {
  return `${state}/${call}`.replace(/[ ,]/g, '_');
}

const own = (accountId: string, requestId: string) => ({ accountId, requestId, eventTimeMs: NOW });

function unlock(accountId: string) {
  return client.call('AgentService/UnlockAgent', { ...own(accountId, 'before'), agentId, tier: 'endowed' });
}

async function prepare(cell: Cell): Promise<void> {
  const { state } = cell;
  const account = accountOf(cell);
  if (state !== UNPAID) await client.account(account, 100 * CREDITS);
  if (state !== UNPAID && state !== 'never unlocked') await unlock(account);
  await client.reserve(account, 'open', 5, { agentId });
  const request = { ...own(account, 'then'), agentId };
  if (state.startsWith('suspended')) await client.call('AgentService/SuspendAgent', request);
  if (state === 'removed') await client.call('AgentService/RemoveAgent', request);
  if (state.endsWith('frozen')) await client.call('AccountService/FreezeAccount', own(account, 'freeze'));
  if (state.endsWith('closed')) await client.call('AccountService/CloseAccount', own(account, 'close'));
}

function verdictOf({ verdict, reason }: { verdict: string; reason: string }): string {
  return verdict === 'VERDICT_ALLOWED' ? 'ALLOWED' : `DENIED ${reason.replace('REASON_', '')}`;
}

/** What the line of a charge is flagged with. */
async function bookedUnder(account: string, id: string): Promise<string> {
  const line = (await client.ledger(account)).find((one) => one.id === id);
  return ['booked', (line?.flags ?? []).join(',')].filter((text) => text !== '').join(' ');
}

async function attempt(account: string, call: string): Promise<string> {
  const request = { ...own(account, 'the-call'), agentId };
  switch (call) {
    case 'UnlockAgent':
      return verdictOf(await client.call('AgentService/UnlockAgent', { ...request, tier: 'endowed' }));
    case 'ActivateAgent':
      return verdictOf(await client.call('AgentService/ActivateAgent', request));
    case 'SuspendAgent':
      return (await client.call('AgentService/SuspendAgent', request)).duplicate ? 'duplicate' : '';
    case 'RemoveAgent':
      return (await client.call('AgentService/RemoveAgent', request)).duplicate ? 'duplicate' : '';
    case 'Reserve':
      return verdictOf(await client.reserve(account, 'another', 5, { agentId }));
    case 'Extend': {
      const extend = { accountId: account, extendId: 'x', holdId: 'open', addAmount: 1, eventTimeMs: NOW };
      return verdictOf(await client.call('UsageService/Extend', extend));
    }
    case 'CheckBalance': {
      const amount = { unit: 'UNIT_CREDITS' as const, value: 5 };
      const check = { accountId: account, agentId, meter: 'llm', amount };
      return verdictOf(await client.call('UsageService/CheckBalance', check));
    }
    case 'RecordUsage':
      await client.record([usageEvent(account, 'event', 7, { agentId })]);
      return bookedUnder(account, 'event');
    default:
      await client.settle(account, 'open', 5, { agentId });
      return bookedUnder(account, 'open');
  }
}

async function stateOf(accountId: string): Promise<string> {
  const { agent } = await client.call('AgentService/GetAgent', { accountId, agentId });
  return (agent?.state ?? '').replace('AGENT_STATE_', '').toLowerCase();
}

describe.each(STATES)('an agent: %s', (state) => {
  it.each(cells.filter((cell) => cell.state === state))('$call: $says', async (cell) => {
    const account = accountOf(cell);
    const [verdict, after] = cell.says.split('-> ').map((text) => text.trim());
    try {
      expect(await attempt(account, cell.call)).toBe(verdict);
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      expect(error.reason).toBe(verdict);
      return;
    }
    if (after === undefined) return;
    expect(await stateOf(account)).toBe(after);
    const repeated = await attempt(account, cell.call);
    expect(repeated).toBe(verdict === '' ? 'duplicate' : verdict);
  });
});
