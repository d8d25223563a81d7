import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientDuplexStream,
  credentials,
  type Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import pino from 'pino';
import { canonicalCatalog } from '../../src/catalog/canonical.js';
import { compileCatalog } from '../../src/catalog/pricing.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { loadConfig } from '../../src/config.js';
import type { Agents, AgentView } from '../../src/credits/agent-types.js';
import type { CatalogPublisher } from '../../src/credits/catalog-control.js';
import type { Conversions } from '../../src/credits/conversions.js';
import type { Corrections } from '../../src/credits/correction-types.js';
import type { Plans, PlanView } from '../../src/credits/plan-types.js';
import type { StatementReader } from '../../src/credits/statement.js';
import type { Accounts } from '../../src/credits/types.js';
import type { BalanceWatches } from '../../src/credits/watch.js';
import type { AccountServiceClient } from '../../src/gen/drawdown/v1/AccountService.js';
import type { CatalogServiceClient } from '../../src/gen/drawdown/v1/CatalogService.js';
import type { RecordUsageRequest } from '../../src/gen/drawdown/v1/RecordUsageRequest.js';
import type { RecordUsageResponse__Output } from '../../src/gen/drawdown/v1/RecordUsageResponse.js';
import type { UsageServiceClient } from '../../src/gen/drawdown/v1/UsageService.js';
import type { CatalogReader } from '../../src/grpc/catalog-service.js';
import { Health } from '../../src/grpc/health.js';
import { serviceClient } from '../../src/grpc/proto.js';
import { createGrpcServer, type GrpcServer } from '../../src/grpc/server.js';
import { createMetrics, type Metrics } from '../../src/metrics.js';
import { Sessions } from '../../src/sessions/sessions.js';
import type { Meter } from '../../src/usage/meter.js';
import type { Taker } from '../../src/usage/operation.js';
import type { OpenedSession, SessionOperations } from '../../src/usage/session-operations.js';
import type {
  CallOptions,
  Position,
  RecordOutcome,
  UsageEvent,
  UsageMeter,
  Watermarks,
} from '../../src/usage/types.js';

/** Stands in for the usage layer where a test is about the transport alone. Books everything; can be made to wait. */
export class FakeMeter implements UsageMeter {
  readonly recorded: { events: readonly UsageEvent[]; options: CallOptions }[] = [];
  /** While set, calls wait until `letThrough()`. */
  gated = false;
  failWith: Error | null = null;
  /** The part of every charged event that becomes debt. */
  overdrawn = 0;
  #seq = 0;
  readonly #waiting: (() => void)[] = [];
  lastOptions: CallOptions | null = null;

