import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Every metric of the product, declared here and nowhere else; docs/metrics.md lists them and a test holds both
 * together. Prometheus' conventions: base units, `_total` for counters, prefix `drawdown_`. No label carries an account,
 * agent or id; models are those of the catalog, all others `other`.
 *
 * An update costs about a microsecond, so whatever happens per event is summed up per batch before it comes here, or is counted by a `tally`.
 */

/** Calls and scripts: from a fraction of a millisecond (one script) to what callers give up on. */
const callSeconds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Scripts aim at 1 to 2 ms; the redis command timeout of 5 s ends the scale. */
const scriptSeconds = [0.00025, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.1, 0.5, 5];

/** Flushes and their lag: 25 ms for a full transaction, minutes when Postgres is away. */
const flushSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];

/** Sizes of batches: powers of two up to the largest that any setting allows. */
const batchSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 50_000];

/** Units as labels: credits are counted in micro-credits, which stay exact. */
export const UNIT_LABELS = { 1: 'micro_credits', 2: 'tts_characters', 3: 'llm_messages' } as const;

export interface MetricsOptions {
  /** Also the process' own metrics: CPU, memory, event-loop lag, garbage collection. Off in most tests. */
  readonly processMetrics?: boolean;
}

type Create = ReturnType<typeof creator>;

/** Shortens the declarations below to name, help and labels. */
function creator(registry: Registry) {
  const registers = [registry];
  return {
    counter: <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter<Label>({ name: `drawdown_${name}`, help, labelNames, registers }),
    gauge: <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
      new Gauge<Label>({ name: `drawdown_${name}`, help, labelNames, registers }),
    histogram: <Label extends string = never>(
      name: string,
      help: string,
      buckets: number[],
      ...labelNames: Label[]
    ) => new Histogram<Label>({ name: `drawdown_${name}`, help, buckets, labelNames, registers }),
  };
}

/** The transport: counted by src/grpc. */
function transportMetrics({ counter, gauge, histogram }: Create) {
  return {
    /** method is Service/Call; code is the name of a gRPC status. Streams count when they end. */
    rpcCalls: counter('rpc_calls_total', 'Calls that ended, by method and gRPC status.', 'method', 'code'),
    rpcSeconds: histogram('rpc_duration_seconds', 'Duration of unary calls.', callSeconds, 'method'),
    openConnections: gauge('open_connections', 'Connections of gRPC clients that are open now.'),
    connectionsRefused: counter(
      'refused_connections_total',
      'Connections that were closed as they came because connectionsMax were open.',
    ),
    openStreams: gauge('open_streams', 'Streams that are open now.', 'method'),
    streamMessages: counter(
      'stream_messages_total',
      'Messages on streams; direction is in or out, kind says what the message is.',
      'method',
      'direction',
      'kind',
    ),
    streamPauses: counter(
      'stream_pauses_total',
      'Times that a stream was read no further; reason is in_flight or slow_reader.',
      'reason',
    ),
    watchedAccounts: gauge('watched_accounts', 'Accounts that open WatchBalance streams follow.'),
    recordBatchEvents: histogram('record_batch_events', 'Events in one batch of a caller.', batchSizes),
  };
}

/** What callers asked for and what became of it: counted by src/grpc from the outcomes. */
function outcomeMetrics({ counter }: Create) {
  return {
    /**
     * kind: usage, reserve, extend, open_session, settle, release, create_account, top_up. verdict: applied, duplicate, denied,
     * refused. reason: a name of the proto's Reason, or none.
     */
    operations: counter(
      'operations_total',
      'Operations that were judged, by kind, verdict and reason.',
      'kind',
      'verdict',
      'reason',
    ),
    chargedUnits: counter(
      'charged_units_total',
      'Units charged by usage and settles, what went into debt included.',
      'unit',
      'meter',
      'model',
    ),
    grantedUnits: counter(
      'granted_units_total',
      'Units granted by calls: top-ups, billing periods and changes of plan.',
      'unit',
    ),
    convertedCredits: counter(
      'converted_micro_credits_total',
      'Micro-credits that were converted into allowances; by is call or charge.',
      'by',
    ),
    debtBookedUnits: counter(
      'debt_booked_units_total',
      'Units booked as debt because no wallet had them.',
      'unit',
    ),
    unratedEvents: counter(
      'unrated_events_total',
      'Usage and settles booked without a price: the rate card does not know the model.',
      'meter',
    ),
  };
}

