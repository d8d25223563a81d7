/** Corrections and the status of an account: the scripts against the oracle, and what no sequence of calls may do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { remainingOf } from '../oracle/account.js';
import { batches, resolve, START_MS, TIERS } from '../oracle/generators.js';
import { type Op, type Result, UNITS } from '../oracle/model.js';
import { accountOf, type World } from '../oracle/world.js';
import { ComparedPartition, inWords } from './compared-partition.js';
import {
  account,
  create,
  extend,
  grant,
  release,
  reserve,
  reverse,
  setStatus,
  settle,
  touch,
  usage,
} from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const rerate = (charge: string, amount: bigint): Op => ({
  kind: 'rerate',
  account,
  id: charge,
  unit: 'credits',
  amount,
});
const expireLot = (id: string, lot: number, payload = 'p'): Op => ({
  kind: 'expireLot',
  account,
  id,
  payload,
  lot,
});

/** A verdict, and for a refusal its reason. */
type Said = string;

/** Every sequence is played twice, one operation a batch and all in one batch: between two operations nothing may depend on it. */
async function expectVerdicts(steps: readonly (readonly [Op, Said])[], nowMs = START_MS): Promise<World> {
  const ops = steps.map(([op]) => op);
  const said = steps.map(([, words]) => words);
  const together = await ComparedPartition.open(scripts, nowMs);
  expect((await together.batch(ops, nowMs)).map(inWords)).toEqual(said);
  const apart = await ComparedPartition.open(scripts, nowMs);
  const results = [];
  for (const op of ops) results.push(...(await apart.batch([op], nowMs)));
  expect(results.map(inWords)).toEqual(said);
  expect(apart.world.accounts).toEqual(together.world.accounts);
  return apart.world;
}

function credits(world: World): { remaining: bigint; debt: bigint } {
  const wallet = accountOf(world, account).wallets.credits;
  return { remaining: remainingOf(wallet), debt: wallet.debt };
}

