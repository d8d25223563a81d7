import pg from 'pg';
import type { Logger } from 'pino';

export type { Pool, PoolClient } from 'pg';

// bigint columns are proven to be below 2^53 before they are written: amounts, seqs and times in ms.
const INT8_OID = 20;
pg.types.setTypeParser(INT8_OID, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`bigint ${text} is beyond 2^53-1`);
  return value;
});

export interface PoolOptions {
  readonly url: string;
  readonly connectTimeoutMs: number;
  readonly connectionsMax: number;
  /** A statement that takes longer is given up, and its connection with it. */
  readonly statementTimeoutMs: number;
  /** What Postgres calls its connections; default: drawdown. */
  readonly applicationName?: string;
  /** Where given, Postgres ends a transaction whose process says nothing for so long: one that stands still would hold its locks for as long as it lives. */
  readonly transactionIdleMs?: number;
  readonly logger: Logger;
}

/** The connections of each pool that are open, or being made: a server that stands still lets neither end. */
const openClients = new WeakMap<pg.Pool, Set<pg.Client>>();

/** A pool of connections that work in UTC and commit synchronously, whatever the server's defaults are. */
export function createPool(options: PoolOptions): pg.Pool {
  const { applicationName = 'drawdown', transactionIdleMs } = options;
  const clients = new Set<pg.Client>();
  class Client extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(config);
      clients.add(this);
      this.once('end', () => clients.delete(this));
    }
  }
  const pool = new pg.Pool({
    Client,
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs,
    max: options.connectionsMax,
    query_timeout: options.statementTimeoutMs,
    keepAlive: true,
    application_name: applicationName,
    ...(transactionIdleMs !== undefined && { idle_in_transaction_session_timeout: transactionIdleMs }),
    options: '-c timezone=UTC -c synchronous_commit=on -c client_min_messages=warning',
  });
  openClients.set(pool, clients);
  // One that breaks while it is used says so to its user, too. Without these listeners either would end the process.
  pool.on('connect', (client) => {
    client.on('error', (error) => options.logger.warn({ reason: error.message }, 'postgres connection'));
  });
  // An idle connection that breaks is replaced at the next use.
  pool.on('error', (error) => options.logger.warn({ reason: error.message }, 'idle postgres connection'));
  return pool;
}

/** Breaks a connection that does not answer; whatever waits on it is rejected. COPY knows no timeout of its own. */
export function breakConnection(client: pg.ClientBase, reason: string): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(error: Error): void } } };
  connection.stream.destroy(new Error(reason));
}

/** Makes no connection any more and breaks those that there are: whatever waits for a server that stands still is rejected. */
export function breakPool(pool: pg.Pool, reason: string): void {
  if (!pool.ending) void pool.end();
  for (const client of openClients.get(pool) ?? []) breakConnection(client, reason);
}

/** Ends a pool. A server that stands still closes no connection, which would keep the process alive: after `withinMs` they are broken. */
export async function endPool(pool: pg.Pool, withinMs: number): Promise<void> {
  if (!pool.ending) await pool.end();
  const clients = [...(openClients.get(pool) ?? [])];
  let timer: NodeJS.Timeout | undefined;
  const closed = Promise.all(clients.map((client) => new Promise((resolve) => client.once('end', resolve))));
  await Promise.race([
    closed,
    new Promise((resolve) => {
      timer = setTimeout(resolve, withinMs);
    }),
  ]);
  clearTimeout(timer);
  for (const client of openClients.get(pool) ?? []) breakConnection(client, 'the server does not close it');
}
