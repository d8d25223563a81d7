/** Clients of the package against real sidecars. */
import { Meter, type MeterOptions, type UsageEvent } from '../../src/client/index.js';

export function meterOf(sidecar: { readonly grpcAddress: string }, options: MeterOptions = {}): Meter {
  return new Meter({ addresses: [sidecar.grpcAddress], ...options });
}

/** Finished usage that costs so many micro-credits: a model whose price is one credit per million input tokens. */
export function usage(
  accountId: string,
  eventId: string,
  micros: number,
  more: Partial<UsageEvent> = {},
): UsageEvent {
  return {
    eventId,
    accountId,
    meter: 'llm',
    model: 'claude-haiku-4-5',
    quantities: { input_tokens: micros },
    eventTimeMs: Date.now(),
    ...more,
  };
}

/** A call that must fail: its error. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return new Error(`it succeeded: ${String(await promise)}`);
  } catch (error) {
    return error;
  }
}
