import { expect, it } from 'vitest';
import { type Outcome, problemsOf } from '../../src/demo/outcome.js';
import { Tally } from '../../src/demo/tally.js';
import { readWorkload } from '../../src/demo/workload.js';
import type { VerifyReport } from '../../src/verify/index.js';

const workload = readWorkload({ trace: undefined, sentences: undefined }, 1);
const population = { accountIds: ['a', 'b'], scarceIds: ['b'], unknownIds: ['x'], grants: 3 };

/** Two accounts, three grants, ten events of which eight are applied, two settles and a release: 16 lines. */
function sound(
  change: (tally: Tally) => void = () => undefined,
  report: Partial<VerifyReport> = {},
): Outcome {
  const tally = new Tally();
  Object.assign(tally.events, { sent: 10, applied: 8, denied: 1, duplicate: 1 });
  tally.durableEvents = 8;
  Object.assign(tally.reservations, { made: 3, denied: 4, settled: 2, released: 1 });
  Object.assign(tally.charged, { credits: 900, tts_characters: 50 });
  change(tally);
  return {
    workload,
    population,
    tally,
    passes: 1,
    loadSeconds: 1,
    appliedSeconds: 1,
    durableSeconds: 1,
    spent: new Map([
      ['credits', 900n],
      ['tts_characters', 50n],
    ]),
    report: {
      clean: true,
      accounts: 2,
      lines: 16,
      flushes: 1,
      holds: 0,
      comparedWithRedis: 2,
      moving: 0,
      driftMicros: 0n,
      missing: 0,
      doubled: 0,
      setAsideRecords: 0,
      parts: [],
      problemsTotal: 0,
      problems: [],
      ...report,
    },
  };
}

it('a demo that adds up has no problems', () => {
  expect(problemsOf(sound())).toEqual([]);
});

it.each<[what: string, change: (tally: Tally) => void]>([
  ['events sent, and answered: 11 and 10', (tally) => tally.events.sent++],
  ['events applied, and durable: 8 and 7', (tally) => tally.durableEvents--],
  ['reservations allowed, and ended: 4 and 3', (tally) => tally.reservations.made++],
  ['lines of the ledger, and what callers did: 16 and 17', (tally) => tally.reservations.settled++],
  [
    'credits charged as callers were told, and in the ledger: 901 and 900',
    (tally) => tally.charged.credits++,
  ],
])('says what does not: %s', (what, change) => {
  expect(problemsOf(sound(change))).toContain(`${what} should be the same`);
});

it('says what verification found, and that accounts were still moving', () => {
  const problem = {
    account: 'a',
    accountSeq: 3,
    partition: 1,
    epoch: 1,
    seq: 9,
    message: 'the sum is wrong',
  };
  const found = sound(undefined, { clean: false, problems: [{ check: 'accounts', ...problem }] } as never);
  expect(problemsOf(found)).toEqual([
    expect.stringMatching(/^verify: .*account a .*seq 9: the sum is wrong$/),
  ]);
  expect(problemsOf(sound(undefined, { clean: false }))).toEqual(['verify: not clean']);
  expect(problemsOf(sound(undefined, { moving: 2 }))).toEqual([
    'verify: 2 accounts were still ahead of Postgres',
  ]);
});
