/** Usage that one lot paid in full is journaled in runs, from which readers count: whatever stands between must end them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { START_MS } from '../oracle/generators.js';
import type { Op, Unit } from '../oracle/model.js';
import { ComparedPartition } from './compared-partition.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const ACCOUNTS = ['a', 'b', 'c'];
const EXPIRES_MS = START_MS + 100;

const grant = (account: string, id: string, amount: bigint, unit: Unit, expiresAtMs?: number): Op => ({
  kind: 'grant',
  account,
  id,
  payload: 'p',
  unit,
  amount,
  expiresAtMs,
});

/** Each account has credits that stay and that expire, and characters. */
const BEGINNING: Op[] = ACCOUNTS.flatMap((account): Op[] => [
  { kind: 'create', account, id: 'create', payload: 'p' },
  grant(account, 'stays', 60n, 'credits'),
  grant(account, 'expires', 40n, 'credits', EXPIRES_MS),
  grant(account, 'characters', 12n, 'tts_characters'),
]);

/** From nothing to all that a lot has; in either unit; now and then an id for the second time. */
const event = fc.record({
  account: fc.constantFrom(...ACCOUNTS),
  credits: fc.oneof(
    { arbitrary: fc.bigInt(1n, 4n), weight: 8 },
    { arbitrary: fc.constantFrom(0n, 39n, 40n), weight: 1 },
  ),
  characters: fc.oneof(
    { arbitrary: fc.constant(null), weight: 3 },
    { arbitrary: fc.bigInt(1n, 5n), weight: 1 },
  ),
  repeats: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
});

it('batches of usage by several accounts are journaled as the oracle books them, whatever comes between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(event, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 3 }),
      async (batches) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        await compared.batch(BEGINNING, START_MS);
        let made = 0;
        for (const [number, events] of batches.entries()) {
          const ops = events.map(({ account, credits, characters, repeats }): Op => {
            if (!repeats) made += 1;
            const prices = [{ unit: 'credits' as Unit, amount: credits }];
            if (characters !== null) prices.unshift({ unit: 'tts_characters', amount: characters });
            return { kind: 'usage', account, id: `u${made}`, payload: 'p', prices };
          });
          // What expires is taken by the first event of each account in the second batch.
          await compared.batch(ops, number === 0 ? START_MS : EXPIRES_MS);
        }
      },
    ),
    { numRuns: 150 },
  );
});

it('a run goes on over accounts, and ends where a lot expires, another lot pays, or a line stands between', async () => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  await compared.batch(BEGINNING, START_MS);
  let made = 0;
  const usage = (account: string, amount: bigint, characters?: bigint): Op => {
    made += 1;
    const prices = [{ unit: 'credits' as Unit, amount }];
    if (characters !== undefined) prices.unshift({ unit: 'tts_characters', amount: characters });
    return { kind: 'usage', account, id: `u${made}`, payload: 'p', prices };
  };
  const ops = [
    usage('a', 1n),
    usage('a', 2n, 1n),
    usage('a', 3n),
    usage('b', 1n),
    usage('a', 0n),
    usage('a', 1n),
    usage('c', 58n),
    usage('c', 2n),
    usage('a', 1n),
    usage('b', 1n),
  ];
  const results = await compared.batch(ops, EXPIRES_MS);
  expect(results.map(({ verdict }) => verdict)).toEqual(ops.map(() => 'done'));
  const lines = compared.world.ledger.filter(({ id }) => id === undefined || id.startsWith('u'));
  expect(lines.map(({ account, kind }) => `${account} ${kind}`)).toEqual([
    'a lot_expired',
    'a usage',
    'a usage',
    'a usage',
    'b lot_expired',
    'b usage',
    'a usage',
    'a usage',
    'c lot_expired',
    'c usage',
    'c usage',
    'a usage',
    'b usage',
  ]);
});
