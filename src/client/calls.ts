import type { Client, ServiceError } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { protoDirectory } from '../paths.js';
import { Backoff } from './backoff.js';
import { aborted, type CallLimits, pause, timedOut } from './call-limits.js';
import type { Connection, Connections } from './connections.js';
import { closed, fromServiceError, type MeterError } from './errors.js';

export type CallName = 'Reserve' | 'Extend' | 'Settle' | 'Release' | 'CheckBalance';

type Definition = MethodDefinition<object, object>;

/** 64-bit integers as decimal strings, enums by name; what is not set has its default. */
function loadDefinitions(): Record<CallName, Definition> {
  const options = {
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
    includeDirs: [protoDirectory],
  };
  const loaded = loadSync('drawdown/v1/usage_service.proto', options);
  return loaded['drawdown.v1.UsageService'] as unknown as Record<CallName, Definition>;
}

/**
 * Unary calls that are repeated unchanged, over the connections in turn, as long as repeating may help and time is left. That is
 * safe because every call carries its own id.
 */
export class Calls {
  readonly #definitions = loadDefinitions();
  #isClosed = false;

  constructor(
    private readonly connections: Connections,
    private readonly timeoutDefaultMs: number,
  ) {}

  /** Rejects with a MeterError. */
  async call<Response>(name: CallName, request: object, limits: CallLimits = {}): Promise<Response> {
    const { timeoutMs = this.timeoutDefaultMs, signal } = limits;
    const endsAt = performance.now() + timeoutMs;
    const backoff = new Backoff();
    for (;;) {
      if (signal?.aborted) throw aborted(signal);
      const leftMs = endsAt - performance.now();
      try {
        return (await this.#once(this.connections.next(), name, request, leftMs, signal)) as Response;
      } catch (thrown) {
        if (this.#isClosed) throw closed();
        const error = thrown as MeterError;
        if (signal?.aborted) throw aborted(signal);
        if (!error.retryable) throw error;
        const waitMs = backoff.next(error.retryAfterMs);
        const isOver = performance.now() + waitMs >= endsAt;
        if (isOver && error.code === 'DEADLINE_EXCEEDED') throw timedOut(timeoutMs, error);
        if (isOver) throw error;
        await pause(waitMs, signal);
      }
    }
  }

  /** Whatever fails from now on was closed. */
  close(): void {
    this.#isClosed = true;
  }

  #once(
    { client, metadata }: Connection,
    name: CallName,
    request: object,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<object> {
    const { path, requestSerialize, responseDeserialize } = this.#definitions[name];
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + Math.max(1, leftMs) };
      const done = (error: ServiceError | null, response?: object): void => {
        signal?.removeEventListener('abort', onAbort);
        if (error === null) resolve(response as object);
        else reject(fromServiceError(error));
      };
      const call: ReturnType<Client['makeUnaryRequest']> = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        options,
        done,
      );
      const onAbort = (): void => call.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
