import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Metrics } from '../metrics.js';
import { admitEpoch, closeEpoch, lockRebuild, type OpenEpoch, readClosedEpochs } from '../postgres/epochs.js';
import type { Pool, PoolClient } from '../postgres/pool.js';
import { setAside } from '../postgres/set-aside.js';
import type { RedisConnection } from '../redis/connection.js';
import { type EpochKeys, type EpochScripts, NOBODY } from '../redis/epochs.js';
import { readAllRecords } from '../redis/journal.js';
import { type Meta, readMeta } from '../redis/meta.js';
import type { Partition } from '../usage/partition.js';
import {
  type Contradiction,
  contradictionOf,
  forPeople,
  hasRecordAtCursor,
  lookAt,
  openEpochOf,
  toldDurable,
} from './contradiction.js';
import { recordAt } from './flush-protocol.js';
import type { FlushThread } from './flush-thread.js';

/** One that works says so so often within the time after which Postgres ends the lock of one that stands still. */
const BEATS_PER_LEASE = 3;
/** A flusher that does not know yet may move the cursor between reading and draining; a few times in a row is not to be believed. */
const DRAIN_COLLISIONS_MAX = 5;

/** 'busy': somebody else has the lock. 'done': what is to be done was done, by whomever; look again. Else why only people can go on. */
export type Rebuilt = 'busy' | 'done' | { readonly fenced: string };

/**
 * Ends an epoch whose keys cannot go on and begins the next one: seal the keys, drain what is sound of their journal to Postgres,
 * set the rest aside, close the epoch there, then go on with the same keys (they are whole, and only the server is another one) or with
 * none: accounts are loaded on demand.
 *
 * A lock in Postgres keeps others from the same work. It may lie: every step compares what it changes with what it read (cursor, epoch, token),
 * so two rebuilders at once, or one that wakes after another has done it all, change nothing wrong, and what was cut off is
 * done again from the beginning.
 *
 * A new run_id always ends the epoch, also where Redis lacks nothing that Postgres or this process knows: another sidecar may
 * have been told of entries that are gone, and learns it by the epoch's last seq.
 */
export class Rebuild {
  constructor(
    private readonly pool: Pool,
    private readonly connection: RedisConnection,
    private readonly scripts: EpochScripts,
    private readonly thread: Pick<FlushThread, 'flush'>,
    /** After which a rebuilder that stands still loses its lock. */
    private readonly leaseMs: number,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {}

  /**
   * Brings a partition to where it may be opened under `runId`. Rejects where a store does not answer; then it is tried again. `acceptLoss`: people have
   * decided that what Redis has and Postgres cannot be brought to is lost; it is set aside.
   */
  async run(partition: Partition, runId: string, acceptLoss = false): Promise<Rebuilt> {
    const client = await this.pool.connect();
    let failure: Error | undefined;
    let beat: NodeJS.Timeout | undefined;
    try {
      await client.query('BEGIN');
      await client.query(`SET LOCAL idle_in_transaction_session_timeout = ${this.leaseMs}`);
      if (!(await lockRebuild(client, partition.number))) {
        await client.query('ROLLBACK');
        return 'busy';
      }
      beat = setInterval(() => void keepAlive(client), this.leaseMs / BEATS_PER_LEASE);
      const startedMs = performance.now();
      const rebuilt = await this.#locked(partition, runId, acceptLoss);
      this.metrics.rebuildSeconds.observe((performance.now() - startedMs) / 1000);
      await client.query('ROLLBACK');
      return rebuilt;
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      clearInterval(beat);
      client.release(failure);
    }
  }

  async #locked(partition: Partition, runId: string, acceptLoss: boolean): Promise<Rebuilt> {
    const { epoch, meta } = await lookAt(this.pool, this.connection, partition);
    const why = forPeople(meta, epoch, partition, acceptLoss);
    if (why !== null) return { fenced: why };
    // No epoch begins under a number that Redis knows of another one.
    if (epoch.token === null && (meta?.epoch ?? 0) <= epoch.cursor.epoch)
      return this.#begin(partition, epoch, meta, runId);

    const wrong = await contradictionOf(this.connection, partition, epoch, meta, runId);
    const { cursor } = await openEpochOf(this.pool, partition);
    // Somebody has flushed, and may have trimmed, since it was read.
    if (cursor.epoch !== epoch.cursor.epoch || cursor.seq !== epoch.cursor.seq) return 'done';
    if (wrong === null) {
      // Somebody else was faster; or was cut off before the keys could serve.
      if (meta?.runId === NOBODY)
        await this.scripts.adopt(keysOf(partition, epoch.cursor.epoch, meta.token), runId);
      return 'done';
    }
    if (!acceptLoss && wrong.kind !== 'restarted' && wrong.kind !== 'sealed' && toldDurable(meta, epoch)) {
      return {
        fenced: `Postgres went back to seq ${epoch.cursor.seq}, Redis was told that ${meta?.durableSeq} is durable, and its journal does not repair it: ${wrong.message}`,
      };
    }
    return this.#end(partition, epoch, meta, wrong, runId);
  }

