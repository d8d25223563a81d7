import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { packBatch } from '../redis/batch.js';
import { CODE, type PackedOperation } from '../redis/format.js';
import { OpaqueBuilder } from '../redis/opaque.js';
import {
  type BatchReply,
  DUE_PER_LOOK_MAX,
  type FenceRefusal,
  type OperationResult,
  type Scripts,
} from '../redis/scripts.js';
import type { Operation } from './operation.js';
import type { Partition } from './partition.js';
import type { ScriptSlots } from './script-slots.js';

export interface QueueLimits {
  readonly batchOpsMax: number;
  readonly queueOpsMax: number;
  readonly bulkRestMaxMs: number;
}

/**
 * After a script with bulk usage its partition rests this many times as long as the script took, so that what arrives meanwhile
 * shares the cost of a script and of its accounts. 40 leaves bulk usage 2.5 % of a partition's time: 16 partitions together keep
 * Redis busy for 40 %, while an idle sidecar, whose scripts take half a millisecond, delays nobody by more than 20 ms.
 */
const REST_PER_DURATION = 40;

/**
 * Single calls rest, too, while the event loop is under pressure, the longer the less time it has left: then a script for each few of them is
 * what there is no time for. At 15,000 pairs of calls a second 75 ms give each of 16 partitions batches of some 150, two and a half to
 * an account where there are 1,000: a script's own cost, 90 us, is 0.6 us a call then, and an account's, 4 us, is shared by these. 100 ms saved Redis
 * another twentieth and doubled the time to an answer.
 */
const CALLS_REST_MAX_MS = 75;

/** Where it is bulk usage that fills scripts, the few calls beside it gain little from each other: they only must not have a script each. */
const CALLS_BESIDE_BULK_REST_MAX_MS = 25;

/** A script that carries fewer operations says that callers wait for each other's answers: a rest would gather nothing. */
const GATHER_FROM = 4;

/** Looks up in Postgres what Redis cannot decide alone, and puts the operations back into the queue or ends them. */
export interface Resolver {
  resolve(queue: PartitionQueue, missing: Operation[], unchecked: Operation[], idsSinceMs: number): void;
}

/** Items that are taken from the front; the front moves, and the array is cut when half of it is behind the front. */
class Lane {
  #items: Operation[] = [];
  #front = 0;

  get length(): number {
    return this.#items.length - this.#front;
  }

  push(operation: Operation): void {
    this.#items.push(operation);
  }

  shift(): Operation | undefined {
    const operation = this.#items[this.#front];
    if (operation === undefined) return undefined;
    this.#front += 1;
    if (this.#front * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#front);
      this.#front = 0;
    }
    return operation;
  }
}

/**
 * The queue of one partition: one script in flight, and what arrives meanwhile is the next batch: batches grow with load.
 * Reservations and other single calls go before bulk usage, and at once unless the event loop is under pressure; bulk usage rests
 * between its scripts.
 *
 * States: idle -> (push) running -> (both lanes empty) idle; running -> (less than a batch waits, and what waits may) resting ->
 * (time, a single call that may not wait, or a whole batch) running.
 */
export class PartitionQueue {
  readonly #urgent = new Lane();
  readonly #bulk = new Lane();
  #running = false;
  #oldestWaitingMs = 0;
  /** Bulk usage alone is not sent before, single calls not before the second. */
  #bulkRestUntilMs = 0;
  #callsRestUntilMs = 0;
  /** When the rest ends by itself; 0 where there is none. */
  #restEndsMs = 0;
  /** Ends the rest; null where there is none. */
  #wake: (() => void) | null = null;

  constructor(
    readonly partition: Partition,
    private readonly scripts: Scripts,
    private readonly resolver: Resolver,
    private readonly slots: ScriptSlots,
    private readonly pressure: { readonly level: number },
    private readonly limits: QueueLimits,
    private readonly metrics: Metrics,
  ) {}

  get length(): number {
    return this.#urgent.length + this.#bulk.length;
  }

  waiting(lane: 'urgent' | 'bulk'): number {
    return lane === 'urgent' ? this.#urgent.length : this.#bulk.length;
  }

