/**
 * What can be done to an account: each call as the sidecar takes it, and as the oracle does. Both sides say what came of it in the
 * same words, so that a difference shows at the call that made it.
 */
import type { Core } from '../../src/core.js';
import type { ConvertCreditsCall } from '../../src/credits/conversions.js';
import type { ExpireLotCall, ReverseUsageCall, SetStatusCall } from '../../src/credits/correction-types.js';
import type { CancelChangeCall, ChangePlanCall, StartPeriodCall } from '../../src/credits/plan-types.js';
import type { CreateAccountCall, TopUpCall } from '../../src/credits/types.js';
import { DrawdownError } from '../../src/errors.js';
import {
  type CallOptions,
  type Estimate,
  type ExtendCall,
  type ReleaseCall,
  type ReserveCall,
  type SettleCall,
  UNITS,
  type UsageEvent,
} from '../../src/usage/types.js';
import type {
  AccountState,
  Entry,
  LotChange,
  OfferedPlan,
  Op,
  Outcome,
  Price,
  Result,
  Unit,
} from '../oracle/model.js';
import { conversionOf, PRIORITIES, pricesOf, type Tariff } from './tariffs.js';

/** An account as the oracle knows it, at the time of a call. */
export interface Scene {
  readonly state: AccountState;
  /** Its lines so far. */
  readonly lines: readonly Entry[];
  readonly tariff: Tariff;
}

export interface Call {
  readonly account: string;
  /** For people. */
  readonly what: string;
  /** What the oracle is to do, given how things are now. */
  ops(scene: Scene): Op[];
  /** How the results of those are told; one after the other where nothing is said. */
  tell?(results: readonly Result[]): string;
  send(core: Core, options: CallOptions): Promise<string>;
}

const NAMES: Record<number, Unit> = { 1: 'credits', 2: 'tts_characters', 3: 'llm_messages' };

function done(...values: (number | bigint | string)[]): string {
  return `done ${values.map((value) => String(value)).join(' ')}`;
}

function unless(duplicate: boolean, ...values: (number | bigint | string)[]): string {
  return duplicate ? 'duplicate' : done(...values);
}

/** How the oracle's word sounds. */
export function told(result: Result): string {
  switch (result.verdict) {
    case 'done':
      return toldOutcome(result.outcome);
    case 'denied':
    case 'refused':
      return result.reason;
    default:
      return result.verdict;
  }
}

function toldOutcome(outcome: Outcome): string {
  switch (outcome.of) {
    case 'usage':
      return done(
        outcome.unit,
        outcome.charged,
        outcome.overdrawn,
        outcome.available,
        outcome.converted ?? 0,
      );
    case 'reserve':
    case 'extend':
      return done(outcome.unit, outcome.held, outcome.available, outcome.deadlineMs);
    case 'end': {
      const { state, unit, charged, overdrawn, released, available, converted = 0 } = outcome;
      if (state === 'settled') return done(unit, charged, overdrawn, released, available, converted);
      return done(unit, state === 'expired' ? 0 : released, available);
    }
    case 'grant':
      return done(outcome.lot, outcome.granted, outcome.debtPaid, outcome.available);
    case 'reversal':
      return done(outcome.unit, outcome.amount, outcome.debtPaid, outcome.available);
    case 'rerate':
      return done(outcome.unit, outcome.charged, outcome.overdrawn);
    case 'expire_lot':
      return done(outcome.unit, outcome.expired, outcome.available);
    case 'convert':
      return done(outcome.converted, outcome.granted, outcome.debtPaid, outcome.lot, outcome.available);
    case 'plan':
      return done(outcome.what, outcome.granted, outcome.debtPaid, outcome.extra, outcome.available);
    default:
      return done();
  }
}

/** A call that could not be judged says why; anything else ends the simulation. */
export async function heard(answer: Promise<string>): Promise<string> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof DrawdownError)) throw error;
    return error.code === 'ID_CONFLICT' ? 'conflict' : error.code;
  }
}

// --- usage ------------------------------------------------------------------------------------------------------------

export function record(account: string, events: readonly UsageEvent[]): Call {
  return {
    account,
    what: `records ${events.map(({ eventId, model }) => `${eventId} ${model}`).join(', ')}`,
    ops: ({ tariff }) =>
      events.map((event) => ({
        kind: 'usage',
        account,
        id: event.eventId,
        payload: JSON.stringify(event),
        prices: pricesOf(tariff, event.model, event.quantities),
      })),
    async send({ meter }, options) {
      const { results } = await meter.record(events, options);
      const words = results.map((result) => {
        if (result.outcome === 'refused') return result.reason === 'ID_CONFLICT' ? 'conflict' : result.reason;
        const { unit, charged, overdrawn, available, converted } = result;
        const values = [NAMES[unit] as string, charged, overdrawn, available, converted];
        return unless(result.outcome === 'duplicate', ...values);
      });
      return words.join(', ');
    },
  };
}

