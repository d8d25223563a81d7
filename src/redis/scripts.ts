import type { PackedBatch } from './batch.js';
import { BinaryReader } from './binary.js';
import type { RedisConnection } from './connection.js';
import {
  type AccountState,
  CODE,
  type Denial,
  OP,
  type PackedOperation,
  type PackedSubscription,
  readAccount,
  readDenial,
  readOutcome,
  type StoredOutcome,
  unpack,
} from './format.js';
import {
  type CheckpointedHold,
  type OpenedHold,
  readCheckpointedHold,
  readOpenedHold,
  readShortOpened,
} from './hold-format.js';
import { accountScope, type PartitionKeys, splitScope } from './keys.js';
import { callScript } from './script-call.js';
import { readScript, type ScriptOptions, type ScriptSource } from './script-source.js';

/** What every call but those of epochs.ts carries, and what the scripts compare before they do anything. */
export interface Fence {
  readonly keys: PartitionKeys;
  readonly installation: string;
  readonly epoch: number;
  readonly runId: string;
  /** Highest seq that this process has seen of the partition. */
  readonly seqSeen: number;
}

/** A refusal by the fence: nothing was read or written. */
export type FenceRefusal =
  | { readonly status: 'FENCED'; readonly what: 'epoch' | 'run_id' | 'seq'; readonly epoch: number }
  | { readonly status: 'EMPTY' }
  | { readonly status: 'INSTALLATION' }
  | { readonly status: 'FORMAT'; readonly format: number }
  | { readonly status: 'SKEW'; readonly skewMs: number };

export interface BatchReply {
  readonly status: 'OK';
  readonly epoch: number;
  /** Seq of the partition's last entry after the batch. */
  readonly seq: number;
  readonly durableSeq: number;
  readonly nowMs: number;
  readonly idsSinceMs: number;
  readonly firstSeq: number;
  readonly pendingBytes: number;
  /** Holds that ended by their deadline in this batch. */
  readonly expiredHolds: number;
  readonly results: readonly OperationResult[];
}

/** What became of one operation. */
export type OperationResult =
  | {
      readonly code: typeof CODE.ok | typeof CODE.duplicate | typeof CODE.conflict | typeof CODE.ended;
      readonly outcome: StoredOutcome;
    }
  /** A touch: the account as it is; where it is shown, with its subscription. */
  | {
      readonly code: 'account';
      readonly account: AccountState;
      readonly subscription?: PackedSubscription;
    }
  | { readonly code: 'opened'; readonly session: OpenedHold }
  | { readonly code: 'checkpointed'; readonly session: CheckpointedHold }
  | { readonly code: typeof CODE.denied; readonly denial: Denial }
  /** The amounts must be priced with this catalog version. */
  | { readonly code: typeof CODE.reprice; readonly catalogVersion: number }
  | { readonly code: typeof CODE.limit; readonly limit: string }
  | {
      readonly code:
        | typeof CODE.miss
        | typeof CODE.check
        | typeof CODE.none
        | typeof CODE.stale
        | typeof CODE.behind
        | typeof CODE.broken
        | 'swept';
    };

/** Holds and accounts among the deadlines that one script looks at, 2 ms where nothing is left of most. */
export const DUE_PER_LOOK_MAX = 2_000;

/** What has become due of a partition, in the order of its deadlines. */
export interface DueReply {
  readonly status: 'OK';
  readonly due: readonly DueWork[];
  /** Deadlines of which nothing was left. */
  readonly dropped: number;
  /** There are more that have passed. */
  readonly more: boolean;
}

/** A hold whose deadline has passed; '': what is due of its account. */
export interface DueWork {
  readonly accountId: string;
  readonly holdId: string;
}

export interface DurableReply {
  readonly status: 'OK';
  readonly rotated: boolean;
  readonly journalRecords: number;
  readonly accounts: number;
  readonly openHolds: number;
  readonly pendingBytes: number;
  readonly trimmed: number;
}

/** Limits that the scripts apply; see the settings of the same names. */
export interface ScriptLimits {
  readonly clockSkewMaxMs: number;
  readonly eventFutureMaxMs: number;
  readonly idsPerGenerationMax: number;
  readonly idsWindowMs: number;
  readonly journalBytesMax: number;
  readonly journalAgeMaxMs: number;
}

/** An account to load: id, packed state, when it is due (0: never), its subscription (empty: none), its open holds as (field, packed hold, deadline), flat. */
export type LoadedAccount = readonly [
  id: string,
  state: Buffer,
  dueMs: number,
  subscription: Buffer,
  holds: readonly (string | Buffer | number)[],
];

