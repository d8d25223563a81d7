import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { CheckBalanceRequest__Output } from '../gen/drawdown/v1/CheckBalanceRequest.js';
import type { CheckBalanceResponse } from '../gen/drawdown/v1/CheckBalanceResponse.js';
import type { ExtendRequest__Output } from '../gen/drawdown/v1/ExtendRequest.js';
import type { ExtendResponse } from '../gen/drawdown/v1/ExtendResponse.js';
import type { GetUsageRequest__Output } from '../gen/drawdown/v1/GetUsageRequest.js';
import type { GetUsageResponse } from '../gen/drawdown/v1/GetUsageResponse.js';
import type { ReleaseRequest__Output } from '../gen/drawdown/v1/ReleaseRequest.js';
import type { ReleaseResponse } from '../gen/drawdown/v1/ReleaseResponse.js';
import type { ReserveRequest__Output } from '../gen/drawdown/v1/ReserveRequest.js';
import type { ReserveResponse } from '../gen/drawdown/v1/ReserveResponse.js';
import type { SettleRequest__Output } from '../gen/drawdown/v1/SettleRequest.js';
import type { SettleResponse } from '../gen/drawdown/v1/SettleResponse.js';
import type { BalanceCheck, Denied, Held } from '../usage/types.js';
import { callOptions, type OpenStream, unary } from './call.js';
import { MeterStream, type MeterStreamEnvironment } from './meter-stream.js';
import { enumName, reasonName, unitName, walletBalance } from './names.js';
import {
  decodeRecordUsageBatchRequest,
  encodeRecordUsageBatchResponse,
  mergeResults,
} from './record-codec.js';
import { RecordStream, type RecordStreamEnvironment } from './record-stream.js';
import {
  checkDurable,
  checkEstimate,
  checkId,
  checkName,
  checkOptionalId,
  checkRequiredEstimate,
  checkTime,
  checkWhole,
  fieldInvalid,
} from './validate.js';

export type UsageServiceEnvironment = RecordStreamEnvironment &
  MeterStreamEnvironment & {
    /** The streams that are open, for the drain. */
    readonly streams: Set<OpenStream>;
  };

/** UsageService over the usage layer: checks, calls, and spells the outcome. The streams come and go raw. */
export function usageService(environment: UsageServiceEnvironment): UntypedServiceImplementation {
  const { streams } = environment;
  return {
    recordUsage(call: ServerDuplexStream<Buffer, Buffer>) {
      streams.add(new RecordStream(call, environment, (stream) => streams.delete(stream)));
    },
    meterUsage(call: ServerDuplexStream<Buffer, Buffer>) {
      streams.add(new MeterStream(call, environment, (stream) => streams.delete(stream)));
    },
    recordUsageBatch: recordUsageBatch(environment),
    reserve: reserve(environment),
    extend: extend(environment),
    settle: settle(environment),
    release: release(environment),
    checkBalance: checkBalance(environment),
    getUsage: getUsage(environment),
  };
}

const recordUsageBatch = (environment: UsageServiceEnvironment) =>
  unary<Buffer, Buffer>('RecordUsageBatch', environment, async (bytes, call) => {
    const { meter, metrics, outcomes, settings } = environment;
    const batch = decodeRecordUsageBatchRequest(bytes, settings.batchEventsMax);
    const options = callOptions(call, checkDurable(batch.ackLevel, false), settings);
    metrics.recordBatchEvents.observe(batch.count);
    const { results } =
      batch.events.length === 0 ? { results: [] } : await meter.record(batch.events, options);
    outcomes.recorded(batch.events, results);
    outcomes.invalid(batch.invalid.length);
    return encodeRecordUsageBatchResponse(mergeResults(batch, results));
  });

const reserve = (environment: UsageServiceEnvironment) =>
  unary<ReserveRequest__Output, ReserveResponse>('Reserve', environment, async (request, call) => {
    const { meter, outcomes, settings } = environment;
    const reserveCall = {
      holdId: checkId(request.holdId, 'hold_id'),
      accountId: checkId(request.accountId, 'account_id'),
      agentId: checkOptionalId(request.agentId, 'agent_id'),
      meter: checkName(request.meter, 'meter'),
      model: checkName(request.model, 'model'),
      estimate: checkRequiredEstimate(request, 'estimate'),
      startTimeMs: checkTime(request.startTimeMs, 'start_time_ms'),
      holdTimeMs: checkWhole(request.holdTimeMs, 'hold_time_ms', { max: settings.holdTimeMaxMs }),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, false), settings);
    const result = await outcomes.watched('reserve', meter.reserve(reserveCall, options));
    outcomes.held('reserve', result);
    if (result.verdict === 'denied') return denied(result);
    return { ...allowed(result), catalogVersion: result.catalogVersion };
  });

