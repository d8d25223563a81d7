import { DrawdownError } from '../errors.js';
import { type AccountState, CODE, OP, type PackedOperation, type StoredOutcome } from '../redis/format.js';
import { type Executed, type Executor, type OperationSpec, resultError } from '../usage/executor.js';
import { positionOf } from '../usage/operation.js';
import type { CallOptions } from '../usage/types.js';
import { caughtUp } from './caught-up.js';

export interface AccountLimits {
  readonly eventAgeMaxMs: number;
  readonly eventFutureMaxMs: number;
}

/** What all calls of the control plane are made of. */
export class AccountCalls {
  constructor(
    readonly executor: Executor,
    private readonly limits: AccountLimits,
  ) {}

  run(
    accountId: string,
    packed: PackedOperation,
    options: Pick<CallOptions, 'deadlineMs'>,
    more: Partial<Pick<OperationSpec, 'ending' | 'details' | 'catalogVersion'>> = {},
  ): Promise<Executed> {
    return this.executor.run({ accountId, packed, ending: packed[0] === OP.touch, ...more }, options);
  }

  /** The outcome of an operation, durable if the call asks for it. */
  async outcome(
    { result, decision }: Executed,
    accountId: string,
    options: CallOptions,
  ): Promise<StoredOutcome> {
    if (result.code !== CODE.ok && result.code !== CODE.duplicate) throw resultError(result, accountId);
    await this.executor.settleDurability([positionOf(decision, result.outcome.seq)], options);
    return result.outcome;
  }

  /** The account as Redis has it, once Postgres has caught up with it: what was acknowledged before this call is seen by it. */
  async caughtUp(accountId: string, options: CallOptions): Promise<AccountState> {
    return (await caughtUp(this.executor, accountId, options.deadlineMs)).account;
  }

  checkTime(timeMs: number): void {
    const nowMs = Date.now();
    if (timeMs < nowMs - this.limits.eventAgeMaxMs) {
      throw new DrawdownError('EVENT_TOO_OLD', 'event_time_ms: older than eventAgeMaxMs', {
        field: 'event_time_ms',
      });
    }
    if (timeMs > nowMs + this.limits.eventFutureMaxMs) {
      throw new DrawdownError('EVENT_IN_FUTURE', 'event_time_ms: further ahead than eventFutureMaxMs', {
        field: 'event_time_ms',
      });
    }
  }
}