describe('the scripts do what the oracle says', () => {
  it('for reversals: once for each charge, debt first, then the lots, whatever the request', async () => {
    const world = await expectVerdicts([
      [create(), 'done'],
      [grant('g', 10n), 'done'],
      [usage('u', 25n), 'done'],
      [usage('v', 5n), 'done'],
      [reverse('r1', 'usage/u', 25n, [{ lot: 1, amount: 10n }]), 'done'],
      [reverse('r1', 'usage/u', 25n, [{ lot: 1, amount: 10n }]), 'duplicate'],
      [reverse('r2', 'usage/u', 25n, [{ lot: 1, amount: 10n }]), 'refused ALREADY_REVERSED'],
      [reverse('r1', 'usage/v', 5n, []), 'conflict'],
      [usage('u', 25n), 'duplicate'],
    ]);
    expect(credits(world)).toEqual({ remaining: 5n, debt: 0n });
  });

  it('for what was booked unrated: rerated once, reversed with it, and never rerated after', async () => {
    const world = await expectVerdicts([
      [create(), 'done'],
      [grant('g', 10n), 'done'],
      [usage('u', 'unrated'), 'done'],
      [usage('v', 'unrated'), 'done'],
      [rerate('usage/u', 12n), 'done'],
      [rerate('usage/u', 99n), 'duplicate'],
      [reverse('r1', 'usage/u', 0n, []), 'stale'],
      [reverse('r1', 'usage/u', 12n, [{ lot: 1, amount: 10n }], true), 'done'],
      [reverse('r2', 'usage/v', 0n, []), 'done'],
      [rerate('usage/v', 3n), 'refused ALREADY_REVERSED'],
    ]);
    expect(credits(world)).toEqual({ remaining: 10n, debt: 0n });
  });

  it('for a lot that is expired by a call: what is held expires when its hold ends', async () => {
    const world = await expectVerdicts([
      [create(), 'done'],
      [grant('g1', 10n), 'done'],
      [grant('g2', 10n, 'credits', START_MS + 5), 'done'],
      [grant('g3', 10n), 'done'],
      [reserve('h', 13n), 'done'],
      [expireLot('l1', 1), 'done'],
      [expireLot('l1', 1), 'duplicate'],
      [expireLot('l1', 2), 'duplicate'],
      [expireLot('l1', 1, 'q'), 'conflict'],
      [expireLot('l2', 1), 'refused LOT_ENDED'],
      [expireLot('l3', 4), 'refused LOT_UNKNOWN'],
      [usage('u', 2n), 'done'],
      [release('h'), 'done'],
    ]);
    // Lot 2 burns first and was held in whole; of lot 1 three units were held and came back.
    expect(credits(world)).toEqual({ remaining: 18n, debt: 0n });
    const expired = world.ledger.filter(({ kind }) => kind === 'expire_lot' || kind === 'lot_expired');
    expect(expired.map(({ kind, expired: units }) => [kind, units])).toEqual([
      ['expire_lot', 7n],
      ['lot_expired', 3n],
    ]);
  });

  it('for units that a reversal returns to a lot that a call has expired, also where its caller had looked before', async () => {
    for (const held of [0n, 3n]) {
      const compared = await ComparedPartition.open(scripts, START_MS);
      await compared.batch([create(), grant('g', 10n), usage('u', 4n), reserve('h', held)], START_MS);
      // One batch: the reversal carries the lot as it was before. Where something is held the lot is still there.
      const reversal = reverse('r', 'usage/u', 4n, [{ lot: 1, amount: 4n }]);
      await compared.batch([expireLot('l', 1), reversal], START_MS + 1);
      expect(credits(compared.world)).toEqual({ remaining: held, debt: 0n });
    }
  });

  it('for lots that expire while nobody looks: in the order of their times, whatever their wallets; none is granted that is over', async () => {
    const compared = await ComparedPartition.open(scripts, START_MS);
    const granted = await compared.batch(
      [
        create(),
        grant('g1', 1n, 'credits', START_MS + 30),
        grant('g2', 2n, 'llm_messages', START_MS + 10),
        grant('g3', 3n, 'tts_characters', START_MS + 20),
        grant('g4', 4n, 'credits', START_MS + 1),
        grant('g5', 5n, 'credits', START_MS),
      ],
      START_MS,
    );
    expect(granted.at(-1)).toMatchObject({ verdict: 'refused', reason: 'FIELD_INVALID' });
    await compared.batch([touch], START_MS + 30);
    const expired = compared.world.ledger.filter(({ kind }) => kind === 'lot_expired');
    expect(expired.map((entry) => entry.expired)).toEqual([4n, 2n, 3n, 1n]);
  });

  it('for every status and call', async () => {
    await expectVerdicts([
      [create(), 'done'],
      [grant('g', 100n), 'done'],
      [reserve('h', 10n), 'done'],
      [reserve('h2', 10n), 'done'],
      [setStatus('s0', 'unfreeze'), 'refused ACCOUNT_ACTIVE'],
      [setStatus('s0', 'reopen'), 'refused ACCOUNT_ACTIVE'],
      [setStatus('s1', 'freeze'), 'done'],
      [setStatus('s1', 'freeze'), 'duplicate'],
      [setStatus('s1', 'close'), 'conflict'],
      [setStatus('s2', 'freeze'), 'refused ACCOUNT_FROZEN'],
      [setStatus('s2', 'reopen'), 'refused ACCOUNT_FROZEN'],
      [reserve('h', 10n), 'duplicate'],
      [reserve('h3', 1n), 'denied ACCOUNT_FROZEN'],
      [extend('x', 'h', 1n), 'denied ACCOUNT_FROZEN'],
      [extend('x', 'unknown', 1n), 'denied HOLD_UNKNOWN'],
      [usage('u0', 1n), 'done'],
      [usage('u1', 150n), 'done'],
      [settle('h', 20n), 'done'],
      [settle('late', 1n), 'done'],
      [grant('g2', 100n), 'done'],
      [setStatus('s3', 'close'), 'done'],
      [setStatus('s4', 'close'), 'refused ACCOUNT_CLOSED'],
      [setStatus('s4', 'freeze'), 'refused ACCOUNT_CLOSED'],
      [setStatus('s4', 'unfreeze'), 'refused ACCOUNT_CLOSED'],
      [reserve('h3', 1n), 'denied ACCOUNT_CLOSED'],
      [extend('x', 'h2', 1n), 'denied ACCOUNT_CLOSED'],
      [grant('g2', 100n), 'duplicate'],
      [grant('g3', 100n), 'refused ACCOUNT_CLOSED'],
      [usage('u2', 'unrated'), 'done'],
      [usage('u4', 1n), 'done'],
      [rerate('usage/u2', 1n), 'done'],
      [settle('h2', 1n), 'done'],
      [reverse('r', 'usage/u1', 150n, [{ lot: 1, amount: 80n }]), 'done'],
      [expireLot('l', 1), 'done'],
      [setStatus('s5', 'reopen'), 'done'],
      [reserve('h3', 1n), 'done'],
      [usage('u3', 1n), 'done'],
    ]).then(({ ledger }) => {
      const flagged = ledger.filter(({ flags }) => flags.includes('frozen') || flags.includes('closed'));
      expect(flagged.map(({ kind, id, flags }) => [kind, id, flags.at(-1)])).toEqual([
        ['usage', 'u0', 'frozen'],
        ['usage', 'u1', 'frozen'],
        ['settle', 'h', 'frozen'],
        ['settle', 'late', 'frozen'],
        ['usage', 'u2', 'closed'],
        ['usage', 'u4', 'closed'],
        ['rerate', 'usage/u2', 'closed'],
        ['settle', 'h2', 'closed'],
      ]);
    });
  });
});

