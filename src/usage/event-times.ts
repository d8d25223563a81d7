import { DrawdownError } from '../errors.js';

/** Times of events and calls that are accepted. */
export interface EventTimeLimits {
  readonly eventAgeMaxMs: number;
  readonly eventFutureMaxMs: number;
}

export type Untimely = 'EVENT_TOO_OLD' | 'EVENT_IN_FUTURE';

/** Null where the time is within the limits. */
export function untimely(timeMs: number, nowMs: number, limits: EventTimeLimits): Untimely | null {
  if (timeMs < nowMs - limits.eventAgeMaxMs) return 'EVENT_TOO_OLD';
  return timeMs > nowMs + limits.eventFutureMaxMs ? 'EVENT_IN_FUTURE' : null;
}

export function untimelyText(field: string, reason: Untimely): string {
  return reason === 'EVENT_TOO_OLD'
    ? `${field}: older than eventAgeMaxMs`
    : `${field}: further ahead than eventFutureMaxMs`;
}

/** Raises what is wrong with the time in `field`. */
export function checkEventTime(timeMs: number, field: string, limits: EventTimeLimits): void {
  const reason = untimely(timeMs, Date.now(), limits);
  if (reason !== null) throw new DrawdownError(reason, untimelyText(field, reason), { field });
}
