/** Nearly every session is opened and settled in a short way: at its borders, and beside what is judged at length, it must come to the same. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { START_MS } from '../oracle/generators.js';
import type { Op, Unit } from '../oracle/model.js';
import { ComparedPartition } from './compared-partition.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const ACCOUNTS = ['a', 'b'];
/** The lot that expires burns first; a hold of a session ends before it, at it and after it. */
const EXPIRES_MS = START_MS + 100;
const LIVES_MS = [60, 100, 1_000];

const grant = (account: string, id: string, amount: bigint, unit: Unit, expiresAtMs?: number): Op => ({
  kind: 'grant',
  account,
  id,
  payload: 'p',
  unit,
  amount,
  expiresAtMs,
});

/** Messages for a few sessions, credits that expire and that stay: amounts at which a lot has as much as is wanted, one more, and one less. */
const BEGINNING: Op[] = ACCOUNTS.flatMap((account): Op[] => [
  { kind: 'create', account, id: 'create', payload: 'p' },
  grant(account, 'messages', 3n, 'llm_messages'),
  grant(account, 'expires', 40n, 'credits', EXPIRES_MS),
  grant(account, 'stays', 60n, 'credits'),
]);

const session = fc.constantFrom('s1', 's2', 's3', 's4');
const amount = fc.oneof(
  { arbitrary: fc.bigInt(1n, 12n), weight: 5 },
  { arbitrary: fc.constantFrom(0n, 39n, 40n, 41n), weight: 1 },
);
const opening = fc
  .record({
    account: fc.constantFrom(...ACCOUNTS),
    session,
    least: amount,
    more: fc.bigInt(0n, 9n),
    inMessages: fc.boolean(),
    holdTimeMs: fc.constantFrom(...LIVES_MS),
    payload: fc.constantFrom('p', 'p', 'p', 'other'),
  })
  .map(({ account, session: hold, least, more, inMessages, holdTimeMs, payload }): Op => {
    const offers = [{ unit: 'credits' as Unit, charge: least, least, wanted: least + more }];
    if (inMessages) offers.unshift({ unit: 'llm_messages', charge: 1n, least: 1n, wanted: 1n });
    return {
      kind: 'openSession',
      account,
      hold,
      payload,
      offers,
      holdTimeMs,
      catalogVersion: 1,
      quantities: '{"input_tokens":1}',
    };
  });
const settling = fc
  .record({
    account: fc.constantFrom(...ACCOUNTS),
    session,
    amount,
    messages: fc.constantFrom(0n, 1n, 1n, 2n),
    pricedWith: fc.constantFrom(0, 1, 1, 1, 2),
    generation: fc.constantFrom(undefined, 1, 2),
  })
  .map(
    ({ account, session: hold, amount: credits, messages, pricedWith, generation }): Op => ({
      kind: 'settle',
      account,
      hold,
      payload: `settle ${credits} ${messages}`,
      prices: [
        { unit: 'llm_messages', amount: messages },
        { unit: 'credits', amount: credits },
      ],
      pricedWith,
      generation,
    }),
  );
const other = fc
  .record({ account: fc.constantFrom(...ACCOUNTS), session, which: fc.nat(3) })
  .map(({ account, session: hold, which }): Op => {
    if (which === 0) return { kind: 'release', account, hold };
    if (which === 1) return { kind: 'expireHold', account, hold };
    if (which === 2) return grant(account, `g-${hold}`, 7n, 'credits');
    return {
      kind: 'checkpoint',
      account,
      hold,
      generation: 1,
      charge: 2n,
      quantities: '{}',
      holdTimeMs: 0,
      growLeast: 1n,
      growWanted: 5n,
    };
  });
const frozen = fc
  .record({
    account: fc.constantFrom(...ACCOUNTS),
    id: fc.uuid(),
    call: fc.constantFrom('freeze' as const, 'unfreeze' as const),
  })
  .map(({ account, id, call }): Op => ({ kind: 'setStatus', account, id, payload: 'p', call }));
const operation = fc.oneof(
  { arbitrary: opening, weight: 10 },
  { arbitrary: settling, weight: 10 },
  { arbitrary: other, weight: 3 },
  { arbitrary: frozen, weight: 1 },
);

it('batches of sessions are opened and settled as the oracle says, whatever stands beside them', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          ops: fc.array(operation, { minLength: 1, maxLength: 14 }),
          laterMs: fc.constantFrom(0, 1, 60, 100),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      async (batches) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        await compared.batch(BEGINNING, START_MS);
        let nowMs = START_MS;
        for (const { ops, laterMs } of batches) {
          nowMs += laterMs;
          const results = await compared.batch(ops, nowMs);
          for (const [i, { verdict }] of results.entries()) seen.add(`${ops[i]?.kind} ${verdict}`);
        }
      },
    ),
    { numRuns: 150 },
  );
  const reached = [
    'openSession done',
    'openSession denied',
    'openSession ended',
    'openSession conflict',
    'settle done',
    'settle duplicate',
  ];
  expect(reached.filter((words) => !seen.has(words))).toEqual([]);
});

const open = (hold: string, held: bigint): Op => ({
  kind: 'openSession',
  account: 'a',
  hold,
  payload: 'p',
  offers: [{ unit: 'credits', charge: 0n, least: held, wanted: held }],
  holdTimeMs: 1_000,
  catalogVersion: 1,
  quantities: '{}',
});
const settle = (hold: string, amount: bigint): Op => ({
  kind: 'settle',
  account: 'a',
  hold,
  payload: 'p',
  prices: [{ unit: 'credits', amount }],
  pricedWith: 1,
});

it('a session that is settled beside debt, where its lot has room again, comes to what the oracle says', async () => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  await compared.batch([...BEGINNING, open('s', 10n), open('room', 30n), open('rest', 60n)], START_MS);
  const beyond: Op = {
    kind: 'usage',
    account: 'a',
    id: 'u',
    payload: 'p',
    prices: [{ unit: 'credits', amount: 5n }],
  };
  expect(await compared.batch([beyond], START_MS)).toMatchObject([{ outcome: { overdrawn: 5n } }]);
  await compared.batch([settle('room', 1n)], START_MS);
  expect(await compared.batch([settle('s', 7n)], START_MS)).toMatchObject([{ outcome: { charged: 7n } }]);
  expect(await compared.batch([open('again', 3n)], START_MS)).toMatchObject([{ verdict: 'done' }]);
});

it.each<[string, Op[], number]>([
  ['took all that its lot had, whose time was reached', [open('s', 40n)], EXPIRES_MS],
  ['took all but one of a lot whose time was reached', [open('s', 39n)], EXPIRES_MS],
  ['is settled at the time of its deadline', [open('s', 10n)], START_MS + 1_000],
  [
    'is held in two lots, of which the first has room again',
    [open('first', 39n), open('s', 30n), settle('first', 5n)],
    START_MS,
  ],
  [
    'is held in a lot that no longer burns first',
    [open('s', 10n), grant('a', 'sooner', 20n, 'credits', EXPIRES_MS - 1)],
    START_MS,
  ],
])('a session that %s comes to what the oracle says', async (_, before, nowMs) => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  await compared.batch([...BEGINNING, ...before], START_MS);
  expect(await compared.batch([settle('s', 7n)], nowMs)).toMatchObject([
    { verdict: 'done', outcome: { charged: 7n } },
  ]);
});
