/** The product's scripts in a Redis of a test file's own, reading the time from a key. */
import { pino } from 'pino';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../src/redis/connection.js';
import { EpochScripts } from '../../src/redis/epochs.js';
import type { PartitionKeys } from '../../src/redis/keys.js';
import { type ScriptLimits, Scripts } from '../../src/redis/scripts.js';
import { startRedis, type TestRedis } from '../helpers/stores.js';

const CLOCK_KEY = 'test:clock';
const CLOCK = `local function clock_ms() return tonumber(redis.call('GET', '${CLOCK_KEY}')) end\n`;

/** Far from any limit: these tests are about accounting. The caller's clock is the real one, the scripts' is not. */
const LIMITS: ScriptLimits = {
  clockSkewMaxMs: Number.MAX_SAFE_INTEGER,
  eventFutureMaxMs: 0,
  idsPerGenerationMax: 10_000_000,
  idsWindowMs: Number.MAX_SAFE_INTEGER,
  journalBytesMax: Number.MAX_SAFE_INTEGER,
  journalAgeMaxMs: Number.MAX_SAFE_INTEGER,
};

export class TestScripts {
  #redis: TestRedis | undefined;
  #opened: { connection: RedisConnection; scripts: Scripts; epochs: EpochScripts } | undefined;

  constructor(private readonly limits: Partial<ScriptLimits>) {}

  async start(): Promise<void> {
    this.#redis = await startRedis();
    const connection = new RedisConnection({
      url: this.#redis.url,
      connectTimeoutMs: 10_000,
      commandTimeoutMs: 30_000,
      logger: pino({ level: 'silent' }),
    });
    await connection.connect();
    const replaced = new Map([['clock', CLOCK]]);
    this.#opened = {
      connection,
      scripts: new Scripts(connection, { ...LIMITS, ...this.limits }, replaced),
      epochs: new EpochScripts(connection, LIMITS, replaced),
    };
  }

  get connection(): RedisConnection {
    return this.#whenOpen().connection;
  }

  get scripts(): Scripts {
    return this.#whenOpen().scripts;
  }

  get epochs(): EpochScripts {
    return this.#whenOpen().epochs;
  }

  /** All that a partition's keys hold. Fields in order of their names: Redis' own order changes while it reads. */
  async contentOf(keys: PartitionKeys): Promise<unknown[]> {
    const { client } = this.connection;
    const [meta, accounts, agents, holds, ids0, ids1, deadlines, journal] = keys;
    const hashes = await Promise.all(
      [meta, accounts, agents, holds, ids0, ids1].map((key) => client.callBuffer('HGETALL', [key])),
    );
    return [
      ...hashes.map((flat) => Object.fromEntries(pairsOf(flat as Buffer[]).sort())),
      await client.zrange(deadlines, '0', '-1', 'WITHSCORES'),
      await client.xrangeBuffer(journal, '-', '+'),
    ];
  }

  async setClock(nowMs: number): Promise<void> {
    await this.connection.client.set(CLOCK_KEY, String(nowMs));
  }

  async stop(): Promise<void> {
    await this.#opened?.connection.close();
    await this.#redis?.stop();
  }

  #whenOpen() {
    if (this.#opened === undefined) throw new Error('the scripts are there once tests run');
    return this.#opened;
  }
}

function pairsOf(flat: readonly Buffer[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [
    (flat[2 * i] as Buffer).toString('hex'),
    (flat[2 * i + 1] as Buffer).toString('hex'),
  ]);
}

/** There from the first test of the file to its last. */
export function scriptsOfFile(limits: Partial<ScriptLimits> = {}): TestScripts {
  const scripts = new TestScripts(limits);
  beforeAll(() => scripts.start());
  afterAll(() => scripts.stop());
  return scripts;
}
