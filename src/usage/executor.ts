import { DrawdownError } from '../errors.js';
import { CODE, type Denial, type PackedOperation, REASON, type StoredOutcome } from '../redis/format.js';
import { partitionOf } from '../redis/keys.js';
import type { LedgerDetails } from '../redis/opaque.js';
import type { Decision, FinalResult, Operation } from './operation.js';
import type { PartitionQueue } from './partition-queue.js';
import type { CallOptions, Position, Reason, Unit, Watermarks } from './types.js';

/** What one operation came to, and where it stands in the journal. */
export interface Executed {
  readonly result: FinalResult;
  readonly decision: Decision;
}

/** A single operation; those without details are none that the ledger describes. */
export interface OperationSpec {
  readonly accountId: string;
  readonly packed: PackedOperation;
  readonly ending: boolean;
  readonly details?: LedgerDetails;
  readonly catalogVersion?: number;
}

/** Sends operations to the queue of their account's partition. */
export class Executor {
  constructor(
    readonly queues: readonly PartitionQueue[],
    private readonly watermarks: Watermarks,
  ) {}

  queueOf(accountId: string): PartitionQueue {
    return this.queues[partitionOf(accountId, this.queues.length)] as PartitionQueue;
  }

  /** Runs one operation; rejects where it could not be judged. */
  run(spec: OperationSpec, options: Pick<CallOptions, 'deadlineMs'>): Promise<Executed> {
    return new Promise((resolve, reject) => {
      const operation: Operation = {
        accountId: spec.accountId,
        packed: spec.packed,
        details: spec.details ?? null,
        catalogVersion: spec.catalogVersion ?? 0,
        ending: spec.ending,
        bulk: false,
        deadlineMs: options.deadlineMs,
        done: (result, decision) => resolve({ result, decision }),
        failed: reject,
      };
      this.queueOf(spec.accountId).push(operation);
    });
  }

  isDurable(positions: readonly Position[]): boolean {
    return this.watermarks.state(positions) === 'durable';
  }

  /** Waits until positions are durable where the call asks for it; rejects RESEND where they were lost with Redis. */
  async settleDurability(positions: readonly Position[], options: CallOptions): Promise<void> {
    if (!options.durable) return;
    if ((await this.watermarks.wait(positions, options.deadlineMs)) === 'resend') {
      throw new DrawdownError(
        'RESEND',
        'applied, but lost with Redis before it was durable; send it again unchanged',
      );
    }
  }
}

const REASONS: Record<number, Reason> = {
  [REASON.insufficientBalance]: 'INSUFFICIENT_BALANCE',
  [REASON.accountFrozen]: 'ACCOUNT_FROZEN',
  [REASON.accountClosed]: 'ACCOUNT_CLOSED',
  [REASON.agentSuspended]: 'AGENT_SUSPENDED',
  [REASON.modelUnrated]: 'MODEL_UNRATED',
  [REASON.holdEnded]: 'HOLD_ENDED',
  [REASON.holdUnknown]: 'HOLD_UNKNOWN',
  [REASON.eventTooOld]: 'EVENT_TOO_OLD',
  [REASON.fieldInvalid]: 'FIELD_INVALID',
  [REASON.amountOutOfRange]: 'AMOUNT_OUT_OF_RANGE',
  [REASON.lotsMax]: 'LIMIT_REACHED',
  [REASON.agentsMax]: 'AGENTS_MAX',
};

/** The reason of a denial by its name in the protocol. */
export function reasonOf(denial: Pick<Denial, 'reason'>): Reason {
  const reason = REASONS[denial.reason];
  if (reason === undefined) throw new Error(`a script denied for reason ${denial.reason}`);
  return reason;
}

export function unitOf(number: number): Unit | 0 {
  if (number < 0 || number > 3) throw new Error(`a script answered unit ${number}`);
  return number as Unit | 0;
}

/** What the id of a call is remembered with, applied now or before; throws what else its result means. */
export function outcomeOf(result: FinalResult, accountId: string): StoredOutcome {
  if (result.code === CODE.ok || result.code === CODE.duplicate) return result.outcome;
  throw resultError(result, accountId);
}

/** The error that a result means for a call for which it is not a verdict. */
export function resultError(result: FinalResult, accountId: string): DrawdownError {
  switch (result.code) {
    case 'unknown account':
      return new DrawdownError('ACCOUNT_UNKNOWN', `account ${accountId} does not exist`, {
        field: 'account_id',
      });
    case CODE.conflict:
      return new DrawdownError('ID_CONFLICT', 'the id is already used with another payload');
    case CODE.stale:
      return new DrawdownError('SESSION_MOVED', 'the session was opened again elsewhere');
    case CODE.limit:
      return limitError(result.limit);
    case CODE.denied:
      return denialError(reasonOf(result.denial));
    default:
      return new DrawdownError('INTERNAL', `a script answered ${result.code} out of place`);
  }
}

export function limitError(limit: string): DrawdownError {
  const waitMs = 500;
  return new DrawdownError('LIMIT_REACHED', `${limit} is reached; nothing was changed`, {
    retryAfterMs: waitMs,
  });
}

function denialError(reason: Reason): DrawdownError {
  switch (reason) {
    case 'HOLD_UNKNOWN':
      return new DrawdownError('HOLD_UNKNOWN', 'no hold of this id is known', { field: 'hold_id' });
    case 'HOLD_ENDED':
      return new DrawdownError('HOLD_ENDED', 'the hold is settled already', { field: 'hold_id' });
    case 'FIELD_INVALID':
      return new DrawdownError('FIELD_INVALID', 'amount.unit: the hold is in another unit', {
        field: 'amount.unit',
      });
    case 'EVENT_TOO_OLD':
      return new DrawdownError(
        'EVENT_TOO_OLD',
        'event_time_ms: too old to tell whether this call was made before',
        { field: 'event_time_ms' },
      );
    case 'ACCOUNT_CLOSED':
      return new DrawdownError('ACCOUNT_CLOSED', 'the account is closed', { field: 'account_id' });
    case 'AMOUNT_OUT_OF_RANGE':
      return new DrawdownError('AMOUNT_OUT_OF_RANGE', 'a balance, hold or debt would exceed 2^53-1');
    case 'LIMIT_REACHED':
      return limitError('the number of lots in a wallet (lotsMax)');
    default:
      return new DrawdownError('INTERNAL', `denied ${reason} out of place`);
  }
}
