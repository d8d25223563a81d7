/** Plans and their billing periods. */
import type { Core } from '../../src/core.js';
import type { CancelChangeCall, ChangePlanCall, StartPeriodCall } from '../../src/credits/plan-types.js';
import { type Call, offeredPlan, unless } from './calls.js';

const OUTCOMES = {
  period_started: 'started',
  period_stored: 'stored',
  changed: 'changed',
  scheduled: 'scheduled',
} as const;

type PlanAnswer = Awaited<ReturnType<Core['plans']['startPeriod']>>;

function toldPlan({ outcome, granted, debtPaid, lotId, effectiveTimeMs, available, duplicate }: PlanAnswer) {
  return unless(duplicate, OUTCOMES[outcome], granted, debtPaid, lotId || effectiveTimeMs, available);
}

export function startPeriod(call: StartPeriodCall): Call {
  const { accountId: account, requestId: id, startTimeMs: startMs, endTimeMs: endMs } = call;
  return {
    account,
    what: `starts a period of ${call.plan} from ${new Date(startMs).toISOString()} to ${new Date(endMs).toISOString()}`,
    ops: ({ tariff }) => {
      const plan = offeredPlan(tariff, call.plan);
      return [{ kind: 'startPeriod', account, id, payload: JSON.stringify(call), plan, startMs, endMs }];
    },
    async send({ plans }, options) {
      return toldPlan(await plans.startPeriod(call, options));
    },
  };
}

export function changePlan(call: ChangePlanCall): Call {
  const { accountId: account, requestId: id, periodEndTimeMs } = call;
  const endMs = periodEndTimeMs === 0 ? undefined : periodEndTimeMs;
  return {
    account,
    what: `changes to ${call.plan}`,
    ops: ({ tariff }) => [
      {
        kind: 'changePlan',
        account,
        id,
        payload: JSON.stringify(call),
        plan: offeredPlan(tariff, call.plan),
        endMs,
      },
    ],
    async send({ plans }, options) {
      return toldPlan(await plans.changePlan(call, options));
    },
  };
}

export function cancelChange(call: CancelChangeCall): Call {
  const { accountId: account, requestId: id } = call;
  return {
    account,
    what: 'withdraws what is scheduled',
    ops: () => [{ kind: 'cancelChange', account, id, payload: 'cancel' }],
    async send({ plans }, options) {
      return unless((await plans.cancelChange(call, options)).duplicate);
    },
  };
}
