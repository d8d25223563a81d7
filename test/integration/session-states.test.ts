/** Every cell of the table of sessions in docs/states.md is a test, at the level of the operations, on real stores. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { DrawdownError } from '../../src/errors.js';
import { packageRoot } from '../../src/paths.js';
import { cost, HOLD_MS, MODEL, quantities, SessionStage } from '../helpers/sessions.js';
import { START_MS } from '../simulation/simulation.js';

const STATES = ['none', 'open', 'settled', 'released', 'expired', 'an ordinary hold'] as const;
type State = (typeof STATES)[number];
const CALLS = [
  'open, same payload',
  'open, other payload',
  'checkpoint',
  'old checkpoint',
  'grow',
  'Settle',
  'Release',
  'old open',
  'old Settle',
  'old Release',
  'deadline',
] as const;
type Call = (typeof CALLS)[number];

interface Cell {
  readonly state: State;
  readonly call: Call;
  readonly says: string;
}

const page = readFileSync(join(packageRoot, 'docs/states.md'), 'utf8')
  .split('\n# ')
  .find((text) => text.startsWith('States of a session'));
const cells = readTable(page ?? '');

function readTable(text: string): Cell[] {
  const [head, , ...rows] = text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.slice(1, -1).split('|'))
    .map((columns) => columns.map((column) => column.trim()));
  const calls = (head ?? []).slice(1);
  return rows.flatMap(([state, ...columns]) =>
    columns.map((says, i) => ({ state: state as State, call: calls[i] as Call, says })),
  );
}

const GRANTED = 100_000;
const HELD = 1_000;
/** What the session says at first, when it is checkpointed, and when it is settled. */
const FIRST = cost(100, 20);
const NOTED = cost(100, 30);
const FINAL = cost(100, 50);

let stage: SessionStage;

beforeAll(async () => {
  stage = await SessionStage.start();
});
afterAll(async () => {
  expect(await stage.problems()).toEqual([]);
  await stage.stop();
});

async function bring(account: string, state: State): Promise<void> {
  if (state === 'none') return;
  if (state === 'an ordinary hold') {
    const work = {
      agentId: '',
      meter: 'llm',
      model: MODEL,
      startTimeMs: stage.clock.nowMs,
      holdTimeMs: HOLD_MS,
    };
    const estimate = { kind: 'amount' as const, unit: 1 as const, value: HELD };
    await stage.core.meter.reserve({ holdId: 's', accountId: account, ...work, estimate }, stage.options);
    return;
  }
  await stage.open(account, 's');
  await stage.checkpoint(account, 's', 20);
  await stage.open(account, 's');
  if (state === 'settled') await stage.settle(account, 's', quantities(100, 50));
  if (state === 'released') await stage.release(account, 's');
  if (state === 'expired') await stage.pass(HOLD_MS);
}

async function run(account: string, call: Call): Promise<unknown> {
  const generation = call === 'old checkpoint' ? 1 : 2;
  switch (call) {
    case 'open, same payload':
      return stage.open(account, 's');
    case 'open, other payload':
      return stage.open(account, 's', { hash: 2 });
    case 'checkpoint':
    case 'old checkpoint':
      return stage.checkpoint(account, 's', 30, { generation });
    case 'grow':
      return stage.checkpoint(account, 's', 30, { generation, growLeast: 500, growWanted: 500 });
    case 'Settle':
      return stage.settle(account, 's', quantities(100, 50));
    case 'Release':
      return stage.release(account, 's');
    case 'old open':
      return stage.open(account, 's', { generation: 1 });
    case 'old Settle':
      return stage.settle(account, 's', quantities(100, 50), { generation: 1 });
    case 'old Release':
      return stage.release(account, 's', 1);
    case 'deadline':
      return stage.pass(HOLD_MS);
  }
}

/** What an answer must be for the words of a cell. */
function expected(words: string, { call, state }: Cell): unknown {
  switch (words) {
    case 'opened':
      return { kind: 'open', generation: 1, held: HELD, details: null };
    case 'taken over':
      return {
        kind: 'open',
        generation: 3,
        held: HELD,
        charge: FIRST,
        details: { quantities: quantities(100, 20) },
      };
    case 'noted':
      return { kind: 'ok', held: HELD, refused: null };
    case 'grown':
      return { kind: 'ok', held: HELD + 500, refused: null };
    case 'conflict':
    case 'moved':
    case 'unknown':
      return { kind: words };
    case 'ended':
      return {
        kind: 'ended',
        outcome: { amount: { settled: FINAL, released: 0, expired: FIRST }[state as 'settled'] },
      };
    case 'booked':
      return { duplicate: false, charged: FINAL, late: false, holdUnknown: false };
    case 'booked hold_unknown':
      return { duplicate: false, charged: FINAL, holdUnknown: true };
    case 'booked late':
    case 'booked difference':
      return { duplicate: false, charged: FINAL, late: true };
    case 'duplicate':
      return { duplicate: true };
    case 'released':
      return call === 'deadline' ? undefined : { duplicate: false, released: HELD };
    case 'charged':
    case 'nothing':
      return undefined;
    default:
      throw new Error(`docs/states.md says "${words}", which this test does not know`);
  }
}

