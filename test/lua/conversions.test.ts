/** Credits into allowances, by a call and by a charge: the scripts against the oracle, and what no sequence of calls may do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { availableOf } from '../oracle/account.js';
import { batches, resolve, START_MS } from '../oracle/generators.js';
import type { Op, Outcome, Price } from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition } from './compared-partition.js';
import * as operations from './operations.js';
import { account, convert, create, grant, release } from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const CREDIT = 1_000_000n;
/** 100 characters a block of one credit. */
const speech = (characters: bigint): Price[] => [
  { unit: 'tts_characters', amount: characters },
  { unit: 'credits', amount: 0n, blocks: { units: 100n, micros: CREDIT, priority: 30 } },
];
const usage = (id: string, characters: bigint, prices = speech(characters)): Op =>
  operations.usage(id, prices);
const reserve = (hold: string, characters: bigint, prices = speech(characters)): Op =>
  operations.reserve(hold, prices);
const settle = (hold: string, characters: bigint, prices = speech(characters)): Op =>
  operations.settle(hold, prices);

/** Plays operations one a batch and all in one, and returns the outcomes and the world. */
async function play(ops: readonly Op[]): Promise<{ outcomes: (Outcome | undefined)[]; world: World }> {
  const together = await ComparedPartition.open(scripts, START_MS);
  await together.batch(ops, START_MS);
  const apart = await ComparedPartition.open(scripts, START_MS);
  const outcomes = [];
  for (const op of ops) {
    const [result] = await apart.batch([op], START_MS);
    outcomes.push(result && 'outcome' in result ? result.outcome : undefined);
  }
  expect(apart.world.accounts).toEqual(together.world.accounts);
  return { outcomes, world: apart.world };
}

function balances(world: World): Record<string, [available: bigint, debt: bigint]> {
  const { wallets } = accountOf(world, account);
  return Object.fromEntries(
    (['credits', 'tts_characters'] as const).map((unit) => [
      unit,
      [availableOf(wallets[unit], world.nowMs), wallets[unit].debt],
    ]),
  );
}

const kinds = (world: World): string[] =>
  world.ledger.map(({ kind }) => kind).filter((kind) => !['account_created', 'grant'].includes(kind));

