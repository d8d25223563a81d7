import { fieldInvalid } from './errors.js';
import { isWhole } from './event-codec.js';
import type {
  AckLevel,
  CheckBalanceRequest,
  CheckBalanceResult,
  ExtendRequest,
  Measure,
  Quantities,
  Reason,
  ReleaseRequest,
  ReleaseResult,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
  Unit,
  Verdict,
} from './types.js';

/**
 * Between the client's types and the messages of the unary calls, whose 64-bit integers are decimal strings. Ids, times and names are
 * the sidecar's to check, but not numbers: an encoder would make 1 of 1.5.
 */

const UNITS = {
  credits: 'UNIT_CREDITS',
  tts_characters: 'UNIT_TTS_CHARACTERS',
  llm_messages: 'UNIT_LLM_MESSAGES',
} as const;
const UNIT_NAMES: Readonly<Record<string, Unit>> = Object.fromEntries(
  Object.entries(UNITS).map(([name, unit]) => [unit, name as Unit]),
);

function toWhole(value: number | bigint, field: string): string {
  if (!isWhole(value))
    throw fieldInvalid(field, `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  return String(value);
}

function toQuantities(quantities: Quantities): object {
  const values = Object.entries(quantities).map(([name, count]) => [
    name,
    toWhole(count, `quantities["${name}"]`),
  ]);
  return { values: Object.fromEntries(values) };
}

function toMeasure(measure: Measure): object {
  if ('quantities' in measure) return { quantities: toQuantities(measure.quantities) };
  if (measure.amount === undefined) throw fieldInvalid('quantities', 'or an amount must be given');
  const { unit, value } = measure.amount;
  if (!Object.hasOwn(UNITS, unit)) throw fieldInvalid('amount.unit', `must be one of ${Object.keys(UNITS)}`);
  return { amount: { unit: UNITS[unit], value: toWhole(value, 'amount.value') } };
}

function toAckLevel(until: AckLevel): string {
  return until === 'durable' ? 'ACK_LEVEL_DURABLE' : 'ACK_LEVEL_APPLIED';
}

export function toReserve(request: ReserveRequest, until: AckLevel): object {
  return {
    holdId: request.holdId,
    accountId: request.accountId,
    agentId: request.agentId ?? '',
    meter: request.meter,
    model: request.model,
    startTimeMs: toWhole(request.startTimeMs, 'start_time_ms'),
    holdTimeMs: toWhole(request.holdTimeMs ?? 0, 'hold_time_ms'),
    ackLevel: toAckLevel(until),
    ...toMeasure(request),
  };
}

export function toExtend(request: ExtendRequest, until: AckLevel): object {
  return {
    extendId: request.extendId,
    holdId: request.holdId,
    accountId: request.accountId,
    addAmount: toWhole(request.addAmount ?? 0n, 'add_amount'),
    holdTimeMs: toWhole(request.holdTimeMs ?? 0, 'hold_time_ms'),
    eventTimeMs: toWhole(request.eventTimeMs, 'event_time_ms'),
    ackLevel: toAckLevel(until),
  };
}

export function toSettle(request: SettleRequest, until: AckLevel): object {
  return {
    holdId: request.holdId,
    accountId: request.accountId,
    agentId: request.agentId ?? '',
    meter: request.meter,
    model: request.model,
    eventTimeMs: toWhole(request.eventTimeMs, 'event_time_ms'),
    ackLevel: toAckLevel(until),
    generation: toWhole(request.generation ?? 0, 'generation'),
    ...toMeasure(request),
  };
}

export function toRelease(request: ReleaseRequest, until: AckLevel): object {
  return {
    holdId: request.holdId,
    accountId: request.accountId,
    eventTimeMs: toWhole(request.eventTimeMs, 'event_time_ms'),
    ackLevel: toAckLevel(until),
    generation: toWhole(request.generation ?? 0, 'generation'),
  };
}

export function toCheckBalance({ accountId, agentId = '', estimate }: CheckBalanceRequest): object {
  if (estimate === undefined) return { accountId, agentId };
  return { accountId, agentId, meter: estimate.meter, model: estimate.model, ...toMeasure(estimate) };
}

/** The answers as proto-loader gives them: every field is there. */
export interface VerdictMessage {
  readonly verdict: string;
  readonly reason: string;
  readonly unit: string;
  readonly held: string;
  readonly available: string;
  readonly missing: string;
  readonly deadlineMs: string;
  readonly duplicate: boolean;
}

export type ReserveMessage = VerdictMessage & { readonly catalogVersion: number };

export interface SettleMessage {
  readonly unit: string;
  readonly charged: string;
  readonly released: string;
  readonly releasedUnit: string;
  readonly overdrawn: string;
  readonly available: string;
  readonly converted: string;
  readonly late: boolean;
  readonly holdUnknown: boolean;
  readonly unrated: boolean;
  readonly duplicate: boolean;
  readonly catalogVersion: number;
}

export interface ReleaseMessage {
  readonly unit: string;
  readonly released: string;
  readonly available: string;
  readonly duplicate: boolean;
}

export interface CheckBalanceMessage {
  readonly verdict: string;
  readonly reason: string;
  readonly unit: string;
  readonly amount: string;
  readonly missing: string;
  readonly balances: readonly {
    readonly unit: string;
    readonly available: string;
    readonly held: string;
    readonly debt: string;
  }[];
}

function fromReason(reason: string): Reason | null {
  return reason === 'REASON_UNSPECIFIED' ? null : (reason.replace(/^REASON_/, '') as Reason);
}

export function fromVerdict(message: VerdictMessage): Verdict {
  return {
    allowed: message.verdict === 'VERDICT_ALLOWED',
    reason: fromReason(message.reason),
    unit: UNIT_NAMES[message.unit] ?? null,
    held: BigInt(message.held),
    available: BigInt(message.available),
    missing: BigInt(message.missing),
    deadlineMs: Number(message.deadlineMs),
    duplicate: message.duplicate,
  };
}

export function fromReserve(message: ReserveMessage): ReserveResult {
  return { ...fromVerdict(message), catalogVersion: message.catalogVersion, judged: true };
}

export function fromSettle(message: SettleMessage): SettleResult {
  return {
    outcome: 'settled',
    unit: UNIT_NAMES[message.unit] as Unit,
    charged: BigInt(message.charged),
    released: BigInt(message.released),
    releasedUnit: UNIT_NAMES[message.releasedUnit] ?? null,
    overdrawn: BigInt(message.overdrawn),
    available: BigInt(message.available),
    converted: BigInt(message.converted),
    late: message.late,
    holdUnknown: message.holdUnknown,
    unrated: message.unrated,
    duplicate: message.duplicate,
    catalogVersion: message.catalogVersion,
  };
}

export function fromRelease(message: ReleaseMessage): ReleaseResult {
  return {
    unit: UNIT_NAMES[message.unit] ?? null,
    released: BigInt(message.released),
    available: BigInt(message.available),
    duplicate: message.duplicate,
  };
}

export function fromCheckBalance(message: CheckBalanceMessage): CheckBalanceResult {
  return {
    allowed: message.verdict === 'VERDICT_ALLOWED',
    reason: fromReason(message.reason),
    unit: UNIT_NAMES[message.unit] ?? null,
    amount: BigInt(message.amount),
    missing: BigInt(message.missing),
    balances: message.balances.map(({ unit, available, held, debt }) => ({
      unit: UNIT_NAMES[unit] as Unit,
      available: BigInt(available),
      held: BigInt(held),
      debt: BigInt(debt),
    })),
  };
}
