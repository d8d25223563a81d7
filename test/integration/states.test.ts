/** Every cell of the table in docs/states.md is a test, through gRPC and the real stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditLedger, postgresBalance } from '../helpers/audit.js';
import { CallFailure, reserveRequest, settleRequest, type TestClient } from '../helpers/client.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { cellsUnder } from '../helpers/states-table.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';

const STATES = ['none', 'open', 'settled', 'released', 'expired'] as const;
type State = (typeof STATES)[number];
const CALLS = [
  'Reserve, same payload',
  'Reserve, other payload',
  'Extend',
  'Settle',
  'Settle, other payload',
  'Release',
  'sweep after the deadline',
] as const;
type Call = (typeof CALLS)[number];

const cells = cellsUnder('States of a hold', STATES, CALLS);

const GRANTED = 1_000_000;
const HELD = 10_000;
const USED = 4_000;
/** Long enough that nothing expires by itself while a test runs. */
const longHoldMs = 3_600_000;
const shortHoldMs = 50;
/** Long enough for one more call before the deadline, also on a busy machine. */
const callHoldMs = 1_500;

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  ({ client } = sidecar);
});
afterAll(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

/** One hold of one account on its way through the table; times are fixed, so that a repetition is unchanged. */
class Scene {
  readonly timeMs = Date.now();
  readonly hold = 'the-hold';
  #extends = 0;

  constructor(
    readonly account: string,
    readonly holdTimeMs: number,
  ) {}

  reserve(value = HELD): Promise<object> {
    const more = { startTimeMs: this.timeMs, holdTimeMs: this.holdTimeMs };
    return client.call('UsageService/Reserve', reserveRequest(this.account, this.hold, value, more));
  }

  extend(addAmount = 500, extendId = `extend-${++this.#extends}`): Promise<object> {
    return client.call('UsageService/Extend', {
      extendId,
      accountId: this.account,
      holdId: this.hold,
      addAmount,
      eventTimeMs: this.timeMs,
    });
  }

  settle(value = USED): Promise<object> {
    const more = { eventTimeMs: this.timeMs };
    return client.call('UsageService/Settle', settleRequest(this.account, this.hold, value, more));
  }

  release(): Promise<object> {
    return client.call('UsageService/Release', {
      accountId: this.account,
      holdId: this.hold,
      eventTimeMs: this.timeMs,
    });
  }

  state(): Promise<string> {
    return client.holdState(this.account, this.hold);
  }

  /** Waits, looking through GetUsage, until the deadline has done its work. */
  async expire(): Promise<void> {
    await until('the hold expires', async () => (await this.state()) === 'USAGE_STATE_EXPIRED');
  }

  async bring(state: State): Promise<void> {
    if (state === 'none') return;
    await this.reserve();
    if (state === 'settled') await this.settle();
    if (state === 'released') await this.release();
    if (state === 'expired') await this.expire();
  }

  async run(call: Call, before: State): Promise<Record<string, unknown>> {
    const answer = await this.#attempt(call, before).catch((error: unknown) => {
      if (!(error instanceof CallFailure)) throw error;
      return { status: error.status, code: error.reason };
    });
    return answer as Record<string, unknown>;
  }

  #attempt(call: Call, before: State): Promise<object> {
    // What "other" differs from is what brought the hold to its state.
    const otherSettle = before === 'settled' ? USED + 1 : USED;
    switch (call) {
      case 'Reserve, same payload':
        return this.reserve();
      case 'Reserve, other payload':
        return this.reserve(HELD + 1);
      case 'Extend':
        return this.extend();
      case 'Settle':
        return this.settle();
      case 'Settle, other payload':
        return this.settle(otherSettle);
      case 'Release':
        return this.release();
      case 'sweep after the deadline':
        throw new Error('a sweep is no call');
    }
  }
}

const STATE_NAMES: Record<string, string> = {
  none: 'USAGE_STATE_UNKNOWN',
  open: 'USAGE_STATE_HELD',
  settled: 'USAGE_STATE_SETTLED',
  released: 'USAGE_STATE_RELEASED',
  expired: 'USAGE_STATE_EXPIRED',
};

/** What an answer must hold for the words of a cell. */
function expected(call: Call, words: string): Record<string, unknown> {
  const [verdict, reason] = words.split(' ');
  switch (verdict) {
    case 'ALLOWED':
      return { verdict: 'VERDICT_ALLOWED', duplicate: false };
    case 'DENIED':
      return { verdict: 'VERDICT_DENIED', reason: `REASON_${reason}` };
    case 'duplicate':
      return { duplicate: true };
    case 'booked':
      return {
        duplicate: false,
        charged: String(USED),
        late: reason === 'late',
        holdUnknown: reason === 'hold_unknown',
      };
    case 'released':
      return { duplicate: false, released: String(HELD) };
    case 'NOT_FOUND':
    case 'ALREADY_EXISTS':
    case 'FAILED_PRECONDITION':
      return { status: verdict, code: reason };
    default:
      throw new Error(`docs/states.md says "${words}" of ${call}, which this test does not know`);
  }
}

/** What the account must have when its hold is in a state and has been charged or not. */
function balanceIn(state: State, held: number): { available: number; held: number; debt: number } {
  const charged = state === 'settled' ? USED : 0;
  return { available: GRANTED - charged - held, held, debt: 0 };
}

