import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Plans } from '../credits/plan-types.js';
import type { CancelScheduledChangeRequest__Output } from '../gen/drawdown/v1/CancelScheduledChangeRequest.js';
import type { CancelScheduledChangeResponse } from '../gen/drawdown/v1/CancelScheduledChangeResponse.js';
import type { ChangePlanRequest__Output } from '../gen/drawdown/v1/ChangePlanRequest.js';
import type { ChangePlanResponse } from '../gen/drawdown/v1/ChangePlanResponse.js';
import type { StartBillingPeriodRequest__Output } from '../gen/drawdown/v1/StartBillingPeriodRequest.js';
import type { StartBillingPeriodResponse } from '../gen/drawdown/v1/StartBillingPeriodResponse.js';
import { type CallEnvironment, callOptions, unary } from './call.js';
import { enumName } from './names.js';
import type { Outcomes } from './outcomes.js';
import { checkDurable, checkId, checkTime, checkWhole, fieldInvalid } from './validate.js';

export interface PlanEnvironment extends CallEnvironment {
  readonly plans: Plans;
  readonly outcomes: Outcomes;
}

/** The part of AccountService that changes plans and starts billing periods. */
export function planCalls(environment: PlanEnvironment): UntypedServiceImplementation {
  return {
    startBillingPeriod: startBillingPeriod(environment),
    changePlan: changePlan(environment),
    cancelScheduledChange: cancelScheduledChange(environment),
  };
}

const startBillingPeriod = (environment: PlanEnvironment) =>
  unary<StartBillingPeriodRequest__Output, StartBillingPeriodResponse>(
    'StartBillingPeriod',
    environment,
    async (request, call) => {
      const { plans, outcomes, settings } = environment;
      const startCall = {
        requestId: checkId(request.requestId, 'request_id'),
        accountId: checkId(request.accountId, 'account_id'),
        plan: checkId(request.plan, 'plan'),
        startTimeMs: checkTime(request.startTimeMs, 'start_time_ms'),
        endTimeMs: checkTime(request.endTimeMs, 'end_time_ms'),
        eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      };
      if (startCall.endTimeMs <= startCall.startTimeMs) {
        throw fieldInvalid('end_time_ms', 'must be after start_time_ms');
      }
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('start_billing_period', plans.startPeriod(startCall, options));
      outcomes.planned('start_billing_period', result);
      return { ...result, outcome: enumName('PLAN_OUTCOME', result.outcome) };
    },
  );

const changePlan = (environment: PlanEnvironment) =>
  unary<ChangePlanRequest__Output, ChangePlanResponse>('ChangePlan', environment, async (request, call) => {
    const { plans, outcomes, settings } = environment;
    const changeCall = {
      requestId: checkId(request.requestId, 'request_id'),
      accountId: checkId(request.accountId, 'account_id'),
      plan: checkId(request.plan, 'plan'),
      periodEndTimeMs: checkWhole(request.periodEndTimeMs, 'period_end_time_ms'),
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
    const result = await outcomes.watched('change_plan', plans.changePlan(changeCall, options));
    outcomes.planned('change_plan', result);
    return { ...result, outcome: enumName('PLAN_OUTCOME', result.outcome) };
  });

const cancelScheduledChange = (environment: PlanEnvironment) =>
  unary<CancelScheduledChangeRequest__Output, CancelScheduledChangeResponse>(
    'CancelScheduledChange',
    environment,
    async (request, call) => {
      const { plans, outcomes, settings } = environment;
      const cancelCall = {
        requestId: checkId(request.requestId, 'request_id'),
        accountId: checkId(request.accountId, 'account_id'),
        eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      };
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched(
        'cancel_scheduled_change',
        plans.cancelChange(cancelCall, options),
      );
      outcomes.corrected('cancel_scheduled_change', result);
      return { ...result };
    },
  );
