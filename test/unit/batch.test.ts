import { describe, expect, it } from 'vitest';
import {
  operationHash,
  operationId,
  operationKind,
  operationTimeMs,
  packBatch,
  unpackBatch,
} from '../../src/redis/batch.js';
import { OP, type PackedOperation } from '../../src/redis/format.js';

const touch = [OP.touch, 1];
const usage = [OP.usage, 1, 'event', 7, 1_000, -1, 1, 5];

const credits = [1, 3, 4, 9, 0];
const messages = [3, 1, 1, 1, 0];
const blocks = [-100, 3, 4, 9, 7];
const open = (id: string, ...offers: number[][]): PackedOperation => [
  ...[OP.openSession, 2, id, 2 ** 48 - 1, 2 ** 53 - 1, -1, 60_000, 3, 'agent', 'llm', 'modèle', '{"n":1}', 0],
  ...offers.flat(),
];
const settle = (id: string, ...pairs: number[]): PackedOperation => [
  ...[OP.settle, 1, id, 11, 1_700_000_000_000, -1, 3, 'agent', 5],
  ...pairs,
];
const checked = (operation: PackedOperation): PackedOperation => operation.with(5, 1_000);

describe('a batch', () => {
  it('is unpacked as it was packed, rows before usage', () => {
    const { accountIds, rows, usage: columns } = unpackBatch(packBatch(['acme'], [touch, usage, usage]));
    expect(accountIds).toEqual(['acme']);
    expect(rows).toEqual([touch]);
    expect(columns[1]).toEqual(['u4:acmeevent', 'u4:acmeevent']);
  });

  it('with a row after a usage event is our own mistake and is never sent', () => {
    expect(() => packBatch(['acme'], [usage, touch])).toThrow('a row after a usage event');
  });

  it('says in short which sessions are opened and settled, in their place among the rows', () => {
    const operations = [
      open('s1', credits),
      touch,
      settle('s0', 1, 8),
      open('s2', messages, credits),
      settle('hold', 3, 1, 1, 0),
      usage,
    ];
    const batch = unpackBatch(packBatch(['acme', 'b'], operations));
    expect(batch.rows).toEqual([OP.openSession, touch, OP.settle, OP.openSession, OP.settle]);
    for (const [i, operation] of operations.entries()) {
      if (operation === touch) continue;
      expect([operationKind(batch, i), operationId(batch, i)]).toEqual([operation[0], operation[2]]);
      if (operation[0] === OP.openSession) continue;
      expect([operationHash(batch, i), operationTimeMs(batch, i)]).toEqual([operation[3], operation[4]]);
    }
  });

  it.each([
    ['opens a session that was looked for in Postgres', checked(open('s', credits))],
    ['opens a session that three wallets can pay', open('s', messages, [2, 1, 1, 1, 0], credits)],
    ['opens a session that no wallet can pay', open('s')],
    ['opens a session again', open('s', credits).with(12, 1)],
    ['opens a session whose credits are converted', open('s', [2, 3, 4, 9, 0], blocks)],
    ['settles a hold that was looked for in Postgres', checked(settle('h', 1, 8))],
    ['settles a hold that three wallets can pay', settle('h', 3, 1, 2, 4, 1, 8)],
    ['settles a hold with credits that are converted', settle('h', 2, 8, -100, 8)],
    ['settles what has no price', settle('h', 1, -1)],
  ])('that %s says so at length', (_, operation) => {
    expect(unpackBatch(packBatch(['acme', 'b'], [operation])).rows).toEqual([operation]);
  });

  it('names a hold in short once', () => {
    const [first, again] = [open('s', credits), settle('s', 1, 8).with(1, 2)];
    const elsewhere = settle('s', 1, 8);
    const { rows, shorts } = unpackBatch(packBatch(['acme', 'b'], [first, again, elsewhere, again]));
    expect(rows).toEqual([OP.openSession, again, OP.settle, again]);
    expect(shorts[1]).toEqual(['h1:bs', 'h4:acmes']);
  });

  it('of which something is missing is not taken for a whole one', () => {
    const { batch, shorts } = packBatch(['acme', 'b'], [settle('s0', 1, 8), open('s1', credits)]);
    expect(() => unpackBatch({ batch, shorts: shorts.subarray(0, -1) })).toThrow('not what a batch says');
  });
});
