/** Sessions: the scripts against the oracle, and what no sequence of openings, takeovers, checkpoints and endings may do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batches, resolve, START_MS } from '../oracle/generators.js';
import { conservation } from '../oracle/ledger.js';
import {
  AMOUNT_MAX,
  type Entry,
  type Op,
  type Price,
  type Result,
  type Tier,
  type Unit,
} from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition } from './compared-partition.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const account = 'a';
const CREDIT = 1_000_000n;
const HOLD_MS = 1_000;
const create: Op = { kind: 'create', account, id: 'r', payload: 'p' };
const grant = (id: string, amount: bigint, unit: Unit = 'credits'): Op => ({
  kind: 'grant',
  account,
  id,
  payload: 'p',
  unit,
  amount,
  expiresAtMs: undefined,
});
type Of<K extends Op['kind']> = Extract<Op, { kind: K }>;
const open = (hold: string, least: bigint, more: Partial<Of<'openSession'>> = {}): Op => ({
  kind: 'openSession',
  account,
  hold,
  payload: 'session',
  offers: [{ unit: 'credits', charge: 0n, least, wanted: least }],
  holdTimeMs: HOLD_MS,
  catalogVersion: 1,
  quantities: '{"input_tokens":1}',
  ...more,
});
const checkpoint = (hold: string, charge: bigint, more: Partial<Of<'checkpoint'>> = {}): Op => ({
  kind: 'checkpoint',
  account,
  hold,
  generation: 1,
  charge,
  quantities: `{"output_tokens":${charge}}`,
  holdTimeMs: 0,
  growLeast: 0n,
  growWanted: 0n,
  ...more,
});
const settle = (hold: string, amount: bigint, prices?: Price[]): Op => ({
  kind: 'settle',
  account,
  hold,
  payload: `settle ${amount}`,
  prices: prices ?? [{ unit: 'credits', amount }],
  pricedWith: 1,
});
const release = (hold: string, generation?: number): Op => ({ kind: 'release', account, hold, generation });
const sweep = (hold: string): Op => ({ kind: 'expireHold', account, hold });

/** What a session came to in a step, in words. */
function reached({ kind }: Op, result: Result, entries: readonly Entry[]): string[] {
  const words: string[] = [];
  if (kind === 'openSession' || kind === 'checkpoint') {
    const reason = 'reason' in result ? ` ${result.reason}` : '';
    words.push(`${kind} ${result.verdict}${reason}`);
    if (result.verdict === 'done' && result.outcome.of === 'session')
      words.push(result.outcome.tookOver ? 'taken over' : 'opened');
    if (result.verdict === 'done' && result.outcome.of === 'checkpoint') {
      if (result.outcome.grown > 0n) words.push('grown');
      if (result.outcome.refused) words.push(`not grown: ${result.outcome.refused}`);
    }
  }
  const ended = entries.findIndex((entry) => entry.kind === 'session_expired');
  const expired = entries[ended];
  if (expired) {
    for (const flag of expired.flags) words.push(`expired: ${flag}`);
    if (expired.spent > 0n) words.push('expired: charged');
    if (expired.lots.length > 1) words.push('expired: of several lots');
    if (entries[ended - 1]?.kind === 'conversion_grant') words.push('expired: converted');
    if (entries[ended + 1]?.kind === 'lot_expired')
      words.push('expired: gave back to a lot whose time had come');
  }
  for (const { before, spent, flags } of entries) {
    if (before) words.push(spent > 0n ? 'late: the rest' : 'late: nothing more');
    if (before && before.converted > 0n) words.push('late: of a session that converted');
    if (before && flags.includes('converted')) words.push('late: converted');
  }
  if (kind === 'settle' && result.verdict === 'stale') words.push('settle stale');
  if (kind === 'reversal' && result.verdict === 'stale') words.push('reversal: settled since');
  return words;
}

const MUST_BE_REACHED = [
  'openSession done',
  'opened',
  'taken over',
  'openSession ended',
  'openSession denied INSUFFICIENT_BALANCE',
  'openSession denied MODEL_UNRATED',
  'checkpoint done',
  'checkpoint stale',
  'checkpoint denied HOLD_UNKNOWN',
  'grown',
  'not grown: INSUFFICIENT_BALANCE',
  'expired: charged',
  'late: the rest',
];