/** One typed call per script. Replies are decoded here and nowhere else. */
export class Scripts {
  readonly #batch: ScriptSource;
  readonly #batchEnding: ScriptSource;
  readonly #durable: ScriptSource;
  readonly #load: ScriptSource;
  readonly #evict: ScriptSource;
  readonly #due: ScriptSource;

  constructor(
    private readonly connection: RedisConnection,
    private readonly limits: ScriptLimits,
    replacedIncludes?: ScriptOptions['replacedIncludes'],
  ) {
    const read = (name: string, allowOutOfMemory: boolean): ScriptSource =>
      readScript(name, replacedIncludes ? { allowOutOfMemory, replacedIncludes } : { allowOutOfMemory });
    this.#batch = read('batch', false);
    this.#batchEnding = read('batch', true);
    this.#durable = read('durable', true);
    this.#load = read('load', true);
    this.#evict = read('evict', true);
    this.#due = read('due', true);
  }

  /**
   * Applies a batch. `ending` batches (settle, release, expire) run also when Redis is out of memory; for the others
   * LIMIT_REACHED (maxmemory) says so, and nothing was changed. Rejects OUTCOME_UNKNOWN where the reply was lost.
   */
  async batch(
    fence: Fence,
    operations: readonly PackedOperation[],
    { batch, shorts }: PackedBatch,
    opaque: Buffer,
    options: { readonly ending: boolean },
  ): Promise<BatchReply | FenceRefusal> {
    const limits = this.limits;
    const reply = await callScript(
      this.connection,
      options.ending ? this.#batchEnding : this.#batch,
      fence.keys,
      [
        ...fenceArguments(fence),
        limits.clockSkewMaxMs,
        limits.eventFutureMaxMs,
        limits.idsPerGenerationMax,
        limits.journalBytesMax,
        limits.journalAgeMaxMs,
        batch,
        shorts,
        opaque,
      ],
    );
    const head = unpack<unknown[]>(reply[0] as Buffer);
    if (head[0] !== 'OK') return refusalOf(head);
    const [, epoch, seq, durableSeq, nowMs, idsSinceMs, firstSeq, pendingBytes, expiredHolds] = head as [
      string,
      ...number[],
    ];
    return {
      status: 'OK',
      epoch: epoch as number,
      seq: seq as number,
      durableSeq: durableSeq as number,
      nowMs: nowMs as number,
      idsSinceMs: idsSinceMs as number,
      firstSeq: firstSeq as number,
      pendingBytes: pendingBytes as number,
      expiredHolds: expiredHolds as number,
      results: readResults(operations, nowMs as number, reply[1] as Buffer, reply[2] as Buffer),
    };
  }

  /**
   * Moves the durable watermark to `seq`, booked at `bookedMs` (0: unknown), trims the journal before `keepFromSeq` (0: not), rotates ids
   * when they are due.
   */
  async durable(
    fence: Fence,
    progress: {
      readonly seq: number;
      readonly bytes: number;
      readonly bookedMs: number;
      readonly keepFromSeq: number;
    },
  ): Promise<DurableReply | FenceRefusal> {
    const reply = await callScript(this.connection, this.#durable, fence.keys, [
      ...fenceArguments(fence),
      this.limits.clockSkewMaxMs,
      progress.seq,
      progress.bytes,
      progress.keepFromSeq,
      this.limits.idsPerGenerationMax,
      this.limits.idsWindowMs,
      progress.bookedMs,
    ]);
    const head = unpack<unknown[]>(reply[0] as Buffer);
    if (head[0] !== 'OK') return refusalOf(head);
    const [, rotated, journalRecords, accounts, openHolds, pendingBytes, trimmed] = head as [
      string,
      ...number[],
    ] as [string, number, number, number, number, number, number];
    return {
      status: 'OK',
      rotated: rotated === 1,
      journalRecords,
      accounts,
      openHolds,
      pendingBytes,
      trimmed,
    };
  }

  /**
   * Loads accounts as Postgres knows them at `snapshotSeq`, and outcomes that Redis forgot; 'STALE': read Postgres again.
   * Returns how many accounts were absent.
   */
  async load(
    fence: Fence,
    snapshotSeq: number,
    accounts: readonly LoadedAccount[],
    outcomes: readonly (string | Buffer)[],
  ): Promise<number | 'STALE' | FenceRefusal> {
    const reply = await callScript(this.connection, this.#load, fence.keys, [
      ...fenceArguments(fence),
      this.limits.clockSkewMaxMs,
      snapshotSeq,
      accounts.length,
      ...accounts.flatMap(([id, state, dueMs, subscription, holds]) => [
        id,
        state,
        dueMs,
        subscription,
        accountScope(id),
        holds.length / 3,
        ...holds,
      ]),
      ...outcomes,
    ]);
    const head = unpack<unknown[]>(reply[0] as Buffer);
    if (head[0] === 'STALE') return 'STALE';
    return head[0] === 'OK' ? (head[1] as number) : refusalOf(head);
  }

  /** Drops those of the accounts that are idle since `idleSinceMs`, without holds, and durable. Returns how many. */
  async evict(
    fence: Fence,
    idleSinceMs: number,
    accountIds: readonly string[],
  ): Promise<number | FenceRefusal> {
    const reply = await callScript(this.connection, this.#evict, fence.keys, [
      ...fenceArguments(fence),
      this.limits.clockSkewMaxMs,
      idleSinceMs,
      ...accountIds,
    ]);
    const head = unpack<unknown[]>(reply[0] as Buffer);
    return head[0] === 'OK' ? (head[1] as number) : refusalOf(head);
  }

  /** Looks at `looks` holds and accounts whose deadlines have passed, and drops deadlines of which nothing is left. */
  async due(fence: Fence, looks: number): Promise<DueReply | FenceRefusal> {
    const reply = await callScript(this.connection, this.#due, fence.keys, [
      ...fenceArguments(fence),
      this.limits.clockSkewMaxMs,
      looks,
    ]);
    const head = unpack<unknown[]>(reply[0] as Buffer);
    if (head[0] !== 'OK') return refusalOf(head);
    const due = reply.slice(1).map((member) => readDue((member as Buffer).toString()));
    return { status: 'OK', due, dropped: head[1] as number, more: head[2] === 1 };
  }
}