describe('characters beyond the allowance', () => {
  it('hold enough whole blocks for all of them, and convert what is missing at the settle', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', 5n * CREDIT),
      grant('g2', 30n, 'tts_characters'),
      reserve('h', 250n),
      settle('h', 180n),
    ]);
    expect(outcomes[3]).toMatchObject({ unit: 'credits', held: 3n * CREDIT, available: 2n * CREDIT });
    expect(outcomes[4]).toMatchObject({
      unit: 'tts_characters',
      charged: 180n,
      overdrawn: 0n,
      released: CREDIT,
      converted: 2n * CREDIT,
      available: 50n,
      flags: ['converted'],
    });
    expect(balances(world)).toEqual({ credits: [3n * CREDIT, 0n], tts_characters: [50n, 0n] });
    expect(kinds(world)).toEqual(['conversion', 'conversion_grant', 'settle']);
    const lots = accountOf(world, account).wallets.tts_characters.lots;
    expect(lots).toMatchObject([{ source: 'conversion', priority: 30, remaining: 50n }]);
  });

  it('convert nothing where the allowance has enough by the settle, and give the whole hold back', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', 5n * CREDIT),
      reserve('h', 250n),
      grant('g2', 200n, 'tts_characters'),
      settle('h', 180n),
    ]);
    expect(outcomes[4]).toMatchObject({ charged: 180n, converted: 0n, released: 3n * CREDIT });
    expect(balances(world)).toEqual({ credits: [5n * CREDIT, 0n], tts_characters: [20n, 0n] });
    expect(kinds(world)).toEqual(['conversion', 'settle']);
  });

  it('convert nothing when the hold is released, or expires', async () => {
    const { world } = await play([create(), grant('g1', 5n * CREDIT), reserve('h', 250n), release('h')]);
    expect(kinds(world)).toEqual(['release']);
    const late = await ComparedPartition.open(scripts, START_MS);
    await late.batch([create(), grant('g1', 5n * CREDIT), reserve('h', 250n)], START_MS);
    await late.batch([{ kind: 'expireHold', account, hold: 'h' }], START_MS + 1_000);
    expect(kinds(late.world)).toEqual(['hold_expired']);
    // A late settle converts from what is available.
    const [settled] = await late.batch([settle('h', 150n)], START_MS + 1_000);
    expect(settled).toMatchObject({
      outcome: { charged: 150n, converted: 2n * CREDIT, flags: ['late', 'converted'] },
    });
    expect(balances(late.world)).toEqual({ credits: [3n * CREDIT, 0n], tts_characters: [50n, 0n] });
  });

  it('beyond the hold take available credits, whole blocks of them, then become debt of characters', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', (5n * CREDIT) / 2n),
      reserve('h', 100n),
      settle('h', 320n),
      grant('g2', 5n * CREDIT),
      usage('u', 10n),
    ]);
    expect(outcomes[3]).toMatchObject({
      charged: 320n,
      overdrawn: 120n,
      converted: 2n * CREDIT,
      released: 0n,
      flags: ['over_hold', 'overdrawn', 'converted'],
    });
    // The next conversion pays the debt first: 130 characters are lacking.
    expect(outcomes[5]).toMatchObject({
      charged: 10n,
      overdrawn: 0n,
      converted: 2n * CREDIT,
      available: 70n,
    });
    expect(balances(world)).toEqual({ credits: [(7n * CREDIT) / 2n, 0n], tts_characters: [70n, 0n] });
  });

  it('of usage and of unknown holds convert too, as far as credits go; what an allowance covers converts nothing', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', 2n * CREDIT),
      usage('first', 30n),
      settle('unknown', 80n),
      usage('covered', 90n),
      usage('broke', 7n),
      usage('more', 7n),
    ]);
    expect(outcomes.slice(2)).toMatchObject([
      { charged: 30n, converted: CREDIT, available: 70n },
      { charged: 80n, converted: CREDIT, available: 90n, flags: ['hold_unknown', 'converted'] },
      { charged: 90n, available: 0n, flags: [] },
      { charged: 7n, overdrawn: 7n, flags: ['overdrawn'] },
      { charged: 7n, overdrawn: 7n, flags: ['overdrawn'] },
    ]);
    expect(balances(world)).toEqual({ credits: [0n, 0n], tts_characters: [0n, 14n] });
  });

  it('beyond a hold of characters convert what the hold and the allowance lack', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', 5n * CREDIT),
      grant('g2', 60n, 'tts_characters'),
      reserve('h', 50n),
      settle('h', 151n),
    ]);
    expect(outcomes[3]).toMatchObject({ unit: 'tts_characters', held: 50n });
    expect(outcomes[4]).toMatchObject({
      charged: 151n,
      overdrawn: 0n,
      converted: CREDIT,
      flags: ['over_hold', 'converted'],
    });
    expect(balances(world)).toEqual({ credits: [4n * CREDIT, 0n], tts_characters: [9n, 0n] });
  });

  it('are not over a hold of as many blocks as they need', async () => {
    const { outcomes } = await play([
      create(),
      grant('g1', 5n * CREDIT),
      reserve('h', 200n),
      settle('h', 200n),
    ]);
    expect(outcomes.at(-1)).toMatchObject({ converted: 2n * CREDIT, released: 0n, flags: ['converted'] });
  });

  it('convert nothing where as many are available, whatever debt there is beside them', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', 60n, 'tts_characters'),
      reserve('x', 60n, [{ unit: 'tts_characters', amount: 60n }]),
      usage('u', 10n, [{ unit: 'tts_characters', amount: 10n }]),
      grant('g2', 5n * CREDIT),
      reserve('h', 60n),
      release('x'),
      settle('h', 60n),
    ]);
    expect(outcomes.at(-1)).toMatchObject({ charged: 60n, overdrawn: 0n, converted: 0n, released: CREDIT });
    expect(balances(world)).toEqual({ credits: [5n * CREDIT, 0n], tts_characters: [0n, 10n] });
  });

  it('are paid by the last credits that cover them before another wallet is asked', async () => {
    const prices = [...speech(100n), { unit: 'llm_messages' as const, amount: 1n }];
    const { outcomes } = await play([
      create(),
      grant('g1', CREDIT),
      grant('g2', 5n, 'llm_messages'),
      usage('u1', 100n, prices),
      usage('u2', 100n, prices),
    ]);
    expect(outcomes.slice(-2)).toMatchObject([
      { unit: 'tts_characters', charged: 100n, converted: CREDIT },
      { unit: 'llm_messages', charged: 1n },
    ]);
  });

  it('return to a lot of credits that expired meanwhile, and expire there', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch(
      [create(), grant('g1', 5n * CREDIT, 'credits', START_MS + 500), reserve('h', 250n)],
      START_MS,
    );
    await compared.batch([settle('h', 150n)], START_MS + 500);
    expect(kinds(compared.world)).toEqual([
      'lot_expired',
      'conversion',
      'conversion_grant',
      'settle',
      'lot_expired',
    ]);
    expect(balances(compared.world)).toEqual({ credits: [0n, 0n], tts_characters: [50n, 0n] });
  });

  it('are denied where credits do not cover the blocks, and nothing is held', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const ops = [create(), grant('g1', 2n * CREDIT), grant('g2', 90n, 'tts_characters'), reserve('h', 201n)];
    expect((await compared.batch(ops, START_MS)).at(-1)).toMatchObject({
      reason: 'INSUFFICIENT_BALANCE',
      shortfall: { unit: 'credits', available: 2n * CREDIT, missing: CREDIT },
    });
  });
});