describe('sessions', () => {
  it('come to what the oracle says, however they are opened, taken over, checkpointed and ended', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(batches({ sessions: true, accountsMax: 1 }), async (sequence) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        for (const { nowMs, ops } of sequence) {
          for (const planned of ops) {
            const op = resolve(planned, compared.world);
            if (op === undefined) continue;
            const lines = compared.world.ledger.length;
            const [result] = await compared.batch([op], nowMs);
            for (const word of reached(op, result as Result, compared.world.ledger.slice(lines)))
              seen.add(word);
          }
        }
        expectConserved(compared.world);
      }),
      { numRuns: 150 },
    );
    expect(MUST_BE_REACHED.filter((word) => !seen.has(word))).toEqual([]);
  });

  it('are charged the settle alone, whatever was opened, grown, taken over and checkpointed before', async () => {
    const step = fc.record({
      charge: fc.bigInt({ min: 0n, max: 900n }),
      growLeast: fc.bigInt({ min: 0n, max: 40n }),
      more: fc.bigInt({ min: 0n, max: 300n }),
      takesOver: fc.boolean(),
      stale: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.bigInt({ min: 0n, max: 3_000n }),
        async (steps, final) => {
          const compared = await ComparedPartition.open(scripts, START_MS);
          await compared.batch([create, grant('g1', 700n), grant('g2', 1_300n), open('s', 10n)], START_MS);
          let generation = 1;
          for (const { charge, growLeast, more, takesOver, stale } of steps) {
            const ops: Op[] = [];
            if (takesOver) {
              generation += 1;
              ops.push(open('s', 10n));
            }
            if (stale && generation > 1)
              ops.push(
                checkpoint('s', charge + 1n, { generation: generation - 1, growLeast: 1n, growWanted: 9n }),
              );
            ops.push(checkpoint('s', charge, { generation, growLeast, growWanted: growLeast + more }));
            await compared.batch(ops, START_MS);
          }
          await compared.batch([settle('s', final)], START_MS);
          const { wallets } = accountOf(compared.world, account);
          const remaining = wallets.credits.lots.reduce((sum, lot) => sum + lot.remaining - lot.held, 0n);
          expect(remaining - wallets.credits.debt).toBe(2_000n - final);
          expect(compared.world.ledger.filter(({ spent }) => spent > 0n).length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('share what is left by how many are open, opening for less, down to the last unit', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const ordinary: Op = {
      kind: 'reserve',
      account,
      hold: 'ordinary',
      payload: 'p',
      prices: [{ unit: 'credits', amount: 1n }],
      holdTimeMs: HOLD_MS,
      catalogVersion: 1,
    };
    await compared.batch([create, grant('g', 10_001n), ordinary], START_MS);
    let left = 10_000n;
    const takes = async (op: Op, least: bigint, parts: bigint) => {
      const [result] = await compared.batch([op], START_MS);
      left -= least + (left - least) / parts;
      expect(result).toMatchObject({ verdict: 'done', outcome: { available: left } });
    };
    const names = Array.from({ length: 20 }, (_, at) => `s${at}`);
    const offers = [{ unit: 'credits' as const, charge: 0n, least: 10n, wanted: 9_000n }];
    for (const [at, name] of names.entries())
      await takes(open(name, 0n, { offers }), 10n, 64n * BigInt(at + 2));
    const grow = (name: string) => checkpoint(name, 0n, { growLeast: 1n, growWanted: 9_000n });
    for (let at = 0; left > 0n; at++) await takes(grow(names[at % 20] as string), 1n, 21n);
    const [refused] = await compared.batch([grow('s0')], START_MS);
    expect(refused).toMatchObject({ outcome: { refused: 'INSUFFICIENT_BALANCE', othersHold: true } });
    const last = (op: Op['kind'], hold: string): Op => ({ kind: op, account, hold, payload: op }) as Op;
    const released = [...names.slice(1), 'ordinary'].map((name) => last('release', name));
    await compared.batch(released, START_MS);
    // All that came back, an eighth of what is left at a time.
    left = accountOf(compared.world, account).wallets.credits.lots.reduce(
      (sum, lot) => sum + lot.remaining - lot.held,
      0n,
    );
    while (left > 0n) await takes(grow('s0'), 1n, 8n);
    const [alone] = await compared.batch([grow('s0')], START_MS);
    expect(alone).toMatchObject({ outcome: { refused: 'INSUFFICIENT_BALANCE', othersHold: false } });
  });

  it('are ended and opened again by nobody whose generation is too old, as long as they are open', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create, grant('g', 1_000n), open('s', 10n), open('s', 10n)], START_MS);
    const old = { generation: 1 };
    const late = [{ ...settle('s', 5n), ...old }, release('s', 1), open('s', 10n, old)] as Op[];
    const results = await compared.batch([...late, checkpoint('s', 7n, { generation: 2 })], START_MS);
    expect(results.map(({ verdict }) => verdict)).toEqual(['stale', 'stale', 'stale', 'done']);
    const [own] = await compared.batch([open('s', 10n, { generation: 2 })], START_MS);
    expect(own).toMatchObject({ verdict: 'done', outcome: { session: { generation: 3, charge: 7n } } });
    // Nobody has it any more: what the old one used is booked.
    const [rest] = await compared.batch([{ ...settle('s', 9n), ...old } as Op], START_MS + HOLD_MS);
    expect(rest).toMatchObject({ verdict: 'done', outcome: { charged: 9n } });
  });

  it('are charged what the settle says, also where more was acknowledged before', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create, grant('g1', 120n), grant('g2', 120n)], START_MS);
    // One lot holds the first, which is settled in the short way; two hold the second.
    for (const session of ['one lot', 'two lots']) {
      await compared.batch([open(session, 100n)], START_MS);
      await compared.batch([checkpoint(session, 80n)], START_MS);
      const [settled] = await compared.batch([settle(session, 30n)], START_MS);
      expect(settled).toMatchObject({ verdict: 'done', outcome: { charged: 30n, released: 70n } });
    }
  });

  it('that were taken over are not ended by a sweep for the deadline of their old owner', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create, grant('g', 1_000n), open('s', 100n), checkpoint('s', 80n)], START_MS);
    await compared.batch([open('s', 100n)], START_MS + HOLD_MS - 1);
    await compared.batch([sweep('s')], START_MS + HOLD_MS);
    const [own] = await compared.batch([checkpoint('s', 90n, { generation: 2 })], START_MS + HOLD_MS);
    expect(own).toMatchObject({ verdict: 'done' });
  });

  it('are charged the same in all, whether they are settled in time or after their deadline', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt({ min: 0n, max: 900n }),
        fc.bigInt({ min: 0n, max: 900n }),
        async (acknowledged, more) => {
          const final = acknowledged + more;
          const spent: bigint[] = [];
          for (const late of [false, true]) {
            const compared = await ComparedPartition.open(scripts, START_MS);
            await compared.batch(
              [create, grant('g', 1_000n), open('s', 100n), checkpoint('s', acknowledged)],
              START_MS,
            );
            const [result] = await compared.batch([settle('s', final)], START_MS + (late ? HOLD_MS : 0));
            expect(result).toMatchObject({ verdict: 'done', outcome: { charged: final } });
            spent.push(compared.world.ledger.reduce((sum, entry) => sum + entry.spent, 0n));
          }
          expect(spent).toEqual([final, final]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([
    ['the rest of what its hold of credits for speech brought', 10n, 250n],
    ['nothing where the deadline charged more', 10n, 40n],
    ['debt of characters where no credits are left', 3n, 1_000n],
  ])(
    'of speech are converted for by the deadline, and by the late settle for %s',
    async (_, credits, final) => {
      const speech = (characters: bigint): Price[] => [
        { unit: 'tts_characters', amount: characters },
        { unit: 'credits', amount: 0n, blocks: { units: 100n, micros: CREDIT, priority: 30 } },
      ];
      const blocks = { units: 100n, micros: CREDIT, priority: 30 };
      const parts = { charge: 0n, least: 150n, wanted: 150n };
      const offers = [
        { unit: 'tts_characters' as const, ...parts },
        { unit: 'credits' as const, ...parts, blocks },
      ];
      const compared = await ComparedPartition.open(scripts, START_MS);
      await compared.batch([create, grant('g', credits * CREDIT), open('s', 0n, { offers })], START_MS);
      await compared.batch([checkpoint('s', 130n, { growLeast: 1n, growWanted: 1n })], START_MS);
      await compared.batch([sweep('s')], START_MS + HOLD_MS);
      await compared.batch([settle('s', final, speech(final))], START_MS + HOLD_MS);
      const charged = compared.world.ledger.filter(({ unit }) => unit === 'tts_characters');
      expect(charged.reduce((sum, { spent }) => sum + spent, 0n)).toBe(final > 130n ? final : 130n);
      expectConserved(compared.world);
    },
  );

  it('that were charged in credits by their deadline are not settled in characters', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create, grant('g', 9n * CREDIT), open('s', 100n), checkpoint('s', 80n)], START_MS);
    await compared.batch([sweep('s')], START_MS + HOLD_MS);
    const speech: Price[] = [
      { unit: 'tts_characters', amount: 500n },
      { unit: 'credits', amount: 0n, blocks: { units: 100n, micros: CREDIT, priority: 30 } },
    ];
    const late = [settle('s', 500n, speech), settle('s', 90n)];
    expect(await compared.batch(late, START_MS + HOLD_MS)).toMatchObject([
      { verdict: 'refused', reason: 'FIELD_INVALID' },
      { verdict: 'done', outcome: { charged: 90n, unit: 'credits' } },
    ]);
  });

  it('of speech, bought for next to nothing, cover no more characters than a balance can have', async () => {
    const blocks = { units: 1_000_000_000_000n, micros: CREDIT, priority: 30 };
    const offers = [{ unit: 'credits' as const, charge: 0n, least: 1n, wanted: 1n, blocks }];
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch([create, grant('g', AMOUNT_MAX), open('s', 0n, { offers })], START_MS);
    const grown = checkpoint('s', 0n, { growLeast: AMOUNT_MAX / 2n, growWanted: AMOUNT_MAX / 2n });
    const results = await compared.batch([grown, grown, grown], START_MS);
    expect(results.at(-1)).toMatchObject({ outcome: { covers: AMOUNT_MAX } });
  });
});

