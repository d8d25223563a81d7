import type { Pool } from 'pg';
import { LOT_SOURCES, type LotSource } from '../credits/types.js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { type AccountSnapshot, readSnapshots } from '../postgres/accounts.js';
import { findEntries, findReversals, type KnownEntry } from '../postgres/entries.js';
import {
  FLAG,
  isSpecial,
  type NewAccountState,
  OP,
  type PackedOperation,
  type PackedSubscription,
  STATE,
  type StoredOutcome,
  unpack,
  type Wallet,
  writeAccount,
  writeOutcome,
} from '../redis/format.js';
import { accountScope, holdField } from '../redis/keys.js';
import type { LoadedAccount, Scripts } from '../redis/scripts.js';
import type { Operation } from './operation.js';
import { chargedBefore } from './outcome-views.js';
import type { PartitionQueue, Resolver } from './partition-queue.js';
import { UNITS, type UnitName } from './types.js';

/** An eviction between reading Postgres and loading is rare; one after the other this often is not to be believed. */
const LOAD_ATTEMPTS_MAX = 5;
/** Accounts read by one query: what a batch of distinct accounts needs at the default batchOpsMax. */
const ACCOUNTS_PER_QUERY_MAX = 500;

export const HOLD_ENDS = ['settle', 'release', 'hold_expired', 'session_expired'];

const AGENT_KINDS = ['agent_unlock', 'agent_renewal', 'agent_status'];

/** Which kinds of ledger entries the id of an operation may stand under. */
const LEDGER_KINDS: Partial<Record<number, readonly string[]>> = {
  [OP.usage]: ['usage'],
  [OP.reserve]: HOLD_ENDS,
  [OP.settle]: HOLD_ENDS,
  [OP.release]: HOLD_ENDS,
  [OP.extend]: HOLD_ENDS,
  [OP.openSession]: HOLD_ENDS,
  [OP.checkpoint]: HOLD_ENDS,
  [OP.grant]: ['grant'],
  [OP.reverse]: ['reversal'],
  [OP.rerate]: ['rerate'],
  [OP.expireLot]: ['expire_lot'],
  [OP.setStatus]: ['account_status'],
  [OP.convert]: ['conversion_grant'],
  [OP.startPeriod]: ['plan_grant', 'plan_change'],
  [OP.changePlan]: ['plan_grant', 'plan_change'],
  [OP.withdrawChange]: ['plan_grant', 'plan_change'],
  [OP.unlockAgent]: AGENT_KINDS,
  [OP.activateAgent]: AGENT_KINDS,
  [OP.suspendAgent]: AGENT_KINDS,
  [OP.removeAgent]: AGENT_KINDS,
};

/** The letter of an id's scope in Redis, by the kind of entry under which the ledger knows it. */
const LETTERS: Record<string, string> = {
  usage: 'u',
  settle: 'h',
  release: 'h',
  hold_expired: 'h',
  session_expired: 'h',
  grant: 'g',
  reversal: 'r',
  rerate: 'p',
  expire_lot: 'l',
  account_status: 's',
  conversion_grant: 'v',
  plan_grant: 'b',
  plan_change: 'b',
  agent_unlock: 'a',
  agent_renewal: 'a',
  agent_status: 'a',
};
/** The scope of charges that were reversed, by the charge's name. */
const REVERSED_LETTER = 'o';

const STATES: Record<string, number> = {
  usage: STATE.recorded,
  settle: STATE.settled,
  release: STATE.released,
  hold_expired: STATE.expired,
  session_expired: STATE.expired,
  grant: STATE.granted,
  reversal: STATE.reversed,
  rerate: STATE.rerated,
  expire_lot: STATE.lotExpired,
  account_status: STATE.statusSet,
  conversion_grant: STATE.converted,
};

/** Of a change of plan, by what its line's note says happened; a grant without a period is that of free credits. */
const PLAN_STATES: Record<string, number> = {
  changed: STATE.planChanged,
  scheduled: STATE.planScheduled,
  period_stored: STATE.periodStored,
  withdrawn: STATE.planWithdrawn,
};

/** Of an agent's line, by what its note says happened. */
const AGENT_STATES: Record<string, number> = {
  unlocked: STATE.agentUnlocked,
  activated: STATE.agentActivated,
  suspended: STATE.agentSuspended,
  removed: STATE.agentRemoved,
};

/**
 * Loads accounts that Redis does not hold, and checks ids that are older than Redis' memory against the ledger. What is found
 * goes into Redis and the operation into the queue again, so that the script alone decides.
 */
export class PostgresResolver implements Resolver {
  constructor(
    private readonly pool: Pool,
    private readonly scripts: Scripts,
    private readonly metrics: Metrics,
  ) {}

