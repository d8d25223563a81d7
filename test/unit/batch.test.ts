import { expect, it } from 'vitest';
import { packBatch, unpackBatch } from '../../src/redis/batch.js';
import { OP } from '../../src/redis/format.js';

const touch = [OP.touch, 1];
const usage = [OP.usage, 1, 'event', 7, 1_000, -1, 1, 5];

it('a batch is unpacked as it was packed, rows before usage', () => {
  const { accountIds, rows, usage: columns } = unpackBatch(packBatch(['acme'], [touch, usage, usage]));
  expect(accountIds).toEqual(['acme']);
  expect(rows).toEqual([touch]);
  expect(columns[1]).toEqual(['u4:acmeevent', 'u4:acmeevent']);
});

it('a row after a usage event is our own mistake and is never sent', () => {
  expect(() => packBatch(['acme'], [usage, touch])).toThrow('a row after a usage event');
});
