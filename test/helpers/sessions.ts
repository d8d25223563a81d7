/** Sessions at the level of their operations, on real stores and a simulated clock. */
import { join } from 'node:path';
import { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { packageRoot } from '../../src/paths.js';
import { holdField } from '../../src/redis/keys.js';
import type { Checkpoint, OpenedSession, OpenSession } from '../../src/usage/session-operations.js';
import { type Estimate, type Quantities, UNITS, type Unit } from '../../src/usage/types.js';
import { verifyInstallation } from '../../src/verify/index.js';
import { START_MS } from '../simulation/simulation.js';
import { Stack } from '../simulation/stack.js';
import { auditLedger } from './audit.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from './stores.js';

export const HOLD_MS = 60_000;
/** One micro-credit an input token and five an output token. */
export const MODEL = 'claude-haiku-4-5';

/** What a session of the model costs. */
export function cost(input: number, output: number): number {
  return input + 5 * output;
}

export function quantities(input: number, output: number): Quantities {
  return [
    ['input_tokens', input],
    ['output_tokens', output],
  ];
}

export class SessionStage {
  private constructor(
    readonly redis: TestRedis,
    readonly database: TestDatabase,
    readonly clock: SimulatedClock,
    readonly stack: Stack,
  ) {}

  static async start(): Promise<SessionStage> {
    const [redis, database] = await Promise.all([startRedis(), createDatabase()]);
    const clock = new SimulatedClock(START_MS);
    const catalogFile = join(packageRoot, 'catalog.yaml');
    const places = { redisUrl: redis.url, postgresUrl: database.url, catalogFile };
    return new SessionStage(redis, database, clock, await Stack.start(places, clock));
  }

  async stop(): Promise<void> {
    await this.stack.stop();
    this.clock.restore();
    await Promise.all([this.redis.stop(), this.database.drop()]);
  }

  get core() {
    return this.stack.core;
  }

  get options() {
    return this.stack.options;
  }

  /** An account that has so much. */
  async account(accountId: string, amount: number, unit: Unit = UNITS.credits): Promise<string> {
    const { accounts } = this.core;
    const eventTimeMs = this.clock.nowMs;
    const call = { requestId: `create/${accountId}`, accountId, plan: '', imported: null, eventTimeMs };
    await accounts.create(call, this.options);
    if (amount > 0) await this.topUp(accountId, amount, unit);
    return accountId;
  }

  async topUp(accountId: string, amount: number, unit: Unit = UNITS.credits, expiresAtMs = 0): Promise<void> {
    const requestId = `${unit}/${amount}/${this.clock.nowMs}`;
    const eventTimeMs = this.clock.nowMs;
    await this.core.accounts.topUp(
      { requestId, accountId, unit, amount, expiresAtMs, eventTimeMs },
      this.options,
    );
  }

  /** Opens a session of the model with so many input tokens known. */
  open(accountId: string, sessionId: string, more: Partial<OpenSession> = {}) {
    const charge = cost(100, 0);
    const call: OpenSession = {
      accountId,
      sessionId,
      agentId: '',
      meter: 'llm',
      model: MODEL,
      startTimeMs: START_MS,
      hash: 1,
      holdTimeMs: HOLD_MS,
      catalogVersion: 1,
      details: { meter: 'llm', model: MODEL, agentId: '', quantities: [['input_tokens', 100]] },
      offers: [{ unit: UNITS.credits, charge, least: charge, wanted: 1_000 }],
      ...more,
    };
    return new Promise<OpenedSession>((done, failed) =>
      this.core.sessions.open(call, this.options, { done, failed }),
    );
  }

  /** Says that so many output tokens have come. */
  checkpoint(accountId: string, sessionId: string, output: number, more: Partial<Checkpoint> = {}) {
    return this.core.sessions.checkpoint(
      {
        accountId,
        sessionId,
        generation: 1,
        charge: cost(100, output),
        details: { meter: 'llm', model: MODEL, agentId: '', quantities: quantities(100, output) },
        holdTimeMs: 0,
        growLeast: 0,
        growWanted: 0,
        ...more,
      },
      this.options,
    );
  }

  settle(
    accountId: string,
    holdId: string,
    final: Quantities | Estimate,
    more: { meter?: string; model?: string; generation?: number } = {},
  ) {
    const work = { meter: 'llm', model: MODEL, ...more };
    const estimate: Estimate = Array.isArray(final)
      ? { kind: 'quantities', quantities: final as Quantities }
      : (final as Estimate);
    return this.core.meter.settle(
      { accountId, holdId, agentId: '', ...work, final: estimate, eventTimeMs: START_MS },
      this.options,
    );
  }

  release(accountId: string, holdId: string, generation = 0) {
    return this.core.meter.release({ accountId, holdId, eventTimeMs: START_MS, generation }, this.options);
  }

  usage(accountId: string, id: string) {
    return this.core.meter.getUsage({ accountId, kind: 'hold', id }, this.options);
  }

  async balance(accountId: string, unit: Unit = UNITS.credits) {
    const { balances } = await this.core.accounts.balance(accountId, this.options);
    const found = balances.find((wallet) => wallet.unit === unit);
    const { available = 0, held = 0, debt = 0 } = found ?? {};
    return { available, held, debt };
  }

  /** Everything from now until then happens: deadlines pass and are swept. */
  async pass(ms: number): Promise<void> {
    await this.clock.set(this.clock.nowMs + ms);
    await this.core.sweeper.sweep();
  }

  async reverse(accountId: string, id: string, requestId = `reverse/${id}`) {
    const reason = { reasonCode: 'test', reasonText: '', eventTimeMs: START_MS };
    const charge = { kind: 'settle' as const, id };
    return this.core.corrections.reverseUsage({ requestId, accountId, charge, ...reason }, this.options);
  }

  /** Redis loses the account with its holds, as if it had been dropped: they are loaded from Postgres again. */
  async drop(accountId: string): Promise<void> {
    await this.stack.durable();
    const { client } = this.stack.connection;
    const scope = holdField(accountId, '');
    const { keys } = this.core.executor.queueOf(accountId).partition;
    await client.hdel(keys[1], accountId);
    for (const field of await client.hkeys(keys[3])) {
      if (!field.startsWith(scope)) continue;
      await client.hdel(keys[3], field);
      await client.zrem(keys[6], field);
    }
  }

  /** Redis forgets what became of a hold, as it does in time: the ledger is asked. */
  async forget(accountId: string, holdId: string): Promise<void> {
    await this.stack.durable();
    const { client } = this.stack.connection;
    const { keys } = this.core.executor.queueOf(accountId).partition;
    const field = holdField(accountId, holdId);
    await client.hdel(keys[4], field);
    await client.hdel(keys[5], field);
    await client.hset(keys[0], 'ids_since', this.clock.nowMs);
  }

  /** The account's lines but that of its creation and the top-ups, oldest first. */
  async lines(accountId: string) {
    const all = { order: 'oldest_first', fromTimeMs: 0, toTimeMs: 0, kinds: [], agentId: '' } as const;
    const query = { ...all, accountId, pageSize: 1_000, pageToken: '' };
    const { items } = await this.core.accounts.ledger(query, this.options);
    return items.filter(({ kind }) => kind !== 'account_created' && kind !== 'grant');
  }

  /** What both audits find, once everything is durable. */
  async problems(): Promise<unknown[]> {
    await this.stack.durable();
    const { pool, connection, config } = this.stack;
    const report = await verifyInstallation({ pool, connection, redisKeyPrefix: config.redisKeyPrefix });
    return [...report.problems, ...(await auditLedger(this.database.url))];
  }
}