  /** Takes an operation, or fails it at once: the partition is closed or the queue is full. Ending work has twice the room. */
  push(operation: Operation): void {
    const refusal = this.partition.unavailability() ?? this.#full(operation);
    if (refusal !== null) {
      operation.failed(refusal);
      return;
    }
    if (this.length === 0) this.#oldestWaitingMs = performance.now();
    (operation.bulk ? this.#bulk : this.#urgent).push(operation);
    if (this.#restUntilMs() < this.#restEndsMs) this.#wake?.();
    if (!this.#running) {
      this.#running = true;
      // What arrives in this turn of the event loop joins the first batch.
      queueMicrotask(() => void this.#run());
    }
  }

  #full(operation: Operation): DrawdownError | null {
    const room = operation.ending ? 2 * this.limits.queueOpsMax : this.limits.queueOpsMax;
    if (this.length < room) return null;
    this.metrics.queueRefused.inc({ limit: 'queueOpsMax' });
    const message = `queueOpsMax: ${room} operations wait for partition ${this.partition.number}`;
    return new DrawdownError('LIMIT_REACHED', message, { retryAfterMs: 100 });
  }

  async #run(): Promise<void> {
    while (this.length > 0) {
      while (this.#restUntilMs() > performance.now()) await this.#rest();
      await this.slots.take();
      try {
        const batch = this.#take();
        const ending = batch.every((operation) => operation.ending);
        const startedMs = performance.now();
        if (batch.length > 0) await this.#apply(batch, ending);
        this.#restAfter(performance.now() - startedMs, batch);
      } finally {
        this.slots.giveBack();
      }
    }
    this.#running = false;
  }

  /** What waits now may wait until then for more to come. */
  #restUntilMs(): number {
    if (this.length >= this.limits.batchOpsMax) return 0;
    return this.#urgent.length > 0 ? this.#callsRestUntilMs : this.#bulkRestUntilMs;
  }

  #restAfter(durationMs: number, batch: readonly Operation[]): void {
    const nowMs = performance.now();
    const restMs = REST_PER_DURATION * durationMs;
    if (batch.at(-1)?.bulk === true)
      this.#bulkRestUntilMs = nowMs + Math.min(this.limits.bulkRestMaxMs, restMs);
    this.#callsRestUntilMs = nowMs + Math.min(this.pressure.level * callsRestMaxMs(batch), restMs);
  }

