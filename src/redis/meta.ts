import type { RedisConnection } from './connection.js';
import type { PartitionKeys } from './keys.js';

/** What a partition's keys say of themselves. */
export interface Meta {
  readonly installation: string;
  readonly format: number;
  readonly epoch: number;
  /** Which keys these are; Postgres admits one token for each epoch. */
  readonly token: string;
  /** Of the server under which they serve. */
  readonly runId: string;
  readonly isSealed: boolean;
  readonly seq: number;
  readonly durableSeq: number;
}

/** Null where the partition has no keys. */
export async function readMeta(connection: RedisConnection, keys: PartitionKeys): Promise<Meta | null> {
  const [sealed, ...values] = await connection.client.hmget(
    keys[0],
    'sealed',
    'installation',
    'format',
    'epoch',
    'token',
    'run_id',
    'seq',
    'durable_seq',
  );
  if (values.some((value) => value == null)) return null;
  const [installation, format, epoch, token, runId, seq, durableSeq] = values as string[];
  return {
    installation: installation as string,
    format: Number(format),
    epoch: Number(epoch),
    token: token as string,
    runId: runId as string,
    isSealed: sealed === '1',
    seq: Number(seq),
    durableSeq: Number(durableSeq),
  };
}