function estimatePrices(tariff: Tariff, model: string, estimate: Estimate): Price[] {
  if (estimate.kind === 'quantities') return pricesOf(tariff, model, estimate.quantities);
  return [{ unit: NAMES[estimate.unit] as Unit, amount: BigInt(estimate.value) }];
}

export function reserve(call: ReserveCall): Call {
  const { accountId: account, holdId: hold, model, estimate, holdTimeMs } = call;
  return {
    account,
    what: `reserves ${hold} ${model}`,
    ops: ({ tariff }) => [
      {
        kind: 'reserve',
        account,
        hold,
        payload: JSON.stringify(call),
        prices: estimatePrices(tariff, model, estimate),
        holdTimeMs,
        catalogVersion: tariff.version,
      },
    ],
    async send({ meter }, options) {
      const held = await meter.reserve(call, options);
      if (held.verdict === 'denied') return held.reason;
      return unless(held.duplicate, NAMES[held.unit] as string, held.held, held.available, held.deadlineMs);
    },
  };
}

export function extend(call: ExtendCall): Call {
  const { accountId: account, holdId: hold, extendId: id, holdTimeMs } = call;
  const addAmount = BigInt(call.addAmount);
  return {
    account,
    what: `extends ${hold} by ${addAmount}`,
    ops: () => [{ kind: 'extend', account, id, hold, payload: JSON.stringify(call), addAmount, holdTimeMs }],
    async send({ meter }, options) {
      const held = await meter.extend(call, options);
      if (held.verdict === 'denied') return held.reason;
      return unless(held.duplicate, NAMES[held.unit] as string, held.held, held.available, held.deadlineMs);
    },
  };
}

export function settle(call: SettleCall): Call {
  const { accountId: account, holdId: hold, model, final } = call;
  return {
    account,
    what: `settles ${hold} ${model}`,
    ops: ({ tariff }) => [
      {
        kind: 'settle',
        account,
        hold,
        payload: JSON.stringify(call),
        prices: estimatePrices(tariff, model, final),
        pricedWith: final.kind === 'quantities' ? tariff.version : 0,
      },
    ],
    async send({ meter }, options) {
      const { unit, charged, overdrawn, released, available, converted, duplicate } = await meter.settle(
        call,
        options,
      );
      return unless(duplicate, NAMES[unit] as string, charged, overdrawn, released, available, converted);
    },
  };
}

export function release(call: ReleaseCall): Call {
  const { accountId: account, holdId: hold } = call;
  return {
    account,
    what: `releases ${hold}`,
    ops: () => [{ kind: 'release', account, hold }],
    async send({ meter }, options) {
      const { unit, released, available, duplicate } = await meter.release(call, options);
      return unless(duplicate, NAMES[unit] as string, released, available);
    },
  };
}

// --- accounts ---------------------------------------------------------------------------------------------------------

export function create(call: CreateAccountCall): Call {
  const { accountId: account, requestId: id, plan, imported } = call;
  return {
    account,
    what: `is created${plan === '' ? '' : ` on ${plan}`}${imported === null ? '' : ' by an import'}`,
    ops: ({ tariff }) => {
      const begins = tariff.plans.find(({ name }) => name === plan);
      return [
        {
          kind: 'create',
          account,
          id,
          payload: JSON.stringify(call),
          ...(begins !== undefined && { plan: begins }),
          ...(imported !== null && { imported: importOf(tariff, imported) }),
        },
      ];
    },
    async send({ accounts }, options) {
      return unless((await accounts.create(call, options)).duplicate);
    },
  };
}

function importOf(
  { conversionPriority }: Tariff,
  { lots, periodStartTimeMs, periodEndTimeMs }: NonNullable<CreateAccountCall['imported']>,
) {
  const priorities = { ...PRIORITIES, conversion: conversionPriority, agent_cycle: 0 };
  return {
    lots: lots.map(({ unit, amount, source, expiresAtMs }) => ({
      unit: NAMES[unit] as Unit,
      source,
      priority: priorities[source],
      expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs,
      remaining: BigInt(amount),
    })),
    period: periodEndTimeMs === 0 ? undefined : { startMs: periodStartTimeMs, endMs: periodEndTimeMs },
  };
}

function offeredPlan({ plans }: Tariff, name: string): OfferedPlan {
  return plans.find((one) => one.name === name) ?? { name, kind: 'unknown' };
}

