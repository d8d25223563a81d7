import type { Server, ServerWritableStream } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

/**
 * Whether this sidecar should get traffic, for gRPC's health service, `/readyz` and the drain. The sidecar drives it.
 *
 * Services of the health protocol: '' and each of ours say whether the sidecar is ready, stores included; `liveness`
 * says SERVING as long as the process answers, so a restart never follows from a store that is away.
 */

export const livenessService = 'liveness';

export const readinessServices = [
  '',
  'drawdown.v1.UsageService',
  'drawdown.v1.AccountService',
  'drawdown.v1.CatalogService',
];

export interface Readiness {
  readonly ready: boolean;
  /** Why it is not ready; empty while it is. */
  readonly reasons: readonly string[];
  /** What an operator should know of a sidecar that serves all the same. */
  readonly warnings: readonly string[];
}

export class Health {
  #serving = false;
  #reasons: readonly string[] = ['starting'];
  #warnings: readonly string[] = [];
  #refresh: () => void = () => undefined;
  readonly #implementation = new HealthImplementation({ [livenessService]: 'SERVING' });

  constructor() {
    this.#publish();
  }

  /** As of now: whoever sets it is asked first. */
  now(): Readiness {
    this.#refresh();
    return { ready: this.#serving, reasons: this.#reasons, warnings: this.#warnings };
  }

  /** `refresh` sets what has changed since it was last set; called before `now` answers. */
  onAsked(refresh: () => void): void {
    this.#refresh = refresh;
  }

  setWarnings(warnings: readonly string[]): void {
    this.#warnings = [...warnings];
  }

  /** `why` is for people: one reason or several, ignored while serving. */
  setServing(serving: boolean, why: string | readonly string[] = []): void {
    const hasChanged = serving !== this.#serving;
    this.#serving = serving;
    this.#reasons = serving ? [] : typeof why === 'string' ? [why] : [...why];
    // Whoever watches is sent what is published, changed or not.
    if (hasChanged) this.#publish();
  }

  #publish(): void {
    for (const service of readinessServices) {
      this.#implementation.setStatus(service, this.#serving ? 'SERVING' : 'NOT_SERVING');
    }
  }

  addTo(server: Pick<Server, 'addService'>): void {
    this.#implementation.addToServer({
      addService(definition, handlers) {
        const watch = handlers.watch as (call: WatchCall) => void;
        server.addService(definition, {
          ...handlers,
          // Watching an unknown name must stay open by the protocol. The package remembers every such name for ever;
          // here the set of services never changes, so the one answer suffices.
          watch: (call: WatchCall) => {
            if ([livenessService, ...readinessServices].includes(call.request.service)) watch(call);
            else call.write({ status: 'SERVICE_UNKNOWN' });
          },
        });
      },
    });
  }
}

type WatchCall = ServerWritableStream<{ service: string }, { status: string }>;
