import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type PlainEvent, PlainMeter, type PlainOutcome } from './plain-service.js';

/**
 * The plain design, written as a team would write it first and with care: a call per event, one script per event that
 * sees to duplicates and the balance, one INSERT per event through a pool, an answer when both are done. Scripts are
 * loaded once, statements are prepared, commands of one turn of the event loop share a write.
 */

export interface PlainServerConfig {
  readonly redisSocket: string;
  readonly postgresUrl: string;
  readonly connections: number;
  readonly accountIds: readonly string[];
  readonly grantMicros: string;
}

const idSeconds = 3_600;

const script = `
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[2]) then return nil end
return redis.call('HINCRBY', KEYS[2], 'balance', -ARGV[1])`;

const createTable = `
CREATE TABLE usage_events (
  account_id text COLLATE "C" NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  charged bigint NOT NULL,
  balance_after bigint NOT NULL,
  event_time timestamptz NOT NULL,
  booked_time timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX usage_events_once ON usage_events (account_id, event_id);`;

const insert = {
  name: 'insert_usage_event',
  text: `INSERT INTO usage_events
    (account_id, event_id, model, input_tokens, output_tokens, charged, balance_after, event_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8 / 1000.0)) ON CONFLICT (account_id, event_id) DO NOTHING`,
};

/** Micro-credits per million tokens of gpt-4o-mini. */
const inputPrice = 150_000;
const outputPrice = 600_000;

process.on('disconnect', () => process.exit(1));
process.on('message', (config: PlainServerConfig) => {
  start(config).then(
    (port) => process.send?.({ address: `127.0.0.1:${port}` }),
    (error: unknown) => process.send?.({ problem: String(error) }),
  );
});

async function start(config: PlainServerConfig): Promise<number> {
  const pool = new pg.Pool({
    connectionString: config.postgresUrl,
    max: config.connections,
    options: '-c synchronous_commit=on',
  });
  await pool.query(createTable);
  const redis = new Redis(config.redisSocket, { enableAutoPipelining: true });
  const hash = (await redis.script('LOAD', script)) as string;
  await Promise.all(
    config.accountIds.map((id) => redis.hset(`account:${id}`, 'balance', config.grantMicros)),
  );

  async function record(event: PlainEvent): Promise<PlainOutcome> {
    const tokens = event.input_tokens * inputPrice + event.output_tokens * outputPrice;
    const charged = Math.ceil(tokens / 1_000_000);
    const keys = [`event:${event.account_id}:${event.event_id}`, `account:${event.account_id}`] as const;
    const balance = (await redis.evalsha(hash, 2, ...keys, charged, idSeconds)) as number | null;
    if (balance === null) return { duplicate: true, charged: 0, balance: 0 };
    const { account_id, event_id, model, input_tokens, output_tokens, event_time_ms } = event;
    const values = [
      account_id,
      event_id,
      model,
      input_tokens,
      output_tokens,
      charged,
      balance,
      event_time_ms,
    ];
    await pool.query({ ...insert, values });
    return { duplicate: false, charged, balance };
  }

  const server = new Server();
  server.addService(PlainMeter.service, {
    recordEvent: (
      { request }: ServerUnaryCall<PlainEvent, PlainOutcome>,
      answer: sendUnaryData<PlainOutcome>,
    ): void => {
      record(request).then((outcome) => answer(null, outcome), answer);
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