/** Scripts and the queues before them: counted by src/usage and src/redis. */
function scriptMetrics({ counter, gauge, histogram }: Create) {
  return {
    scriptSeconds: histogram(
      'script_duration_seconds',
      'Time from sending a script to its reply.',
      scriptSeconds,
      'script',
    ),
    scriptOperations: histogram(
      'script_batch_operations',
      'Operations in one script call.',
      batchSizes,
      'script',
    ),
    scriptFailures: counter(
      'script_failures_total',
      'Script calls without a usable reply, by error code.',
      'script',
      'code',
    ),
    queueOperations: gauge(
      'queue_operations',
      'Operations waiting for a script, over all partitions; lane is urgent or bulk.',
      'lane',
    ),
    queueWaitSeconds: histogram(
      'queue_wait_seconds',
      'Wait of the oldest operation of each batch before its script was sent.',
      scriptSeconds,
    ),
    queueRefused: counter(
      'queue_refused_operations_total',
      'Operations refused because a named limit was reached: of the queue, or in Redis.',
      'limit',
    ),
    deadlineDropped: counter(
      'deadline_dropped_operations_total',
      "Operations dropped unsent because the caller's deadline had passed.",
    ),
    duplicates: counter(
      'duplicates_total',
      'Repeated ids that were not charged again, by where they were caught: redis or postgres.',
      'caught_by',
    ),
    accountsLoaded: counter(
      'accounts_loaded_total',
      'Accounts loaded from Postgres because Redis did not hold them.',
    ),
    accountsEvicted: counter('accounts_evicted_total', 'Idle accounts dropped from Redis.'),
    accountsHot: gauge('accounts_hot', 'Accounts in Redis, over all partitions.'),
    clockSkewSeconds: gauge('clock_skew_seconds', "Redis' clock minus the sidecar's."),
  };
}

/** The journal and its way to Postgres: counted by src/flush. */
function flushMetrics({ counter, gauge, histogram }: Create) {
  return {
    journalEntries: gauge(
      'journal_entries',
      'Journaled entries that are not durable, of the partitions that this sidecar owns.',
    ),
    journalBytes: gauge(
      'journal_bytes',
      'Bytes of the journals that are not durable, of the partitions that this sidecar owns.',
    ),
    journalFullestRatio: gauge(
      'journal_fullest_ratio',
      'Journal of the fullest own partition as a part of journalBytesMax or journalAgeMaxMs, whichever is nearer; new work is refused from 0.8.',
    ),
    journalOldestAgeSeconds: gauge(
      'journal_oldest_age_seconds',
      'Age of the oldest entry of the own partitions that is not durable; 0 when all are.',
    ),
    durableLagSeconds: histogram(
      'durable_lag_seconds',
      'From booking to commit, of the oldest entry of each flush.',
      flushSeconds,
    ),
    flushSeconds: histogram(
      'flush_duration_seconds',
      'Duration of one flush, read and commit.',
      flushSeconds,
    ),
    flushEntries: histogram('flush_batch_entries', 'Journal entries in one flush.', batchSizes),
    flushRows: counter('flush_rows_total', 'Rows written by flushes, by table.', 'table'),
    flushRetries: counter('flush_retries_total', 'Flushes tried again, by what went wrong.', 'reason'),
    flushFailures: counter(
      'flush_failures_total',
      'Flushes that only another version or an operator can help, by reason: unreadable, a record in the journal.',
      'reason',
    ),
    flushFallbacks: counter(
      'flush_fallbacks_total',
      'Flushes whose COPY met an id that Postgres already had.',
    ),
    journalTrimmed: counter('journal_trimmed_records_total', 'Journal records removed after their commit.'),
    openingBalances: counter(
      'opening_balances_total',
      'Wallets whose balance at the begin of a month was written.',
    ),
    openingFailures: counter(
      'opening_failures_total',
      'Looks for months to open that failed and will be repeated.',
    ),
    cursorsBack: counter(
      'cursors_back_total',
      'Partitions whose cursor in Postgres was found to have gone back; what is missing is flushed again.',
    ),
    /** because: restarted, lost, went_back, forked, gap, sealed. */
    epochsClosed: counter(
      'epochs_closed_total',
      'Epochs that this sidecar closed, by what Redis had become.',
      'because',
    ),
    entriesLost: counter(
      'entries_lost_total',
      'Entries that this sidecar had seen applied and that were lost with Redis: their callers were told to send again.',
    ),
    recordsSetAside: counter(
      'set_aside_records_total',
      'Journal records that could not follow what is in the ledger, kept in set_aside_records.',
    ),
    rebuildSeconds: histogram(
      'rebuild_duration_seconds',
      'Duration of bringing a partition to where it may be opened.',
      flushSeconds,
    ),
    partitionsOwned: gauge('partitions_owned', 'Partitions that this sidecar flushes and sweeps.'),
    partitionsFenced: gauge(
      'partitions_fenced',
      'Partitions that do not serve because Redis and Postgres contradict each other in a way that only people can settle.',
    ),
  };
}