  resolve(queue: PartitionQueue, missing: Operation[], unchecked: Operation[], idsSinceMs: number): void {
    if (missing.length > 0) this.#guard(missing, this.#load(queue, missing));
    if (unchecked.length > 0) this.#guard(unchecked, this.#check(queue, unchecked, idsSinceMs));
  }

  #guard(operations: readonly Operation[], work: Promise<void>): void {
    work.catch((cause: unknown) => {
      const error =
        cause instanceof DrawdownError
          ? cause
          : new DrawdownError(
              'UNAVAILABLE',
              'Postgres is needed for this account or id and does not answer; nothing was changed',
              {
                cause,
                retryAfterMs: 500,
              },
            );
      for (const operation of operations) operation.failed(error);
    });
  }

  async #load(queue: PartitionQueue, operations: readonly Operation[]): Promise<void> {
    const { partition } = queue;
    const accountIds = [...new Set(operations.map((operation) => operation.accountId))];
    const known = new Set<string>();
    for (let first = 0; first < accountIds.length; first += ACCOUNTS_PER_QUERY_MAX) {
      for (const id of await this.#loadAccounts(
        queue,
        accountIds.slice(first, first + ACCOUNTS_PER_QUERY_MAX),
      ))
        known.add(id);
    }
    for (const operation of operations) {
      if (known.has(operation.accountId)) queue.push(operation);
      else
        operation.done({ code: 'unknown account' }, { partition, epoch: partition.epoch, nowMs: Date.now() });
    }
  }

  /** Returns the ids of the accounts that exist. */
  async #loadAccounts(queue: PartitionQueue, accountIds: readonly string[]): Promise<string[]> {
    for (let attempt = 1; attempt <= LOAD_ATTEMPTS_MAX; attempt++) {
      const found = await readSnapshots(this.pool, accountIds);
      const first = found[0];
      if (first === undefined) return [];
      const reply = await this.scripts.load(
        queue.partition.fenceArguments(),
        first.cursorSeq,
        found.map((item) => packSnapshot(item.snapshot)),
        [],
      );
      if (typeof reply === 'number') {
        this.metrics.accountsLoaded.inc(reply);
        return found.map((item) => item.snapshot.accountId);
      }
      if (reply !== 'STALE') throw queue.partition.refused(reply);
    }
    throw new DrawdownError('UNAVAILABLE', 'an account was evicted again and again while it was loaded', {
      retryAfterMs: 100,
    });
  }

  async #check(queue: PartitionQueue, operations: readonly Operation[], idsSinceMs: number): Promise<void> {
    const outcomes = new Map<string, Buffer>();
    for (const entry of await findEntries(this.pool, operations.flatMap(ledgerIds))) {
      const field = `${LETTERS[entry.kind]}${accountScope(entry.accountId)}${entry.id}`;
      // Newest first: a late settle stands after the hold's release or expiry.
      if (!outcomes.has(field)) outcomes.set(field, writeOutcome(outcomeOf(entry)));
    }
    const charges = operations.flatMap(correctedCharge);
    if (charges.length > 0) {
      for (const entry of await findReversals(this.pool, charges)) {
        const field = `${REVERSED_LETTER}${accountScope(entry.accountId)}${entry.charge}`;
        outcomes.set(field, writeOutcome(outcomeOf(entry)));
      }
    }
    if (outcomes.size > 0) {
      const reply = await this.scripts.load(
        queue.partition.fenceArguments(),
        Number.MAX_SAFE_INTEGER,
        [],
        [...outcomes].flat(),
      );
      if (typeof reply === 'object') throw queue.partition.refused(reply);
    }
    for (const operation of operations) {
      const { accountId, packed } = operation;
      const booked = packed[0] === OP.usage && outcomes.has(`u${accountScope(accountId)}${packed[2]}`);
      if (booked) this.metrics.duplicates.inc({ caught_by: 'postgres' });
      packed[5] = idsSinceMs;
      queue.push(operation);
    }
  }
}

/** The ids under which the ledger may know what an operation asks about. */
function ledgerIds({
  accountId,
  packed,
}: Operation): { accountId: string; id: string; kinds: readonly string[] }[] {
  const kinds = LEDGER_KINDS[packed[0] as number];
  if (kinds === undefined) throw new Error(`operation ${packed[0]} has no id in the ledger`);
  const own = { accountId, id: String(packed[0] === OP.extend ? packed[6] : packed[2]), kinds };
  // A reversal includes what the charge was rerated to.
  const charge = packed[0] === OP.reverse ? chargeOf(packed) : '';
  return charge === '' ? [own] : [own, { accountId, id: charge, kinds: ['rerate'] }];
}

