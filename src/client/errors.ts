import { type ServiceError, status } from '@grpc/grpc-js';
import type { ErrorCode } from '../errors.js';
import { readErrorDetails } from '../grpc/error-details.js';

/** Why the client itself says no; everything else comes from the sidecar. docs/client.md explains them. */
export const CLIENT_REASONS = ['KEPT_FULL', 'ABORTED', 'TIMED_OUT', 'CLOSED', 'USAGE_INVALID'] as const;

export type ClientReason = (typeof CLIENT_REASONS)[number];

export type MeterErrorReason = ErrorCode | ClientReason;

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

/** Nobody could judge the call: the sidecar or a store of it is away, or does not answer. */
export function isUnavailable(error: MeterError): boolean {
  return error.retryable && error.code !== 'RESOURCE_EXHAUSTED';
}