describe.each(STATES)('a hold that is %s', (state) => {
  const own = cells.filter((cell) => cell.state === state);

  it.each(own.filter((cell) => cell.call !== 'sweep after the deadline'))('$call: $says', async (cell) => {
    const account = await client.account(`${state}/${CALLS.indexOf(cell.call)}`, GRANTED);
    const scene = new Scene(account, state === 'expired' ? shortHoldMs : longHoldMs);
    await scene.bring(state);
    const [words, after = state] = cell.says.split(/ ?-> ?/) as [string, State?];
    const answer = await scene.run(cell.call, state);
    expect(answer).toMatchObject(expected(cell.call, words));
    expect(await scene.state()).toBe(STATE_NAMES[after]);
    const extended = cell.call === 'Extend' && after === 'open' ? 500 : 0;
    const other = cell.call === 'Reserve, other payload' && state === 'none' ? 1 : 0;
    const held = after === 'open' ? HELD + extended + other : 0;
    expect(await client.balance(account)).toEqual(balanceIn(after, held));
  });

  it.each(own.filter((cell) => cell.call === 'sweep after the deadline'))(
    '$call: $says',
    async ({ says }) => {
      const account = await client.account(`${state}/sweep`, GRANTED);
      const other = await client.account(`${state}/sweep/other`, GRANTED);
      const holdTimeMs = state === 'settled' || state === 'released' ? callHoldMs : shortHoldMs;
      const scene = new Scene(account, holdTimeMs);
      await scene.bring(state);
      // Whoever swept this hold, which began later, has been past the deadline of the other one. Nobody asks for either.
      const witness = new Scene(other, holdTimeMs);
      await witness.reserve();
      await until('the sweeper has been there', async () => (await client.balance(other)).held === 0);
      const after = says === 'nothing' ? state : (says.replace('-> ', '') as State);
      await until('nothing is held', async () => (await client.balance(account)).held === 0);
      expect(await scene.state()).toBe(STATE_NAMES[after]);
      expect(await client.balance(account)).toEqual(balanceIn(after, 0));
      const kinds = (await client.ledger(account)).map((entry) => entry.kind);
      expect(kinds.filter((kind) => kind === 'ENTRY_KIND_HOLD_EXPIRED')).toHaveLength(
        after === 'expired' ? 1 : 0,
      );
    },
  );
});

describe('what the table says below', () => {
  it('a denied Reserve stores nothing: after a top-up the same id is allowed', async () => {
    const account = await client.account('denied', HELD - 1);
    const scene = new Scene(account, longHoldMs);
    expect(await scene.reserve()).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      unit: 'UNIT_CREDITS',
      available: String(HELD - 1),
      missing: '1',
    });
    expect(await scene.state()).toBe('USAGE_STATE_UNKNOWN');
    await client.topUp(account, 1, { requestId: 'second' });
    expect(await scene.reserve()).toMatchObject({ verdict: 'VERDICT_ALLOWED', duplicate: false });
  });

  it.each(['open', 'settled', 'released', 'expired'] as const)(
    'a repeated Extend is a duplicate when the hold is %s, and a conflict with another payload',
    async (state) => {
      const account = await client.account(`extended/${state}`, GRANTED);
      const scene = new Scene(account, state === 'expired' ? 400 : longHoldMs);
      await scene.reserve();
      const first = await scene.extend(700, 'once');
      expect(first).toMatchObject({ verdict: 'VERDICT_ALLOWED', held: String(HELD + 700), duplicate: false });
      if (state === 'settled') await scene.settle();
      if (state === 'released') await scene.release();
      if (state === 'expired') await scene.expire();
      expect(await scene.extend(700, 'once')).toEqual({ ...first, duplicate: true });
      await expect(scene.extend(701, 'once')).rejects.toMatchObject({
        status: 'ALREADY_EXISTS',
        reason: 'ID_CONFLICT',
      });
    },
  );

  it.each(['released', 'expired'] as const)(
    'a settle after %s charges once, however often',
    async (state) => {
      const account = await client.account(`late/${state}`, GRANTED);
      const scene = new Scene(account, state === 'expired' ? shortHoldMs : longHoldMs);
      await scene.bring(state);
      const first = await scene.settle();
      expect(first).toMatchObject({ late: true, duplicate: false, charged: String(USED) });
      expect(await scene.settle()).toEqual({ ...first, duplicate: true });
      await expect(scene.settle(USED + 1)).rejects.toMatchObject({ status: 'ALREADY_EXISTS' });
      expect(await client.balance(account)).toEqual({ available: GRANTED - USED, held: 0, debt: 0 });
    },
  );

  it.each(['settled', 'released', 'expired'] as const)(
    'what a hold set aside in several lots is free in Postgres too once it is %s',
    async (state) => {
      const account = await client.account(`several-lots/${state}`, HELD / 2);
      await client.topUp(account, GRANTED - HELD / 2, { requestId: 'second' });
      const scene = new Scene(account, state === 'expired' ? shortHoldMs : longHoldMs);
      await scene.reserve();
      await client.call('AccountService/ListHolds', { accountId: account });
      await scene.bring(state);
      await client.ledger(account);
      expect(await postgresBalance(database.url, account)).toEqual(balanceIn(state, 0));
    },
  );

  it('the ledger is clean after all of it', async () => {
    await until('the journal is drained', async () => (await auditLedger(database.url)).length === 0).catch(
      async () => expect(await auditLedger(database.url)).toEqual([]),
    );
  });
});