describe('no sequence of calls', () => {
  it("raises an account's balance, but a grant to it, its own conversion or the reversal of its own charge, once and by at most that charge", async () => {
    let reversals = 0;
    await fc.assert(
      fc.asyncProperty(batches({ batchesMax: 20, opsPerBatchMax: 6 }), async (sequence) => {
        const compared = await ComparedPartition.open(scripts, START_MS);
        const reversed = new Set<string>();
        for (const { nowMs, ops } of sequence) {
          for (const planned of ops) {
            const op = resolve(planned, compared.world);
            if (op === undefined) continue;
            const before = compared.world;
            const [result] = await compared.batch([op], nowMs);
            const done = result?.verdict === 'done';
            if (op.kind === 'reversal' && done) {
              expect(reversed).not.toContain(`${op.account} ${op.charge}`);
              reversed.add(`${op.account} ${op.charge}`);
              reversals += 1;
            }
            expectNoGain(before, compared.world, op, done ? result : undefined);
          }
        }
      }),
      { numRuns: 150 },
    );
    expect(reversals).toBeGreaterThan(20);
  });
});

/** What an operation may add to a wallet: the grant, or what the charge (and its rerating) had taken from it. */
function mayGain(op: Op, result: Done | undefined, { before: world, after }: Worlds, unit: string): bigint {
  if (result === undefined) return 0n;
  // What a charge converted: exactly so many credits went, and what they bought paid for it first.
  if ((op.kind === 'usage' || op.kind === 'settle') && 'converted' in result.outcome) {
    const { outcome } = result;
    if (outcome.of !== 'usage' && outcome.of !== 'end') throw new Error(`${outcome.of} converted`);
    // An outcome is the total: a session's deadline may have charged a part of it before.
    const earlier = after.ledger.slice(world.ledger.length).find(({ kind }) => kind === op.kind)?.before;
    const converted = (outcome.converted ?? 0n) - (earlier?.converted ?? 0n);
    const charged = outcome.charged - (earlier?.charged ?? 0n);
    const blocks = op.prices.find((price) => price.blocks)?.blocks;
    if (converted > 0n && !blocks) throw new Error('converted without terms');
    const bought = blocks ? (converted / blocks.micros) * blocks.units : 0n;
    if (unit === 'credits') return -converted;
    return unit === 'tts_characters' ? bought - charged : 0n;
  }
  if (op.kind === 'grant') return op.unit === unit ? op.amount : 0n;
  // Credits go for it: what goes and what comes is priced before, never more than was available.
  if (op.kind === 'convert') return op.unit === unit ? op.units : unit === 'credits' ? -op.cost : 0n;
  if (op.kind === 'create') return brought(op.imported?.lots ?? [], unit);
  if (op.kind !== 'reversal') return 0n;
  const own = world.ledger.filter(
    (entry) => entry.account === op.account && entry.unit === unit && entry.spent > 0n,
  );
  return own
    .filter(
      (entry) =>
        sessionAsOne(entry.kind === 'rerate' ? entry.id : `${entry.kind}/${entry.id}`) ===
        sessionAsOne(op.charge),
    )
    .reduce((total, entry) => total + entry.spent, 0n);
}

