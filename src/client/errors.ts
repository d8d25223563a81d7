import { type ServiceError, status } from '@grpc/grpc-js';
import { ERROR_CODES, type ErrorCode } from '../errors.js';
import { readErrorDetails } from '../grpc/error-details.js';
import type { Reason } from './types.js';

/** Why the client itself says no; everything else comes from the sidecar. docs/client.md explains them. */
export const CLIENT_REASONS = [
  'KEPT_FULL',
  'ABORTED',
  'TIMED_OUT',
  'CLOSED',
  'SESSION_OVER',
  'USAGE_INVALID',
] as const;

export type ClientReason = (typeof CLIENT_REASONS)[number];

export type MeterErrorReason = ErrorCode | Reason | ClientReason;

export interface MeterErrorDetails {
  readonly reason?: MeterErrorReason | null;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | null;
  readonly field?: string | null;
  readonly cause?: unknown;
}

/** The one error of this library: a call that could not be judged, or that contradicts what is stored. */
export class MeterError extends Error {
  override readonly name = 'MeterError';
  /** A code of the sidecar (docs/errors.md) or of this library; null where the transport failed. */
  readonly reason: MeterErrorReason | null;
  /** The same call, unchanged (ids and times included), may succeed later. It is always safe to repeat. */
  readonly retryable: boolean;
  /** How long the sidecar asks to wait first. */
  readonly retryAfterMs: number | null;
  /** The field at fault. */
  readonly field: string | null;

  constructor(
    /** The name of a gRPC status: UNAVAILABLE, INVALID_ARGUMENT, ... */
    readonly code: keyof typeof status,
    message: string,
    details: MeterErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = details.reason ?? null;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.field = details.field ?? null;
  }
}

export function fieldInvalid(field: string, rule: string): MeterError {
  return new MeterError('INVALID_ARGUMENT', `${field} ${rule}`, { reason: 'FIELD_INVALID', field });
}

/** The problem names its field first. */
export function ofProblem(problem: string): MeterError {
  const [field = null] = /^[a-z_]+/.exec(problem) ?? [];
  return new MeterError('INVALID_ARGUMENT', problem, { reason: 'FIELD_INVALID', field });
}

/** What a stream says of one session, as a call would have said it. */
export function ofReason(reason: Reason, message: string, retryAfterMs: number): MeterError {
  if (reason === 'FIELD_INVALID') return ofProblem(message);
  const { status: code, retry } = Object.hasOwn(ERROR_CODES, reason)
    ? ERROR_CODES[reason as ErrorCode]
    : ({ status: 'FAILED_PRECONDITION', retry: false } as const);
  const retryable = retry || retryAfterMs > 0;
  return new MeterError(code, message, {
    reason,
    retryable,
    retryAfterMs: retryAfterMs > 0 ? retryAfterMs : null,
  });
}

export function closed(): MeterError {
  return new MeterError('CANCELLED', 'The meter is closed', { reason: 'CLOSED' });
}

/** Statuses that grpc makes itself when a connection breaks; nothing is known of the outcome. */
const brokenCodes: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.INTERNAL,
  status.UNKNOWN,
  status.CANCELLED,
]);

export function fromServiceError(error: ServiceError): MeterError {
  const { reason, field, retryAfterMs } = readErrorDetails(error.metadata);
  const code = status[error.code] as keyof typeof status;
  const retryable =
    error.code === status.DEADLINE_EXCEEDED ||
    (reason === null ? brokenCodes.has(error.code) : retryAfterMs !== null || reason === 'INTERNAL');
  return new MeterError(code, error.details, { reason, field, retryAfterMs, retryable, cause: error });
}

/** What grpc-js says of a call that found no connection to go out on. Should it say so otherwise one day, we know less, and are not wrong. */
const unsentDetails = /^(No connection established|Name resolution failed)/;

/** Nothing of the call has left this process. */
export function isUnsent(error: MeterError): boolean {
  return error.reason === null && error.code === 'UNAVAILABLE' && unsentDetails.test(error.message);
}

/** Nobody could judge the call: the sidecar or a store of it is away, or does not answer. */
export function isUnavailable(error: MeterError): boolean {
  return error.retryable && error.code !== 'RESOURCE_EXHAUSTED';
}
