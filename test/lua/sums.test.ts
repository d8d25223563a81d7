import { expect, it } from 'vitest';
import { CODE, OP, type PackedOperation } from '../../src/redis/format.js';
import { START_MS } from '../oracle/generators.js';
import { AMOUNT_MAX } from '../oracle/model.js';
import { TestPartition } from './compared-partition.js';
import { scriptsOfFile } from './scripts.js';

const EVENTS = 1_000_000;
const EVENTS_PER_BATCH = 1_000;
/** Every so many batches one is sent again, the journal is trimmed and ids rotate, so that Redis stays small. */
const REPEAT_EVERY = 20;
const IDS_PER_GENERATION = 50_000;

const scripts = scriptsOfFile({ idsPerGenerationMax: IDS_PER_GENERATION });

/** mulberry32: numbers from 0 to 2^32-1 that a seed repeats. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const CREDITS = 1;
const CHARACTERS = 2;
const ACCOUNTS = ['full', 'broke', 'many-lots', 'allowance'];
const LOTS = 200;
const CHARACTERS_GRANTED = 1_000;

function head(kind: number, account: number, id: string): PackedOperation {
  return [kind, account + 1, id, 0, START_MS, -1];
}

function grant(account: number, id: string, unit: number, amount: number): PackedOperation {
  const op = head(OP.grant, account, id);
  // Checked in Postgres, which knew nothing, before anything was forgotten.
  op[5] = 0;
  return [...op, unit, amount, 3, 20, 0];
}

/** What a creation says that names no plan and imports nothing. */
const WITHOUT_PLAN = ['', 0, -1, -1, 0, 0, 0, 0];

it('a million events of 1 to 3 micro-credits add up to the unit, repeats and all', {
  timeout: 120_000,
}, async () => {
  const seed = Date.now() | 0;
  const random = randomNumbers(seed);
  const partition = await TestPartition.open(scripts, START_MS);
  const granted = [AMOUNT_MAX, 0n, 0n, 0n];
  const grants = [grant(0, 'g', CREDITS, Number(AMOUNT_MAX)), grant(3, 'g', CHARACTERS, CHARACTERS_GRANTED)];
  for (let lot = 0; lot < LOTS; lot += 1) {
    const amount = 1 + (random() % 1_000);
    granted[2] = (granted[2] as bigint) + BigInt(amount);
    grants.push(grant(2, `g${lot}`, CREDITS, amount));
  }
  await partition.apply(ACCOUNTS, [
    ...ACCOUNTS.map((_, account) => [...head(OP.create, account, 'r'), account + 1, 0, ...WITHOUT_PLAN]),
    ...grants,
  ]);

  const spent = [0n, 0n, 0n, 0n];
  let charactersLeft = CHARACTERS_GRANTED;
  let durableBytes = 0;
  for (let first = 0; first < EVENTS; first += EVENTS_PER_BATCH) {
    const nowMs = START_MS + first / EVENTS_PER_BATCH;
    await scripts.setClock(nowMs);
    const ops: PackedOperation[] = [];
    for (let event = first; event < first + EVENTS_PER_BATCH; event += 1) {
      const account = random() % ACCOUNTS.length;
      const amount = 1 + (random() % 3);
      const op = head(OP.usage, account, `event-${event}`);
      op[4] = nowMs;
      op.push('');
      if (account === 3) op.push(CHARACTERS, 1);
      op.push(CREDITS, amount);
      ops.push(op);
      if (account === 3 && charactersLeft > 0) charactersLeft -= 1;
      else spent[account] = (spent[account] as bigint) + BigInt(amount);
    }
    const reply = await partition.apply(ACCOUNTS, ops);
    expect(new Set(reply.results.map((result) => result.code)), `seed ${seed}`).toEqual(new Set([CODE.ok]));
    if ((first / EVENTS_PER_BATCH) % REPEAT_EVERY === 0) {
      const again = await partition.apply(ACCOUNTS, ops);
      expect(new Set(again.results.map((result) => result.code)), `seed ${seed}`).toEqual(
        new Set([CODE.duplicate]),
      );
      durableBytes += again.pendingBytes;
      const progress = { seq: again.seq, bytes: durableBytes, bookedMs: nowMs, keepFromSeq: again.seq };
      expect(await scripts.scripts.durable(partition.fence(), progress)).toMatchObject({ status: 'OK' });
    }
  }

  for (const [index, name] of ACCOUNTS.entries()) {
    const wallet = await partition.wallet(name, CREDITS);
    expect((granted[index] as bigint) + wallet.debt, `${name}, seed ${seed}`).toBe(
      wallet.remaining + (spent[index] as bigint),
    );
    expect(wallet.debt === 0n || wallet.remaining === 0n, `${name}, seed ${seed}`).toBe(true);
  }
  expect((await partition.wallet('allowance', CHARACTERS)).remaining).toBe(0n);
  expect(charactersLeft).toBe(0);
});
