/** Sessions at the level of their operations: a hold that grows, is charged by its deadline what was acknowledged, and is settled once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODE, OP } from '../../src/redis/format.js';
import { holdField } from '../../src/redis/keys.js';
import { cost, HOLD_MS, quantities, SessionStage } from '../helpers/sessions.js';
import { START_MS } from '../simulation/simulation.js';

let stage: SessionStage;

beforeAll(async () => {
  stage = await SessionStage.start();
});
afterAll(async () => {
  expect(await stage.problems()).toEqual([]);
  await stage.stop();
});

describe('a session', () => {
  it('is opened with a first slice, and grows with the next checkpoint', async () => {
    const account = await stage.account('grows', 100_000);
    expect(await stage.open(account, 's')).toMatchObject({
      kind: 'open',
      unit: 1,
      held: 1_000,
      covers: 1_000,
      available: 99_000,
      deadlineMs: stage.clock.nowMs + HOLD_MS,
      catalogVersion: 1,
      generation: 1,
      charge: 100,
      details: null,
    });
    const grown = await stage.checkpoint(account, 's', 150, { growLeast: 5, growWanted: 2_000 });
    expect(grown).toMatchObject({ kind: 'ok', held: 3_000, covers: 3_000, available: 97_000, refused: null });
    expect(await stage.settle(account, 's', quantities(100, 200))).toMatchObject({
      charged: cost(100, 200),
      released: 3_000 - cost(100, 200),
      late: false,
    });
    expect(await stage.balance(account)).toEqual({ available: 98_900, held: 0, debt: 0 });
  });

  it('that nobody ends is charged what was acknowledged last, and a late settle the rest, once', async () => {
    const account = await stage.account('expires', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120, { holdTimeMs: 30_000 });
    await stage.pass(29_999);
    expect(await stage.usage(account, 's')).toMatchObject({ state: 'held' });
    await stage.pass(1);
    expect(await stage.balance(account)).toEqual({ available: 100_000 - cost(100, 120), held: 0, debt: 0 });
    expect(await stage.usage(account, 's')).toMatchObject({ state: 'expired', charged: cost(100, 120) });
    const late = await stage.settle(account, 's', quantities(100, 150));
    expect(late).toMatchObject({ charged: cost(100, 150), late: true, duplicate: false });
    expect(await stage.settle(account, 's', quantities(100, 150))).toEqual({ ...late, duplicate: true });
    expect(await stage.balance(account)).toEqual({ available: 100_000 - cost(100, 150), held: 0, debt: 0 });
    const work = { id: 's', meter: 'llm', model: 'claude-haiku-4-5', catalogVersion: 1 };
    expect(await stage.lines(account)).toMatchObject([
      {
        ...work,
        kind: 'session_expired',
        spent: cost(100, 120),
        quantities: quantities(100, 120),
        flags: [],
      },
      {
        ...work,
        kind: 'settle',
        spent: cost(0, 30),
        quantities: quantities(100, 150),
        flags: ['late', 'difference'],
      },
    ]);
  });

  it('is taken over by whoever opens it again: what the one before still says is void', async () => {
    const account = await stage.account('moves', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 100, { holdTimeMs: 10 });
    expect(await stage.open(account, 's')).toMatchObject({
      kind: 'open',
      held: 1_000,
      generation: 2,
      deadlineMs: stage.clock.nowMs + HOLD_MS,
      charge: cost(100, 100),
      details: { quantities: quantities(100, 100) },
    });
    expect(await stage.checkpoint(account, 's', 900, { holdTimeMs: 1 })).toEqual({ kind: 'moved' });
    expect(await stage.checkpoint(account, 's', 110, { generation: 2 })).toMatchObject({ kind: 'ok' });
    await stage.pass(HOLD_MS);
    expect(await stage.usage(account, 's')).toMatchObject({ state: 'expired', charged: cost(100, 110) });
  });
});

const CREDIT = 1_000_000;
/** The shipped catalog converts whole credits into 100 characters each. */
const TERMS = { blockUnits: 100, blockMicros: CREDIT, priority: 20 };
const TTS = { meter: 'tts', model: 'tts-1' };

