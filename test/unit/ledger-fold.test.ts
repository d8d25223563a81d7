import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/ledger/finding.js';
import { AccountFold } from '../../src/ledger/fold.js';
import type { LedgerLine } from '../../src/ledger/line.js';

const MAX = Number.MAX_SAFE_INTEGER;

function line(accountSeq: number, more: Partial<LedgerLine>): LedgerLine {
  return {
    accountKey: 1,
    accountSeq,
    partition: 0,
    epoch: 1,
    seq: accountSeq * 10,
    kind: 'usage',
    id: `id-${accountSeq}`,
    bookedTimeMs: 0,
    agent: '',
    meter: 'llm',
    model: 'm',
    quantities: '{}',
    catalogVersion: 0,
    unit: 'credits',
    granted: 0,
    spent: 0,
    expired: 0,
    converted: 0,
    debt: 0,
    released: 0,
    lots: '[]',
    remainingAfter: 0,
    heldAfter: 0,
    debtAfter: 0,
    flags: '',
    note: null,
    ...more,
  };
}

const created = line(1, { kind: 'account_created', unit: '' });
const granted = line(2, { kind: 'grant', granted: 100, lots: '[[1,100]]', remainingAfter: 100 });
const spent = line(3, { spent: 30, lots: '[[1,-30]]', remainingAfter: 70 });
const overdrawn = line(4, {
  kind: 'settle',
  spent: 90,
  debt: 20,
  lots: '[[1,-70]]',
  debtAfter: 20,
  flags: 'overdrawn',
});
const paid = line(5, { kind: 'grant', granted: 50, debt: -20, lots: '[[2,30]]', remainingAfter: 30 });
const expired = line(6, { kind: 'lot_expired', expired: 10, lots: '[[2,-10]]', remainingAfter: 20 });
const reversed = line(7, { kind: 'reversal', spent: -5, lots: '[[3,5]]', remainingAfter: 25 });
const life = [created, granted, spent, overdrawn, paid, expired, reversed];

function fold(lines: readonly LedgerLine[]): { fold: AccountFold; found: Finding[] } {
  const found: Finding[] = [];
  const folded = new AccountFold(1, (finding) => found.push(finding));
  for (const one of lines) folded.add(one);
  return { fold: folded, found };
}

/** The life with one line changed. */
function withChange(accountSeq: number, more: Partial<LedgerLine>): string[] {
  const lines = life.map((one) => (one.accountSeq === accountSeq ? { ...one, ...more } : one));
  return fold(lines).found.map((finding) => `${finding.check} ${finding.accountSeq}: ${finding.message}`);
}

