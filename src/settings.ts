/**
 * The table of settings: one row each, from which the environment variable, the flag, the key in the file, the check,
 * the default and the documentation follow. Every default says why it is what it is.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { catalogFile } from './paths.js';

export interface Setting<T> {
  schema: z.ZodType<T>;
  kind: 'integer' | 'text' | 'choice';
  /** One or two sentences: what it is and why the default is what it is. */
  description: string;
  /** Shown as asterisks, in whole or, for a URL, its password. */
  secret: boolean;
  /** Of the form that a person would write; undefined when there is none. */
  default: T;
}

interface IntegerRow {
  default: number;
  min: number;
  max: number;
  description: string;
}

interface TextRow<T extends string | undefined> {
  default: T;
  schema: z.ZodType<string>;
  secret?: boolean;
  description: string;
}

function integer(row: IntegerRow): Setting<number> {
  const schema = z.number().int().min(row.min).max(row.max);
  return { schema, kind: 'integer', description: row.description, secret: false, default: row.default };
}

function text<T extends string | undefined>(row: TextRow<T>): Setting<T | string> {
  const schema: z.ZodType<string | undefined> =
    row.default === undefined ? row.schema.optional() : row.schema;
  return {
    schema: schema as z.ZodType<T | string>,
    kind: 'text',
    description: row.description,
    secret: row.secret ?? false,
    default: row.default,
  };
}

function choice<T extends string>(row: {
  default: NoInfer<T>;
  values: readonly T[];
  description: string;
}): Setting<T> {
  const schema = z.enum(row.values as readonly [T, ...T[]]) as unknown as z.ZodType<T>;
  return { schema, kind: 'choice', description: row.description, secret: false, default: row.default };
}

export type Address = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number };

/** `host:port`, `[ipv6]:port` or `unix:/path`; undefined for anything else. */
export function parseAddress(value: string): Address | undefined {
  if (value.startsWith('unix:')) {
    const path = value.slice('unix:'.length);
    return path === '' ? undefined : { kind: 'unix', path };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/@]+)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6)) {
    return undefined;
  }
  return { kind: 'tcp', host, port };
}

/** Whether only processes of this machine can reach the address. */
export function isLocal(address: Address): boolean {
  if (address.kind === 'unix' || address.host === 'localhost' || address.host === '::1') {
    return true;
  }
  return isIP(address.host) === 4 && address.host.startsWith('127.');
}

const addressSchema = z
  .string()
  .refine((value) => parseAddress(value) !== undefined, 'expected host:port, [ipv6]:port or unix:/path');

function urlSchema(protocols: readonly string[]): z.ZodType<string> {
  const expected = protocols.map((protocol) => `${protocol}//`).join(', ');
  return z.string().refine((value) => protocols.some((protocol) => value.startsWith(`${protocol}//`)), {
    error: `expected a URL that starts with ${expected}`,
  });
}

const kib = 1024;
const mib = 1024 * kib;
const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

