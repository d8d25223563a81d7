import type { Catalog, PlanSpec } from '../catalog/catalog.js';
import { DrawdownError, type ErrorCode } from '../errors.js';
import {
  CODE,
  OP,
  type PackedOperation,
  type PackedPeriod,
  type PackedSubscription,
  REASON,
  STATE,
  type StoredOutcome,
} from '../redis/format.js';
import type { Catalogs } from '../usage/catalogs.js';
import type { Executed } from '../usage/executor.js';
import {
  cancelChangeFingerprint,
  changePlanFingerprint,
  startPeriodFingerprint,
} from '../usage/fingerprint.js';
import type { CallOptions } from '../usage/types.js';
import type { AccountCalls } from './account-calls.js';
import type {
  CancelChangeCall,
  ChangePlanCall,
  Period,
  PlanResult,
  Plans,
  PlanView,
  StartPeriodCall,
} from './plan-types.js';
import { type AccountImport, type CreateAccountCall, LOT_SOURCES } from './types.js';

const FREE_PLAN = 2;
/** What stands for the credits, or the rank, of a plan that the catalog does not know. */
const UNKNOWN_CREDITS = -1;
const UNKNOWN_RANK = -1;

/** The plan of a name in the catalog in force; why not, where it has none. */
function planOf({ plans }: Catalog, name: string): PlanSpec | DrawdownError {
  const plan = plans.find((one) => one.name === name);
  if (plan !== undefined) return plan;
  return new DrawdownError('PLAN_UNKNOWN', `plan: no plan ${name} is in the catalog`, { field: 'plan' });
}

function paidPlanOf(catalog: Catalog, name: string): PlanSpec | DrawdownError {
  const plan = planOf(catalog, name);
  return plan instanceof DrawdownError || plan.period !== null ? plan : withoutPeriods(plan);
}

/** What the script needs of what an account begins with: its plan, and what it brings along; and why it cannot begin so. */
export function beginningTerms(
  catalog: Catalog,
  call: CreateAccountCall,
): { readonly terms: PackedOperation; readonly refusal: DrawdownError | null } {
  const plan = beginningPlan(catalog, call);
  const refused = plan instanceof DrawdownError;
  // The call may repeat one of the time in which the catalog had the plan, and then gets its outcome.
  const terms = refused ? [call.plan, UNKNOWN_RANK, -1, -1, 0] : plan;
  return { terms: [...terms, ...importTerms(catalog, call.imported)], refusal: refused ? plan : null };
}

function importTerms({ lotPriorities }: Catalog, imported: AccountImport | null): PackedOperation {
  if (imported === null) return [0, 0, 0];
  const { lots, periodStartTimeMs, periodEndTimeMs } = imported;
  return [
    1,
    periodStartTimeMs,
    periodEndTimeMs,
    ...lots.flatMap(({ unit, amount, source, expiresAtMs }) => [
      unit,
      amount,
      LOT_SOURCES[source],
      lotPriorities[source],
      expiresAtMs,
    ]),
  ];
}

function beginningPlan(
  catalog: Catalog,
  { plan: name, imported }: CreateAccountCall,
): PackedOperation | DrawdownError {
  const runs = imported !== null && imported.periodEndTimeMs > 0;
  if (name === '' && !runs) return ['', 0, -1, -1, 0];
  const plan = runs ? paidPlanOf(catalog, name) : planOf(catalog, name);
  if (plan instanceof DrawdownError) return plan;
  const credits = plan.period === null ? plan.creditsMicros : -1;
  return [plan.name, plan.rank, plan.agentsMax ?? -1, credits, catalog.lotPriorities.free];
}

function withoutPeriods({ name }: PlanSpec): DrawdownError {
  const message = `plan: ${name} is the free plan, which has no billing periods`;
  return new DrawdownError('PLAN_UNKNOWN', message, { field: 'plan' });
}

/** Name, rank, agents, credits, their priority, and what becomes of them at a period's end. */
function termsOf({ lotPriorities }: Catalog, name: string, plan: PlanSpec | DrawdownError): PackedOperation {
  // The call may repeat one of the time in which the catalog had the plan, and then gets its outcome.
  if (plan instanceof DrawdownError) return [name, 0, -1, UNKNOWN_CREDITS, 0, 0];
  const { period } = plan;
  const head = [plan.name, plan.rank, plan.agentsMax ?? -1, plan.creditsMicros];
  if (period === null) return [...head, lotPriorities.free, FREE_PLAN];
  return [...head, lotPriorities.plan, period.onEnd === 'keep' ? 1 : 0];
}

/** What is shown of a subscription at a moment. */
export function planView(subscription: PackedSubscription | undefined, nowMs: number): PlanView {
  if (subscription === undefined) throw new Error('an account is shown without its subscription');
  const [, plan, , , period, , next, change] = subscription;
  return {
    plan,
    period: period !== false && period[1] > nowMs ? periodView(period) : null,
    nextPeriod: next === false ? null : periodView(next),
    scheduledChange:
      change === false || period === false ? null : { plan: change[0], effectiveTimeMs: period[1] },
  };
}