  #rest(): Promise<void> {
    this.#restEndsMs = this.#restUntilMs();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        this.#restEndsMs = 0;
        resolve();
      };
      const timer = setTimeout(end, this.#restEndsMs - performance.now());
      this.#wake = end;
    });
  }

  /** The next batch: urgent operations first; those whose caller has given up are dropped here, never after they were sent. */
  #take(): Operation[] {
    const batch: Operation[] = [];
    const nowMs = Date.now();
    while (batch.length < this.limits.batchOpsMax) {
      const operation = this.#urgent.shift() ?? this.#bulk.shift();
      if (operation === undefined) break;
      if (operation.deadlineMs < nowMs) {
        this.metrics.deadlineDropped.inc();
        operation.failed(
          new DrawdownError(
            'DEADLINE_EXCEEDED',
            'the deadline passed before the operation was sent; nothing was changed',
          ),
        );
      } else {
        batch.push(operation);
      }
    }
    const nowMonotonicMs = performance.now();
    this.metrics.queueWaitSeconds.observe((nowMonotonicMs - this.#oldestWaitingMs) / 1000);
    this.#oldestWaitingMs = nowMonotonicMs;
    return batch;
  }

  async #apply(batch: Operation[], ending: boolean): Promise<void> {
    const unavailable = this.partition.unavailability();
    if (unavailable !== null) return failAll(batch, unavailable);
    let reply: BatchReply | FenceRefusal;
    const startedMs = performance.now();
    try {
      reply = await this.#send(batch, ending);
    } catch (error) {
      const failure =
        error instanceof DrawdownError
          ? error
          : new DrawdownError('INTERNAL', 'a batch could not be sent', { cause: error });
      this.metrics.scriptFailures.inc({ script: 'batch', code: failure.code });
      if (failure.code === 'LIMIT_REACHED' && !ending) return this.#applyEndingOnly(batch, failure);
      return failAll(batch, failure);
    }
    this.metrics.scriptSeconds.observe({ script: 'batch' }, (performance.now() - startedMs) / 1000);
    this.metrics.scriptOperations.observe({ script: 'batch' }, batch.length);
    if (reply.status !== 'OK') return failAll(batch, this.partition.refused(reply));
    if (this.#dispatch(batch, reply) === 'behind') await this.#dropPassedDeadlines();
  }

  /**
   * What is sent again may get nowhere because a call looks at so many deadlines only, and settled sessions leave theirs to the sweeper: those are out of
   * the way then, whenever it comes.
   */
  async #dropPassedDeadlines(): Promise<void> {
    try {
      const reply = await this.scripts.due(this.partition.fenceArguments(), DUE_PER_LOOK_MAX);
      if (reply.status !== 'OK') this.partition.refused(reply);
    } catch (error) {
      // The operation itself, which comes next, tells whoever waits for it.
      const code = error instanceof DrawdownError ? error.code : 'INTERNAL';
      this.metrics.scriptFailures.inc({ script: 'due', code });
    }
  }

  /** Redis is out of memory, so nothing of the batch has run: what ends work still may. */
  async #applyEndingOnly(batch: Operation[], failure: DrawdownError): Promise<void> {
    const ending = batch.filter((operation) => operation.ending);
    const refused = batch.filter((operation) => !operation.ending);
    this.metrics.queueRefused.inc({ limit: 'maxmemory' }, refused.length);
    failAll(refused, failure);
    if (ending.length > 0) await this.#apply(ending, true);
  }

  #send(batch: readonly Operation[], ending: boolean): Promise<BatchReply | FenceRefusal> {
    const accounts: string[] = [];
    const indexes = new Map<string, number>();
    const opaque = new OpaqueBuilder();
    const packed = new Array<PackedOperation>(batch.length);
    for (let i = 0; i < batch.length; i++) {
      const operation = batch[i] as Operation;
      let index = indexes.get(operation.accountId);
      if (index === undefined) {
        index = accounts.push(operation.accountId);
        indexes.set(operation.accountId, index);
      }
      operation.packed[1] = index;
      packed[i] = operation.packed;
      opaque.add(operation.details, operation.catalogVersion);
    }
    return this.scripts.batch(
      this.partition.fenceArguments(),
      packed,
      packBatch(accounts, packed),
      opaque.build(),
      {
        ending,
      },
    );
  }

  /** `behind`: something must be sent again, because more is due of an account than one call does. */
  #dispatch(batch: readonly Operation[], reply: BatchReply): 'done' | 'behind' {
    const { partition } = this;
    partition.saw(reply.epoch, reply.seq, reply.nowMs);
    partition.pendingBytes = reply.pendingBytes;
    this.metrics.holdsExpired.inc(reply.expiredHolds);
    const decision = { partition, epoch: reply.epoch, nowMs: reply.nowMs };
    const missing: Operation[] = [];
    const unchecked: Operation[] = [];
    const refused = new Map<string, number>();
    let isBehind = false;
    for (let i = 0; i < batch.length; i++) {
      const operation = batch[i] as Operation;
      const result = reply.results[i] as OperationResult;
      if (result.code === CODE.limit) refused.set(result.limit, (refused.get(result.limit) ?? 0) + 1);
      if (result.code === CODE.miss) missing.push(operation);
      else if (result.code === CODE.check) unchecked.push(operation);
      else if (result.code === CODE.behind) {
        isBehind = true;
        this.push(operation);
      } else if (result.code === CODE.broken) operation.failed(brokenAccount(operation.accountId));
      else operation.done(result, decision);
    }
    for (const [limit, count] of refused) this.metrics.queueRefused.inc({ limit }, count);
    if (missing.length > 0 || unchecked.length > 0)
      this.resolver.resolve(this, missing, unchecked, reply.idsSinceMs);
    return isBehind ? 'behind' : 'done';
  }
}

/** `batch` is what the script before carried: calls, then bulk usage. */
function callsRestMaxMs(batch: readonly Operation[]): number {
  const usage = batch.findIndex((operation) => operation.bulk);
  const calls = usage < 0 ? batch.length : usage;
  if (calls >= GATHER_FROM) return CALLS_REST_MAX_MS;
  return batch.length >= GATHER_FROM ? CALLS_BESIDE_BULK_REST_MAX_MS : 0;
}

/** Whatever is asked of it: its state must be put right by hand. Those beside it in the batch go on. */
function brokenAccount(accountId: string): DrawdownError {
  const message = `account ${accountId}: something is due that its subscription does not know; nothing was done. Run drawdown verify`;
  return new DrawdownError('INTERNAL', message);
}

function failAll(batch: readonly Operation[], error: DrawdownError): void {
  for (const operation of batch) operation.failed(error);
}
