/**
 * The one error class of the product, and the one table of its codes. Assertions (plain Error) are for our own
 * mistakes; DrawdownError is for what the world does. docs/errors.md lists every code; a test holds both together.
 */

/** The gRPC status each code becomes, and whether waiting helps (a RetryInfo is attached). */
export const ERROR_CODES = {
  /** A field is missing or malformed; `field` names it. */
  FIELD_INVALID: { status: 'INVALID_ARGUMENT', retry: false },
  /** The event's or call's time is older than eventAgeMaxMs. */
  EVENT_TOO_OLD: { status: 'INVALID_ARGUMENT', retry: false },
  /** The event's or call's time is further ahead than eventFutureMaxMs. */
  EVENT_IN_FUTURE: { status: 'INVALID_ARGUMENT', retry: false },
  /** No meter of this name is in the catalog. */
  METER_UNKNOWN: { status: 'INVALID_ARGUMENT', retry: false },
  /** An amount beyond 2^53-1, or one that would take a balance or debt there. */
  AMOUNT_OUT_OF_RANGE: { status: 'OUT_OF_RANGE', retry: false },
  ACCOUNT_UNKNOWN: { status: 'NOT_FOUND', retry: false },
  ACCOUNT_EXISTS: { status: 'ALREADY_EXISTS', retry: false },
  /** The account has the status that the call would give it, or one that forbids the call. */
  ACCOUNT_ACTIVE: { status: 'FAILED_PRECONDITION', retry: false },
  ACCOUNT_FROZEN: { status: 'FAILED_PRECONDITION', retry: false },
  ACCOUNT_CLOSED: { status: 'FAILED_PRECONDITION', retry: false },
  HOLD_UNKNOWN: { status: 'NOT_FOUND', retry: false },
  /** The hold has ended in a way that this call contradicts. */
  HOLD_ENDED: { status: 'FAILED_PRECONDITION', retry: false },
  /** The session was opened again elsewhere. */
  SESSION_MOVED: { status: 'FAILED_PRECONDITION', retry: false },
  /** No charge of this event or hold is in the ledger. */
  USAGE_UNKNOWN: { status: 'NOT_FOUND', retry: false },
  /** The charge was given back by another request. */
  ALREADY_REVERSED: { status: 'FAILED_PRECONDITION', retry: false },
  LOT_UNKNOWN: { status: 'NOT_FOUND', retry: false },
  /** Nothing of the lot is left, or it has expired. */
  LOT_ENDED: { status: 'FAILED_PRECONDITION', retry: false },
  /** No plan of this name is in the catalog, or the call is for plans of another kind. */
  PLAN_UNKNOWN: { status: 'INVALID_ARGUMENT', retry: false },
  /** The account is on the plan already. */
  PLAN_UNCHANGED: { status: 'FAILED_PRECONDITION', retry: false },
  /** The billing period shares time with another one of the account. */
  PERIOD_OVERLAPS: { status: 'FAILED_PRECONDITION', retry: false },
  /** The billing period is over. */
  PERIOD_ENDED: { status: 'FAILED_PRECONDITION', retry: false },
  /** A later billing period is stored. */
  PERIOD_STORED: { status: 'FAILED_PRECONDITION', retry: false },
  /** There is no change and no later period to withdraw. */
  NOTHING_SCHEDULED: { status: 'FAILED_PRECONDITION', retry: false },
  /** No agent tier of this name is in the catalog in force. */
  TIER_UNKNOWN: { status: 'INVALID_ARGUMENT', retry: false },
  /** No agent of this id was unlocked, or it was removed. */
  AGENT_UNKNOWN: { status: 'NOT_FOUND', retry: false },
  /** An agent of this id is unlocked. */
  AGENT_EXISTS: { status: 'ALREADY_EXISTS', retry: false },
  AGENT_ACTIVE: { status: 'FAILED_PRECONDITION', retry: false },
  AGENT_SUSPENDED: { status: 'FAILED_PRECONDITION', retry: false },
  CATALOG_VERSION_UNKNOWN: { status: 'NOT_FOUND', retry: false },
  /** Lines of the ledger are needed that are not there: their months were detached. */
  LEDGER_DETACHED: { status: 'FAILED_PRECONDITION', retry: false },
  /** The id is already used with another payload. */
  ID_CONFLICT: { status: 'ALREADY_EXISTS', retry: false },
  /** A named limit is reached; the message names it. Nothing was changed. */
  LIMIT_REACHED: { status: 'RESOURCE_EXHAUSTED', retry: true },
  /** A store is away or a partition is closed. Nothing was changed by this call. */
  UNAVAILABLE: { status: 'UNAVAILABLE', retry: true },
  /** The reply was lost after the operation was sent: it may have been applied. Repeat the call unchanged. */
  OUTCOME_UNKNOWN: { status: 'UNAVAILABLE', retry: true },
  /** Redis and Postgres contradict each other in a way that only people can settle; the partition does not serve until they have. */
  PARTITION_FENCED: { status: 'UNAVAILABLE', retry: true },
  /** The clocks of sidecar and Redis differ by more than clockSkewMaxMs. */
  CLOCK_SKEW: { status: 'UNAVAILABLE', retry: true },
  /** Applied, but lost with Redis before it was durable: send it again unchanged. */
  RESEND: { status: 'ABORTED', retry: true },
  /** The caller's deadline passed before the operation was sent, or before it was durable. */
  DEADLINE_EXCEEDED: { status: 'DEADLINE_EXCEEDED', retry: false },
  /** No or a wrong bearer token. */
  UNAUTHENTICATED: { status: 'UNAUTHENTICATED', retry: false },
  /** The sidecar is stopping. */
  DRAINING: { status: 'UNAVAILABLE', retry: true },
  /** A mistake of ours; the log has the details. */
  INTERNAL: { status: 'INTERNAL', retry: false },
} as const satisfies Record<string, { status: string; retry: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export class DrawdownError extends Error {
  override readonly name = 'DrawdownError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: {
      /** The request's field at fault. */
      readonly field?: string;
      /** When a retry may help. */
      readonly retryAfterMs?: number;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
  }
}
