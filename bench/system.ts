/** What is measured: a sidecar or something of its kind with its stores, each a process of its own. */
export interface System {
  readonly address: string;
  /** Where its metrics are read; null: it has none. */
  readonly metricsUrl: string | null;
  /** Its Redis, for what is measured beside it; null where nothing is. */
  readonly redisUrl: string | null;
  readonly pids: { readonly sidecar: number; readonly redis: number; readonly postgres: number };
  /** What a reader of the report must know about it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Stops every process and removes all data. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly accountIds: readonly string[];
  /** Null: as many as the sidecar has by default. */
  readonly partitions: number | null;
  /** Where the sidecar writes a CPU profile when it ends; undefined: it is not profiled. */
  readonly profileDir: string | undefined;
}