/** A session of speech from so many characters, of which the allowance has none. */
function openSpeech(account: string, least: number, wanted = least) {
  const parts = { charge: 0, least, wanted };
  return stage.open(account, 's', {
    ...TTS,
    details: { ...TTS, agentId: '', quantities: [] },
    offers: [
      { unit: 2, ...parts },
      { unit: 1, ...parts, conversion: TERMS },
    ],
  });
}

function spoken(account: string, characters: number, more = {}) {
  const details = { ...TTS, agentId: '', quantities: [['characters', characters]] as [string, number][] };
  return stage.checkpoint(account, 's', 0, { charge: characters, details, ...more });
}

describe('a session of speech that credits are converted for', () => {
  it('holds whole blocks, converts by its deadline for what was acknowledged, and by a late settle for the rest', async () => {
    const account = await stage.account('speech', 10 * CREDIT);
    expect(await openSpeech(account, 150)).toMatchObject({
      unit: 1,
      held: 2 * CREDIT,
      covers: 200,
      available: 8 * CREDIT,
    });
    await spoken(account, 130);
    await stage.pass(HOLD_MS);
    expect(await stage.balance(account)).toEqual({ available: 8 * CREDIT, held: 0, debt: 0 });
    expect(await stage.balance(account, 2)).toEqual({ available: 70, held: 0, debt: 0 });
    expect(await stage.usage(account, 's')).toMatchObject({
      state: 'expired',
      unit: 2,
      charged: 130,
      converted: 2 * CREDIT,
    });
    const late = await stage.settle(account, 's', [['characters', 250]], TTS);
    expect(late).toMatchObject({ unit: 2, charged: 250, overdrawn: 0, converted: 3 * CREDIT, late: true });
    expect(await stage.balance(account)).toEqual({ available: 7 * CREDIT, held: 0, debt: 0 });
    expect(await stage.balance(account, 2)).toEqual({ available: 50, held: 0, debt: 0 });
    expect((await stage.lines(account)).map(({ kind, id, spent }) => [kind, id, spent])).toEqual([
      ['conversion', 'session_expired/s#3', 0],
      ['conversion_grant', 'session_expired/s#3', 0],
      ['session_expired', 's', 130],
      ['conversion', 'settle/s#6', 0],
      ['conversion_grant', 'settle/s#6', 0],
      ['settle', 's', 120],
    ]);
    await stage.forget(account, 's');
    expect(await stage.settle(account, 's', [['characters', 250]], TTS)).toEqual({
      ...late,
      duplicate: true,
    });
  });

  it('grows by whole blocks, as far as an eighth of what is left goes', async () => {
    const account = await stage.account('speech grows', 100 * CREDIT);
    await openSpeech(account, 100);
    // 99 are left: 10 for the least, and of 89 an eighth.
    expect(await spoken(account, 50, { growLeast: 1_000, growWanted: 5_000 })).toMatchObject({
      held: (1 + 10 + 11) * CREDIT,
      covers: 2_200,
      refused: null,
    });
    await stage.settle(account, 's', [['characters', 0]], TTS);
    expect(await stage.balance(account)).toEqual({ available: 100 * CREDIT, held: 0, debt: 0 });
  });

  it('pays debt of characters first, and says what is left for the speech', async () => {
    const account = await stage.account('speech in debt', 10 * CREDIT);
    await stage.settle(account, 'debt', { kind: 'amount', unit: 2, value: 30 }, TTS);
    expect(await openSpeech(account, 150)).toMatchObject({ held: 2 * CREDIT, covers: 170 });
    await spoken(account, 170);
    await stage.pass(HOLD_MS);
    expect(await stage.balance(account, 2)).toEqual({ available: 0, held: 0, debt: 0 });
  });
});

