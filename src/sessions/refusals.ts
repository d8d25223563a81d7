import type { Logger } from 'pino';
import type { Refusal } from '../catalog/pricing.js';
import { DrawdownError, ERROR_CODES, type ErrorCode } from '../errors.js';
import { STATE } from '../redis/format.js';
import { refusalText } from '../usage/pricing.js';
import type { Reason } from '../usage/types.js';
import type { SessionRefusal } from './types.js';

/** What a session is told where a call has an error. */

/** Codes that are reasons under their own name, and those that are another reason; all others are UNAVAILABLE. */
const REASONS: Partial<Record<ErrorCode, Reason>> = {
  FIELD_INVALID: 'FIELD_INVALID',
  METER_UNKNOWN: 'FIELD_INVALID',
  EVENT_TOO_OLD: 'EVENT_TOO_OLD',
  EVENT_IN_FUTURE: 'EVENT_IN_FUTURE',
  AMOUNT_OUT_OF_RANGE: 'AMOUNT_OUT_OF_RANGE',
  ACCOUNT_UNKNOWN: 'ACCOUNT_UNKNOWN',
  ID_CONFLICT: 'ID_CONFLICT',
  HOLD_ENDED: 'HOLD_ENDED',
  HOLD_UNKNOWN: 'HOLD_UNKNOWN',
  SESSION_MOVED: 'SESSION_MOVED',
  LIMIT_REACHED: 'LIMIT_REACHED',
};

/** Where waiting helps, and nothing says how long. */
const retryAfterDefaultMs = 250;

export function refusalOf(number: number, thrown: unknown, logger: Logger): SessionRefusal {
  if (!(thrown instanceof DrawdownError) || thrown.code === 'INTERNAL') {
    logger.error({ err: thrown }, 'A session failed inside');
    const message = 'Internal error; the log of the sidecar has the details';
    return { number, reason: 'UNAVAILABLE', message, retryAfterMs: retryAfterDefaultMs };
  }
  const { code, message, details } = thrown;
  const reason = REASONS[code] ?? 'UNAVAILABLE';
  const helps = reason === 'UNAVAILABLE' || ERROR_CODES[code].retry;
  return { number, reason, message, retryAfterMs: helps ? (details.retryAfterMs ?? retryAfterDefaultMs) : 0 };
}

export function limitRefusal(number: number, limit: string): SessionRefusal {
  const message = `${limit} sessions are open`;
  return { number, reason: 'LIMIT_REACHED', message, retryAfterMs: retryAfterDefaultMs };
}

/** Why what a session counts, or begins with, cannot be priced. */
export function priceless(refusal: Refusal): DrawdownError {
  const code = refusal.reason === 'cost_too_large' ? 'AMOUNT_OUT_OF_RANGE' : 'FIELD_INVALID';
  return new DrawdownError(code, `open.${refusalText(refusal)}`);
}

/** Why a session cannot be opened that was before, by the state of its outcome. */
export function endedError(state: number): DrawdownError {
  const how =
    state === STATE.settled
      ? 'is settled'
      : state === STATE.released
        ? 'is released'
        : 'has expired; a settle still books';
  return new DrawdownError('HOLD_ENDED', `open.session_id: the session ${how}`);
}
