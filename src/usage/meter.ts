import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { findEntries } from '../postgres/entries.js';
import type { Pool } from '../postgres/pool.js';
import { type AccountState, CODE, OP, type PackedOperation, STATE } from '../redis/format.js';
import { checkedBalance } from './balance-check.js';
import type { Catalogs } from './catalogs.js';
import { checkEventTime, type EventTimeLimits, untimely, untimelyText } from './event-times.js';
import { type Executed, type Executor, outcomeOf, reasonOf, resultError, unitOf } from './executor.js';
import {
  extendFingerprint,
  releaseFingerprint,
  reserveFingerprint,
  usageFingerprint,
} from './fingerprint.js';
import { positionOf, type Taker } from './operation.js';
import { chargedBefore, statusOf } from './outcome-views.js';
import { appendCosts, appendEstimate, refusalText } from './pricing.js';
import { RecordCollector, refused, UsageOperation, usageOperation } from './record.js';
import { HOLD_ENDS } from './resolver.js';
import { Settling } from './settling.js';
import {
  type BalanceCheck,
  type CallOptions,
  type Denied,
  type Estimate,
  type ExtendCall,
  type Held,
  type Reason,
  type RecordOutcome,
  type ReleaseCall,
  type Released,
  type ReserveCall,
  type SettleCall,
  type Settled,
  UNITS,
  type Unit,
  type UnitName,
  type UsageEvent,
  type UsageMeter,
  type UsageState,
  type UsageStatus,
} from './types.js';

export interface MeterLimits extends EventTimeLimits {
  readonly holdTimeDefaultMs: number;
  readonly holdTimeMaxMs: number;
}

/** Validates times, prices, and sends usage and holds through the partition queues. */
export class Meter implements UsageMeter {
  constructor(
    private readonly executor: Executor,
    private readonly catalogs: Catalogs,
    private readonly pool: Pool,
    private readonly limits: MeterLimits,
    private readonly metrics: Metrics,
  ) {}