describe('the fold of an account', () => {
  it('adds its lines up to balances, totals and lots', () => {
    const { fold: folded, found } = fold(life);
    expect(found).toEqual([]);
    expect(folded).toMatchObject({ last: 7, lines: 7, lastSeq: 70, lotsMade: 3, missing: 0, doubled: 0 });
    expect(folded.wallets.get('credits')).toEqual({
      remaining: 25,
      debt: 0,
      granted: 150n,
      spent: 115n,
      expired: 10n,
      converted: 0n,
      lots: new Map([
        [2, 20],
        [3, 5],
      ]),
    });
  });

  it('follows the plan of an account and its periods, and finds what cannot follow', () => {
    let remaining = 0;
    const grant = (accountSeq: number, note: object) => {
      remaining += 10;
      return line(accountSeq, {
        kind: 'plan_grant',
        granted: 10,
        lots: `[[${accountSeq},10]]`,
        remainingAfter: remaining,
        note: JSON.stringify(note),
      });
    };
    const change = (accountSeq: number, note: object) =>
      line(accountSeq, { kind: 'plan_change', unit: '', note: JSON.stringify(note) });
    const begun = [
      created,
      change(2, { plan: 'free', plan_event: 'changed' }),
      grant(3, { plan: 'free' }),
      grant(4, { plan: 'pro', from_ms: 50, to_ms: 80 }),
      change(5, { plan: 'free', plan_event: 'scheduled', from_ms: 80 }),
    ];
    const runs = fold(begun);
    expect(runs.found).toEqual([]);
    expect(runs.fold).toMatchObject({ plan: 'pro', periodStartMs: 50, periodEndMs: 80, lotsMade: 4 });

    const odd = [
      change(6, { plan: 'free', plan_event: 'changed' }),
      grant(7, { plan: 'free' }),
      grant(8, { plan: 'pro', from_ms: 40, to_ms: 90 }),
      change(9, { status: 'frozen' }),
    ];
    expect(fold([...begun, ...odd]).found.map(({ accountSeq, message }) => [accountSeq, message])).toEqual([
      [7, 'free credits are granted a second time'],
      [8, 'a period from 40 after one from 50'],
      [9, 'a plan in the note {"status":"frozen"}'],
    ]);
  });

  it('follows the agents of an account and their cycles, and finds what cannot follow', () => {
    const about = (accountSeq: number, kind: string, event: string, more: Partial<LedgerLine> = {}) =>
      line(accountSeq, {
        kind: `agent_${kind}`,
        agent: 'support',
        meter: '',
        note: JSON.stringify({ agent_event: event, tier: 'standard', from_ms: accountSeq, to_ms: 90 }),
        ...(kind === 'status' ? { unit: '' } : {}),
        ...more,
      });
    const cost = { spent: 30, lots: '[[1,-30]]', remainingAfter: 70 };
    const own = { granted: 5, lots: '[[2,5]]', remainingAfter: 75 };
    const lines = [
      created,
      granted,
      about(3, 'unlock', 'unlocked', cost),
      about(4, 'grant', 'unlocked', own),
      about(5, 'status', 'unpaid'),
      about(6, 'status', 'suspended'),
    ];
    const runs = fold(lines);
    expect(runs.found).toEqual([]);
    expect([...runs.fold.agents.values()]).toEqual([
      { id: 'support', tier: 'standard', state: 'suspended', fromMs: 6, toMs: 90 },
    ]);
    expect(runs.fold.lotsMade).toBe(2);
    const more = fold([
      ...lines,
      about(7, 'unlock', 'unlocked', { remainingAfter: 75 }),
      about(8, 'status', 'removed'),
      about(9, 'renewal', 'renewed', { remainingAfter: 75 }),
      about(10, 'status', 'renewed'),
      about(11, 'grant', 'unlocked', { ...own, debt: -5, lots: '[]' }),
    ]);
    expect(more.found.map(({ accountSeq, message }) => [accountSeq, message])).toEqual([
      [7, 'agent support is unlocked'],
      [9, 'agent support is renewed'],
      [10, expect.stringMatching(/^an agent in the note .*"renewed"/)],
      [11, 'a line of kind agent_grant with debt -5'],
      [11, 'agent support is unlocked'],
      [11, expect.stringContaining('debt after is 0')],
    ]);
    expect([...more.fold.agents]).toEqual([]);
  });

  it('follows the status of an account, corrections and lots that a call expired', () => {
    const status = (accountSeq: number, name: string) =>
      line(accountSeq, { kind: 'account_status', unit: '', note: `{"status":"${name}"}` });
    const corrected = [
      created,
      granted,
      status(3, 'frozen'),
      line(4, {
        kind: 'rerate',
        spent: 120,
        debt: 20,
        lots: '[[1,-100]]',
        debtAfter: 20,
        flags: 'overdrawn,frozen',
      }),
      line(5, { kind: 'reversal', spent: -120, debt: -20, lots: '[[1,100]]', remainingAfter: 100 }),
      line(6, { kind: 'expire_lot', expired: 100, lots: '[[1,-100]]' }),
      status(7, 'closed'),
    ];
    const { fold: folded, found } = fold(corrected);
    expect(found).toEqual([]);
    expect(folded).toMatchObject({ status: 3, lotsMade: 1 });
    expect(folded.wallets.get('credits')).toMatchObject({ remaining: 0, debt: 0, spent: 0n, expired: 100n });
    const says = (note: string | null) =>
      fold([created, status(2, 'frozen'), { ...status(3, ''), note }]).found.map(({ message }) => message);
    expect(says('{"status":"frozen"}')).toEqual(['status 2 again']);
    expect(says('{"status":"gone"}')).toEqual(['a status in the note {"status":"gone"}']);
    expect(says(null)).toEqual(['a status in the note null']);
  });

  it('keeps totals exact beyond 2^53', () => {
    const lines = [created];
    for (let i = 0; i < 4; i++) {
      const lot = i + 1;
      lines.push(
        line(2 * i + 2, { kind: 'grant', granted: MAX, lots: `[[${lot},${MAX}]]`, remainingAfter: MAX }),
      );
      lines.push(line(2 * i + 3, { spent: MAX, lots: `[[${lot},-${MAX}]]` }));
    }
    const { fold: folded, found } = fold(lines);
    expect(found).toEqual([]);
    expect(folded.wallets.get('credits')?.spent).toBe(4n * BigInt(MAX));
    expect(folded.wallets.get('credits')?.lots.size).toBe(0);
  });

  it('finds missing lines, counts them, and goes on from the line after', () => {
    const { fold: folded, found } = fold(
      life.filter(({ accountSeq }) => accountSeq !== 3 && accountSeq !== 4),
    );
    expect(found.map(({ accountSeq, message }) => [accountSeq, message])).toEqual([
      [5, 'lines 3 to 4 missing before this line'],
    ]);
    expect(folded.missing).toBe(2);
  });

  it('finds a number that is there twice', () => {
    const { fold: folded, found } = fold([...life.slice(0, 3), { ...spent, seq: 31 }]);
    expect(found.map(({ message }) => message)).toContain('a second line of number 3');
    expect(folded.doubled).toBe(1);
  });

  it.each<[what: string, accountSeq: number, change: Partial<LedgerLine>, says: string[]]>([
    [
      'a charge',
      3,
      { spent: 31 },
      [
        'conservation 3: granted 0 + debt 0 is not change of remaining -30 + spent 31 + expired 0 + converted 0',
      ],
    ],
    [
      'a balance',
      3,
      { remainingAfter: 71 },
      [
        'conservation 3: remaining after is 71, 100 before and a change of -30',
        'conservation 4: remaining after is 0, 71 before and a change of -70',
      ],
    ],
    [
      'a debt',
      4,
      { debtAfter: 21 },
      [
        'conservation 4: debt after is 21, 0 before and a change of 20',
        'conservation 5: debt after is 0, 21 before and a change of -20',
      ],
    ],
    ['what is held', 3, { heldAfter: 71 }, ['line 3: held after is 71, remaining 70']],
    ['a lot that cannot give', 3, { lots: '[[9,-30]]' }, ['conservation 3: lot 9 is drawn to -30']],
    [
      'lots that are none',
      3,
      { lots: '{}' },
      [
        'line 3: lots are {}',
        'conservation 3: granted 0 + debt 0 is not change of remaining 0 + spent 30 + expired 0 + converted 0',
        'conservation 3: remaining after is 70, 100 before and a change of 0',
      ],
    ],
    ['a kind', 3, { kind: 'gift' }, ['line 3: unknown kind gift']],
    ['a kind that may not spend', 3, { kind: 'release' }, ['line 3: a line of kind release with spent 30']],
    [
      'a sign',
      5,
      { kind: 'usage' },
      ['line 5: a line of kind usage with granted 50', 'line 5: a line of kind usage with debt -20'],
    ],
    ['a flag', 4, { flags: '' }, ["line 4: debt 20 with flags ''"]],
    [
      'the first line',
      1,
      { kind: 'release', unit: 'credits' },
      ['line 1: the first line does not create the account'],
    ],
    [
      'a second creation',
      3,
      { kind: 'account_created', unit: '', spent: 0 },
      ['line 3: created again', 'conservation 4: remaining after is 0, 100 before and a change of -70'],
    ],
    ['a partition', 7, { partition: 1 }, ['line 7: partition 1 after 0']],
    ['a seq', 7, { seq: 60 }, ['line 7: seq 60 after 60']],
  ])('finds a change of %s', (_, accountSeq, change, says) => {
    expect(withChange(accountSeq, change)).toEqual(says);
  });

  it('finds any change of any amount of any line', () => {
    const columns = [
      'granted',
      'spent',
      'expired',
      'converted',
      'debt',
      'remainingAfter',
      'debtAfter',
    ] as const;
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 7 }),
        fc.constantFrom(...columns),
        fc.integer({ min: -1_000, max: 1_000 }).filter((change) => change !== 0),
        (accountSeq, column, change) => {
          const before = life[accountSeq - 1] as LedgerLine;
          const found = withChange(accountSeq, { [column]: before[column] + change });
          expect(found.some((text) => text.startsWith(`conservation ${accountSeq}:`))).toBe(true);
        },
      ),
    );
  });
});