export const settings = {
  // Where it listens, and for whom.
  grpcAddress: text({
    default: '127.0.0.1:50051',
    schema: addressSchema,
    description:
      'Address of the gRPC server: host:port, [ipv6]:port or unix:/path. A sidecar serves its own machine, so loopback; 50051 is the custom of gRPC.',
  }),
  httpAddress: text({
    default: '127.0.0.1:9464',
    schema: addressSchema,
    description:
      'Address of metrics and health over HTTP. 9464 is the port that OpenTelemetry uses for a Prometheus endpoint.',
  }),
  authToken: text({
    default: undefined,
    schema: z
      .string()
      .min(16)
      .max(4 * kib),
    secret: true,
    description:
      'Bearer token that every call must carry. Without a default: required as soon as an address can be reached from other machines; 16 characters are the least that cannot be guessed online.',
  }),
  reflection: choice({
    default: 'auto',
    values: ['auto', 'on', 'off'],
    description:
      'gRPC server reflection. auto: on in embedded mode, where people explore, and off in production, where it would describe the service to strangers.',
  }),
  logLevel: choice({
    default: 'warn',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    description:
      'Least severe log line that is written. Quiet by default: metrics tell what goes on, logs what went wrong.',
  }),

  // Where it keeps things.
  dataDir: text({
    default: './.drawdown',
    schema: z.string().min(1).max(kib),
    description:
      'Directory of the embedded stores; relative to the working directory, so that a trial leaves one folder to delete.',
  }),
  redisUrl: text({
    default: undefined,
    schema: urlSchema(['redis:', 'rediss:', 'unix:']),
    secret: true,
    description: 'Redis to use. Without a default: the sidecar then runs its own.',
  }),
  postgresUrl: text({
    default: undefined,
    schema: urlSchema(['postgres:', 'postgresql:']),
    secret: true,
    description: 'Postgres to use. Without a default: the sidecar then runs its own.',
  }),
  redisKeyPrefix: text({
    default: 'drawdown',
    schema: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 . _ -'),
    description: 'First part of every key in Redis, so that several installations can share one Redis.',
  }),
  partitionCount: integer({
    default: 16,
    min: 1,
    max: 1_024,
    description:
      'Number of partitions; changes offline only. 16 spread over several Redis primaries later and cost a single core about a twentieth; 1024 keep one lease and one cursor each affordable.',
  }),
  catalogFile: text({
    default: catalogFile,
    schema: z.string().min(1).max(kib),
    description:
      'Plans, rate card and all of the credit policy in YAML: the first version of an empty installation; later ones are published. The shipped file expresses the shipped policy.',
  }),

  // How much work is taken at once.
  batchOpsMax: integer({
    default: 500,
    min: 1,
    max: 2_000,
    description:
      'Operations in one script. Measured at 2.6 to 7 us each in Redis, 500 take 1.3 to 3.5 ms: all others wait at most that long, and larger batches gain no more throughput.',
  }),
  scriptsInFlightMax: integer({
    default: 2,
    min: 1,
    max: 64,
    description:
      'Scripts on their way to Redis at once, over all partitions. Redis runs one at a time: one runs, one waits in its socket; more only make batches smaller. Raise it for a Redis Cluster.',
  }),
  bulkRestMaxMs: integer({
    default: 250,
    min: 0,
    max: 1_000,
    description:
      'Longest rest of a partition between two scripts of bulk usage; it rests 40 times as long as the last one took. 250 ms at 45,000 events/s make batches of 700, which cost Redis a tenth less and Postgres a fifteenth less than batches of 280. 0: never. Single calls never wait for it (up to 75 ms for each other where the event loop is busy), and a full batch does not.',
  }),
  queueOpsMax: integer({
    default: 20_000,
    min: 100,
    max: 1_000_000,
    description:
      'Operations waiting per partition before callers are told to retry. 40 full batches, some 100 ms of Redis: longer waits help nobody.',
  }),
  messageBytesMax: integer({
    default: 4 * mib,
    min: 64 * kib,
    max: 64 * mib,
    description:
      'Largest gRPC message accepted. 4 MiB is the default of gRPC, and what every client expects.',
  }),
  batchEventsMax: integer({
    default: 5_000,
    min: 1,
    max: 50_000,
    description:
      'Events in one batch. At about 200 bytes each, 5,000 are 1 MB, well below messageBytesMax; the cost of a message is spread thin from 64 on.',
  }),
  streamEventsInFlightMax: integer({
    default: 20_000,
    min: 1,
    max: 1_000_000,
    description:
      'Events of one stream that are taken but not yet answered; past it the stream is read no further. Four full batches keep a fast reporter busy while one is applied.',
  }),
  streamIdleMs: integer({
    default: 5 * minuteMs,
    min: secondMs,
    max: dayMs,
    description:
      'A stream without a message for so long is closed unless it has something to lose (open sessions, events that are not durable); so is one whose client reads nothing, with LIMIT_REACHED. 5 minutes are longer than any pause within an answer and short enough to clear away dead clients.',
  }),

  callDeadlineDefaultMs: integer({
    default: 10 * secondMs,
    min: 100,
    max: 10 * minuteMs,
    description:
      'Deadline of a call whose caller set none, and of each batch on a stream; DURABLE calls have durableWaitMaxMs. 10 s are twice the limit of a Redis command, so the outcome of what was sent still arrives.',
  }),
  connectionsMax: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    description:
      'Connections of gRPC clients at once; more are closed as they come. The processes of a machine have two each, and each costs some 20 KB and a file descriptor before it has shown a token: 1,000 are 20 MB.',
  }),
  connectionStreamsMax: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    description:
      'Calls and streams open at once on one connection. A gateway multiplexes all its requests over one or two; each open call costs some 10 KB.',
  }),
  keepaliveTimeMs: integer({
    default: minuteMs,
    min: secondMs,
    max: hourMs,
    description:
      'A connection that was quiet for so long is asked whether it is alive. A minute is below the idle limit of common balancers and cheap.',
  }),
  keepaliveTimeoutMs: integer({
    default: 20 * secondMs,
    min: 100,
    max: 10 * minuteMs,
    description:
      'How long that answer may take before the connection and its streams are given up. 20 s is the default of gRPC.',
  }),

  // What is remembered, and for how long.
  idsPerGenerationMax: integer({
    default: 1_000_000,
    min: 1_000,
    max: 50_000_000,
    description:
      'Ids remembered in one generation per partition. At about 100 bytes each, 1,000,000 are 100 MB in Redis, a rate of 277 a second and partition over the default window.',
  }),
  idsWindowMs: integer({
    default: hourMs,
    min: minuteMs,
    max: 7 * dayMs,
    description:
      'How long Redis remembers an id at least; older ones are looked up in Postgres. An hour covers the retries of a client that was restarted or cut off.',
  }),
  eventAgeMaxMs: integer({
    default: 35 * dayMs,
    min: hourMs,
    max: 400 * dayMs,
    description:
      'Oldest event time accepted. 35 days: a whole month may be reported late, with some days to notice it.',
  }),
  eventFutureMaxMs: integer({
    default: minuteMs,
    min: 0,
    max: hourMs,
    description:
      'How far ahead of the sidecar an event time may lie. A minute forgives callers whose clocks are badly kept.',
  }),
  clockSkewMaxMs: integer({
    default: 5 * secondMs,
    min: 100,
    max: minuteMs,
    description:
      'Largest difference between the clocks of sidecar and Redis; past it a partition refuses. Kept clocks differ by milliseconds, so 5 s mean a fault and still expire nothing that a caller would notice.',
  }),
  accountIdleMs: integer({
    default: 10 * minuteMs,
    min: secondMs,
    max: 7 * dayMs,
    description:
      'Idle accounts are dropped from Redis after this. 10 minutes keep a conversation hot between its requests; loading one again is a single read.',
  }),
  accountsHotMax: integer({
    default: 100_000,
    min: 100,
    max: 10_000_000,
    description:
      'Accounts kept in Redis per partition. At about 1 KB each, 100,000 are 100 MB; with 16 partitions 1.6 million accounts are hot.',
  }),

  // Holds.
  holdTimeDefaultMs: integer({
    default: 10 * minuteMs,
    min: secondMs,
    max: 7 * dayMs,
    description:
      'Deadline of a hold when the caller names none. 10 minutes outlast the longest answers that models stream today.',
  }),
  holdTimeMaxMs: integer({
    default: dayMs,
    min: secondMs,
    max: 30 * dayMs,
    description:
      'Longest time a hold may be given. A day serves batch jobs; longer ones would lock up units that nobody works with.',
  }),
  sweepIntervalMs: integer({
    default: secondMs,
    min: 50,
    max: minuteMs,
    description:
      'How often due deadlines are looked for. A second: units come back soon after their deadline, and an empty look costs one read.',
  }),

  // Sessions.
  sessionHoldMs: integer({
    default: minuteMs,
    min: secondMs,
    max: hourMs,
    description:
      'Deadline of a session, renewed with every checkpoint and at least when half of it is over. A minute: the sidecar may be away for half of it before another one settles the session at its last acknowledged counts. For so long Redis keeps some 30 bytes also of a session that was settled.',
  }),
  sessionGraceMs: integer({
    default: 30 * secondMs,
    min: 0,
    max: hourMs,
    description:
      'How long a session whose stream is gone waits to be resumed before it is settled at its last acknowledged counts. 30 s outlast the restart of a gateway and the backoff of its connection.',
  }),
  checkpointIntervalMs: integer({
    default: secondMs,
    min: 20,
    max: minuteMs,
    description:
      'How often the progress of sessions is written down and acknowledged. A second of an answer is what the loss of a sidecar can cost; 10,000 sessions then cost Redis some 5 % of its time.',
  }),
  sessionsMax: integer({
    default: 100_000,
    min: 1,
    max: 10_000_000,
    description:
      'Sessions that one sidecar has open; further opens are refused. At about 1 KB each 100,000 are 100 MB, and their checkpoints half of a Redis.',
  }),
  streamSessionsMax: integer({
    default: 20_000,
    min: 1,
    max: 10_000_000,
    description:
      'Sessions open on one stream; further opens are refused. 20,000 acknowledgements are some 400 KB, a tenth of what a message may have.',
  }),

  // The journal and its way to Postgres.
  journalBytesMax: integer({
    default: 256 * mib,
    min: mib,
    max: 64 * kib * mib,
    description:
      'Journal not yet in Postgres, per partition. New work is refused at 80 %, ending work at 100 %. At about 250 bytes an entry, 256 MiB are a million entries: hours without Postgres at 100 a second and partition.',
  }),
  journalAgeMaxMs: integer({
    default: 12 * hourMs,
    min: secondMs,
    max: 30 * dayMs,
    description:
      'Age of the oldest entry of a partition that is not yet in Postgres. New work is refused at 80 %, ending work at 100 %. 12 hours outlast a night in which nobody looks; what is applied is until then only as safe as Redis and its file.',
  }),
  journalTailMs: integer({
    default: minuteMs,
    min: 0,
    max: hourMs,
    description:
      'Journal kept after its commit. A minute repairs a standby that was promoted without its last transactions; replication lags by seconds.',
  }),
  flushEntriesMax: integer({
    default: 2_000,
    min: 1,
    max: 50_000,
    description:
      'Entries of one partition in one transaction. 16 partitions in 4 transactions make 8,000 entries each: some 70 ms, over which the cost of a commit and of the accounts is spread, and durability waits little.',
  }),
  flushConnections: integer({
    default: 4,
    min: 1,
    max: 64,
    description:
      'Flushes in progress at once, each on a connection of its own: while one is committed others are read, encoded and sent. Four kept two cores busy (58,000 events/s; two reached 37,000).',
  }),
  flushRestMaxMs: integer({
    default: 500,
    min: 0,
    max: 10_000,
    description:
      'Longest rest of a connection after a flush that took all there was; it rests 10 times as long as the flush took. 500 ms at 45,000 events/s make flushes of 1,500 lines a partition, which cost Postgres and the sidecar a third less than flushes of 250. 0: never. Calls that wait until they are durable end it.',
  }),
  flushRetryMaxMs: integer({
    default: 5 * secondMs,
    min: 100,
    max: 5 * minuteMs,
    description:
      'Longest pause between attempts while Postgres is away. 5 s: it is noticed soon after it is back, and not hammered before.',
  }),
  verifyAccountsPerSecond: integer({
    default: 10,
    min: 0,
    max: 500,
    description:
      'Accounts that the background verification looks at a second, with a hundred times as many ledger lines at most. 10 go through a million accounts in 28 hours and take 0.7 % of a core with few lines each, 1.7 % with a hundred. 0: off.',
  }),
  leaseMs: integer({
    default: 5 * secondMs,
    min: 500,
    max: 5 * minuteMs,
    description:
      'How long a lease on a partition lasts. 5 s: another sidecar takes over soon after a crash; a lease that lies costs a failed commit, no money.',
  }),
  durableWaitMaxMs: integer({
    default: 30 * secondMs,
    min: 100,
    max: 10 * minuteMs,
    description:
      'Longest wait of a call that asked for DURABLE; then it is told the outcome is applied but not yet durable. 30 s outlast a failover of Postgres.',
  }),
  drainTimeoutMs: integer({
    default: 10 * secondMs,
    min: 0,
    max: 10 * minuteMs,
    description:
      'Time that work in progress is given when the sidecar stops. Calls end in milliseconds, so 10 s serve the slowest; give a container more than that before it is killed. Two seconds later whatever still waits for a store is given up.',
  }),

  // The stores' connections.
  redisConnectTimeoutMs: integer({
    default: 2 * secondMs,
    min: 50,
    max: minuteMs,
    description:
      'Limit for one attempt to connect to Redis. 2 s allow for one lost packet on a network and no more.',
  }),
  redisCommandTimeoutMs: integer({
    default: 5 * secondMs,
    min: 100,
    max: minuteMs,
    description:
      'Limit for one command; past it its outcome is unknown, and callers are told so. 5 s are a thousand times the longest script: a Redis that takes longer is gone.',
  }),
  postgresConnectTimeoutMs: integer({
    default: 5 * secondMs,
    min: 100,
    max: minuteMs,
    description:
      'Limit for one attempt to connect to Postgres. 5 s allow for a server under load that forks and checks a password.',
  }),
  postgresStatementTimeoutMs: integer({
    default: 30 * secondMs,
    min: 100,
    max: 10 * minuteMs,
    description:
      'A statement or flush that takes longer is given up with its connection, and tried again. Some hundred times what a full flush takes, so that only a connection that fell silent meets it.',
  }),
  postgresPoolMax: integer({
    default: 10,
    min: 4,
    max: 200,
    description:
      'Connections to Postgres for everything but flushes, which have flushConnections of their own. Statements last about a millisecond, so 10 serve thousands a second. Rebuilds hold two and use two more.',
  }),
};

export type SettingName = keyof typeof settings;

/** Every setting by its name in the file. */
export type Config = { readonly [Name in SettingName]: (typeof settings)[Name]['default'] };
