/** The checkers of the torture harness find what they are there for; its docs list its faults. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import type { Done, Known } from '../torture/client-log.js';
import { Expectations } from '../torture/expectations.js';
import { FAULTS } from '../torture/faults/index.js';
import { Ledger, type LedgerLine } from '../torture/ledger.js';
import type { Operation } from '../torture/operations.js';

const account = 'account';
const event = {
  eventId: 'event',
  accountId: account,
  meter: 'llm',
  model: 'claude-haiku-4-5',
  quantities: { input_tokens: 100, output_tokens: 10 },
  eventTimeMs: 1,
};
const record: Operation = {
  op: 'record',
  events: [event],
  by: 'stream',
  isRepeated: true,
  isConflict: false,
};
const hold: Operation = {
  op: 'hold',
  accountId: account,
  holdId: 'hold',
  held: 500,
  extendBy: 0,
  holdTimeMs: 1_000,
  startTimeMs: 1,
  end: 'settle',
  final: 300,
};
const session: Operation = {
  op: 'session',
  accountId: account,
  sessionId: 'session',
  startTimeMs: 1,
  reports: [],
  end: 'leave',
  rest: 0,
};
const topUp: Operation = {
  op: 'call',
  name: 'AccountService/TopUp',
  request: { requestId: 'request', accountId: account, amount: { unit: 'UNIT_CREDITS', value: 700 } },
};

const recorded: Done = { fates: [{ outcome: 'recorded', charged: 150 }] };

function known(operation: Operation, done: Done | null, more: Partial<Known> = {}): Known {
  return {
    n: 1,
    operation,
    applied: null,
    allowed: true,
    reported: 0,
    acknowledged: -1,
    ending: null,
    done,
    ...more,
  };
}

function line(kind: string, id: string, more: Partial<LedgerLine> = {}): LedgerLine {
  return { kind, id, unit: 'credits', granted: 0, spent: 0, converted: 0, debt: 0, flags: '', ...more };
}

/** What is found where the clients know this and the ledger has these lines. */
function findings(one: Known, lines: readonly LedgerLine[], lostRedis = false): string[] {
  const found: string[] = [];
  const ledger = new Ledger(lines.map((each) => [account, each] as const));
  const expectations = new Expectations(ledger, (kind, message) => found.push(`${kind}: ${message}`));
  expectations.check([{ logs: [new Map([[1, one]])], lostRedis }]);
  return found;
}

const usage = line('usage', 'event', { spent: 150 });
const settle = line('settle', 'hold', { spent: 300 });
const settled: Done = { charged: 300, late: false };

describe('the checkers of torture', () => {
  it.each([
    ['an event', known(record, recorded), usage],
    ['a hold', known(hold, settled), settle],
    ['a top-up', known(topUp, { answer: {} }), line('grant', 'request', { granted: 700 })],
    [
      'a session that was left',
      known(session, { left: true }, { reported: 20, acknowledged: 10 }),
      line('session_expired', 'session', { spent: 175 }),
    ],
  ])('find nothing where %s has the line that it must have', (_, one, right) => {
    expect(findings(one, [right])).toEqual([]);
  });

  it.each([
    ['an event that was told durable is not there', known(record, recorded), [], 'loss'],
    ['an event is there twice', known(record, recorded), [usage, usage], 'double'],
    ['an event costs something else', known(record, recorded), [{ ...usage, spent: 151 }], 'drift'],
    ['an event was refused', known(record, { fates: [{ outcome: 'refused', reason: 'X' }] }), [], 'broken'],
    [
      'an answer said something else than the ledger',
      known(record, { fates: [{ outcome: 'recorded', charged: 1 }] }),
      [usage],
      'drift',
    ],
    [
      'what was applied was gone although Redis lost nothing',
      known(record, recorded, { applied: [{ outcome: 'recorded', charged: 150 }] }),
      [usage],
      'broken',
    ],
    [
      'another payload was taken for a repetition',
      known({ ...record, isConflict: true } as Operation, {
        fates: [{ outcome: 'duplicate', charged: 150 }],
      }),
      [usage],
      'broken',
    ],
    ['a settle that was told durable is not there', known(hold, settled), [], 'loss'],
    ['a denied hold is settled', known(hold, { denied: 'X' }), [settle], 'double'],
    [
      'what was held became debt',
      known(hold, settled),
      [{ ...settle, debt: 1, flags: 'overdrawn' }],
      'broken',
    ],
    ['nobody asked for a line', known(record, recorded), [usage, line('grant', 'stranger')], 'double'],
    ['a refused call has a line', known(topUp, { refused: 'X' }), [line('grant', 'request')], 'double'],
    ['something has no last word', known(record, null), [], 'broken'],
    [
      'a session was charged less than was acknowledged',
      known(session, { left: true }, { reported: 20, acknowledged: 10 }),
      [line('session_expired', 'session', { spent: 149 })],
      'loss',
    ],
    [
      'a session was charged more than was sent',
      known(session, { left: true }, { reported: 20, acknowledged: 10 }),
      [line('session_expired', 'session', { spent: 201 })],
      'double',
    ],
    [
      'a duplicate was not given back in whole',
      known(record, recorded),
      [
        usage,
        line('duplicate', 'event#1/2/3', { spent: 150 }),
        line('reversal', 'duplicate#1/2/3', { spent: -149 }),
      ],
      'double',
    ],
  ])('find it where %s', (_, one, lines, kind) => {
    expect(findings(one, lines)).toContainEqual(expect.stringMatching(`^${kind}: `));
  });

  it('forgive what was applied and lost where Redis lost something, and what was charged twice and given back', () => {
    const again = known(record, recorded, { applied: [{ outcome: 'recorded', charged: 150 }] });
    const twice = [
      usage,
      line('duplicate', 'event#1/2/3', { spent: 150 }),
      line('reversal', 'duplicate#1/2/3', { spent: -150 }),
    ];
    expect(findings(again, twice, true)).toEqual([]);
  });
});

describe('docs/torture.md', () => {
  it('lists every fault', () => {
    const rows = readFileSync(join(packageRoot, 'docs/torture.md'), 'utf8')
      .split('\n## The faults\n')[1]
      ?.split('\n')
      .filter((row) => row.startsWith('| `'));
    expect(rows).toEqual(FAULTS.map(({ kind, what }) => `| \`${kind}\` | ${what} |`));
  });
});
