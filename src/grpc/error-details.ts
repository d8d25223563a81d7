import { join } from 'node:path';
import type { Metadata } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { ERROR_CODES, type ErrorCode } from '../errors.js';
import { protoDirectory } from '../paths.js';

/** The details of a failed call as both ends know them: the sidecar writes them (errors.ts), clients read them. */

export const errorDomain = 'drawdown';

export const detailsKey = 'grpc-status-details-bin';
export const typePrefix = 'type.googleapis.com/';

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
root.loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto']);
export const rpcStatus = root.lookupType('google.rpc.Status');
export const errorInfo = root.lookupType('google.rpc.ErrorInfo');
export const badRequest = root.lookupType('google.rpc.BadRequest');
export const retryInfo = root.lookupType('google.rpc.RetryInfo');

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
