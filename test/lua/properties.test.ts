import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batches, type Planned, resolve, START_MS } from '../oracle/generators.js';
import { conservation } from '../oracle/ledger.js';
import { AMOUNT_MAX, type Op } from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition } from './compared-partition.js';
import { account, create, extend, grant, release, reserve, settle, usage } from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

/** Reversals find their charges in earlier batches: those of the same batch are not known when it is sent. */
function resolveAll(ops: readonly Planned[], world: World): Op[] {
  return ops.map((op) => resolve(op, world)).filter((op) => op !== undefined);
}

describe('the scripts do what the oracle says', () => {
  it('for random batches: results, states, holds, ids, deadlines and journal', async () => {
    await fc.assert(
      fc.asyncProperty(batches(), async (sequence) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        for (const { nowMs, ops } of sequence) await compared.batch(resolveAll(ops, compared.world), nowMs);
        const { accounts, ledger } = compared.world;
        for (const [name, state] of accounts) {
          expect(
            conservation(
              ledger.filter((entry) => entry.account === name),
              state,
            ),
          ).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('for amounts at the limit, one operation a batch and all in one batch', async () => {
    const verdicts: [Op, string][] = [
      [create(), 'done'],
      [grant('g1', AMOUNT_MAX), 'done'],
      [grant('g2', 1n), 'refused'],
      [reserve('h1', AMOUNT_MAX), 'done'],
      [extend('x1', 'h1', 1n), 'denied'],
      [extend('x1', 'h1', AMOUNT_MAX), 'denied'],
      [reserve('h2', 1n), 'denied'],
      [settle('h1', AMOUNT_MAX), 'done'],
      [usage('u1', AMOUNT_MAX), 'done'],
      [usage('u2', 1n), 'refused'],
      [settle('h3', 1n), 'refused'],
      [usage('u3', 0n), 'done'],
      // Pays the whole debt with nothing left over, then one unit of debt less than the limit.
      [grant('g3', AMOUNT_MAX), 'done'],
      [grant('g4', 7n), 'done'],
      [reserve('h4', 7n), 'done'],
      [usage('u4', AMOUNT_MAX - 1n), 'done'],
      [settle('h4', 9n), 'refused'],
      [settle('h4', 8n), 'done'],
      [usage('u5', 1n), 'refused'],
      [grant('g5', AMOUNT_MAX - 1n), 'done'],
      [grant('g6', AMOUNT_MAX), 'done'],
      // 2^53-1 less the last unit of debt, in one lot; a settle past the hold draws the rest and stops at the limit.
      [reserve('h5', AMOUNT_MAX - 2n), 'done'],
      [extend('x2', 'h5', 1n), 'done'],
      [settle('h5', AMOUNT_MAX), 'done'],
      [grant('g7', 2n ** 52n), 'done'],
      [grant('g8', 2n ** 52n), 'done'],
      [reserve('h6', AMOUNT_MAX), 'done'],
      [release('h6'), 'done'],
      [usage('u6', AMOUNT_MAX - 1n), 'done'],
      [grant('g9', AMOUNT_MAX, 'tts_characters', START_MS + 10), 'done'],
    ];
    const ops = verdicts.map(([op]) => op);
    const expected = verdicts.map(([, verdict]) => verdict);

    const one = await ComparedPartition.open(scripts, START_MS);
    const results = [];
    for (const op of ops) results.push(...(await one.batch([op], START_MS)));
    expect(results.map((result) => result.verdict)).toEqual(expected);
    // The lot at the limit expires.
    await one.batch([{ kind: 'touch', account }], START_MS + 10);

    const all = await ComparedPartition.open(scripts, START_MS);
    expect((await all.batch(ops, START_MS)).map((result) => result.verdict)).toEqual(expected);
  });

  it.each([
    ['a release', release('h'), 1_000],
    ['a settle within the hold', settle('h', 5n), 1_000],
    ['a sweep', { kind: 'expireHold', account, hold: 'h' } as Op, 100],
  ])(
    'for %s of a hold with one lot twice, at the instant in which that lot expires',
    async (_, end, holdTimeMs) => {
      const compared = await ComparedPartition.open(scripts, START_MS);
      const later = START_MS + 100;
      // The second grant expires sooner, so the parts are lot 1, lot 2, lot 1.
      await compared.batch(
        [create(), grant('g1', 10n, 'credits', later), reserve('h', 4n, { holdTimeMs })],
        START_MS,
      );
      await compared.batch([grant('g2', 3n, 'credits', START_MS + 50), extend('x', 'h', 5n)], START_MS);
      await compared.batch([end], later);
      const expired = compared.world.ledger.filter((entry) => entry.kind === 'lot_expired');
      // What was not held expires by itself; then each lot once.
      expect(expired.map((entry) => entry.lots[0]?.lot)).toEqual(
        end.kind === 'settle' ? [1, 2, 1] : [1, 1, 2],
      );
    },
  );

  it('for usage that an allowance pays where there is enough of it, and credits where there is none, too little, or never was', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const either = (id: string): Op => ({
      ...(usage(id, 7n) as Extract<Op, { kind: 'usage' }>),
      prices: [
        { unit: 'tts_characters', amount: 5n },
        { unit: 'credits', amount: 7n },
      ],
    });
    await compared.batch([create(), grant('g1', 100n), either('never')], START_MS);
    await compared.batch([grant('g2', 12n, 'tts_characters'), either('enough'), either('again')], START_MS);
    await compared.batch([either('too little'), either('still')], START_MS);
    expect(
      compared.world.ledger.filter((entry) => entry.kind === 'usage').map((entry) => entry.unit),
    ).toEqual(['credits', 'tts_characters', 'tts_characters', 'credits', 'credits']);
  });

  it('for usage beside debt: what a hold gave back is drawn, and the debt stays', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create(), grant('g', 60n), reserve('h', 60n), usage('u1', 10n)], START_MS);
    const [, , second] = await compared.batch([release('h'), usage('u2', 5n), usage('u3', 5n)], START_MS);
    expect(second).toMatchObject({ outcome: { charged: 5n, overdrawn: 0n, available: 50n } });
    expect(accountOf(compared.world, account).wallets.credits.debt).toBe(10n);
  });

  it('for a clock that goes back after a change', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const later = START_MS + 100;
    await compared.batch([create(), grant('g1', 10n, 'credits', later), reserve('h', 4n)], START_MS);
    await compared.batch([usage('u1', 1n)], later);
    const past = [
      usage('u2', 2n),
      grant('g2', 5n, 'credits', START_MS + 90),
      extend('x', 'h', 0n),
      release('h'),
    ];
    const results = await compared.batch(past, START_MS + 50);
    expect(results.map((result) => result.verdict)).toEqual(['done', 'refused', 'done', 'done']);
    expect(compared.world.nowMs).toBe(later);
  });

  it('for a batch with more accounts, ids and holds than one command takes', async () => {
    const names = Array.from({ length: 3_100 }, (_, index) => `account-${index}`);
    const each = (make: (name: string, index: number) => Op[]): Op[] => names.flatMap(make);
    const compared = await ComparedPartition.open(scripts, START_MS);
    const first = each((name, index) => [
      { ...create(), account: name } as Op,
      { ...grant('g', 10n, 'credits', index % 2 === 0 ? START_MS + 5 : undefined), account: name } as Op,
      { ...reserve('h1', 4n), account: name } as Op,
      { ...reserve('h2', 4n), account: name } as Op,
    ]);
    const second = [
      ...each((name, index) => [
        { ...(index % 3 === 0 ? settle('h1', 5n) : release('h1')), account: name } as Op,
      ]),
      ...each((name) => [{ ...usage('u', 3n), account: name } as Op]),
    ];
    await compared.batch(first, START_MS);
    await compared.batch(second, START_MS + 5);
    await compared.batch(first, START_MS + 2_000);
  });
});
