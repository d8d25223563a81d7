import type { Percentiles } from './measure.js';

/** One line of the report and one element of the JSON file. */
export interface Result {
  readonly scenario: string;
  readonly variant: string;
  /** Applied and acknowledged, over the window. */
  readonly eventsPerSecond: number;
  /** Committed in Postgres and known to the client, over the window. */
  readonly durablePerSecond: number;
  /** CPU time of each process over the window, divided by the events that became durable in it. */
  readonly cpuMicrosPerEvent: Readonly<Record<CpuPart, number>>;
  /** From the moment an event (or its batch) was due to the acknowledgement that it is applied. */
  readonly latencyMs: Percentiles;
  /** From the same moment until it was known to be durable. */
  readonly durableLatencyMs: Percentiles;
  /** Of the sidecar (of the plain server): see `rssAtSeconds` of the configuration. */
  readonly rssMegabytes: { readonly start: number; readonly end: number };
  /** Applied events that the client does not know to be durable, at both ends of the window: steady when it does not grow. */
  readonly backlogEvents: { readonly start: number; readonly end: number };
  readonly config: Readonly<Record<string, unknown>>;
}

export type CpuPart = 'client' | 'sidecar' | 'redis' | 'postgres';