/** What a session was charged by its deadline and by its late settle is reversed together. */
function sessionAsOne(charge: string | undefined): string | undefined {
  return charge?.replace(/^session_expired\//, 'settle/');
}

/** What the deadlines of sessions converted, and what was bought, on the terms of their holds, less what they charged. */
function mayConvert({ before, after }: Worlds, name: string, unit: string): bigint {
  const lines = after.ledger.slice(before.ledger.length).filter((entry) => entry.account === name);
  let gain = 0n;
  lines.forEach((line, i) => {
    if (line.kind !== 'session_expired' || lines[i - 1]?.kind !== 'conversion_grant') return;
    const { converted } = lines[i - 2] as (typeof lines)[number];
    const terms = accountOf(before, name).holds.get(line.id as string)?.terms;
    if (!terms) throw new Error('a session converted without terms');
    if (unit === 'credits') gain -= converted;
    if (unit === 'tts_characters') gain += (converted / terms.micros) * terms.units - line.spent;
  });
  return gain;
}

type Worlds = { readonly before: World; readonly after: World };
type Done = Extract<Result, { outcome: unknown }>;
/** What an account brings along that is imported. */
function brought(lots: readonly { unit: string; remaining: bigint }[], unit: string): bigint {
  return lots.filter((lot) => lot.unit === unit).reduce((total, { remaining }) => total + remaining, 0n);
}

/** What agents bring to an account: their own credits of each cycle that began, at most what their tier says. */
function ownOfAgents(before: World, after: World, name: string): bigint {
  const lines = after.ledger.slice(before.ledger.length).filter((entry) => entry.account === name);
  const grants = lines.filter(({ kind }) => kind === 'agent_grant');
  const begun = lines.filter(({ kind }) => kind === 'agent_unlock' || kind === 'agent_renewal');
  expect(grants.length).toBeLessThanOrEqual(begun.length);
  for (const { agent, granted } of grants) {
    const tier = TIERS.find((one) => one.name === agent?.tier);
    expect(granted <= (tier?.own ?? 0n)).toBe(true);
  }
  return grants.reduce((total, { granted }) => total + granted, 0n);
}

/** What plans may bring to an account: what the call says, or what an earlier call stored or scheduled and whose time has come. */
function mayBring(
  op: Op,
  done: boolean,
  { before, after }: { before: World; after: World },
  name: string,
): bigint {
  const called = (op.kind === 'create' || op.kind === 'startPeriod' || op.kind === 'changePlan') && done;
  const own =
    called && op.account === name ? (op.plan && op.plan.kind !== 'unknown' ? op.plan.credits : 0n) : 0n;
  const { next, change, period } = accountOf(before, name).subscription ?? {};
  const begun = next && next.startMs <= after.nowMs ? next.plan.credits : 0n;
  const changed = change && period && period.endMs <= after.nowMs ? change : undefined;
  return own + begun + (changed?.kind === 'free' ? changed.credits : 0n) + ownOfAgents(before, after, name);
}

function expectNoGain(before: World, after: World, op: Op, result: Done | undefined): void {
  for (const name of after.accounts.keys()) {
    for (const unit of UNITS) {
      const was = accountOf(before, name).wallets[unit];
      const is = accountOf(after, name).wallets[unit];
      const gain = remainingOf(is) - is.debt - (remainingOf(was) - was.debt);
      const allowed =
        (name === op.account ? mayGain(op, result, { before, after }, unit) : 0n) +
        mayConvert({ before, after }, name, unit) +
        (unit === 'credits' ? mayBring(op, result !== undefined, { before, after }, name) : 0n);
      expect(gain <= allowed, `${op.kind} gave ${name} ${gain} ${unit}, at most ${allowed}`).toBe(true);
    }
  }
}