describe('what a session was charged', () => {
  it('is given back by its id, once, with what a late settle added', async () => {
    const account = await stage.account('reversed', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120);
    await stage.pass(HOLD_MS);
    await stage.settle(account, 's', quantities(100, 150));
    const first = await stage.reverse(account, 's');
    expect(first).toMatchObject({ reversed: cost(100, 150), duplicate: false, available: 100_000 });
    expect(await stage.reverse(account, 's')).toEqual({ ...first, duplicate: true });
    await expect(stage.reverse(account, 's', 'again')).rejects.toMatchObject({ code: 'ALREADY_REVERSED' });
  });

  it('is given back before anybody settles it; a settle after that books the rest', async () => {
    const account = await stage.account('reversed early', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120);
    await stage.pass(HOLD_MS);
    expect(await stage.reverse(account, 's')).toMatchObject({ reversed: cost(100, 120) });
    expect(await stage.settle(account, 's', quantities(100, 150))).toMatchObject({ charged: cost(100, 150) });
    expect(await stage.balance(account)).toEqual({ available: 100_000 - cost(0, 30), held: 0, debt: 0 });
  });

  it('is looked up again where a settle comes between the look and the reversal', async () => {
    const account = await stage.account('reversed between', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120);
    await stage.pass(HOLD_MS);
    await stage.settle(account, 's', quantities(100, 150));
    const lot = [1, cost(100, 120), 3, 20, 0, 0];
    const head = [OP.reverse, 0, 'stale', 1, stage.clock.nowMs, stage.clock.nowMs];
    const packed = [...head, 1, cost(100, 120), 'settle/s', 2, 'test', '', ...lot];
    const executed = await stage.core.executor.run(
      { accountId: account, packed, ending: true },
      stage.options,
    );
    expect(executed.result).toEqual({ code: CODE.stale });
  });

  it('stands in the statement with the counts of its settle, once', async () => {
    const account = await stage.account('stated', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120);
    await stage.pass(HOLD_MS);
    await stage.settle(account, 's', quantities(100, 150));
    const all = { accountId: account, fromTimeMs: 0, toTimeMs: 0, pageSize: 10, pageToken: '' };
    const { uses } = await stage.core.statements.read(all, stage.options);
    expect(uses).toMatchObject([
      { meter: 'llm', model: 'claude-haiku-4-5', count: 2n, spent: BigInt(cost(100, 150)), debt: 0n },
    ]);
    expect(uses[0]?.quantities).toEqual([
      ['input_tokens', 100n],
      ['output_tokens', 150n],
    ]);
  });

  it('is told from the ledger once Redis has forgotten it', async () => {
    const account = await stage.account('forgotten', 100_000);
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120);
    await stage.pass(HOLD_MS);
    await stage.forget(account, 's');
    expect(await stage.usage(account, 's')).toMatchObject({ state: 'expired', charged: cost(100, 120) });
    expect(await stage.open(account, 's')).toMatchObject({
      kind: 'ended',
      outcome: { amount: cost(100, 120) },
    });
    await stage.forget(account, 's');
    const late = await stage.settle(account, 's', quantities(100, 150));
    expect(late).toMatchObject({ charged: cost(100, 150), late: true });
    await stage.forget(account, 's');
    expect(await stage.usage(account, 's')).toMatchObject({ state: 'settled', charged: cost(100, 150) });
    expect(await stage.settle(account, 's', quantities(100, 150))).toEqual({ ...late, duplicate: true });
  });
});

