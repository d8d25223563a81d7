import type { Logger } from 'pino';
import { LOT_SOURCES, type LotSource } from '../credits/types.js';
import type { Metrics } from '../metrics.js';
import { readDueAccounts } from '../postgres/accounts.js';
import type { Pool } from '../postgres/pool.js';
import { readReversalsDue } from '../postgres/reversals.js';
import { readOldestHold } from '../postgres/views.js';
import { BinaryReader } from '../redis/binary.js';
import type { RedisConnection } from '../redis/connection.js';
import { OP, type PackedOperation, readAccount } from '../redis/format.js';
import { DUE_PER_LOOK_MAX, type Scripts } from '../redis/scripts.js';
import type { Executor } from '../usage/executor.js';
import type { Partition } from '../usage/partition.js';
import { UNITS, type UnitName } from '../usage/types.js';

export interface SweeperOptions {
  readonly sweepIntervalMs: number;
  readonly accountIdleMs: number;
  /** Per partition; above it accounts are evicted as soon as they are idle for `IDLE_MIN_MS`. */
  readonly accountsHotMax: number;
}

/** Accounts and reversals taken per sweep: what one script handles at the default batchOpsMax. */
const DUE_PER_SWEEP_MAX = 500;
/**
 * Sessions leave their deadlines when they end, so a sweep looks until nothing is left that has passed. This only bounds one that gets nowhere: 400,000
 * holds and accounts of a partition are what 6,600 sessions a second leave it in a minute, the longest sweepIntervalMs.
 */
const LOOKS_PER_SWEEP_MAX = 200;
/** Accounts looked at per partition and sweep for eviction: at 2 us each well below 1 % of a core; more where it is crowded. */
const EVICT_SCAN_COUNT = 200;
const EVICT_SCAN_COUNT_CROWDED = 2_000;
const IDLE_MIN_MS = 1_000;
/** How long a sweep's operations may wait in the queue. */
const SWEEP_WAIT_MAX_MS = 10_000;

interface SweepOperation {
  readonly accountId: string;
  readonly packed: PackedOperation;
}

/** Does what is due of an account, and ends a hold ('': none) whose deadline is reached; as far as deadlines are looked at, it waits for nobody. */
function expireHold(holdId: string): PackedOperation {
  return [OP.expireHold, 0, holdId, 0, 0, -1];
}

/**
 * Ends holds whose deadline has passed, expires lots whose time has come (also of accounts that Redis does not hold), books
 * the reversals that Postgres asks for, and drops idle accounts. Everything goes through the partition's queue like any call, and
 * repeats harmlessly: two sweepers at once change nothing.
 */
