/** Sessions at the level of their operations: a hold that grows, is charged by its deadline what was acknowledged, and is settled once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cost, HOLD_MS, quantities, SessionStage } from '../helpers/sessions.js';

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