describe('an open session', () => {
  it('is loaded from Postgres with its generation, charge and counts', async () => {
    const account = await stage.account('loaded', 100_000);
    await stage.open(account, 's');
    await stage.open(account, 's');
    await stage.checkpoint(account, 's', 120, { generation: 2 });
    await stage.drop(account);
    expect(await stage.checkpoint(account, 's', 130)).toEqual({ kind: 'moved' });
    expect(await stage.open(account, 's')).toMatchObject({
      generation: 3,
      charge: cost(100, 120),
      details: { quantities: quantities(100, 120) },
    });
    await stage.drop(account);
    await stage.pass(HOLD_MS);
    expect(await stage.usage(account, 's')).toMatchObject({ state: 'expired', charged: cost(100, 120) });
  });

  it('does not grow where nothing is left or the account is frozen, but is acknowledged all the same', async () => {
    const account = await stage.account('refused', 1_000);
    await stage.open(account, 's');
    const more = { growLeast: 1_000, growWanted: 2_000 };
    expect(await stage.checkpoint(account, 's', 120, more)).toMatchObject({
      refused: 'INSUFFICIENT_BALANCE',
    });
    await stage.core.corrections.setStatus(
      {
        requestId: 'freeze',
        accountId: account,
        change: 'freeze',
        reasonCode: '',
        reasonText: '',
        eventTimeMs: START_MS,
      },
      stage.options,
    );
    expect(await stage.checkpoint(account, 's', 130)).toMatchObject({
      kind: 'ok',
      refused: 'ACCOUNT_FROZEN',
    });
    await stage.pass(HOLD_MS);
    expect(await stage.usage(account, 's')).toMatchObject({ charged: cost(100, 130) });
    expect((await stage.lines(account)).at(-1)).toMatchObject({ flags: ['over_hold', 'frozen'] });
  });

  it('is charged beyond what it holds what is available, then debt', async () => {
    const account = await stage.account('overrun', 1_000);
    await stage.open(account, 's', { offers: [{ unit: 1, charge: 100, least: 100, wanted: 500 }] });
    await stage.checkpoint(account, 's', 300);
    await stage.pass(HOLD_MS);
    expect(await stage.balance(account)).toEqual({ available: 0, held: 0, debt: 600 });
    expect((await stage.lines(account)).at(-1)).toMatchObject({ flags: ['overdrawn', 'over_hold'] });
    expect(await stage.settle(account, 's', quantities(100, 310))).toMatchObject({ overdrawn: 650 });
  });

  it('shares the last credits: each opens with its least and a 64th of a share in the rest, and the last unit can be spent', async () => {
    const account = await stage.account('shares', 300);
    const offers = [{ unit: 1 as const, charge: 1, least: 1, wanted: 9_000 }];
    const details = { meter: 'llm', model: 'm', agentId: '', quantities: [['input_tokens', 1]] } as const;
    let left = 300;
    for (let i = 0; left > 0; i++) {
      const opened = await stage.open(account, `s${i}`, { offers, details });
      const takes = 1 + Math.floor((left - 1) / (64 * (i + 1)));
      expect(opened).toMatchObject({ kind: 'open', held: takes, available: left - takes });
      left -= takes;
    }
    expect(await stage.open(account, 'one too many', { offers })).toEqual({
      kind: 'denied',
      reason: 'INSUFFICIENT_BALANCE',
      unit: 1,
      available: 0,
      missing: 1,
    });
    await stage.pass(HOLD_MS);
  });

  it('is a conflict with another payload or as an ordinary hold, and denied without a price or an account', async () => {
    const account = await stage.account('refusals', 1_000);
    await stage.open(account, 's');
    expect(await stage.open(account, 's', { hash: 2 })).toEqual({ kind: 'conflict' });
    expect(await stage.open(account, 'unrated', { offers: [] })).toMatchObject({ reason: 'MODEL_UNRATED' });
    expect(await stage.open('nobody', 's')).toMatchObject({ reason: 'ACCOUNT_UNKNOWN' });
    expect(await stage.checkpoint(account, 'never', 1)).toEqual({ kind: 'unknown' });
    await stage.release(account, 's');
    expect(await stage.checkpoint(account, 's', 1)).toMatchObject({ kind: 'ended' });
  });
});

