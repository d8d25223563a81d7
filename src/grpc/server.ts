import { Server, type ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import type { Logger } from 'pino';
import type { Agents } from '../credits/agent-types.js';
import type { CatalogPublisher } from '../credits/catalog-control.js';
import type { Conversions } from '../credits/conversions.js';
import type { Corrections } from '../credits/correction-types.js';
import type { Plans } from '../credits/plan-types.js';
import type { StatementReader } from '../credits/statement.js';
import type { Accounts } from '../credits/types.js';
import type { BalanceWatches } from '../credits/watch.js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import type { Sessions } from '../sessions/sessions.js';
import type { UsageMeter, Watermarks } from '../usage/types.js';
import { accountService } from './account-service.js';
import { agentService } from './agent-service.js';
import { type GrpcSettings, type OpenStream, rawMethod, withTypedDecodeErrors } from './call.js';
import { CallGate } from './call-gate.js';
import { type CatalogReader, catalogService } from './catalog-service.js';
import type { Health } from './health.js';
import { Listener } from './listener.js';
import { Outcomes } from './outcomes.js';
import { packageDefinition, type ServiceName } from './proto.js';
import { usageService } from './usage-service.js';

export interface GrpcServerOptions {
  readonly config: GrpcSettings;
  /** Describe the services to whoever asks; needs the token where one is configured. */
  readonly reflection: boolean;
  readonly meter: UsageMeter;
  readonly sessions: Sessions;
  readonly watermarks: Watermarks;
  readonly accounts: Accounts;
  readonly statements: StatementReader;
  readonly watches: BalanceWatches;
  readonly corrections: Corrections;
  readonly conversions: Conversions;
  readonly plans: Plans;
  readonly agents: Agents;
  readonly catalog: CatalogReader;
  readonly publisher: CatalogPublisher;
  readonly health: Health;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface GrpcServer {
  /** Starts to listen and returns the address in the form of the setting, with the port that was given for port 0. */
  listen(): Promise<string>;
  /**
   * Refuses new calls, tells the streams, waits for what is inside, and closes; after `withinMs` whatever is left is cut.
   * The caller sets the health to not serving first.
   */
  drain(withinMs: number): Promise<void>;
  /** Cuts everything now. */
  forceStop(): void;
}

/** How long the last answers and goodbyes may take on their way once nothing is inside any more. */
const goodbyeMs = 500;

/**
 * The gRPC server. States: *created* -> *listening* (listen) -> *draining* (drain) -> *stopped*; forceStop leads to
 * *stopped* from everywhere. While draining, the port stays open: a client that comes is told DRAINING and when
 * to retry, which a closed port could not say.
 */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { config, metrics, logger } = options;
  const gate = new CallGate({ authToken: config.authToken, metrics });
  const streams = new Set<OpenStream>();
  const server = new Server({
    interceptors: [gate.interceptor],
    'grpc.max_receive_message_length': config.messageBytesMax,
    // An answer holds some 40 bytes per event, a page of the ledger some 500 per entry: never more than a request.
    'grpc.max_send_message_length': Math.max(config.messageBytesMax, responseBytesMin),
    'grpc.max_concurrent_streams': config.connectionStreamsMax,
    'grpc.keepalive_time_ms': config.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': config.keepaliveTimeoutMs,
  });
  addServices(server, options, streams);
  const listener = new Listener(server, config.connectionsMax, metrics);
  let stopped: Promise<void> | undefined;

  const forceStop = (): void => {
    for (const stream of streams) stream.fail(draining());
    listener.close();
    server.forceShutdown();
  };

  const drain = async (withinMs: number): Promise<void> => {
    const endsAt = performance.now() + withinMs;
    // The streams end a little earlier than everything, so that their last messages still arrive.
    const streamsMs = Math.max(0, withinMs - goodbyeMs);
    gate.drain();
    for (const stream of streams) stream.notifyDrain(streamsMs);
    logger.info({ calls: gate.inside, streams: streams.size, withinMs }, 'Draining gRPC');
    await settledWithin(gate.empty(), streamsMs);
    for (const stream of streams) stream.fail(draining());
    const leftMs = Math.min(goodbyeMs, Math.max(0, endsAt - performance.now()));
    listener.close();
    await settledWithin(shutDown(server), leftMs);
    server.forceShutdown();
  };

  return {
    listen: () => listener.listen(config.grpcAddress),
    drain: (withinMs) => {
      stopped ??= drain(withinMs);
      return stopped;
    },
    forceStop,
  };
}

/** The largest page of the ledger (1,000 entries) with room to spare. */
const responseBytesMin = 4 * 1024 * 1024;

function addServices(server: Server, options: GrpcServerOptions, streams: Set<OpenStream>): void {
  const {
    config: settings,
    meter,
    sessions,
    watermarks,
    accounts,
    statements,
    watches,
    corrections,
    conversions,
    plans,
    agents,
    catalog,
    publisher,
    health,
    logger,
    metrics,
  } = options;
  const outcomes = new Outcomes(metrics, () => catalog.current().compiled);
  const environment = { settings, logger };
  const usage = withTypedDecodeErrors(definitionOf('UsageService'));
  server.addService(
    {
      ...usage,
      RecordUsage: rawMethod(usage.RecordUsage as ServiceDefinition[string]),
      MeterUsage: rawMethod(usage.MeterUsage as ServiceDefinition[string]),
      RecordUsageBatch: rawMethod(usage.RecordUsageBatch as ServiceDefinition[string]),
    },
    usageService({ ...environment, meter, sessions, watermarks, metrics, outcomes, streams }),
  );
  server.addService(
    withTypedDecodeErrors(definitionOf('AccountService')),
    accountService({
      ...environment,
      accounts,
      corrections,
      conversions,
      plans,
      statements,
      watches,
      metrics,
      outcomes,
      streams,
    }),
  );
  server.addService(
    withTypedDecodeErrors(definitionOf('AgentService')),
    agentService({ ...environment, agents, outcomes }),
  );
  server.addService(
    withTypedDecodeErrors(definitionOf('CatalogService')),
    catalogService({ ...environment, catalog, publisher }),
  );
  health.addTo(server);
  if (options.reflection) new ReflectionService(packageDefinition).addToServer(server);
}

function definitionOf(name: ServiceName): ServiceDefinition {
  return packageDefinition[`drawdown.v1.${name}`] as ServiceDefinition;
}

function draining(): DrawdownError {
  return new DrawdownError('DRAINING', 'The sidecar is stopping; go on elsewhere');
}

/** Never rejects: an error means that there was nothing left to close. */
function shutDown(server: Server): Promise<void> {
  return new Promise((resolve) => server.tryShutdown(() => resolve()));
}

async function settledWithin(promise: Promise<void>, withinMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, withinMs);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}