/** Holds and the sweeper: counted by src/flush and src/usage. */
function holdMetrics({ counter, gauge }: Create) {
  return {
    openHolds: gauge('open_holds', 'Open holds, over all partitions.'),
    openHoldOldestAgeSeconds: gauge('open_hold_oldest_age_seconds', 'Age of the oldest open hold.'),
    holdsExpired: counter('holds_expired_total', 'Holds ended by their deadline.'),
    lotUnitsExpired: counter(
      'lot_units_expired_total',
      'Units lost because their lot reached its time.',
      'unit',
    ),
    agentRenewals: counter(
      'agent_renewals_total',
      'Renewals of agents that were due, by what became of them.',
      'outcome',
    ),
    sweepFailures: counter('sweep_failures_total', 'Sweeps that failed and will be repeated.'),
  };
}

/** The background verification: counted by src/verify. */
function verifyMetrics({ counter, gauge }: Create) {
  return {
    /** outcome: compared, ahead, cold, detached, skipped. */
    verifyAccounts: counter(
      'verify_accounts_total',
      'Accounts that were verified in the background, by what could be said of them.',
      'outcome',
    ),
    verifyProblems: counter(
      'verify_problems_total',
      'Contradictions that the background verification found, by check; each once.',
      'check',
    ),
    verifyDriftMicros: gauge(
      'verify_drift_micros',
      'Micro-credits by which the balances of discrepant accounts differ, without sign. Expected: 0.',
    ),
    verifyDiscrepantAccounts: gauge(
      'verify_discrepant_accounts',
      'Accounts that were found with a problem when they were last verified. Expected: 0.',
    ),
    verifyRoundSeconds: gauge(
      'verify_round_seconds',
      'Duration of the last verification of all accounts; 0 before the first is complete.',
    ),
    verifyOldestAgeSeconds: gauge(
      'verify_oldest_age_seconds',
      'Time in which every account was verified, at most; 0 where it is off or nothing is owned.',
    ),
    verifyFailures: counter(
      'verify_failures_total',
      'Looks of the background verification that failed and will be repeated.',
    ),
  };
}

/** Metering sessions: counted by src/sessions. */
function sessionMetrics({ counter, gauge }: Create) {
  return {
    openSessions: gauge('open_sessions', 'Sessions that streams of this sidecar have open.'),
    sessionUpdates: counter('session_updates_total', 'Updates of counts that were received.'),
    sessionSliceUnits: counter(
      'session_slice_units_total',
      'Units set aside for sessions, at their open and as they grow.',
      'unit',
    ),
    sessionExtensions: counter(
      'session_extensions_total',
      'Holds of sessions that were to grow, by what became of it: granted, shortened or refused.',
      'outcome',
    ),
    sessionStops: counter('session_stops_total', 'Sessions that were told to stop, by reason.', 'reason'),
    sessionsResumed: counter('sessions_resumed_total', 'Opens that took over a session that was open.'),
    sessionsLeft: counter(
      'sessions_left_total',
      'Sessions left to their grace period because their stream was gone.',
    ),
    sessionsExpired: counter(
      'sessions_expired_total',
      'Sessions that this sidecar found ended by their deadline.',
    ),
    sessionLateSettles: counter(
      'session_late_settles_total',
      'Settles of sessions that had ended by their deadline.',
    ),
    sessionOverrunUnits: counter(
      'session_overrun_units_total',
      'Units that settles charged beyond what their session held.',
      'unit',
    ),
    sessionCheckpointFailures: counter(
      'session_checkpoint_failures_total',
      'Checkpoints without an answer, by error code; the next tick tries again.',
      'code',
    ),
    sessionCheckpointLagSeconds: gauge(
      'session_checkpoint_lag_seconds',
      'Age of the oldest progress that is not acknowledged; 0 when all is.',
    ),
  };
}

