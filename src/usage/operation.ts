import type { DrawdownError } from '../errors.js';
import type { PackedOperation } from '../redis/format.js';
import type { LedgerDetails } from '../redis/opaque.js';
import type { OperationResult } from '../redis/scripts.js';
import type { Partition } from './partition.js';
import type { Position } from './types.js';

/** What an operation comes to in the end: the script's word, or that its account exists nowhere. */
export type FinalResult =
  | Exclude<OperationResult, { code: 0 } | { code: 5 } | { code: 10 } | { code: 11 }>
  | { readonly code: 'unknown account' };

/** When and where a result was decided. */
export interface Decision {
  readonly partition: Partition;
  /** Of the partition when it was decided, which may be over by now. */
  readonly epoch: number;
  readonly nowMs: number;
}

/** Where an entry of a decision, or one that it names, stands. */
export function positionOf({ partition, epoch }: Decision, seq: number): Position {
  return { partition: partition.number, epoch, seq };
}

/** One operation on its way through a partition's queue. Exactly one of `done` and `failed` is called, once. */
export interface Operation {
  readonly accountId: string;
  /** Position 1, the account's index, is set when a batch is built. */
  readonly packed: PackedOperation;
  readonly details: LedgerDetails | null;
  /** The version that priced it; 0 where nothing was priced. */
  readonly catalogVersion: number;
  /** Waits behind the others: bulk usage. */
  readonly bulk: boolean;
  /** Settle, release, expire, and reads: runs also when Redis is out of memory. */
  readonly ending: boolean;
  /** Past it the operation is dropped if it was not sent yet. */
  readonly deadlineMs: number;
  done(result: FinalResult, decision: Decision): void;
  failed(error: DrawdownError): void;
}

/** Who waits for what a call comes to: exactly one of the two is called, once. `failed` may be called before the call was even sent. */
export interface Taker<T> {
  done(result: T): void;
  failed(error: unknown): void;
}