const tier = (own: bigint, draws: boolean): Tier => ({
  name: 'tier',
  cycle: { unit: 'month', count: 1 },
  unlock: 0n,
  renewal: 0n,
  own,
  priority: 20,
  draws,
  graceMs: 0,
});

describe('of an agent with credits of its own', () => {
  const unlock = (own: bigint): Op => ({
    kind: 'unlockAgent',
    account,
    id: 't',
    payload: 'unlock',
    agent: 'n1',
    tier: tier(own, true),
  });
  const speech: Price[] = [
    { unit: 'tts_characters', amount: 100n },
    { unit: 'credits', amount: 0n, blocks: { units: 100n, micros: CREDIT, priority: 30 } },
  ];

  it("an ordinary hold on conversion terms grows by what is available to the account, and not by the agent's own", async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const [, , , held] = await compared.batch(
      [
        create,
        grant('g', 3n * CREDIT),
        unlock(50n * CREDIT),
        {
          kind: 'reserve',
          account,
          hold: 'h',
          payload: 'p',
          prices: speech,
          holdTimeMs: HOLD_MS,
          catalogVersion: 1,
          agent: 'n1',
        },
      ],
      START_MS,
    );
    expect(held).toMatchObject({ verdict: 'done', outcome: { unit: 'credits', held: CREDIT } });
    const extend = (id: string, addAmount: bigint): Op => ({
      kind: 'extend',
      account,
      id,
      hold: 'h',
      payload: id,
      addAmount,
      holdTimeMs: 0,
    });
    const [grown, refused] = await compared.batch([extend('x1', 2n * CREDIT), extend('x2', 1n)], START_MS);
    expect(grown).toMatchObject({ verdict: 'done', outcome: { held: 3n * CREDIT } });
    expect(refused).toMatchObject({ verdict: 'denied', reason: 'INSUFFICIENT_BALANCE' });
    const [own, ofAccount] = [true, false].map((isOwn) =>
      accountOf(compared.world, account).wallets.credits.lots.filter(
        ({ owner }) => (owner !== undefined) === isOwn,
      ),
    );
    expect(own?.map(({ held: part }) => part)).toEqual([0n]);
    expect(ofAccount?.map(({ held: part }) => part)).toEqual([3n * CREDIT]);
  });

  it("a session takes the agent's own first, and its deadline charges them for the agent", async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    await compared.batch(
      [create, grant('g', 1_000n), unlock(50n), open('s', 80n, { agent: 'n1' })],
      START_MS,
    );
    await compared.batch([checkpoint('s', 90n)], START_MS);
    await compared.batch([sweep('s')], START_MS + HOLD_MS);
    const line = compared.world.ledger.at(-1);
    expect(line).toMatchObject({
      kind: 'session_expired',
      spent: 90n,
      flags: ['over_hold'],
      holdAgent: 'n1',
    });
    expect(line?.lots.map(({ delta }) => delta)).toEqual([-50n, -40n]);
  });
});

function expectConserved(world: World): void {
  for (const [name, state] of world.accounts) {
    const own = world.ledger.filter((entry) => entry.account === name);
    expect(conservation(own, state)).toEqual([]);
  }
}