/** The sidecar as a whole: set by src/gauges.ts, src/readiness.ts and src/usage/catalogs.ts. */
function sidecarMetrics({ gauge }: Create) {
  return {
    ready: gauge('ready', '1 while the sidecar is ready to serve, else 0.'),
    storeUp: gauge('store_up', '1 while the store answers, else 0; store is redis or postgres.', 'store'),
    catalogVersion: gauge('catalog_version', 'The catalog version in force, by which usage is priced.'),
    catalogNewestVersion: gauge(
      'catalog_newest_version',
      'The newest catalog version in Postgres; above the one in force where this sidecar cannot read it.',
    ),
    buildInfo: gauge('build_info', 'Always 1; the version is a label.', 'version'),
  };
}

/** Gauges of prom-client whose names end in `_total`, which `promtool check metrics` refuses; the others tell more. */
const misnamedProcessMetrics = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const name of misnamedProcessMetrics) registry.removeSingleMetric(name);
}

/** What the background verification looks at, of the checks of src/ledger/finding.ts. */
const BACKGROUND_CHECKS = ['checksum', 'numbers', 'conservation', 'line', 'balances', 'openings', 'redis'];

/** A counter that appears with its first event hides that event from rate(): known label values start at 0. */
function startAtZero(
  metrics: ReturnType<typeof outcomeMetrics> &
    ReturnType<typeof scriptMetrics> &
    ReturnType<typeof verifyMetrics>,
): void {
  for (const unit of Object.values(UNIT_LABELS)) {
    metrics.debtBookedUnits.inc({ unit }, 0);
    metrics.grantedUnits.inc({ unit }, 0);
  }
  for (const caught_by of ['redis', 'postgres']) metrics.duplicates.inc({ caught_by }, 0);
  for (const check of BACKGROUND_CHECKS) metrics.verifyProblems.inc({ check }, 0);
  for (const lane of ['urgent', 'bulk']) metrics.queueOperations.set({ lane }, 0);
}

/** One child of a counter that counts many thousands a second: in a plain number, which the counter gets before every scrape. */
export interface Tally {
  add(value: number): void;
}

/** Declares every metric in a registry of its own. */
export function createMetrics({ processMetrics = true }: MetricsOptions = {}) {
  const registry = new Registry();
  const create = creator(registry);
  const beforeScrape = new Set<() => void>();
  if (processMetrics) collectProcessMetrics(registry);
  const metrics = {
    ...transportMetrics(create),
    ...outcomeMetrics(create),
    ...scriptMetrics(create),
    ...flushMetrics(create),
    ...holdMetrics(create),
    ...verifyMetrics(create),
    ...sessionMetrics(create),
    ...sidecarMetrics(create),
  };
  startAtZero(metrics);
  return {
    ...metrics,
    registry,
    /** Calls `update` before every scrape, for gauges whose value is only worth computing then. */
    onScrape(update: () => void): () => void {
      beforeScrape.add(update);
      return () => void beforeScrape.delete(update);
    },
    tally<Label extends string>(counter: Counter<Label>, labels: Record<Label, string>): Tally {
      let sum = 0;
      beforeScrape.add(() => {
        if (sum > 0) counter.inc(labels, sum);
        sum = 0;
      });
      return {
        add(value) {
          sum += value;
        },
      };
    },
    contentType: registry.contentType,
    async render(): Promise<string> {
      for (const update of beforeScrape) update();
      return registry.metrics();
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The rate card's models keep their name; everything else shares one label, so labels stay few. */
export function modelLabel(
  catalog: { meter(name: string): { readonly models: ReadonlyMap<string, unknown> } | undefined },
  meter: string,
  model: string,
): string {
  return catalog.meter(meter)?.models.has(model) ? model : 'other';
}