  async record(events: readonly UsageEvent[], options: CallOptions): Promise<RecordOutcome> {
    const collector = new RecordCollector(events.length);
    const { compiled } = this.catalogs.current();
    const nowMs = Date.now();
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as UsageEvent;
      const wrong = untimely(event.eventTimeMs, nowMs, this.limits);
      if (wrong !== null) {
        collector.settle(i, refused(wrong, untimelyText('event_time_ms', wrong)), null);
        continue;
      }
      const packed = usageOperation(event, usageFingerprint(event));
      const refusal = appendCosts(packed, compiled, event);
      if (refusal !== null) {
        const reason = refusal.reason === 'cost_too_large' ? 'AMOUNT_OUT_OF_RANGE' : 'FIELD_INVALID';
        collector.settle(i, refused(reason, refusalText(refusal)), null);
        continue;
      }
      this.executor
        .queueOf(event.accountId)
        .push(new UsageOperation(event, packed, compiled.version, options.deadlineMs, collector, i));
    }
    const outcome = await collector.outcome;
    this.metrics.duplicates.inc(
      { caught_by: 'redis' },
      outcome.results.reduce((count, result) => count + (result.outcome === 'duplicate' ? 1 : 0), 0),
    );
    await this.executor.settleDurability(outcome.positions, options);
    return outcome;
  }

  async reserve(call: ReserveCall, options: CallOptions): Promise<Held | Denied> {
    checkEventTime(call.startTimeMs, 'start_time_ms', this.limits);
    const holdTimeMs = this.#holdTime(call.holdTimeMs) || this.limits.holdTimeDefaultMs;
    const { compiled } = this.catalogs.current();
    const packed: PackedOperation = [
      OP.reserve,
      0,
      call.holdId,
      reserveFingerprint(call),
      call.startTimeMs,
      -1,
      holdTimeMs,
      compiled.version,
      call.agentId,
      call.meter,
      call.model,
    ];
    appendEstimate(packed, compiled, call, call.estimate, 'estimate');
    const executed = await this.executor.run({ accountId: call.accountId, packed, ending: false }, options);
    return this.#held(executed, call.accountId, options);
  }

  async extend(call: ExtendCall, options: CallOptions): Promise<Held | Denied> {
    checkEventTime(call.eventTimeMs, 'event_time_ms', this.limits);
    const holdTimeMs = this.#holdTime(call.holdTimeMs);
    if (call.addAmount === 0 && holdTimeMs === 0) {
      throw new DrawdownError('FIELD_INVALID', 'add_amount: an amount or a hold_time_ms must be above 0', {
        field: 'add_amount',
      });
    }
    const packed = [
      OP.extend,
      0,
      call.extendId,
      extendFingerprint(call),
      call.eventTimeMs,
      -1,
      call.holdId,
      call.addAmount,
      holdTimeMs,
    ];
    const executed = await this.executor.run({ accountId: call.accountId, packed, ending: false }, options);
    return this.#held(executed, call.accountId, options);
  }

  async settle(call: SettleCall, options: CallOptions): Promise<Settled> {
    const settled = await new Promise<Settled>((resolve, reject) => {
      this.startSettle(call, options, { done: resolve, failed: reject });
    });
    await this.executor.settleDurability([settled.position], options);
    return settled;
  }

  /** Settles and tells `taker`, once it is applied; throws what is wrong with the call itself. */
  startSettle(
    call: SettleCall,
    { deadlineMs }: Pick<CallOptions, 'deadlineMs'>,
    taker: Taker<Settled>,
  ): void {
    checkEventTime(call.eventTimeMs, 'event_time_ms', this.limits);
    new Settling(call, deadlineMs, this.executor, this.catalogs, taker).send(this.catalogs.current());
  }

  async release(call: ReleaseCall, options: CallOptions): Promise<Released> {
    checkEventTime(call.eventTimeMs, 'event_time_ms', this.limits);
    const packed = [
      OP.release,
      0,
      call.holdId,
      releaseFingerprint(call),
      call.eventTimeMs,
      -1,
      call.generation ?? 0,
    ];
    const executed = await this.executor.run({ accountId: call.accountId, packed, ending: true }, options);
    const outcome = outcomeOf(executed.result, call.accountId);
    const position = positionOf(executed.decision, outcome.seq);
    await this.executor.settleDurability([position], options);
    return {
      unit: outcome.unit as Unit,
      released: outcome.state === STATE.expired ? 0 : outcome.extra,
      available: outcome.available,
      duplicate: executed.result.code === CODE.duplicate,
      position,
    };
  }

  async checkBalance(
    call: { accountId: string; agentId: string; meter: string; model: string; estimate: Estimate | null },
    options: CallOptions,
  ): Promise<BalanceCheck> {
    const pairs: PackedOperation = [];
    if (call.estimate !== null)
      appendEstimate(pairs, this.catalogs.current().compiled, call, call.estimate, 'estimate');
    const packed = [call.agentId === '' ? OP.touch : OP.show, 0];
    const executed = await this.executor.run({ accountId: call.accountId, packed, ending: true }, options);
    if (executed.result.code === 'unknown account') {
      return { verdict: 'denied', reason: 'ACCOUNT_UNKNOWN', unit: 0, amount: 0, missing: 0, balances: [] };
    }
    const { account, subscription } = shownOrThrow(executed, call.accountId);
    const agent = subscription?.[9].find(([, id]) => id === call.agentId);
    return checkedBalance(account, agent, call.estimate === null ? null : pairs);
  }

  async getUsage(
    call: { accountId: string; kind: 'event' | 'hold'; id: string },
    options: CallOptions,
  ): Promise<UsageStatus> {
    const letter = call.kind === 'event' ? 'u' : 'h';
    const { result, decision } = await this.executor.run(
      { accountId: call.accountId, packed: [OP.lookup, 0, call.id, 0, 0, -1, letter], ending: true },
      options,
    );
    if (result.code === CODE.duplicate) {
      const durable = this.executor.isDurable([positionOf(decision, result.outcome.seq)]);
      return statusOf(result.outcome, durable);
    }
    if (result.code !== CODE.none) throw resultError(result, call.accountId);
    const kinds = call.kind === 'event' ? ['usage'] : HOLD_ENDS;
    const [entry] = await findEntries(this.pool, [{ accountId: call.accountId, kinds, id: call.id }]).catch(
      (cause: unknown) => {
        throw new DrawdownError('UNAVAILABLE', 'Postgres is needed for this id and does not answer', {
          cause,
          retryAfterMs: 500,
        });
      },
    );
    const nothing = {
      unit: 0,
      charged: 0,
      overdrawn: 0,
      held: 0,
      deadlineMs: 0,
      converted: 0,
    } as const;
    if (entry === undefined) return { ...nothing, state: 'unknown', durable: false };
    const before = chargedBefore(entry.note);
    return {
      ...nothing,
      state: LEDGER_STATES[entry.kind] as UsageState,
      unit: UNITS[entry.unit as UnitName],
      charged: entry.spent + before.charged,
      overdrawn: entry.debt + before.overdrawn,
      converted: entry.converted + before.converted,
      durable: true,
    };
  }

  async #held(
    { result, decision }: Executed,
    accountId: string,
    options: CallOptions,
  ): Promise<Held | Denied> {
    if (result.code === 'unknown account') {
      return { verdict: 'denied', reason: 'ACCOUNT_UNKNOWN', unit: 0, available: 0, missing: 0 };
    }
    if (result.code === CODE.denied) {
      const { denial } = result;
      const reason = reasonOf(denial);
      if (ERRORS.has(reason)) throw resultError(result, accountId);
      return {
        verdict: 'denied',
        reason,
        unit: unitOf(denial.unit),
        available: denial.available,
        missing: denial.missing,
      };
    }
    const outcome = outcomeOf(result, accountId);
    await this.executor.settleDurability([positionOf(decision, outcome.seq)], options);
    return {
      verdict: 'allowed',
      unit: outcome.unit as Unit,
      held: outcome.amount,
      available: outcome.available,
      deadlineMs: outcome.extra,
      duplicate: result.code === CODE.duplicate,
      catalogVersion: outcome.catalogVersion,
    };
  }

  #holdTime(holdTimeMs: number): number {
    if (holdTimeMs > this.limits.holdTimeMaxMs) {
      throw new DrawdownError(
        'FIELD_INVALID',
        `hold_time_ms: at most ${this.limits.holdTimeMaxMs} (holdTimeMaxMs)`,
        {
          field: 'hold_time_ms',
        },
      );
    }
    return holdTimeMs;
  }
}

export function accountOrThrow(executed: Executed, accountId: string): AccountState {
  return shownOrThrow(executed, accountId).account;
}

/** The account with its subscription, where that was asked for. */
export function shownOrThrow({ result }: Executed, accountId: string) {
  if (result.code === 'account') return result;
  throw resultError(result, accountId);
}

/** Of a Reserve or an Extend: reasons that are no verdict. */
const ERRORS: ReadonlySet<Reason> = new Set(['AMOUNT_OUT_OF_RANGE', 'EVENT_TOO_OLD', 'LIMIT_REACHED']);

const LEDGER_STATES: Record<string, UsageState> = {
  usage: 'recorded',
  settle: 'settled',
  release: 'released',
  hold_expired: 'expired',
  session_expired: 'expired',
};