export class Sweeper {
  #timer: NodeJS.Timeout | null = null;
  // Repeated by itself each: a Postgres that hangs must not keep deadlines in Redis from being swept.
  #inRedis: Promise<void> | null = null;
  #inPostgres: Promise<void> | null = null;
  readonly #scanCursors = new Map<number, string>();

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly owned: () => ReadonlySet<number>,
    private readonly executor: Executor,
    private readonly connection: RedisConnection,
    private readonly scripts: Scripts,
    private readonly pool: Pool,
    private readonly options: SweeperOptions,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.#inRedis ??= this.#sweepRedis().finally(() => {
        this.#inRedis = null;
      });
      this.#inPostgres ??= this.#sweepPostgres().finally(() => {
        this.#inPostgres = null;
      });
    }, this.options.sweepIntervalMs);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await Promise.all([this.#inRedis, this.#inPostgres]);
  }

  /** One sweep over the partitions that this sidecar owns. Never rejects: what failed is swept next time. */
  async sweep(): Promise<void> {
    await this.#sweepRedis();
    await this.#sweepPostgres();
  }

  #ownedNow(): Partition[] {
    return this.partitions.filter((partition) => partition.isOpen && this.owned().has(partition.number));
  }

  async #sweepRedis(): Promise<void> {
    await this.#part(async () => {
      const nowMs = await this.#redisTime();
      // By itself each: one partition's trouble is not everybody's, and neither keeps the other from being done.
      for (const partition of this.#ownedNow()) {
        await this.#part(() => this.#sweepDue(partition));
        await this.#part(() => this.#evict(partition, nowMs));
      }
    });
  }

  async #sweepPostgres(): Promise<void> {
    await this.#part(async () => {
      const owned = this.#ownedNow();
      await this.#reverse(owned);
      const nowMs = await this.#redisTime();
      await this.#loadDueAccounts(owned, nowMs);
      await this.#observeOldestHold(owned, nowMs);
    });
  }

  async #part(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.metrics.sweepFailures.inc();
      this.logger.warn(
        { reason: error instanceof Error ? error.message : String(error) },
        'sweep failed; it will be repeated',
      );
    }
  }

  async #observeOldestHold(owned: readonly Partition[], nowMs: number): Promise<void> {
    const numbers = owned.map((partition) => partition.number);
    const oldestMs = await readOldestHold(this.pool, numbers);
    this.metrics.openHoldOldestAgeSeconds.set(oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs) / 1000);
  }

  async #redisTime(): Promise<number> {
    const [seconds, micros] = await this.connection.client.time();
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  }

  /** Accounts that Redis does not hold: sweeping one loads it with its holds, and does what is due of it. */
  async #loadDueAccounts(owned: readonly Partition[], nowMs: number): Promise<void> {
    const numbers = owned.map((partition) => partition.number);
    const accountIds = await readDueAccounts(this.pool, numbers, nowMs, DUE_PER_SWEEP_MAX);
    await this.#runAll(accountIds.map((accountId) => ({ accountId, packed: expireHold('') })));
  }

  async #sweepDue(partition: Partition): Promise<void> {
    let failure: PromiseRejectedResult | undefined;
    for (let look = 1; look <= LOOKS_PER_SWEEP_MAX; look++) {
      const reply = await this.scripts.due(partition.fenceArguments(), DUE_PER_LOOK_MAX);
      if (reply.status !== 'OK') throw partition.refused(reply);
      const failures = await this.#failuresOf(
        reply.due.map(({ accountId, holdId }) => ({ accountId, packed: expireHold(holdId) })),
      );
      failure ??= failures[0];
      // What cannot be ended now would come again.
      const isStuck = reply.dropped === 0 && failures.length === reply.due.length;
      if (!reply.more || isStuck) break;
    }
    if (failure !== undefined) throw failure.reason;
  }

  async #evict(partition: Partition, nowMs: number): Promise<void> {
    const accounts = partition.progress?.accounts ?? 0;
    const crowded = accounts > this.options.accountsHotMax;
    const idleSinceMs =
      nowMs - (crowded ? Math.min(IDLE_MIN_MS, this.options.accountIdleMs) : this.options.accountIdleMs);
    const start = this.#scanCursors.get(partition.number) ?? '0';
    const [next, flat] = (await this.connection.client.hscanBuffer(
      partition.keys[1],
      start,
      'COUNT',
      crowded ? EVICT_SCAN_COUNT_CROWDED : EVICT_SCAN_COUNT,
    )) as [Buffer, Buffer[]];
    this.#scanCursors.set(partition.number, next.toString());
    const idle: string[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const accountId = (flat[i] as Buffer).toString();
      if (accountId === '') continue;
      const state = readAccount(new BinaryReader(flat[i + 1] as Buffer));
      if (state.openHolds === 0 && state.changedAtMs <= idleSinceMs) idle.push(accountId);
    }
    if (idle.length === 0) return;
    const reply = await this.scripts.evict(partition.fenceArguments(), idleSinceMs, idle);
    if (typeof reply !== 'number') throw partition.refused(reply);
    this.metrics.accountsEvicted.inc(reply);
  }

  async #reverse(owned: readonly Partition[]): Promise<void> {
    const due = await readReversalsDue(
      this.pool,
      owned.map((partition) => partition.number),
      DUE_PER_SWEEP_MAX,
    );
    await this.#runAll(
      due.map((reversal) => ({
        accountId: reversal.accountId,
        packed: [
          OP.reverse,
          0,
          reversal.reversalId,
          0,
          reversal.eventTimeMs,
          -1,
          UNITS[reversal.unit as UnitName],
          reversal.amount,
          '',
          0,
          '',
          '',
          ...reversal.lots.flatMap((lot) => [
            lot.lot,
            lot.amount,
            LOT_SOURCES[lot.source as LotSource],
            lot.priority,
            lot.expiresMs,
            lot.owner,
          ]),
        ],
      })),
    );
  }

  async #runAll(operations: readonly SweepOperation[]): Promise<void> {
    const [failure] = await this.#failuresOf(operations);
    if (failure !== undefined) throw failure.reason;
  }

  async #failuresOf(operations: readonly SweepOperation[]): Promise<PromiseRejectedResult[]> {
    const deadlineMs = Date.now() + SWEEP_WAIT_MAX_MS;
    const outcomes = await Promise.allSettled(
      operations.map(({ accountId, packed }) =>
        this.executor.run({ accountId, packed, ending: true }, { deadlineMs }),
      ),
    );
    return outcomes.filter((outcome) => outcome.status === 'rejected');
  }
}
