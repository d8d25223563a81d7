import { join } from 'node:path';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { DrawdownError, ERROR_CODES, type ErrorCode } from '../errors.js';
import { protoDirectory } from '../paths.js';

/**
 * The one mapping from our errors to gRPC: the status of the table in src/errors.ts, and in `grpc-status-details-bin` a
 * google.rpc.Status with ErrorInfo (reason = code), BadRequest where a field is at fault, and RetryInfo where waiting
 * helps. The CLI reads the same details back.
 */

export const errorDomain = 'drawdown';

const detailsKey = 'grpc-status-details-bin';
const typePrefix = 'type.googleapis.com/';

/**
 * How long a caller should wait where the error does not say: an order of magnitude above a script and a flush,
 * so that a retry finds something changed, and short enough for a person who waits.
 */
export const retryAfterDefaultMs = 250;

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
root.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);
const rpcStatus = root.lookupType('google.rpc.Status');
const errorInfo = root.lookupType('google.rpc.ErrorInfo');
const badRequest = root.lookupType('google.rpc.BadRequest');
const retryInfo = root.lookupType('google.rpc.RetryInfo');

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

/** What a client can tell its user. */
export interface ErrorDetails {
  readonly reason: ErrorCode | null;
  readonly field: string | null;
  readonly retryAfterMs: number | null;
}

/** Reads the details of a failed call; whatever is not ours or not readable is null. */
export function readErrorDetails(metadata: Metadata | undefined): ErrorDetails {
  let reason: ErrorCode | null = null;
  let field: string | null = null;
  let retryAfterMs: number | null = null;
  const raw = metadata?.get(detailsKey)[0];
  if (raw instanceof Buffer) {
    for (const { type_url, value } of decodeStatus(raw)) {
      if (type_url === `${typePrefix}google.rpc.ErrorInfo`) {
        const info = errorInfo.toObject(errorInfo.decode(value), { defaults: true });
        if (info.domain === errorDomain && Object.hasOwn(ERROR_CODES, info.reason)) reason = info.reason;
        field = info.metadata.field ?? null;
      } else if (type_url === `${typePrefix}google.rpc.RetryInfo`) {
        const info = retryInfo.toObject(retryInfo.decode(value), { defaults: true, longs: Number });
        retryAfterMs = (info.retryDelay?.seconds ?? 0) * 1_000 + (info.retryDelay?.nanos ?? 0) / 1e6;
      }
    }
  }
  return { reason, field, retryAfterMs };
}

function decodeStatus(raw: Buffer): { type_url: string; value: Uint8Array }[] {
  try {
    return rpcStatus.toObject(rpcStatus.decode(raw), { arrays: true, defaults: true }).details;
  } catch {
    return [];
  }
}
