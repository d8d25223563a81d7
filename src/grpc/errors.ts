import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import { DrawdownError, ERROR_CODES } from '../errors.js';
import {
  badRequest,
  detailsKey,
  errorDomain,
  errorInfo,
  retryInfo,
  rpcStatus,
  typePrefix,
} from './error-details.js';

export { errorDomain, readErrorDetails } from './error-details.js';

/**
 * The one mapping from our errors to gRPC: the status of the table in src/errors.ts, and in `grpc-status-details-bin` a
 * google.rpc.Status with ErrorInfo (reason = code), BadRequest where a field is at fault, and RetryInfo where waiting
 * helps. Clients read them back with error-details.ts.
 */

/**
 * How long a caller should wait where the error does not say: an order of magnitude above a script and a flush,
 * so that a retry finds something changed, and short enough for a person who waits.
 */
export const retryAfterDefaultMs = 250;

/** What a person reads when the mistake is ours: the details are in the log only. */
const internalMessage = 'Internal error; the log of the sidecar has the details';

export interface ErrorLogger {
  error(fields: Record<string, unknown>, message: string): void;
}

/** Turns whatever was thrown into a DrawdownError; what is not one is logged here and becomes a neutral INTERNAL. */
export function toDrawdownError(thrown: unknown, logger: ErrorLogger, where: string): DrawdownError {
  if (thrown instanceof DrawdownError && thrown.code !== 'INTERNAL') return thrown;
  const error = thrown instanceof Error ? thrown : new Error(typeof thrown);
  logger.error(
    { where, error: error.name, stack: error.stack, cause: describeCause(error.cause) },
    'A call failed inside',
  );
  return new DrawdownError('INTERNAL', internalMessage, { cause: thrown });
}

function describeCause(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.stack : undefined;
}

/** The gRPC status of an error, with its details as trailers. */
export function toStatus(error: DrawdownError): StatusObject {
  const { status: name } = ERROR_CODES[error.code];
  const code = status[name];
  const metadata = new Metadata();
  metadata.set(detailsKey, encodeDetails(error, code));
  return { code, details: error.message, metadata };
}

function encodeDetails(error: DrawdownError, code: number): Buffer {
  const { field, retryAfterMs } = error.details;
  const details = [
    any(errorInfo, {
      reason: error.code,
      domain: errorDomain,
      metadata: field === undefined ? {} : { field },
    }),
  ];
  if (field !== undefined) {
    details.push(any(badRequest, { fieldViolations: [{ field, description: error.message }] }));
  }
  // A limit that waiting does not lift (an oversized batch) says so with 0.
  if (ERROR_CODES[error.code].retry && retryAfterMs !== 0) {
    const delayMs = retryAfterMs ?? retryAfterDefaultMs;
    const retryDelay = { seconds: Math.floor(delayMs / 1_000), nanos: Math.round((delayMs % 1_000) * 1e6) };
    details.push(any(retryInfo, { retryDelay }));
  }
  return Buffer.from(rpcStatus.encode({ code, message: error.message, details }).finish());
}

function any(type: protobuf.Type, message: object): object {
  return {
    type_url: typePrefix + type.fullName.slice(1),
    value: type.encode(type.fromObject(message)).finish(),
  };
}