const extend = (environment: UsageServiceEnvironment) =>
  unary<ExtendRequest__Output, ExtendResponse>('Extend', environment, async (request, call) => {
    const { meter, outcomes, settings } = environment;
    const extendCall = {
      extendId: checkId(request.extendId, 'extend_id'),
      accountId: checkId(request.accountId, 'account_id'),
      holdId: checkId(request.holdId, 'hold_id'),
      addAmount: checkWhole(request.addAmount, 'add_amount'),
      holdTimeMs: checkWhole(request.holdTimeMs, 'hold_time_ms', { max: settings.holdTimeMaxMs }),
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
    };
    if (extendCall.addAmount === 0 && extendCall.holdTimeMs === 0) {
      throw fieldInvalid('add_amount', 'and hold_time_ms must not both be 0');
    }
    const options = callOptions(call, checkDurable(request.ackLevel, false), settings);
    const result = await outcomes.watched('extend', meter.extend(extendCall, options));
    outcomes.held('extend', result);
    return result.verdict === 'denied' ? denied(result) : allowed(result);
  });

const settle = (environment: UsageServiceEnvironment) =>
  unary<SettleRequest__Output, SettleResponse>('Settle', environment, async (request, call) => {
    const { meter, outcomes, settings } = environment;
    const settleCall = {
      holdId: checkId(request.holdId, 'hold_id'),
      accountId: checkId(request.accountId, 'account_id'),
      agentId: checkOptionalId(request.agentId, 'agent_id'),
      meter: checkName(request.meter, 'meter'),
      model: checkName(request.model, 'model'),
      final: checkRequiredEstimate(request, 'final'),
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      generation: checkWhole(request.generation, 'generation'),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, false), settings);
    const result = await outcomes.watched('settle', meter.settle(settleCall, options));
    outcomes.settled(settleCall, result);
    return { ...result, unit: unitName(result.unit), releasedUnit: unitName(result.releasedUnit) };
  });

const release = (environment: UsageServiceEnvironment) =>
  unary<ReleaseRequest__Output, ReleaseResponse>('Release', environment, async (request, call) => {
    const { meter, outcomes, settings } = environment;
    const releaseCall = {
      holdId: checkId(request.holdId, 'hold_id'),
      accountId: checkId(request.accountId, 'account_id'),
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      generation: checkWhole(request.generation, 'generation'),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, false), settings);
    const result = await outcomes.watched('release', meter.release(releaseCall, options));
    outcomes.released(result);
    return { ...result, unit: unitName(result.unit) };
  });

const checkBalance = (environment: UsageServiceEnvironment) =>
  unary<CheckBalanceRequest__Output, CheckBalanceResponse>(
    'CheckBalance',
    environment,
    async (request, call) => {
      const estimate = checkEstimate(request);
      const isPriced = estimate?.kind === 'quantities';
      const query = {
        accountId: checkId(request.accountId, 'account_id'),
        agentId: checkOptionalId(request.agentId, 'agent_id'),
        meter:
          estimate === null ? checkOptionalId(request.meter, 'meter') : checkName(request.meter, 'meter'),
        model: isPriced ? checkName(request.model, 'model') : checkOptionalId(request.model, 'model'),
        estimate,
      };
      const result = await environment.meter.checkBalance(
        query,
        callOptions(call, false, environment.settings),
      );
      return balanceChecked(result);
    },
  );

const getUsage = (environment: UsageServiceEnvironment) =>
  unary<GetUsageRequest__Output, GetUsageResponse>('GetUsage', environment, async (request, call) => {
    const accountId = checkId(request.accountId, 'account_id');
    const wanted =
      request.id === 'eventId'
        ? { kind: 'event' as const, id: checkId(request.eventId ?? '', 'event_id') }
        : request.id === 'holdId'
          ? { kind: 'hold' as const, id: checkId(request.holdId ?? '', 'hold_id') }
          : null;
    if (wanted === null) throw fieldInvalid('id', 'must be given as event_id or hold_id');
    const options = callOptions(call, false, environment.settings);
    const result = await environment.meter.getUsage({ accountId, ...wanted }, options);
    return { ...result, state: enumName('USAGE_STATE', result.state), unit: unitName(result.unit) };
  });

function denied(result: Denied) {
  return {
    verdict: 'VERDICT_DENIED' as const,
    reason: reasonName(result.reason),
    unit: unitName(result.unit),
    available: result.available,
    missing: result.missing,
  };
}

function allowed(result: Held) {
  return {
    verdict: 'VERDICT_ALLOWED' as const,
    unit: unitName(result.unit),
    held: result.held,
    available: result.available,
    deadlineMs: result.deadlineMs,
    duplicate: result.duplicate,
  };
}

function balanceChecked(result: BalanceCheck): CheckBalanceResponse {
  return {
    verdict: result.verdict === 'allowed' ? 'VERDICT_ALLOWED' : 'VERDICT_DENIED',
    reason: result.reason === null ? 'REASON_UNSPECIFIED' : reasonName(result.reason),
    unit: unitName(result.unit),
    amount: result.amount,
    missing: result.missing,
    balances: result.balances.map(walletBalance),
  };
}