  letThrough(): void {
    this.gated = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  async record(events: readonly UsageEvent[], options: CallOptions): Promise<RecordOutcome> {
    this.recorded.push({ events, options });
    this.lastOptions = options;
    if (this.gated) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.failWith !== null) throw this.failWith;
    const results = events.map(() => ({
      outcome: 'recorded' as const,
      unit: 1 as const,
      charged: 7,
      overdrawn: this.overdrawn,
      available: 93,
      unrated: false,
      converted: 0,
    }));
    return { results, positions: [{ partition: 0, epoch: 1, seq: ++this.#seq }] };
  }

  reserve: UsageMeter['reserve'] = async (call, options) => {
    this.lastOptions = options;
    if (this.failWith !== null) throw this.failWith;
    if (this.gated) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (call.holdId === 'too-much') {
      return { verdict: 'denied', reason: 'INSUFFICIENT_BALANCE', unit: 1, available: 5, missing: 95 };
    }
    const held = { verdict: 'allowed' as const, unit: 1 as const, held: 100, available: 900 };
    return { ...held, deadlineMs: 1_800_000_000_000, duplicate: false, catalogVersion: 3 };
  };

  extend: UsageMeter['extend'] = async () => {
    const held = { verdict: 'allowed' as const, unit: 1 as const, held: 150, available: 850 };
    return { ...held, deadlineMs: 1_800_000_060_000, duplicate: false, catalogVersion: 3 };
  };

  settle: UsageMeter['settle'] = async () => ({
    unit: 1,
    charged: 60,
    released: 40,
    releasedUnit: 1,
    overdrawn: 0,
    available: 940,
    late: false,
    holdUnknown: false,
    unrated: false,
    converted: 0,
    duplicate: false,
    catalogVersion: 3,
    position: { partition: 0, epoch: 1, seq: ++this.#seq },
  });

  startSettle: Meter['startSettle'] = (call, options, taker) => {
    this.settle(call, { ...options, durable: false }).then(
      (settled) => taker.done(settled),
      (error) => taker.failed(error),
    );
  };

  release: UsageMeter['release'] = async () => ({
    unit: 1,
    released: 100,
    available: 1_000,
    duplicate: false,
    position: { partition: 0, epoch: 1, seq: ++this.#seq },
  });

  checkBalance: UsageMeter['checkBalance'] = async () => ({
    verdict: 'allowed',
    reason: null,
    unit: 1,
    amount: 10,
    missing: 0,
    balances: [{ unit: 1, available: 90, held: 10, debt: 0 }],
  });

  getUsage: UsageMeter['getUsage'] = async (call) => ({
    state: call.kind === 'hold' ? 'held' : 'recorded',
    unit: 1,
    charged: 7,
    overdrawn: 0,
    held: 0,
    deadlineMs: 0,
    converted: 0,
    durable: true,
  });
}

/** Says what a test tells it to: durable through a seq, or everything lost. */
export class FakeWatermarks implements Watermarks {
  #durableSeq = 0;
  #lostThrough = 0;
  readonly listeners = new Set<() => void>();

  advance(durableSeq: number): void {
    this.#durableSeq = durableSeq;
    for (const listener of this.listeners) listener();
  }

  /** Positions up to this seq that are not durable yet are gone. */
  lose(throughSeq: number): void {
    this.#lostThrough = throughSeq;
    for (const listener of this.listeners) listener();
  }

  state(positions: readonly Position[]): 'durable' | 'resend' | 'pending' {
    const waiting = positions.filter(({ seq }) => seq > this.#durableSeq);
    if (waiting.length === 0) return 'durable';
    return waiting.some(({ seq }) => seq <= this.#lostThrough) ? 'resend' : 'pending';
  }

  onAdvance(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  wait(): Promise<'durable' | 'resend'> {
    throw new Error('The transport does not wait by itself');
  }
}

const balance = { unit: 1 as const, available: 5, held: 0, debt: 0 };

const fakePlan: PlanView = {
  plan: 'pro',
  period: { plan: 'pro', startTimeMs: 1, endTimeMs: 20 },
  nextPeriod: { plan: 'pro', startTimeMs: 20, endTimeMs: 40 },
  scheduledChange: { plan: 'free', effectiveTimeMs: 20 },
};

export const fakeAccounts: Accounts = {
  create: async (call) => ({ accountId: call.accountId, createdTimeMs: call.eventTimeMs, duplicate: false }),
  topUp: async (call) => ({
    lotId: 1,
    unit: call.unit,
    granted: call.amount,
    debtPaid: 0,
    available: call.amount,
    duplicate: false,
  }),
  balance: async (accountId) => ({
    accountId,
    status: 'active',
    balances: [balance],
    openHolds: 2,
    plan: fakePlan,
    agentCredits: [{ agentId: 'support', available: 7, held: 1 }],
  }),
  lots: async () => ({
    items: [
      {
        lotId: 1,
        unit: 1,
        source: 'top_up',
        priority: 20,
        expiresAtMs: 0,
        remaining: Number.MAX_SAFE_INTEGER,
        held: 0,
        agentId: '',
      },
    ],
    nextPageToken: 'more',
  }),
  holds: async () => ({ items: [], nextPageToken: '' }),
  ledger: async (query) => ({
    items: [
      {
        accountSeq: 1,
        kind: 'usage',
        id: 'e1',
        agentId: query.agentId,
        meter: 'llm',
        model: 'gpt-4o-mini',
        quantities: [['input_tokens', 1_000]],
        catalogVersion: 1,
        unit: 1,
        granted: 0,
        spent: 150,
        expired: 0,
        converted: 0,
        debt: 0,
        lots: [{ lotId: 1, remainingDelta: -150 }],
        balanceAfter: balance,
        flags: ['late'],
        corrects: '',
        reasonCode: '',
        reasonText: '',
        status: null,
        plan: '',
        planEvent: null,
        planFromTimeMs: 0,
        planToTimeMs: 0,
        agentEvent: null,
        agentTier: '',
        agentFromTimeMs: 0,
        agentToTimeMs: 0,
        eventTimeMs: 1,
        bookedTimeMs: 2,
        partition: 3,
        epoch: 1,
        seq: 9,
      },
    ],
    nextPageToken: `${query.order}/${query.pageSize}`,
  }),
};

const fakeStatements: StatementReader = {
  read: async () => {
    throw new Error('statements are tested with real stores');
  },
};

const fakeWatches: BalanceWatches = {
  open: async () => {
    throw new Error('watches are tested with real stores');
  },
};

const fakeConversions: Conversions = {
  convert: async ({ unit, wish }) =>
    wish.kind === 'units'
      ? { verdict: 'denied', reason: 'INSUFFICIENT_BALANCE', unit, availableMicros: 5, missingMicros: 20 }
      : {
          verdict: 'allowed',
          unit,
          convertedMicros: wish.value,
          granted: 400,
          debtPaid: 10,
          lotId: 3,
          available: 390,
          duplicate: false,
          catalogVersion: 4,
        },
};

const fakeCorrections: Corrections = {
  reverseUsage: async () => ({ unit: 1, reversed: 150, debtPaid: 50, available: 100, duplicate: false }),
  expireLot: async (call) => ({ lotId: call.lotId, unit: 1, expired: 70, available: 30, duplicate: false }),
  setStatus: async (call) => {
    const status = { freeze: 'frozen', unfreeze: 'active', close: 'closed', reopen: 'active' } as const;
    return { accountId: call.accountId, status: status[call.change], duplicate: false };
  },
  rerateUsage: async (call) => ({
    lookedAt: 2,
    leftUnrated: 1,
    charges: [{ meter: 'llm', model: call.model, unit: 1, charged: 12, overdrawn: 2 }],
    catalogVersion: 4,
    nextCursor: call.cursor === '' ? '7.3' : '',
  }),
};

const fakePlans: Plans = {
  startPeriod: async ({ accountId, startTimeMs }) => ({
    ...planned(accountId),
    outcome: 'period_stored',
    effectiveTimeMs: startTimeMs,
  }),
  changePlan: async ({ accountId }) => ({
    ...planned(accountId),
    outcome: 'period_started',
    granted: 70,
    debtPaid: 20,
    lotId: 3,
  }),
  cancelChange: async ({ accountId }) => ({ accountId, duplicate: false }),
};

const fakeAgent: AgentView = {
  agentId: 'support',
  state: 'active',
  tier: 'standard',
  cycleStartTimeMs: 10,
  cycleEndTimeMs: 20,
  graceEndTimeMs: 0,
  renewalCost: 30,
  cycleCredits: 0,
  ownAvailable: 0,
  ownHeld: 0,
  drawsOnAccount: true,
};

const cycleBegun = {
  verdict: 'allowed',
  cycleStartTimeMs: 10,
  cycleEndTimeMs: 20,
  cost: 50_000_000,
  available: 7,
  duplicate: false,
} as const;

/** Activating an agent called `poor` is denied. */
const fakeAgents: Agents = {
  unlock: async () => cycleBegun,
  activate: async ({ agentId }) =>
    agentId === 'poor'
      ? { verdict: 'denied', reason: 'INSUFFICIENT_BALANCE', available: 1_000_000, missing: 2_000_000 }
      : cycleBegun,
  suspend: async () => ({ duplicate: false }),
  remove: async () => ({ duplicate: true }),
  get: async () => fakeAgent,
  list: async ({ pageToken }) =>
    pageToken === ''
      ? { items: [fakeAgent], nextPageToken: 'more' }
      : { items: [{ ...fakeAgent, agentId: 'sales' }], nextPageToken: '' },
};

function planned(accountId: string) {
  return {
    accountId,
    effectiveTimeMs: 0,
    granted: 0,
    debtPaid: 0,
    lotId: 0,
    available: 50,
    duplicate: false,
  };
}

const catalogText = `
format: 1
meters:
  llm:
    quantities: { input_tokens: {}, output_tokens: {} }
    wallets: [credits]
rate_card:
  unknown_models: unrated
  models:
    - name: gpt-4o-mini
      meter: llm
      source: a test
      date: 2025-01-01
      prices: { input_tokens: 0.15, output_tokens: 0.6 }
`;

function fakeCatalog(): CatalogReader {
  const parsed = parseCatalog(catalogText, 'test.yaml');
  if (!('catalog' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  const current = {
    version: 4,
    ...canonicalCatalog(parsed.catalog),
    publishedBy: 'ops@acme',
    publishedTimeMs: 1_700_000_000_000,
    compiled: compileCatalog(parsed.catalog, 4),
  };
  return {
    current: () => current,
    version: async (number) => (number === 3 ? { ...current, version: 3 } : null),
  };
}

const problem = { file: 'catalog', line: 3, column: 5, path: 'meters.llm', message: 'is missing' };
const published = { version: 5, hash: 'def', publishedTimeMs: 1_700_000_000_001, publishedBy: 'ops@acme' };

/** Refuses a text that says so; knows two pages of versions. */
const fakePublisher: CatalogPublisher = {
  validate: async (text) =>
    text === 'bad' ? { valid: false, problems: [problem] } : { valid: true, hash: 'def' },
  publish: async ({ requestId, text, publishedBy }) => {
    if (text === 'bad') return { outcome: 'refused', problems: [problem] };
    return {
      outcome: text === 'same' ? 'unchanged' : 'published',
      catalogVersion: { ...published, publishedBy },
      duplicate: requestId === 'again',
    };
  },
  versions: async ({ pageToken }) => ({
    items: [{ ...published, version: pageToken === '' ? 5 : 4 }],
    nextPageToken: pageToken === '' ? '5' : '',
  }),
};

/** Nobody opens a session here: real ones are in the tests of sessions. */
const fakeSessionOperations = {
  open: (_call: unknown, _options: unknown, taker: Taker<OpenedSession>) =>
    queueMicrotask(() => taker.done({ kind: 'conflict' })),
  checkpoint: async () => ({ kind: 'moved' as const }),
};

export interface Harness {
  readonly address: string;
  readonly meter: FakeMeter;
  readonly watermarks: FakeWatermarks;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly server: GrpcServer;
  readonly usage: UsageServiceClient;
  readonly accounts: AccountServiceClient;
  readonly catalog: CatalogServiceClient;
  /** What GetCatalog answers with. */
  readonly catalogJson: string;
  /** What was logged, as parsed lines. */
  readonly logged: Record<string, unknown>[];
  gauge(name: string): Promise<number>;
  stop(): void;
}

export type HarnessOptions = {
  flags?: Readonly<Record<string, string>>;
  reflection?: boolean;
  accounts?: Partial<Accounts>;
  corrections?: Partial<Corrections>;
  sessionOperations?: Pick<SessionOperations, 'open' | 'checkpoint'>;
};

/** A real server and real clients over a unix socket, around the fakes. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const directory = mkdtempSync(join(tmpdir(), 'drawdown-grpc-'));
  const address = `unix:${join(directory, 'grpc.sock')}`;
  const config = loadConfig({ environment: {}, flags: { grpcAddress: address, ...options.flags } });
  const logged: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const meter = new FakeMeter();
  const watermarks = new FakeWatermarks();
  const health = new Health();
  const metrics = createMetrics({ processMetrics: false });
  const reader = fakeCatalog();
  const sessions = new Sessions(
    options.sessionOperations ?? fakeSessionOperations,
    meter,
    reader,
    config,
    metrics,
    logger,
  );
  const server = createGrpcServer({
    config,
    sessions,
    reflection: options.reflection ?? false,
    meter,
    watermarks,
    accounts: { ...fakeAccounts, ...options.accounts },
    statements: fakeStatements,
    watches: fakeWatches,
    corrections: { ...fakeCorrections, ...options.corrections },
    conversions: fakeConversions,
    plans: fakePlans,
    agents: fakeAgents,
    catalog: reader,
    publisher: fakePublisher,
    health,
    logger,
    metrics,
  });
  await server.listen();
  health.setServing(true);
  const clients = (['UsageService', 'AccountService', 'CatalogService'] as const).map((name) => {
    const Client = serviceClient(name);
    return new Client(address, credentials.createInsecure());
  });
  return {
    address,
    meter,
    watermarks,
    health,
    metrics,
    server,
    usage: clients[0] as unknown as UsageServiceClient,
    accounts: clients[1] as unknown as AccountServiceClient,
    catalog: clients[2] as unknown as CatalogServiceClient,
    catalogJson: reader.current().json,
    logged,
    async gauge(name) {
      // Some is counted before a scrape only.
      await metrics.render();
      const metric = await metrics.registry.getSingleMetric(name)?.get();
      return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    },
    stop() {
      meter.letThrough();
      for (const client of clients) client.close();
      server.forceStop();
      sessions.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Longer than anything here takes, and shorter than the limit of a test, so that what hangs says where. */
const untilMaxMs = 20_000;

/** Resolves once the condition holds; it is looked at whenever the event loop turns. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAt > untilMaxMs) throw new Error(`Never became true: ${condition}`);
    await turns(1);
  }
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

type RecordCall = ClientDuplexStream<RecordUsageRequest, RecordUsageResponse__Output>;

/** The client's end of a RecordUsage stream: everything that came, and its status. */
export class Recorder {
  readonly messages: RecordUsageResponse__Output[] = [];
  readonly status: Promise<StatusObject>;

  constructor(readonly call: RecordCall) {
    call.on('data', (message: RecordUsageResponse__Output) => this.messages.push(message));
    // The status comes by its own event; an 'error' repeats it.
    call.on('error', () => {});
    this.status = new Promise((resolve) => call.on('status', resolve));
  }

  send(batchNumber: number, events = [usageEvent(`event-${batchNumber}`)]): void {
    this.call.write({ batchNumber, events });
  }

  get applied(): number[] {
    return this.messages.flatMap(({ applied }) => (applied ? [Number(applied.batchNumber)] : []));
  }

  get durable(): number {
    return Math.max(0, ...this.messages.map(({ durable }) => Number(durable?.durableThrough ?? 0)));
  }

  get resend(): number[] {
    return this.messages.flatMap(({ resend }) => (resend?.batchNumbers ?? []).map(Number));
  }
}

export function usageEvent(eventId: string, changes: object = {}) {
  return {
    eventId,
    accountId: 'account',
    meter: 'llm',
    model: 'gpt-4o-mini',
    quantities: { input_tokens: 10 },
    eventTimeMs: 1_700_000_000_000,
    ...changes,
  };
}

type Unary<Response> = (callback: (error: ServiceError | null, response?: Response) => void) => unknown;

/** Turns a unary call into a promise; it rejects with grpc-js' ServiceError. */
export function result<Response>(call: Unary<Response>): Promise<Response> {
  return new Promise((resolve, reject) => {
    call((error, response) => (error === null ? resolve(response as Response) : reject(error)));
  });
}

export function failure(call: Unary<unknown>): Promise<ServiceError & { metadata: Metadata }> {
  return result(call).then(
    () => {
      throw new Error('The call succeeded');
    },
    (error: ServiceError) => error,
  );
}