export function topUp(call: TopUpCall): Call {
  const { accountId: account, requestId: id, amount, expiresAtMs } = call;
  const unit = NAMES[call.unit] as Unit;
  return {
    account,
    what: `gets ${amount} ${unit}`,
    ops: () => [
      {
        kind: 'grant',
        account,
        id,
        payload: JSON.stringify(call),
        unit,
        amount: BigInt(amount),
        expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs,
      },
    ],
    async send({ accounts }, options) {
      const { lotId, granted, debtPaid, available, duplicate } = await accounts.topUp(call, options);
      return unless(duplicate, lotId, granted, debtPaid, available);
    },
  };
}

export function convert(call: ConvertCreditsCall): Call {
  const { accountId: account, requestId: id, wish } = call;
  const unit = NAMES[call.unit] as 'tts_characters' | 'llm_messages';
  return {
    account,
    what: `converts ${wish.value} ${wish.kind} into ${unit}`,
    ops: ({ tariff }) => [
      {
        kind: 'convert',
        account,
        id,
        payload: JSON.stringify(call),
        unit,
        ...conversionOf(tariff.rates[unit], wish),
        priority: tariff.conversionPriority,
        catalogVersion: tariff.version,
      },
    ],
    async send({ conversions }, options) {
      const converted = await conversions.convert(call, options);
      if (converted.verdict === 'denied') return converted.reason;
      const { convertedMicros, granted, debtPaid, lotId, available, duplicate } = converted;
      return unless(duplicate, convertedMicros, granted, debtPaid, lotId, available);
    },
  };
}

// --- plans ------------------------------------------------------------------------------------------------------------

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

// --- corrections ------------------------------------------------------------------------------------------------------

export function reverse(call: ReverseUsageCall): Call {
  const { accountId: account, requestId: id } = call;
  const charge = `${call.charge.kind}/${call.charge.id}`;
  return {
    account,
    what: `has ${charge} reversed`,
    ops: ({ lines }) => {
      const charged = lines.filter((line) => `${line.kind}/${line.id}` === charge);
      const rerated = lines.filter((line) => line.kind === 'rerate' && line.id === charge);
      const all = [...charged, ...rerated];
      const changes: LotChange[] = all.flatMap((line) => line.lots);
      return [
        {
          kind: 'reversal',
          account,
          id,
          payload: JSON.stringify(call),
          charge,
          unit: charged[0]?.unit as Unit,
          amount: all.reduce((sum, line) => sum + line.spent, 0n),
          withRerate: rerated.length > 0,
          drawn: changes.map(({ lot, delta }) => ({ lot, amount: -delta })),
        },
      ];
    },
    async send({ corrections }, options) {
      const { unit, reversed, debtPaid, available, duplicate } = await corrections.reverseUsage(
        call,
        options,
      );
      return unless(duplicate, NAMES[unit] as string, reversed, debtPaid, available);
    },
  };
}

/** All that the account used of one model and that nobody could price. */
export function rerate(
  account: string,
  model: string,
  quantitiesOf: (name: string) => UsageEvent['quantities'],
): Call {
  return {
    account,
    what: `has its use of ${model} rated`,
    ops: ({ lines, tariff }) =>
      lines
        .filter((line) => line.flags.includes('unrated'))
        .flatMap((line): Op[] => {
          const id = `${line.kind}/${line.id}`;
          const price = pricesOf(tariff, model, quantitiesOf(id)).find(({ unit }) => unit === line.unit);
          if (price === undefined || price.amount === 'unrated') return [];
          return [{ kind: 'rerate', account, id, unit: price.unit, amount: price.amount }];
        }),
    tell: (results) =>
      results
        .map(told)
        .filter((word) => word.startsWith('done'))
        .join(', '),
    async send({ corrections }, options) {
      const wanted = {
        accountId: account,
        meter: 'llm',
        model,
        fromTimeMs: 0,
        toTimeMs: 0,
        limit: 1_000,
        cursor: '',
      };
      const { charges } = await corrections.rerateUsage(wanted, options);
      return charges
        .map(({ unit, charged, overdrawn }) => done(NAMES[unit] as string, charged, overdrawn))
        .join(', ');
    },
  };
}

export function expireLot(call: ExpireLotCall): Call {
  const { accountId: account, requestId: id, lotId: lot } = call;
  return {
    account,
    what: `has lot ${lot} expired`,
    ops: () => [{ kind: 'expireLot', account, id, payload: JSON.stringify(call), lot }],
    async send({ corrections }, options) {
      const { unit, expired, available, duplicate } = await corrections.expireLot(call, options);
      return unless(duplicate, NAMES[unit] as string, expired, available);
    },
  };
}

export function setStatus(call: SetStatusCall): Call {
  const { accountId: account, requestId: id, change } = call;
  return {
    account,
    what: `${change}s`,
    ops: () => [{ kind: 'setStatus', account, id, payload: JSON.stringify(call), call: change }],
    async send({ corrections }, options) {
      return unless((await corrections.setStatus(call, options)).duplicate);
    },
  };
}

export const UNIT_NUMBERS = UNITS;
