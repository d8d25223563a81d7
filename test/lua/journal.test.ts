/** What the journal is for: no change without its record, and no record gone before Postgres has it. */
import { expect, it } from 'vitest';
import { START_MS } from '../oracle/generators.js';
import { ComparedPartition } from './compared-partition.js';
import { create, grant, release, reserve, settle, usage } from './operations.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

it('a batch whose record cannot be written changes nothing', async () => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  const { keys } = compared.partition;
  const { client } = scripts.connection;
  await compared.batch([create(), grant('g', 100n), reserve('h1', 10n), reserve('h2', 10n)], START_MS);
  // As a script leaves it that is cut off after its first write.
  await client.xadd(keys[7], `1-${compared.partition.seq + 1}`, 'b', '');
  const everything = () => scripts.contentOf(keys);
  const before = await everything();
  const batch = [reserve('h3', 10n), settle('h1', 5n), release('h2'), usage('u', 1n)];
  await expect(compared.batch(batch, START_MS)).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(await everything()).toEqual(before);
});

it('the journal keeps what is not committed, whoever says that it may go', async () => {
  const compared = await ComparedPartition.open(scripts, START_MS);
  const { partition } = compared;
  await compared.batch([create(), grant('g', 100n)], START_MS);
  await compared.batch([usage('u1', 1n)], START_MS);
  await compared.batch([usage('u2', 1n)], START_MS);
  const commit = (seq: number, keepFromSeq: number) =>
    scripts.scripts.durable(partition.fence(), { seq, bytes: 0, bookedMs: START_MS, keepFromSeq });
  expect(await commit(2, partition.seq)).toMatchObject({ status: 'OK', journalRecords: 3 });
  // The record at the cursor stays, those before it go.
  expect(await commit(partition.seq, partition.seq)).toMatchObject({ status: 'OK', journalRecords: 1 });
});
