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
 * 48 bits over a call's fields: tells a repetition from a conflict. It guards callers against their own mistakes, and is compared
 * within one account, kind and id only, so FNV-1a will do (http://www.isthe.com/chongo/tech/comp/fnv/), once over the characters
 * and once, from another start, over what that came to; SHA-256 took five times as long, 1.2 us an event.
 */
function fingerprint(fields: readonly (string | number)[]): number {
  // Ids, names and reasons cannot hold a line feed, so joined fields cannot be taken for others.
  return textFingerprint(fields.join('\n'));
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function textFingerprint(text: string): number {
  let low = FNV_OFFSET;
  let high = FNV_OFFSET ^ text.length;
  for (let i = 0; i < text.length; i++) {
    low = Math.imul(low ^ text.charCodeAt(i), FNV_PRIME);
    high = Math.imul(high ^ (low >>> 16), FNV_PRIME);
  }
  return (high & 0xffff) * 2 ** 32 + (low >>> 0);
}

/** In the order of names, so that the order on the wire does not matter. */
function quantityFields(quantities: Quantities): string {
  const [first, second] = quantities;
  if (first === undefined) return '';
  const text = `${first[0]}=${first[1]}`;
  if (second === undefined) return text;
  if (quantities.length === 2) {
    const other = `${second[0]}=${second[1]}`;
    return text < other ? `${text},${other}` : `${other},${text}`;
  }
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
  const { agentId, meter, model, eventTimeMs, quantities } = event;
  return textFingerprint(`${agentId}\n${meter}\n${model}\n${eventTimeMs}\n${quantityFields(quantities)}`);
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
