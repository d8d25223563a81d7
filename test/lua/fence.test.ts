/** Every call says what it believes of the partition; where that is not so any more, no script does anything. */
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { packBatch } from '../../src/redis/batch.js';
import { OpaqueBuilder } from '../../src/redis/opaque.js';
import type { Fence } from '../../src/redis/scripts.js';
import { START_MS } from '../oracle/generators.js';
import { ComparedPartition, packOperation } from './compared-partition.js';
import { account, create, grant, usage } from './operations.js';
import { scriptsOfFile } from './scripts.js';

const test = scriptsOfFile();

/** What each script answers to a caller who believes something else, and whether anything was written. */
async function answers(believed: (fence: Fence) => Partial<Fence>): Promise<Record<string, unknown>> {
  const compared = await ComparedPartition.open(test, START_MS);
  await compared.batch([create(), grant('g', 100n)], START_MS);
  const { partition } = compared;
  const { keys } = partition;
  const { connection, scripts } = test;
  const everything = () => test.contentOf(keys);
  const before = await everything();
  const fence = { ...partition.fence(), ...believed(partition.fence()) };
  const ops = [packOperation(usage('u', 5n), 1, START_MS, [])];
  const state = (await connection.client.hgetBuffer(keys[1], account)) as Buffer;
  const answered = {
    batch: await scripts.batch(fence, ops, packBatch([account], ops), new OpaqueBuilder().build(), {
      ending: false,
    }),
    durable: await scripts.durable(fence, {
      seq: partition.seq,
      bytes: 1,
      bookedMs: START_MS,
      keepFromSeq: partition.seq,
    }),
    load: await scripts.load(fence, partition.seq, [['other', state, 0, Buffer.alloc(0), []]], []),
    evict: await scripts.evict(fence, START_MS, [account]),
    due: await scripts.due(fence, 10),
  };
  return { ...answered, isUnchanged: isDeepStrictEqual(await everything(), before) };
}

const byAll = (refusal: unknown) => ({
  batch: refusal,
  durable: refusal,
  load: refusal,
  evict: refusal,
  due: refusal,
  isUnchanged: true,
});

it('whoever believes in an epoch that is over is refused by every script', async () => {
  const refusal = { status: 'FENCED', what: 'epoch', epoch: 1 };
  expect(await answers(() => ({ epoch: 2 }))).toEqual(byAll(refusal));
  expect(await answers(() => ({ epoch: 0 }))).toEqual(byAll(refusal));
});

it('whoever is connected to another server than the one that was verified is refused by every script', async () => {
  const refusal = { status: 'FENCED', what: 'run_id', epoch: 1 };
  expect(await answers(({ runId }) => ({ runId: [...runId].reverse().join('') }))).toEqual(byAll(refusal));
});

it('whoever has seen more than there is is refused by every script', async () => {
  const refusal = { status: 'FENCED', what: 'seq', epoch: 1 };
  expect(await answers(({ seqSeen }) => ({ seqSeen: seqSeen + 1 }))).toEqual(byAll(refusal));
});

it('whoever is of another installation is refused by every script', async () => {
  expect(await answers(() => ({ installation: 'staging' }))).toEqual(byAll({ status: 'INSTALLATION' }));
});