describe('a call', () => {
  it('converts all that is available, and nothing where one micro-credit is missing', async () => {
    const { outcomes, world } = await play([
      create(),
      usage('u', 30n, [{ unit: 'tts_characters', amount: 30n }]),
      grant('g1', 5n * CREDIT),
      convert('k1', 500n, 5n * CREDIT + 1n),
      convert('k2', 500n, 5n * CREDIT),
      convert('k3', 1n, 1n),
    ]);
    expect(outcomes.map((outcome) => outcome?.of)).toEqual([
      'create',
      'usage',
      'grant',
      undefined,
      'convert',
      undefined,
    ]);
    expect(balances(world)).toEqual({ credits: [0n, 0n], tts_characters: [470n, 0n] });
  });
});

describe('messages', () => {
  const messages = (count: bigint, micros: bigint): Price[] => [
    { unit: 'llm_messages', amount: count },
    { unit: 'credits', amount: micros },
  ];

  it('pay for a hold to its end: a longer answer takes further messages, then debt of messages, never credits', async () => {
    const { outcomes, world } = await play([
      create(),
      grant('g1', 10n, 'llm_messages'),
      grant('g2', 1_000n),
      reserve('h', 0n, messages(3n, 30n)),
      { kind: 'extend', account, id: 'x', hold: 'h', payload: 'p', addAmount: 2n, holdTimeMs: 0 },
      settle('h', 0n, messages(12n, 120n)),
    ]);
    expect(outcomes.slice(3)).toMatchObject([
      { unit: 'llm_messages', held: 3n },
      { unit: 'llm_messages', held: 5n, available: 5n },
      { unit: 'llm_messages', charged: 12n, overdrawn: 2n, flags: ['over_hold', 'overdrawn'] },
    ]);
    expect(balances(world).credits).toEqual([1_000n, 0n]);
  });

  it('settle a hold of theirs with nothing where the answer weighs nothing; without the hold another wallet pays', async () => {
    const { outcomes } = await play([
      create(),
      grant('g1', 10n, 'llm_messages'),
      grant('g2', 1_000n),
      reserve('h', 0n, messages(3n, 30n)),
      settle('h', 0n, messages(0n, 20n)),
      settle('unknown', 0n, messages(0n, 20n)),
    ]);
    expect(outcomes.slice(4)).toMatchObject([
      { unit: 'llm_messages', charged: 0n, released: 3n },
      { unit: 'credits', charged: 20n, flags: ['hold_unknown'] },
    ]);
  });

  it('pay all of an event or nothing of it', async () => {
    const { outcomes } = await play([
      create(),
      grant('g1', 2n, 'llm_messages'),
      grant('g2', 1_000n),
      usage('three', 0n, messages(3n, 30n)),
      usage('two', 0n, messages(2n, 20n)),
    ]);
    expect(outcomes.slice(3)).toMatchObject([
      { unit: 'credits', charged: 30n, available: 970n },
      { unit: 'llm_messages', charged: 2n, available: 0n },
    ]);
  });
});

describe('no sequence of calls', () => {
  it('converts more credits than were available or held for it, or brings more than they buy', async () => {
    let conversions = 0;
    await fc.assert(
      fc.asyncProperty(batches({ batchesMax: 20, opsPerBatchMax: 6 }), async (sequence) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        for (const { nowMs, ops } of sequence) {
          for (const planned of ops) {
            const op = resolve(planned, compared.world);
            if (op === undefined) continue;
            const lines = compared.world.ledger.length;
            const before = accountOf(compared.world, op.account);
            await compared.batch([op], nowMs);
            const booked = compared.world.ledger.slice(lines);
            const away = booked.find(({ kind }) => kind === 'conversion');
            if (away === undefined) continue;
            conversions += 1;
            expect(away.debt).toBe(0n);
            // Of holds that ended with this call, by it or by their deadlines.
            const open = accountOf(compared.world, op.account).holds;
            const ofHolds = [...before.holds]
              .filter(([id, { unit }]) => unit === 'credits' && !open.has(id))
              .reduce((sum, [, { amount }]) => sum + amount, 0n);
            // A session's deadline converts what was there at its time, whoever looks and however late.
            const available = availableOf(before.wallets.credits, away.dueMs);
            // A period that was stored may begin with this very call.
            const due = booked.filter(({ kind }) => kind === 'plan_grant');
            const granted = due.reduce((sum, entry) => sum + entry.granted, 0n);
            expect(away.converted <= available + ofHolds + granted).toBe(true);
            const brought = booked.find(({ kind }) => kind === 'conversion_grant')?.granted ?? 0n;
            const prices = 'prices' in op ? op.prices : [];
            const next = booked
              .slice(booked.indexOf(away))
              .find(({ kind }) => !kind.startsWith('conversion'));
            const byItself =
              next?.kind === 'session_expired' ? before.holds.get(next.id as string)?.terms : undefined;
            const blocks = byItself ?? prices.find((price) => price.blocks)?.blocks;
            const bought =
              op.kind === 'convert' && !byItself
                ? op.units
                : blocks && (away.converted / blocks.micros) * blocks.units;
            expect(brought).toBe(bought);
          }
        }
      }),
      { numRuns: 120 },
    );
    expect(conversions).toBeGreaterThan(10);
  });
});