describe('a sweep', () => {
  it('drops what settled sessions left among the deadlines, however many, and ends those that are open', async () => {
    const account = await stage.account('many', 1_000_000_000);
    const { keys } = stage.core.executor.queueOf(account).partition;
    const deadlines = async () => {
      const members = await stage.stack.connection.client.zrange(keys[6], '0', '-1');
      return members.filter((member) => member.includes(holdField(account, '')));
    };
    await stage.open(account, 'left open');
    // More than one look takes.
    const ids = Array.from({ length: 3_000 }, (_, i) => `s${i}`);
    const opened = await Promise.all(ids.map((id) => stage.open(account, id)));
    expect(opened.filter(({ kind }) => kind === 'open')).toHaveLength(ids.length);
    await Promise.all(ids.map((id) => stage.settle(account, id, quantities(100, 1))));
    const left = await deadlines();
    expect(left.join('\0').split('\0')).toHaveLength(ids.length + 1);

    await stage.pass(HOLD_MS);
    expect(await stage.usage(account, 'left open')).toMatchObject({ state: 'expired' });
    const remaining = await deadlines();
    expect(remaining.filter((member) => !member.includes('left open'))).toEqual([]);
    await stage.pass(1);
    expect(await deadlines()).toEqual([]);
  });

  it('ends all that were left open, more than one look takes, of which each deadline has some', async () => {
    const account = await stage.account('abandoned', 1_000_000_000);
    const { keys } = stage.core.executor.queueOf(account).partition;
    const ids = Array.from({ length: 2_500 }, (_, i) => `s${i}`);
    await Promise.all(ids.map((id) => stage.open(account, id)));
    await stage.pass(HOLD_MS);
    const fields = ids.map((id) => holdField(account, id));
    const holds = await stage.stack.connection.client.hmget(keys[3], ...fields);
    expect(holds.filter((hold) => hold !== null)).toEqual([]);
  });

  it('is not waited for where settled sessions left more deadlines than a call looks at, and something is due of an account with open holds', async () => {
    const many = await stage.account('left-many', 1_000_000_000);
    // More than DEADLINES_LOOKED_MAX of one partition, in which the account is, too.
    const ids = Array.from({ length: 6_000 }, (_, i) => `s${i}`);
    const partition = stage.core.executor.queueOf(many).partition.number;
    const name = Array.from({ length: 1_000 }, (_, i) => `beside-${i}`).find(
      (one) => stage.core.executor.queueOf(one).partition.number === partition,
    ) as string;
    const account = await stage.account(name, 1_000_000);
    await stage.topUp(account, 500_000, 1, stage.clock.nowMs + HOLD_MS + 1_000);
    await stage.open(account, 'open', { holdTimeMs: 10 * HOLD_MS });
    for (const some of [ids.slice(0, 3_000), ids.slice(3_000)]) {
      await Promise.all(some.map((id) => stage.open(many, id)));
      await Promise.all(some.map((id) => stage.settle(many, id, quantities(100, 1))));
    }
    await stage.clock.set(stage.clock.nowMs + HOLD_MS + 2_000);
    expect(await stage.checkpoint(account, 'open', 1)).toMatchObject({ kind: 'ok' });
    expect(await stage.lines(account)).toMatchObject([{ kind: 'lot_expired' }]);
    await stage.pass(10 * HOLD_MS);
  });
});

describe('verification', () => {
  it('finds sessions whose deadline nobody will look at, and only those', async () => {
    const account = await stage.account('looked-at', 1_000_000);
    const { keys } = stage.core.executor.queueOf(account).partition;
    const { client } = stage.stack.connection;
    // Of three that share a deadline one is renewed; one has another deadline.
    const startTimeMs = stage.clock.nowMs;
    await Promise.all(['a', 'b', 'renewed'].map((id) => stage.open(account, id, { startTimeMs })));
    await stage.open(account, 'later', { startTimeMs, holdTimeMs: 2 * HOLD_MS });
    await stage.checkpoint(account, 'renewed', 1, { holdTimeMs: 3 * HOLD_MS });
    expect(await stage.problems()).toEqual([]);

    const member = (id: string) => `m${holdField(account, id)}`;
    const members = await client.zrange(keys[6], '0', '-1');
    const shared = members.find((each) => each.startsWith(member('a'))) as string;
    expect(shared.slice(1).split('\0')).toHaveLength(3);
    const score = (await client.zscore(keys[6], shared)) as string;
    const lost = (id: string) => ({
      check: 'redis',
      account,
      message: `hold ${id} ends at ${score}, Redis will look at 0`,
    });
    await client.zrem(keys[6], shared);
    expect(await stage.problems()).toMatchObject([lost('a'), lost('b')]);
    // One of them alone, and too late.
    const late = Number(score) + 1;
    await client.zadd(keys[6], score, member('a'), late, member('b'));
    expect(await stage.problems()).toMatchObject([lost('b')]);
    await client.zrem(keys[6], member('a'), member('b'));
    await client.zadd(keys[6], score, shared);
    expect(await stage.problems()).toEqual([]);
    // The one that was renewed has lost its own, and the one that it shared names it still.
    const own = holdField(account, 'renewed');
    const renewedTo = (await client.zscore(keys[6], own)) as string;
    await client.zrem(keys[6], own);
    const message = `hold renewed ends at ${renewedTo}, Redis will look at 0`;
    expect(await stage.problems()).toMatchObject([{ check: 'redis', account, message }]);
    await client.zadd(keys[6], renewedTo, own);
    expect(await stage.problems()).toEqual([]);
  });
});
