import type { handleUnaryCall, Metadata, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { DrawdownError } from '../errors.js';
import type { CallOptions } from '../usage/types.js';
import { malformed } from '../wire/protobuf.js';
import { toDrawdownError, toStatus } from './errors.js';

/** The settings that the transport reads. */
export type GrpcSettings = Pick<
  Config,
  | 'grpcAddress'
  | 'authToken'
  | 'messageBytesMax'
  | 'batchEventsMax'
  | 'streamEventsInFlightMax'
  | 'streamIdleMs'
  | 'callDeadlineDefaultMs'
  | 'connectionsMax'
  | 'connectionStreamsMax'
  | 'keepaliveTimeMs'
  | 'keepaliveTimeoutMs'
  | 'holdTimeMaxMs'
  | 'durableWaitMaxMs'
  | 'drainTimeoutMs'
>;

/** What every handler needs. */
export interface CallEnvironment {
  readonly settings: GrpcSettings;
  readonly logger: Logger;
}

/** Stands in for a request that could not be decoded, so that its call ends with INVALID_ARGUMENT instead of INTERNAL. */
class Undecodable {
  constructor(readonly error: DrawdownError) {}
}

/** grpc-js gives a caller no details when decoding throws, so decoding never throws here. */
export function withTypedDecodeErrors(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => [name, withTypedDecodeError(method)]);
  return Object.fromEntries(methods) as ServiceDefinition;
}

function withTypedDecodeError(method: MethodDefinition<object, object>): MethodDefinition<object, object> {
  const decode = method.requestDeserialize;
  return {
    ...method,
    requestDeserialize: (bytes) => {
      try {
        return decode(bytes);
      } catch {
        return new Undecodable(malformed('it cannot be decoded'));
      }
    },
  };
}

/** The request of a call; raises what went wrong where it could not be decoded. */
export function decoded<Request>(request: Request): Request {
  if (request instanceof Undecodable) throw request.error;
  return request;
}

/** A stream that is open, as the drain sees it. */
export interface OpenStream {
  /** Tells the client that the stream will be ended after `withinMs`. */
  notifyDrain(withinMs: number): void;
  /** Ends it with a status, whatever it waits for. */
  fail(thrown: unknown): void;
}

/** For methods whose handlers encode and decode by themselves: bytes come and go as they are. */
export function rawMethod(method: MethodDefinition<object, object>): MethodDefinition<object, object> {
  return {
    ...method,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: (bytes) => bytes as Buffer,
  };
}

interface Deadlined {
  getDeadline(): Date | number;
}

/** The caller's deadline, or a named default; a DURABLE call waits no longer than durableWaitMaxMs. */
export function callOptions(
  call: Deadlined,
  durable: boolean,
  settings: Pick<GrpcSettings, 'callDeadlineDefaultMs' | 'durableWaitMaxMs'>,
): CallOptions {
  const longestMs = durable ? settings.durableWaitMaxMs : settings.callDeadlineDefaultMs;
  const given = Number(call.getDeadline());
  const now = Date.now();
  if (durable || given === Number.POSITIVE_INFINITY) {
    return { durable, deadlineMs: Math.min(given, now + longestMs) };
  }
  return { durable, deadlineMs: given };
}

/** Runs one unary call: what the handler returns is the response, what it throws becomes a status with details. */
export function unary<Request, Response>(
  where: string,
  environment: CallEnvironment,
  handle: (
    request: Request,
    call: Deadlined & { readonly metadata: Metadata },
  ) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const run = async (): Promise<Response> => {
      return handle(decoded(call.request), call);
    };
    run().then(
      (response) => callback(null, response),
      (error: unknown) => callback(toStatus(toDrawdownError(error, environment.logger, where))),
    );
  };
}
