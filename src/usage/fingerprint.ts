import { hash } from 'node:crypto';
import type { ExpireLotCall, ReverseUsageCall, SetStatusCall } from '../credits/correction-types.js';
import type { CreateAccountCall, TopUpCall } from '../credits/types.js';
import type {
  Estimate,
  ExtendCall,
  Quantities,
  ReleaseCall,
  ReserveCall,
  SettleCall,
  UsageEvent,
} from './types.js';

/**
 * 48 bits of SHA-256 over a call's fields: tells a repetition from a conflict. It guards callers against their own mistakes,
 * so a chance of 2^-48 per conflict is enough; it is compared within one account, kind and id only.
 */
function fingerprint(fields: readonly (string | number)[]): number {
  // Ids, names and reasons cannot hold a line feed, so joined fields cannot be taken for others.
  return Number.parseInt(hash('sha256', fields.join('\n'), 'hex').slice(0, 12), 16);
}

/** In the order of names, so that the order on the wire does not matter. */
function quantityFields(quantities: Quantities): string {
  if (quantities.length === 1) return `${quantities[0]?.[0]}=${quantities[0]?.[1]}`;
  return quantities
    .map(([name, count]) => `${name}=${count}`)
    .sort()
    .join(',');
}

function estimateFields(estimate: Estimate): string {
  return estimate.kind === 'amount'
    ? `amount ${estimate.unit} ${estimate.value}`
    : quantityFields(estimate.quantities);
}

export function usageFingerprint(event: UsageEvent): number {
  return fingerprint([
    event.agentId,
    event.meter,
    event.model,
    event.eventTimeMs,
    quantityFields(event.quantities),
  ]);
}

export function reserveFingerprint(call: ReserveCall): number {
  return fingerprint([
    call.agentId,
    call.meter,
    call.model,
    call.startTimeMs,
    call.holdTimeMs,
    estimateFields(call.estimate),
  ]);
}

export function extendFingerprint(call: ExtendCall): number {
  return fingerprint([call.holdId, call.addAmount, call.holdTimeMs, call.eventTimeMs]);
}

export function settleFingerprint(call: SettleCall): number {
  return fingerprint([call.agentId, call.meter, call.model, call.eventTimeMs, estimateFields(call.final)]);
}

export function releaseFingerprint(call: ReleaseCall): number {
  return fingerprint([call.eventTimeMs]);
}

export function createFingerprint(call: CreateAccountCall): number {
  return fingerprint([call.accountId, call.eventTimeMs]);
}

export function topUpFingerprint(call: TopUpCall): number {
  return fingerprint([call.unit, call.amount, call.expiresAtMs, call.eventTimeMs]);
}

export function reversalFingerprint(call: ReverseUsageCall): number {
  return fingerprint([call.charge.kind, call.charge.id, call.reasonCode, call.reasonText, call.eventTimeMs]);
}

export function expireLotFingerprint(call: ExpireLotCall): number {
  return fingerprint([call.lotId, call.reasonCode, call.reasonText, call.eventTimeMs]);
}

export function statusFingerprint(call: SetStatusCall): number {
  return fingerprint([call.change, call.reasonCode, call.reasonText, call.eventTimeMs]);
}