function periodView([startTimeMs, endTimeMs, plan]: PackedPeriod): Period {
  return { plan, startTimeMs, endTimeMs };
}

/** Plans of accounts and their billing periods. The catalog's terms go along with the call, so that what is stored is kept as it was promised. */
export class PlanControl implements Plans {
  constructor(
    private readonly calls: AccountCalls,
    private readonly catalogs: Catalogs,
  ) {}

  async startPeriod(call: StartPeriodCall, options: CallOptions): Promise<PlanResult> {
    this.calls.checkTime(call.eventTimeMs);
    const { catalog } = this.catalogs.current();
    const plan = paidPlanOf(catalog, call.plan);
    const { requestId, accountId, startTimeMs, endTimeMs, eventTimeMs } = call;
    const head = [OP.startPeriod, 0, requestId, startPeriodFingerprint(call), eventTimeMs, -1];
    const packed = [...head, ...termsOf(catalog, call.plan, plan), startTimeMs, endTimeMs];
    const executed = await this.calls.run(accountId, packed, options);
    if (plan instanceof DrawdownError && executed.result.code === CODE.none) throw plan;
    return this.#result(executed, accountId, options, 'end_time_ms');
  }

  async changePlan(call: ChangePlanCall, options: CallOptions): Promise<PlanResult> {
    this.calls.checkTime(call.eventTimeMs);
    const { catalog } = this.catalogs.current();
    const { requestId, accountId, periodEndTimeMs, eventTimeMs } = call;
    const plan = planOf(catalog, call.plan);
    const head = [OP.changePlan, 0, requestId, changePlanFingerprint(call), eventTimeMs, -1];
    const packed = [...head, ...termsOf(catalog, call.plan, plan), periodEndTimeMs];
    const executed = await this.calls.run(accountId, packed, options);
    if (plan instanceof DrawdownError && executed.result.code === CODE.none) throw plan;
    return this.#result(executed, accountId, options, 'period_end_time_ms');
  }

  async cancelChange(call: CancelChangeCall, options: CallOptions) {
    this.calls.checkTime(call.eventTimeMs);
    const { requestId, accountId, eventTimeMs } = call;
    const packed = [OP.withdrawChange, 0, requestId, cancelChangeFingerprint(call), eventTimeMs, -1];
    const executed = await this.calls.run(accountId, packed, options, { ending: true });
    await this.#outcome(executed, accountId, options);
    return { accountId, duplicate: executed.result.code === CODE.duplicate };
  }

  async #result(
    executed: Executed,
    accountId: string,
    options: CallOptions,
    endField: string,
  ): Promise<PlanResult> {
    const { result } = executed;
    if (result.code === CODE.denied && result.denial.reason === REASON.periodEnded) {
      throw new DrawdownError('PERIOD_ENDED', `${endField}: is reached already`, { field: endField });
    }
    const { state, amount, overdrawn, available, extra } = await this.#outcome(executed, accountId, options);
    const outcome = OUTCOMES[state];
    if (outcome === undefined) throw new Error(`a script answered state ${state} for a plan`);
    const later = outcome === 'scheduled' || outcome === 'period_stored';
    return {
      accountId,
      outcome,
      effectiveTimeMs: later ? extra : 0,
      granted: amount,
      debtPaid: overdrawn,
      lotId: later ? 0 : extra,
      available,
      duplicate: result.code === CODE.duplicate,
    };
  }

  #outcome(executed: Executed, accountId: string, options: CallOptions): Promise<StoredOutcome> {
    const { result } = executed;
    const refusal = result.code === CODE.denied ? REFUSALS[result.denial.reason] : undefined;
    if (refusal !== undefined)
      throw new DrawdownError(refusal.code, refusal.message, { field: refusal.field });
    return this.calls.outcome(executed, accountId, options);
  }
}

const OUTCOMES: Readonly<Record<number, PlanResult['outcome']>> = {
  [STATE.periodStarted]: 'period_started',
  [STATE.periodStored]: 'period_stored',
  [STATE.planChanged]: 'changed',
  [STATE.planScheduled]: 'scheduled',
};

const REFUSALS: Readonly<
  Record<number, { readonly code: ErrorCode; readonly message: string; readonly field: string }>
> = {
  [REASON.fieldInvalid]: {
    code: 'FIELD_INVALID',
    message: 'period_end_time_ms: is needed, because the plan takes effect at once',
    field: 'period_end_time_ms',
  },
  [REASON.periodOverlaps]: {
    code: 'PERIOD_OVERLAPS',
    message: 'the billing period overlaps another one of the account',
    field: 'start_time_ms',
  },
  [REASON.periodStored]: {
    code: 'PERIOD_STORED',
    message: 'a later billing period is stored; withdraw it first',
    field: 'account_id',
  },
  [REASON.planUnchanged]: {
    code: 'PLAN_UNCHANGED',
    message: 'plan: the account is on it already',
    field: 'plan',
  },
  [REASON.nothingScheduled]: {
    code: 'NOTHING_SCHEDULED',
    message: 'there is nothing to withdraw',
    field: 'account_id',
  },
};