/** The field of a hold, or `a` and an account's id. */
function readDue(member: string): DueWork {
  if (member.startsWith('a')) return { accountId: member.slice(1), holdId: '' };
  const { accountId, id } = splitScope(member.slice(1));
  return { accountId, holdId: id };
}

function fenceArguments(fence: Fence): (string | number)[] {
  return [fence.installation, fence.epoch, fence.runId, fence.seqSeen, Date.now()];
}

function readResults(
  operations: readonly PackedOperation[],
  nowMs: number,
  codes: Buffer,
  values: Buffer,
): OperationResult[] {
  const reader = new BinaryReader(values);
  const results = new Array<OperationResult>(operations.length);
  for (let i = 0; i < operations.length; i++)
    results[i] = readResult(operations[i] as PackedOperation, nowMs, codes[i] as number, reader);
  if (!reader.atEnd) throw new Error('a script answered more than was asked');
  return results;
}

function readResult(
  operation: PackedOperation,
  nowMs: number,
  code: number,
  reader: BinaryReader,
): OperationResult {
  switch (code) {
    case CODE.ok:
      if (operation[0] === OP.touch) return { code: 'account', account: readAccount(reader) };
      if (operation[0] === OP.show) {
        const account = readAccount(reader);
        return { code: 'account', account, subscription: unpack(reader.bytes(reader.u32())) };
      }
      if (operation[0] === OP.expireHold) return { code: 'swept' };
      if (operation[0] === OP.openSession) return { code: 'opened', session: readOpenedHold(reader) };
      if (operation[0] === OP.checkpoint)
        return { code: 'checkpointed', session: readCheckpointedHold(reader) };
      return { code, outcome: readOutcome(reader) };
    case CODE.opened:
      return { code: 'opened', session: readShortOpened(reader, operation, nowMs) };
    case CODE.duplicate:
    case CODE.conflict:
    case CODE.ended:
      return { code, outcome: readOutcome(reader) };
    case CODE.denied:
      return { code, denial: readDenial(reader) };
    case CODE.reprice:
      return { code, catalogVersion: reader.u32() };
    case CODE.limit:
      return { code, limit: reader.text() };
    case CODE.miss:
    case CODE.check:
    case CODE.none:
    case CODE.stale:
    case CODE.behind:
    case CODE.broken:
      return { code };
    default:
      throw new Error(`a script answered code ${code}`);
  }
}

function refusalOf(head: unknown[]): FenceRefusal {
  switch (head[0]) {
    case 'FENCED':
      return { status: 'FENCED', what: head[1] as 'epoch' | 'run_id' | 'seq', epoch: head[2] as number };
    case 'EMPTY':
    case 'INSTALLATION':
      return { status: head[0] };
    case 'FORMAT':
      return { status: 'FORMAT', format: head[1] as number };
    case 'SKEW':
      return { status: 'SKEW', skewMs: head[1] as number };
    default:
      throw new Error(`a script answered ${String(head[0])}`);
  }
}