const STATE_NAMES: Record<State, string> = {
  none: 'unknown',
  open: 'held',
  settled: 'settled',
  released: 'released',
  expired: 'expired',
  'an ordinary hold': 'held',
};

test('the table has every state and call once, so no cell goes untested', () => {
  expect(cells.map(({ state, call }) => `${state}: ${call}`)).toEqual(
    STATES.flatMap((state) => CALLS.map((call) => `${state}: ${call}`)),
  );
});

describe.each(STATES)('a session that is %s', (state) => {
  it.each(cells.filter((cell) => cell.state === state))('$call: $says', async (cell) => {
    const account = await stage.account(`${state.replaceAll(' ', '-')}/${CALLS.indexOf(cell.call)}`, GRANTED);
    await bring(account, state);
    const [words = '', after = state] = cell.says.split(/ -> /) as [string, State?];
    const before = (await stage.lines(account)).length;
    const answer = await run(account, cell.call).catch((error: unknown) => error);
    if (/^[A-Z_]+$/.test(words)) expect(answer).toMatchObject({ code: words });
    else {
      expect(answer).not.toBeInstanceOf(DrawdownError);
      const wanted = expected(words, cell);
      if (wanted === undefined) expect(answer).toBeUndefined();
      else expect(answer).toMatchObject(wanted as object);
    }
    expect(await stage.usage(account, 's')).toMatchObject({ state: STATE_NAMES[after] });

    const charged = { none: 0, open: 0, settled: FINAL, released: 0, expired: FIRST, 'an ordinary hold': 0 }[
      after
    ];
    const ofHold = state === 'an ordinary hold' && after === 'expired' ? 0 : charged;
    const isOpen = after === 'open' || after === 'an ordinary hold';
    const held = isOpen ? HELD + (words === 'grown' ? 500 : 0) : 0;
    expect(await stage.balance(account)).toEqual({ available: GRANTED - ofHold - held, held, debt: 0 });
    const lines = (await stage.lines(account)).slice(before);
    expect(lines.map(({ kind, spent, flags }) => [kind, spent, flags])).toEqual(expectedLines(words, cell));
  });
});

/** The lines of the ledger that a call books. */
function expectedLines(words: string, { call, state }: Cell): unknown[] {
  switch (words) {
    case 'booked':
      return [['settle', FINAL, []]];
    case 'booked hold_unknown':
      return [['settle', FINAL, ['hold_unknown']]];
    case 'booked late':
      return [['settle', FINAL, ['late']]];
    case 'booked difference':
      return [['settle', FINAL - FIRST, ['late', 'difference']]];
    case 'released':
      return [[call === 'deadline' ? 'hold_expired' : 'release', 0, []]];
    case 'charged':
      return state === 'open' ? [['session_expired', FIRST, []]] : [];
    default:
      return [];
  }
}

it('a checkpoint that is noted is what the deadline charges', async () => {
  const account = await stage.account('noted', GRANTED);
  await bring(account, 'open');
  await run(account, 'checkpoint');
  await run(account, 'old checkpoint');
  await run(account, 'deadline');
  expect(await stage.usage(account, 's')).toMatchObject({ state: 'expired', charged: NOTED });
});

it('a Reserve under the id of a session is a conflict, and an Extend grows it', async () => {
  const account = await stage.account('as a hold', GRANTED);
  await bring(account, 'open');
  const work = { agentId: '', meter: 'llm', model: MODEL, startTimeMs: START_MS, holdTimeMs: HOLD_MS };
  const estimate = { kind: 'amount' as const, unit: 1 as const, value: HELD };
  await expect(
    stage.core.meter.reserve({ holdId: 's', accountId: account, ...work, estimate }, stage.options),
  ).rejects.toMatchObject({ code: 'ID_CONFLICT' });
  const call = { extendId: 'x', holdId: 's', accountId: account, addAmount: 7, holdTimeMs: 0 };
  expect(await stage.core.meter.extend({ ...call, eventTimeMs: START_MS }, stage.options)).toMatchObject({
    held: HELD + 7,
  });
  expect(await stage.checkpoint(account, 's', 30, { generation: 2 })).toMatchObject({ held: HELD + 7 });
});
