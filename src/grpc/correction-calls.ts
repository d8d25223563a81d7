import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Corrections, RatedCharge, StatusChange } from '../credits/correction-types.js';
import type { ExpireLotRequest__Output } from '../gen/drawdown/v1/ExpireLotRequest.js';
import type { ExpireLotResponse } from '../gen/drawdown/v1/ExpireLotResponse.js';
import type { FreezeAccountRequest__Output } from '../gen/drawdown/v1/FreezeAccountRequest.js';
import type { FreezeAccountResponse } from '../gen/drawdown/v1/FreezeAccountResponse.js';
import type { RerateUsageRequest__Output } from '../gen/drawdown/v1/RerateUsageRequest.js';
import type { RerateUsageResponse } from '../gen/drawdown/v1/RerateUsageResponse.js';
import type { ReverseUsageRequest__Output } from '../gen/drawdown/v1/ReverseUsageRequest.js';
import type { ReverseUsageResponse } from '../gen/drawdown/v1/ReverseUsageResponse.js';
import type { Unit } from '../usage/types.js';
import { type CallEnvironment, callOptions, unary } from './call.js';
import { enumName, unitName } from './names.js';
import type { Outcomes } from './outcomes.js';
import {
  checkDurable,
  checkId,
  checkOptionalId,
  checkReason,
  checkTime,
  checkWhole,
  fieldInvalid,
} from './validate.js';

/** Lines that one RerateUsage looks at: a page that Redis takes in a few batches, well within a call's deadline. */
const rerateLimitDefault = 100;
const rerateLimitMax = 1_000;

export interface CorrectionEnvironment extends CallEnvironment {
  readonly corrections: Corrections;
  readonly outcomes: Outcomes;
}

/** The part of AccountService that puts mistakes right and changes the status of accounts. */
export function correctionCalls(environment: CorrectionEnvironment): UntypedServiceImplementation {
  return {
    freezeAccount: setStatus('FreezeAccount', 'freeze', environment),
    unfreezeAccount: setStatus('UnfreezeAccount', 'unfreeze', environment),
    closeAccount: setStatus('CloseAccount', 'close', environment),
    reopenAccount: setStatus('ReopenAccount', 'reopen', environment),
    reverseUsage: reverseUsage(environment),
    expireLot: expireLot(environment),
    rerateUsage: rerateUsage(environment),
  };
}

/** The four calls have the same fields. */
const setStatus = (method: string, change: StatusChange, environment: CorrectionEnvironment) =>
  unary<FreezeAccountRequest__Output, FreezeAccountResponse>(method, environment, async (request, call) => {
    const { corrections, outcomes, settings } = environment;
    const statusCall = {
      requestId: checkId(request.requestId, 'request_id'),
      accountId: checkId(request.accountId, 'account_id'),
      change,
      ...checkReason(request),
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
    const kind = `${change}_account` as const;
    const result = await outcomes.watched(kind, corrections.setStatus(statusCall, options));
    outcomes.corrected(kind, result);
    return { ...result, status: enumName('ACCOUNT_STATUS', result.status) };
  });

const reverseUsage = (environment: CorrectionEnvironment) =>
  unary<ReverseUsageRequest__Output, ReverseUsageResponse>(
    'ReverseUsage',
    environment,
    async (request, call) => {
      const { corrections, outcomes, settings } = environment;
      const reverseCall = {
        requestId: checkId(request.requestId, 'request_id'),
        accountId: checkId(request.accountId, 'account_id'),
        charge: checkCharge(request),
        ...checkReason(request),
        eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      };
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched(
        'reverse_usage',
        corrections.reverseUsage(reverseCall, {
          ...options,
          // Even one that asks for APPLIED waits until the charge is durable.
          deadlineMs: Math.min(options.deadlineMs, Date.now() + settings.durableWaitMaxMs),
        }),
      );
      outcomes.corrected('reverse_usage', result);
      return { ...result, unit: unitName(result.unit) };
    },
  );

function checkCharge(request: ReverseUsageRequest__Output): { kind: 'usage' | 'settle'; id: string } {
  if (request.charge === 'eventId') return { kind: 'usage', id: checkId(request.eventId ?? '', 'event_id') };
  if (request.charge === 'holdId') return { kind: 'settle', id: checkId(request.holdId ?? '', 'hold_id') };
  throw fieldInvalid('charge', 'must be given as event_id or hold_id');
}

const expireLot = (environment: CorrectionEnvironment) =>
  unary<ExpireLotRequest__Output, ExpireLotResponse>('ExpireLot', environment, async (request, call) => {
    const { corrections, outcomes, settings } = environment;
    const reason = checkReason(request);
    if (reason.reasonCode === '') throw fieldInvalid('reason_code', 'is missing');
    const expireCall = {
      requestId: checkId(request.requestId, 'request_id'),
      accountId: checkId(request.accountId, 'account_id'),
      lotId: checkWhole(request.lotId, 'lot_id', { min: 1 }),
      ...reason,
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
    const result = await outcomes.watched('expire_lot', corrections.expireLot(expireCall, options));
    outcomes.corrected('expire_lot', result);
    return { ...result, unit: unitName(result.unit) };
  });

const rerateUsage = (environment: CorrectionEnvironment) =>
  unary<RerateUsageRequest__Output, RerateUsageResponse>(
    'RerateUsage',
    environment,
    async (request, call) => {
      const { corrections, outcomes, settings } = environment;
      const limit = checkWhole(request.limit, 'limit', { max: rerateLimitMax });
      const rerateCall = {
        accountId: checkOptionalId(request.accountId, 'account_id'),
        meter: checkOptionalId(request.meter, 'meter'),
        model: checkOptionalId(request.model, 'model'),
        fromTimeMs: checkWhole(request.fromTimeMs, 'from_time_ms'),
        toTimeMs: checkWhole(request.toTimeMs, 'to_time_ms'),
        limit: limit === 0 ? rerateLimitDefault : limit,
        cursor: request.cursor,
      };
      if (rerateCall.toTimeMs !== 0 && rerateCall.toTimeMs <= rerateCall.fromTimeMs) {
        throw fieldInvalid('to_time_ms', 'must be after from_time_ms');
      }
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('rerate_usage', corrections.rerateUsage(rerateCall, options));
      outcomes.rerated(result);
      return {
        lookedAt: result.lookedAt,
        rerated: result.charges.length,
        leftUnrated: result.leftUnrated,
        charged: sums(result.charges, 'charged'),
        overdrawn: sums(result.charges, 'overdrawn'),
        catalogVersion: result.catalogVersion,
        nextCursor: result.nextCursor,
      };
    },
  );

/** Amounts by unit, those of 0 left out. Sums may pass 2^53, so they are strings. */
function sums(charges: readonly RatedCharge[], what: 'charged' | 'overdrawn') {
  const byUnit = new Map<Unit, bigint>();
  for (const charge of charges) {
    if (charge[what] > 0) byUnit.set(charge.unit, (byUnit.get(charge.unit) ?? 0n) + BigInt(charge[what]));
  }
  return [...byUnit].map(([unit, value]) => ({ unit: unitName(unit), value: value.toString() }));
}
