/** How old the oldest entry may become that is not durable. The scripts know: they see all sidecars' entries, by one clock. */
import { expect, it } from 'vitest';
import { CODE } from '../../src/redis/format.js';
import { START_MS } from '../oracle/generators.js';
import type { Op } from '../oracle/model.js';
import { packOperation, TestPartition } from './compared-partition.js';
import { account, create, grant, reserve, settle, usage } from './operations.js';
import { scriptsOfFile } from './scripts.js';

const AGE_MAX_MS = 100_000;
const REFUSED = 'journalAgeMaxMs';
const scripts = scriptsOfFile({ journalAgeMaxMs: AGE_MAX_MS });

/** What became of an operation, so long after the start: its code, or the limit that refused it. */
async function at(partition: TestPartition, afterMs: number, op: Op): Promise<unknown> {
  await scripts.setClock(START_MS + afterMs);
  const packed = packOperation(op, 1, START_MS + afterMs, []);
  const [result] = (await partition.apply([account], [packed])).results;
  return result?.code === CODE.limit ? result.limit : result?.code;
}

async function durable(partition: TestPartition, seq: number, afterMs: number): Promise<void> {
  const progress = { seq, bytes: 0, bookedMs: START_MS + afterMs, keepFromSeq: 0 };
  expect(await scripts.scripts.durable(partition.fence(), progress)).toMatchObject({ status: 'OK' });
}

/** Two holds, whose entries are the last of four. */
async function begun(): Promise<TestPartition> {
  const partition = await TestPartition.open(scripts, START_MS);
  const holdTimeMs = 10 * AGE_MAX_MS;
  for (const op of [create(), grant('g', 1_000n), reserve('h1', 10n, { holdTimeMs })])
    expect(await at(partition, 0, op)).toBe(CODE.ok);
  expect(await at(partition, 10_000, reserve('h2', 10n, { holdTimeMs }))).toBe(CODE.ok);
  return partition;
}

it('new work is refused at 80 % of the limit, ending work at 100 %, and nothing is changed', async () => {
  const partition = await begun();
  expect(await at(partition, 80_000, usage('u1', 1n))).toBe(CODE.ok);
  expect(await at(partition, 80_001, usage('u2', 1n))).toBe(REFUSED);
  expect(await at(partition, 80_001, reserve('h3', 1n))).toBe(REFUSED);
  expect(await at(partition, 100_000, settle('h1', 5n))).toBe(CODE.ok);
  const { seq } = partition;
  expect(await at(partition, 100_001, settle('h2', 5n))).toBe(REFUSED);
  expect(partition.seq).toBe(seq);
});

it('what became durable makes room as far as the rest is younger', async () => {
  const partition = await begun();
  expect(await at(partition, 85_000, usage('u1', 1n))).toBe(REFUSED);
  await durable(partition, 3, 0);
  expect(await at(partition, 85_000, usage('u1', 1n))).toBe(REFUSED);
  await durable(partition, 4, 10_000);
  expect(await at(partition, 85_000, usage('u1', 1n))).toBe(CODE.ok);
  expect(await at(partition, 90_000, usage('u2', 1n))).toBe(CODE.ok);
  // When the rest was booked nobody says: with the last that is durable, at the soonest.
  await durable(partition, 5, 85_000);
  expect(await at(partition, 165_000, usage('u3', 1n))).toBe(CODE.ok);
  expect(await at(partition, 165_001, usage('u4', 1n))).toBe(REFUSED);
  await durable(partition, 6, 90_000);
  expect(await at(partition, 165_001, usage('u4', 1n))).toBe(CODE.ok);
});

it('a pause without entries is no age', async () => {
  const partition = await begun();
  await durable(partition, partition.seq, 10_000);
  expect(await at(partition, 5 * AGE_MAX_MS, usage('u1', 1n))).toBe(CODE.ok);
  expect(await at(partition, 5 * AGE_MAX_MS, usage('u2', 1n))).toBe(CODE.ok);
});
