import { type Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { bearerCheck } from './auth.js';
import { toStatus } from './errors.js';

/**
 * The gate that every call passes before a byte of its messages is read: bearer token, drain, metrics.
 *
 * States of the gate: *open* admits calls; *draining* (after `drain()`) refuses new ones with DRAINING while those
 * inside go on. Health checks pass always: without a token they tell nothing secret, and while draining
 * they are how a balancer learns of it.
 */
export class CallGate {
  #draining = false;
  #inside = 0;
  #whenEmpty: (() => void)[] = [];
  readonly #isAuthorized: (header: string | undefined) => boolean;
  readonly #metrics: Pick<Metrics, 'rpcCalls' | 'rpcSeconds' | 'openStreams'>;

  constructor(options: {
    authToken: string | undefined;
    metrics: Pick<Metrics, 'rpcCalls' | 'rpcSeconds' | 'openStreams'>;
  }) {
    this.#isAuthorized = bearerCheck(options.authToken);
    this.#metrics = options.metrics;
  }

  /** Calls inside, health checks and reflection not counted. */
  get inside(): number {
    return this.#inside;
  }

  drain(): void {
    this.#draining = true;
  }

  /** Resolves once no call is inside. */
  empty(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  readonly interceptor: ServerInterceptor = (descriptor, call) => {
    const method = labelOf(descriptor.path);
    const isHealth = method.startsWith('Health/');
    const isOurs = descriptor.path.startsWith('/drawdown.');
    const isStream = descriptor.requestStream || descriptor.responseStream;
    const startedAt = performance.now();
    let admitted = false;
    let ended = false;
    const end = (code: number): void => {
      if (ended) return;
      ended = true;
      this.#metrics.rpcCalls.inc({ method, code: status[code] ?? 'UNKNOWN' });
      if (!isStream) this.#metrics.rpcSeconds.observe({ method }, (performance.now() - startedAt) / 1_000);
      if (!admitted) return;
      if (isStream) this.#metrics.openStreams.dec({ method });
      if (isOurs) this.#leave();
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, admit) => {
            const refusal = isHealth ? null : this.#refusal(metadata);
            if (refusal !== null) {
              const refused = toStatus(refusal);
              end(refused.code);
              call.sendStatus(refused);
              return;
            }
            admitted = true;
            if (isStream) this.#metrics.openStreams.inc({ method });
            if (isOurs) this.#inside++;
            admit(metadata);
          },
          // Called whenever a call is over, so after a regular end it finds `ended`.
          onCancel: () => {
            end(Number(call.getDeadline()) <= Date.now() ? status.DEADLINE_EXCEEDED : status.CANCELLED);
          },
        });
      },
      sendStatus: (given, next) => {
        end(given.code);
        next(given);
      },
    });
  };

  #refusal(metadata: Metadata): DrawdownError | null {
    if (!this.#isAuthorized(metadata.get('authorization')[0]?.toString())) {
      return new DrawdownError(
        'UNAUTHENTICATED',
        'The call needs the metadata "authorization: Bearer <token>"',
      );
    }
    if (this.#draining) return new DrawdownError('DRAINING', 'The sidecar is stopping; go on elsewhere');
    return null;
  }

  #leave(): void {
    this.#inside--;
    if (this.#inside > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

/** /drawdown.v1.UsageService/Reserve -> UsageService/Reserve */
function labelOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