/** The charge that an operation corrects, if it does: whether it was reversed before is for the ledger to say. */
function correctedCharge({ accountId, packed }: Operation): { accountId: string; charge: string }[] {
  const charge = chargeOf(packed);
  return charge === '' ? [] : [{ accountId, charge }];
}

function chargeOf(packed: PackedOperation): string {
  if (packed[0] === OP.rerate) return packed[2] as string;
  return packed[0] === OP.reverse ? (packed[8] as string) : '';
}

function packSnapshot(snapshot: AccountSnapshot): LoadedAccount {
  const wallets: Wallet[] = snapshot.wallets
    .map(({ unit, debt }) => ({
      unit: UNITS[unit as UnitName] as number,
      debt,
      lots: snapshot.lots
        .filter((lot) => lot.unit === unit)
        .map((lot) => ({
          id: lot.lotId,
          source: LOT_SOURCES[lot.source as LotSource] as number,
          priority: lot.priority,
          expiresAtMs: lot.expiresMs,
          remaining: lot.remaining,
          held: lot.held,
          owner: lot.owner,
        }))
        .sort(
          (a, b) =>
            a.owner - b.owner ||
            a.priority - b.priority ||
            neverLast(a.expiresAtMs) - neverLast(b.expiresAtMs) ||
            a.id - b.id,
        ),
    }))
    .sort((a, b) => a.unit - b.unit);
  const { subscription } = snapshot;
  const agents = subscription === null ? [] : unpack<PackedSubscription>(subscription.state)[9];
  const state: NewAccountState = {
    key: snapshot.accountKey,
    status: snapshot.status,
    entries: snapshot.entries,
    seq: snapshot.seq,
    changedAtMs: snapshot.changedMs,
    lotsMade: snapshot.lotsMade,
    openHolds: snapshot.openHolds,
    planDueMs: subscription?.dueMs ?? 0,
    special: agents.some(isSpecial),
    wallets,
  };
  const holds = snapshot.holds.flatMap((hold) => [
    holdField(snapshot.accountId, hold.holdId),
    hold.state,
    hold.deadlineMs,
  ]);
  const packed = subscription?.state ?? Buffer.alloc(0);
  return [snapshot.accountId, writeAccount(state), snapshot.nextDueMs, packed, holds];
}

/** 0 means never, which burns last. */
function neverLast(expiresAtMs: number): number {
  return expiresAtMs === 0 ? Number.MAX_SAFE_INTEGER : expiresAtMs;
}

function stateOf({ kind, note }: KnownEntry): number {
  if (kind === 'plan_change') return PLAN_STATES[note?.plan_event as string] as number;
  if (note?.agent_event !== undefined) return AGENT_STATES[note.agent_event] as number;
  if (kind === 'plan_grant') return note?.from_ms === undefined ? STATE.planChanged : STATE.periodStarted;
  return STATES[kind] as number;
}

/** Lot, time or released units: what the outcome of a kind says beside its amounts. */
function extraOf({ kind, lot, note, released }: KnownEntry): number {
  if (kind === 'grant' || kind === 'plan_grant' || kind === 'conversion_grant') return lot;
  if (note?.agent_event !== undefined) return Number(note.to_ms);
  return kind === 'plan_change' ? Number(note?.from_ms ?? 0) : released;
}

function outcomeOf(entry: KnownEntry): StoredOutcome {
  const before = chargedBefore(entry.note);
  const converts = entry.kind === 'conversion_grant' || before.converted > 0;
  const ofAgent = entry.note?.agent_event !== undefined;
  return {
    hash: entry.payloadHash,
    seq: entry.seq,
    state: stateOf(entry),
    unit: unitOf(entry),
    amount: entry.granted + entry.expired + Math.abs(entry.spent) + before.charged,
    overdrawn: Math.abs(entry.debt) + before.overdrawn,
    available: entry.available,
    flags: entry.flags
      .split(',')
      .filter((name) => name !== '')
      .reduce((flags, name) => flags | FLAG[name as keyof typeof FLAG], converts ? FLAG.converted : 0),
    extra: extraOf(entry),
    catalogVersion: entry.catalogVersion,
    converted: entry.converted + before.converted,
    cycleStartMs: ofAgent ? Number(entry.note?.from_ms) : 0,
  };
}

/** What becomes of an agent is said in credits, also where it moves none. */
function unitOf({ unit, note }: KnownEntry): number {
  if (unit !== '') return UNITS[unit as UnitName];
  return note?.agent_event === undefined ? 0 : UNITS.credits;
}
