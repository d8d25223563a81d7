/** The ends and beginnings of epochs: whoever comes too late with any step changes nothing. */
import { beforeEach, describe, expect, it } from 'vitest';
import { packBatch } from '../../src/redis/batch.js';
import type { EpochKeys } from '../../src/redis/epochs.js';
import { OP } from '../../src/redis/format.js';
import { partitionKeys } from '../../src/redis/keys.js';
import { readMeta } from '../../src/redis/meta.js';
import { OpaqueBuilder } from '../../src/redis/opaque.js';
import { scriptsOfFile } from './scripts.js';

const test = scriptsOfFile();
const keys = partitionKeys('drawdown', 0);
const epochKeys = (epoch: number, token: string): EpochKeys => ({ keys, installation: 'test', epoch, token });
const first = epochKeys(1, 'first');
const nothingBefore = { afterSeq: 0, bookedMs: 0 };

const content = () => test.contentOf(keys);

async function open(): Promise<string> {
  const runId = test.connection.runId as string;
  expect(await test.epochs.make(first, nothingBefore, null)).toBe('OK');
  expect(await test.epochs.adopt(first, runId)).toBe('OK');
  return runId;
}

function batch(epoch: number, runId: string) {
  const create = [OP.create, 1, 'request', 1, 1_000, -1, 7, 0, '', 0, 0, -1, 0, 0, 0, 0];
  const fence = { keys, installation: 'test', epoch, runId, seqSeen: 0 };
  const none = new OpaqueBuilder().build();
  return test.scripts.batch(fence, [create], packBatch(['account'], [create]), none, { ending: false });
}

beforeEach(async () => {
  await test.connection.client.flushall();
  await test.setClock(1_000_000);
});

describe('keys that were made', () => {
  it('serve nobody until they are adopted, and then only the server that they were adopted under', async () => {
    const runId = test.connection.runId as string;
    expect(await test.epochs.make(first, nothingBefore, null)).toBe('OK');
    expect(await batch(1, runId)).toMatchObject({ status: 'FENCED', what: 'run_id' });
    expect(await test.epochs.adopt(first, runId)).toBe('OK');
    expect(await batch(1, 'another')).toMatchObject({ status: 'FENCED', what: 'run_id' });
    expect(await batch(1, runId)).toMatchObject({ status: 'OK' });
  });

  it('are not made again, adopted again or adopted under another token', async () => {
    await open();
    const before = await content();
    expect(await test.epochs.make(first, nothingBefore, null)).toBe('CHANGED');
    expect(await test.epochs.make(epochKeys(2, 'second'), nothingBefore, null)).toBe('CHANGED');
    expect(await test.epochs.make(epochKeys(2, 'second'), nothingBefore, first)).toBe('CHANGED');
    expect(await test.epochs.adopt(first, 'another')).toBe('CHANGED');
    expect(await test.epochs.adopt(epochKeys(1, 'other'), 'another')).toBe('CHANGED');
    expect(await test.epochs.seal(epochKeys(1, 'other'))).toBe('CHANGED');
    expect(await test.epochs.advance(first, 0, 'second')).toBe('CHANGED');
    expect(await content()).toEqual(before);
  });

  it('do not begin before what was booked last, nor forget that ids may be older than they', async () => {
    const late = 2_000_000;
    expect(await test.epochs.make(epochKeys(2, 'second'), { afterSeq: 5, bookedMs: late }, null)).toBe('OK');
    const [time, since, evicted] = await test.connection.client.hmget(
      keys[0],
      'time',
      'ids_since',
      'evicted_through',
    );
    expect([time, since, evicted]).toEqual([String(late), String(late), '5']);
  });

  it('replace a meta that was damaged', async () => {
    await open();
    await test.connection.client.hdel(keys[0], 'seq');
    expect(await readMeta(test.connection, keys)).toBeNull();
    expect(await test.epochs.make(epochKeys(2, 'second'), nothingBefore, null)).toBe('OK');
    expect(await readMeta(test.connection, keys)).toMatchObject({ epoch: 2, token: 'second' });
  });
});

describe('keys that are sealed', () => {
  it('change no more, whoever calls, until they are replaced', async () => {
    const runId = await open();
    await batch(1, runId);
    expect(await test.epochs.seal(first)).toBe('OK');
    const before = await content();
    expect(await batch(1, runId)).toMatchObject({ status: 'FENCED', what: 'run_id' });
    expect(await batch(1, '')).toMatchObject({ status: 'FENCED', what: 'run_id' });
    expect(await test.epochs.adopt(first, runId)).toBe('CHANGED');
    expect(await content()).toEqual(before);
    const second = epochKeys(2, 'second');
    expect(await test.epochs.make(second, { afterSeq: 1, bookedMs: 1_000_000 }, first)).toBe('OK');
    expect(await readMeta(test.connection, keys)).toMatchObject({ epoch: 2, seq: 1, isSealed: false });
    expect(await test.connection.client.hlen(keys[1])).toBe(1);
    expect(await test.connection.client.xlen(keys[7])).toBe(0);
  });

  it('go on as the next epoch with all that they hold, once, where they end as expected', async () => {
    const runId = await open();
    await batch(1, runId);
    expect(await test.epochs.seal(first)).toBe('OK');
    expect(await test.epochs.advance(first, 7, 'second')).toBe('CHANGED');
    expect(await test.epochs.advance(first, 1, 'second')).toBe('OK');
    expect(await test.epochs.advance(first, 1, 'third')).toBe('CHANGED');
    expect(await batch(2, runId)).toMatchObject({ status: 'FENCED', what: 'run_id' });
    const second = epochKeys(2, 'second');
    expect(await test.epochs.adopt(second, runId)).toBe('OK');
    expect(await test.epochs.adopt(first, runId)).toBe('CHANGED');
    expect(await batch(1, runId)).toMatchObject({ status: 'FENCED', what: 'epoch' });
    expect(await batch(2, runId)).toMatchObject({ status: 'OK', epoch: 2, seq: 1 });
    expect(await test.connection.client.hlen(keys[1])).toBe(2);
    expect(await test.connection.client.xlen(keys[7])).toBe(1);
  });
});