  /** Closes the epoch and begins the next one. */
  async #end(
    partition: Partition,
    { cursor }: OpenEpoch,
    meta: Meta | null,
    wrong: Contradiction,
    runId: string,
  ): Promise<Rebuilt> {
    if (meta !== null) {
      const sealed = keysOf(partition, meta.epoch, meta.token);
      if (!meta.isSealed && (await this.scripts.seal(sealed)) !== 'OK') return 'done';
    }
    // What is sealed stays as it is from here on.
    const left = await readMeta(this.connection, partition.keys);
    if (await hasRecordAtCursor(this.connection, partition, cursor)) await this.#drain(partition, runId);
    const drained = await openEpochOf(this.pool, partition);
    if (drained.cursor.epoch !== cursor.epoch) return 'done';
    const { seq } = drained.cursor;
    const aside = await this.#setAside(partition, drained, meta?.epoch ?? cursor.epoch);
    const isWhole =
      (wrong.kind === 'restarted' || wrong.kind === 'sealed') &&
      left?.token === meta?.token &&
      left?.seq === seq &&
      aside === 0;
    // No epoch has the number of one that Redis knows and Postgres has forgotten.
    const nextEpoch = Math.max(cursor.epoch, meta?.epoch ?? 0) + 1;
    if (!(await closeEpoch(this.pool, drained.cursor, nextEpoch, wrong.kind))) return 'done';
    const lost = partition.epoch === cursor.epoch ? Math.max(0, partition.seqSeen - seq) : 0;
    this.metrics.epochsClosed.inc({ because: wrong.kind });
    this.metrics.entriesLost.inc(lost);
    this.logger[lost > 0 || wrong.kind !== 'restarted' ? 'error' : 'warn'](
      { partition: partition.number, epoch: cursor.epoch, lastSeq: seq, lost, aside, why: wrong.message },
      'epoch closed; what was applied beyond its last entry must be sent again',
    );
    const next = await openEpochOf(this.pool, partition);
    if (!isWhole || left === null) return this.#begin(partition, next, left, runId);
    const token = randomUUID();
    const reply = await this.scripts.advance(keysOf(partition, left.epoch, left.token), seq, token);
    return reply === 'OK' ? this.#admit(partition, next, token, runId) : 'done';
  }

  /** Begins an epoch that has no keys yet. */
  async #begin(partition: Partition, epoch: OpenEpoch, meta: Meta | null, runId: string): Promise<Rebuilt> {
    const { cursor } = epoch;
    if (meta?.epoch === cursor.epoch) {
      // Made by somebody who was cut off before they were admitted; or Postgres went back to then, and has to catch up with them.
      return this.#admit(partition, epoch, meta.token, runId);
    }
    if (meta !== null && !meta.isSealed) {
      const sealed = keysOf(partition, meta.epoch, meta.token);
      if ((await this.scripts.seal(sealed)) !== 'OK') return 'done';
    }
    await this.#setAside(partition, epoch, meta?.epoch ?? cursor.epoch - 1);
    const token = randomUUID();
    const from = { afterSeq: cursor.seq, bookedMs: cursor.bookedMs };
    const reply = await this.scripts.make(keysOf(partition, cursor.epoch, token), from, meta);
    return reply === 'OK' ? this.#admit(partition, epoch, token, runId) : 'done';
  }

  async #admit(partition: Partition, { cursor }: OpenEpoch, token: string, runId: string): Promise<Rebuilt> {
    const { epoch } = cursor;
    if (await admitEpoch(this.pool, { partition: partition.number, epoch, token, runId }))
      await this.scripts.adopt(keysOf(partition, epoch, token), runId);
    return 'done';
  }

  /** Makes durable what follows the cursor without a gap. */
  async #drain(partition: Partition, runId: string): Promise<void> {
    for (let collisions = 0; collisions < DRAIN_COLLISIONS_MAX; ) {
      const { cursor } = await openEpochOf(this.pool, partition);
      const place = {
        partition: partition.number,
        journalKey: partition.keys[7],
        epoch: cursor.epoch,
        afterSeq: cursor.seq,
        record: recordAt(cursor),
        runId,
      };
      const reply = await this.thread.flush([place]);
      if ('done' in reply) {
        if (reply.done.parts.length === 0) return;
      } else if (reply.failed.reason === 'cursor_moved') {
        collisions += 1;
      } else {
        throw new Error(`the journal could not be drained: ${reply.failed.message}`);
      }
    }
    throw new Error('the journal could not be drained: the cursor moves');
  }

  /**
   * Keeps the records that are not in the ledger and will not be; returns how many there are. `lastEpoch`: of the keys that end. Should this one have stood
   * still meanwhile, later ones are somebody else's, and on their way to the ledger.
   */
  async #setAside(partition: Partition, { cursor }: OpenEpoch, lastEpoch: number): Promise<number> {
    const lastSeqs = new Map<number, number>([[cursor.epoch, cursor.seq]]);
    for (const { epoch, lastSeq } of await readClosedEpochs(this.pool, partition.number, 0))
      lastSeqs.set(epoch, lastSeq);
    let records = 0;
    for await (const { epoch, firstSeq, lastSeq, fields } of readAllRecords(
      this.connection,
      partition.keys[7],
    )) {
      if (epoch > lastEpoch || lastSeq <= (lastSeqs.get(epoch) ?? 0)) continue;
      records += 1;
      const isNew = await setAside(this.pool, {
        partition: partition.number,
        epoch,
        firstSeq,
        lastSeq,
        fields,
      });
      if (isNew) this.metrics.recordsSetAside.inc();
    }
    return records;
  }
}

function keysOf(partition: Partition, epoch: number, token: string): EpochKeys {
  const { keys, installation } = partition.fenceArguments();
  return { keys, installation, epoch, token };
}

/** Where it fails the lock is gone, which the next statement on the connection says. */
async function keepAlive(client: PoolClient): Promise<void> {
  await client.query('SELECT 1').catch(() => undefined);
}
