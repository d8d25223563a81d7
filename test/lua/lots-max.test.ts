/** How many lots a wallet may have: calls are refused, and what happens by itself gets no further than it must. */
import { expect, it } from 'vitest';
import { CODE, REASON } from '../../src/redis/format.js';
import { PLANS, START_MS } from '../oracle/generators.js';
import { LOTS_HOLDING_MAX, LOTS_MAX, type Op, OWN_LOTS_MAX, type Plan, type Tier } from '../oracle/model.js';
import { accountOf } from '../oracle/world.js';
import { ComparedPartition, packOperation, TestPartition } from './compared-partition.js';
import {
  account,
  create,
  extend,
  grant,
  reserve,
  reverse,
  settle,
  startPeriod,
  touch,
  unlock,
  usage,
} from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const starter = PLANS[1] as Plan;
const topUp = (id: string): Op => grant(id, 10n);
const start = (id: string, startMs: number): Op => startPeriod(id, starter, startMs, startMs + 100);

it('calls that would make one more are refused; a period that is stored already begins all the same', async () => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  await compared.batch([create(), topUp('first'), usage('u', 10n), start('stored', START_MS + 50)], START_MS);
  await compared.batch(
    Array.from({ length: LOTS_MAX }, (_, i) => topUp(`g${i}`)),
    START_MS,
  );
  const refused = { verdict: 'refused', reason: 'LIMIT_REACHED' };
  const results = await compared.batch(
    [topUp('more'), reverse('v', 'usage/u', 10n, [{ lot: 1, amount: 10n }]), start('now', START_MS - 1_000)],
    START_MS,
  );
  expect(results.slice(0, 2)).toEqual([refused, refused]);

  await compared.batch([touch], START_MS + 50);
  expect(accountOf(compared.world, account).wallets.credits.lots).toHaveLength(LOTS_MAX + 1);
  expect(await compared.batch([start('next', START_MS + 500)], START_MS + 50)).toEqual([refused]);
});

it('automatic conversions between holds stop at the number from which characters are not set aside', async () => {
  const partition = await TestPartition.open(scripts, START_MS);
  const runAll = async (ops: readonly Op[]) =>
    (
      await partition.apply(
        [account],
        ops.map((op) => packOperation(op, 1, START_MS, [])),
      )
    ).results;
  const run = async (op: Op) => (await runAll([op]))[0];
  await run(create());
  await run(grant('credits', 10_000_000_000n));
  // Each charge leaves 99 characters of a block, and each hold takes them: the next charge needs a block again.
  const blocks = { units: 100n, micros: 1_000_000n, priority: 20 };
  const speak = (i: number): Op =>
    settle(`s${i}`, [
      { unit: 'tts_characters', amount: 1n },
      { unit: 'credits', amount: 0n, blocks },
    ]);
  const hold = (i: number): Op => reserve(`h${i}`, [{ unit: 'tts_characters', amount: 99n }]);
  const pairs = Array.from({ length: LOTS_HOLDING_MAX - 1 }, (_, i) => [speak(i + 1), hold(i + 1)]).flat();
  for (let first = 0; first < pairs.length; first += 500) {
    const results = await runAll(pairs.slice(first, first + 500));
    expect(results.filter(({ code }) => code !== CODE.ok)).toEqual([]);
  }
  expect((await run(speak(0)))?.code).toBe(CODE.ok);
  expect(await run(hold(0))).toMatchObject({ code: CODE.denied, denial: { reason: REASON.lotsMax } });
  expect(await run(extend('x', 'h1', 1n))).toMatchObject({
    code: CODE.denied,
    denial: { reason: REASON.lotsMax },
  });
  // Finished usage is booked all the same.
  for (let i = 1; i <= 3; i++) expect((await run(speak(-i)))?.code).toBe(CODE.ok);
});

const daily: Tier = {
  name: 'daily',
  cycle: { unit: 'day', count: 1 },
  unlock: 0n,
  renewal: 1n,
  own: 0n,
  priority: 20,
  draws: true,
  graceMs: 0,
};

it('what has become due of an account with that many is done in several calls, and nothing is judged before the last', async () => {
  const partition = await TestPartition.open(scripts, START_MS);
  const run = (ops: readonly Op[], nowMs: number) =>
    partition.apply(
      [account],
      ops.map((op) => packOperation(op, 1, nowMs, [])),
    );
  await run(
    [create(), ...Array.from({ length: LOTS_MAX }, (_, i) => topUp(`g${i}`)), unlock('t', 'n1', daily)],
    START_MS,
  );

  const days = 100;
  const nowMs = START_MS + days * 86_400_000;
  await scripts.setClock(nowMs);
  const renewals: number[] = [];
  for (;;) {
    const before = partition.seq;
    const { results } = await run([touch, usage('u', 1n)], nowMs);
    const [touched, used] = results.map(({ code }) => code);
    expect(used).toBe(touched === CODE.behind ? CODE.behind : CODE.ok);
    renewals.push(partition.seq - before);
    if (touched !== CODE.behind) break;
  }
  // The thousand lots that each of them looks at count as 50 entries, of 2,000 that a call books.
  expect(renewals).toEqual([39, 39, 22 + 1]);
});

it('calls begin no cycle with credits of its own where agents have that many lots; those that run are renewed all the same', async () => {
  const partition = await TestPartition.open(scripts, START_MS);
  const tier: Tier = { ...daily, renewal: 0n, own: 5n };
  let requests = 0;
  const call = (kind: 'unlockAgent' | 'activateAgent' | 'suspendAgent', agent = 'n1', terms = tier): Op => {
    const head = { account, id: `t${++requests}`, payload: 'p', agent };
    return kind === 'suspendAgent' ? { kind, ...head } : { kind, ...head, tier: terms };
  };
  const run = async (ops: readonly Op[], nowMs = START_MS) => {
    const { results } = await partition.apply(
      [account],
      ops.map((op) => packOperation(op, 1, nowMs, [])),
    );
    return results;
  };
  const codes = async (ops: readonly Op[]) => (await run(ops)).map(({ code }) => code);
  await run([create(), call('unlockAgent', 'other'), call('unlockAgent')]);
  const again = Array.from({ length: OWN_LOTS_MAX - 2 }, () => [call('suspendAgent'), call('activateAgent')]);
  for (let first = 0; first < again.length; first += 250)
    expect(new Set(await codes(again.slice(first, first + 250).flat()))).toEqual(new Set([CODE.ok]));

  const refused = { code: CODE.denied, denial: { reason: REASON.lotsMax } };
  const [, activated, unlocked, plain] = await run([
    call('suspendAgent'),
    call('activateAgent'),
    call('unlockAgent', 'n2'),
    call('unlockAgent', 'n3', { ...tier, own: 0n }),
  ]);
  expect([activated, unlocked]).toMatchObject([refused, refused]);
  expect(plain?.code).toBe(CODE.ok);

  const nowMs = START_MS + 86_400_000;
  await scripts.setClock(nowMs);
  while ((await run([touch], nowMs))[0]?.code === CODE.behind);
  // All that was left has expired with its cycles; the one that runs has its own again.
  expect(await partition.wallet(account, 1)).toEqual({ remaining: 5n, debt: 0n });
});
