/** Verification finds what was changed by hand in Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { PARTITIONS, type Scene, startScene } from './verify-scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
  await scene.sidecar.stop();
});
afterAll(() => scene.stop());

describe('after damage in Redis', () => {
  const keys = () => partitionKeys('drawdown', partitionOf('acme', PARTITIONS));

  async function messages(): Promise<string[]> {
    return (await scene.verify()).problems.map(
      (problem) => `${problem.check} ${problem.account ?? ''}: ${problem.message}`,
    );
  }

  /** Changes a field, looks, and puts it back. */
  async function withField(
    key: string,
    field: string,
    change: (value: Buffer) => Buffer | null,
  ): Promise<string[]> {
    const before = (await scene.connection.client.hgetBuffer(key, field)) as Buffer;
    const after = change(before);
    if (after === null) await scene.connection.client.hdel(key, field);
    else await scene.connection.client.hset(key, field, after);
    const found = await messages();
    await scene.connection.client.hset(key, field, before);
    return found;
  }

  it('a changed balance is found, with the drift', async () => {
    const key = keys()[1];
    const before = (await scene.connection.client.hgetBuffer(key, 'acme')) as Buffer;
    const after = Buffer.from(before);
    // The first lot's remaining: head 53, wallet 24, lot number, source, priority and expiry 16 bytes in.
    const at = 53 + 24 + 16;
    after.writeUInt8(after.readUInt8(at) ^ 1, at);
    await scene.connection.client.hset(key, 'acme', after);
    const report = await scene.verify();
    await scene.connection.client.hset(key, 'acme', before);
    expect(report.problems).toContainEqual(
      expect.objectContaining({ check: 'redis', message: expect.stringMatching(/^credits: lot /) }),
    );
    // When the account is due follows from its lots, so that may be found, too; nobody else is blamed.
    for (const problem of report.problems) expect(problem).toMatchObject({ check: 'redis', account: 'acme' });
    expect(report.driftMicros).toBe(1n);
  });

  it('a sum that contradicts its lots is found', async () => {
    const found = await withField(keys()[1], 'acme', (value) => {
      const after = Buffer.from(value);
      // What remains in the lots behind the first: head 53, unit and debt 8 bytes in.
      const at = 53 + 8;
      after.writeUInt8(after.readUInt8(at) ^ 1, at);
      return after;
    });
    expect(found).toEqual(['redis acme: what its state in Redis says of its lots contradicts them']);
  });

  it('an account that went back is found', async () => {
    const found = await withField(keys()[1], 'acme', (value) => {
      const after = Buffer.from(value);
      // The seq of the last change.
      after.writeUInt8(0, 1);
      after.writeUInt8(0, 2);
      return after;
    });
    expect(found).toEqual([expect.stringMatching(/^redis acme: Redis has it at seq \d+, Postgres at \d+$/)]);
  });

  it('an account that is ahead of Postgres is moving, which is no problem', async () => {
    const key = keys()[1];
    const before = (await scene.connection.client.hgetBuffer(key, 'acme')) as Buffer;
    const after = Buffer.from(before);
    after.writeUInt8(1, 1 + 5);
    await scene.connection.client.hset(key, 'acme', after);
    const report = await scene.verify();
    await scene.connection.client.hset(key, 'acme', before);
    expect(report).toMatchObject({ clean: true, moving: 1, comparedWithRedis: 4 });
  });

  it('an account that is ahead is compared once Postgres has come up to it', async () => {
    const key = keys()[1];
    const before = (await scene.connection.client.hgetBuffer(key, 'acme')) as Buffer;
    const after = Buffer.from(before);
    after.writeUInt8(1, 1 + 5);
    await scene.connection.client.hset(key, 'acme', after);
    const verified = scene.verify();
    setTimeout(() => void scene.connection.client.hset(key, 'acme', before), 500);
    expect(await verified).toMatchObject({ clean: true, moving: 0, comparedWithRedis: 5 });
  });

  it('an account that Postgres never had is found', async () => {
    const key = keys()[1];
    const copy = (await scene.connection.client.hgetBuffer(key, 'acme')) as Buffer;
    await scene.connection.client.hset(key, 'nobody', copy);
    expect(await messages()).toContainEqual(expect.stringMatching(/^redis nobody: Redis has it since seq/));
    await scene.connection.client.hdel(key, 'nobody');
  });

  it('an unreadable account is found', async () => {
    expect(await withField(keys()[1], 'acme', () => Buffer.from('x'))).toEqual([
      'redis acme: its state in Redis is not readable',
    ]);
  });

  it('an open hold that Redis forgot is found', async () => {
    expect(await withField(keys()[3], 'h4:acmeopen', () => null)).toEqual([
      'redis acme: hold open is open in Postgres, Redis does not have it',
    ]);
  });

  it('a hold that only Redis has is found', async () => {
    const copy = (await scene.connection.client.hgetBuffer(keys()[3], 'h4:acmeopen')) as Buffer;
    await scene.connection.client.hset(keys()[3], 'h4:acmeghost', copy);
    expect(await messages()).toEqual(['redis acme: hold ghost is open in Redis, Postgres does not have it']);
    await scene.connection.client.hdel(keys()[3], 'h4:acmeghost');
  });

  it('a hold that would never be swept is found', async () => {
    const member = 'h4:acmeopen';
    const score = (await scene.connection.client.zscore(keys()[6], member)) as string;
    await scene.connection.client.zrem(keys()[6], member);
    expect(await messages()).toEqual([
      expect.stringMatching(/^redis acme: hold open ends at \d+, Redis will look at 0$/),
    ]);
    await scene.connection.client.zadd(keys()[6], score, member);
  });

  it('a foreign installation, another epoch and a watermark ahead of Postgres are found', async () => {
    const key = keys()[0];
    const other = await withField(key, 'installation', () => Buffer.from('another'));
    expect(other).toEqual([expect.stringMatching(/^journal : Redis belongs to installation another/)]);
    expect(await withField(key, 'epoch', () => Buffer.from('7'))).toEqual([
      expect.stringMatching(/^journal : Redis is at epoch 7, Postgres at 1$/),
    ]);
    expect(await withField(key, 'durable_seq', () => Buffer.from('999999'))).toEqual([
      expect.stringMatching(/^journal : Redis was told that seq 999999 is durable/),
    ]);
    expect(await withField(key, 'seq', () => Buffer.from('1'))).toEqual([
      expect.stringMatching(/^journal : Redis is at seq 1, /),
    ]);
    expect(await withField(key, 'seq', (value) => Buffer.from(String(Number(value) + 1)))).toEqual([
      expect.stringMatching(/^journal : the journal lacks seq \d+ to \d+$/),
    ]);
  });

  it('lost keys and a journal without the record at the cursor are found', async () => {
    const [meta, , , , , , , journal] = keys();
    await scene.connection.client.rename(meta, 'aside');
    expect(await messages()).toEqual(['journal : Redis has lost its keys, Postgres knows entries']);
    await scene.connection.client.rename('aside', meta);
    await scene.connection.client.rename(journal, 'aside');
    expect(await messages()).toEqual(['journal : the journal lacks the record at the cursor']);
    await scene.connection.client.rename('aside', journal);
    expect((await scene.verify()).clean).toBe(true);
  });
});
