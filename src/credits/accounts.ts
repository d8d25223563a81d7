import { DrawdownError } from '../errors.js';
import { prepareAccount } from '../postgres/accounts.js';
import { type EntryView, findEntries, type KnownEntry, readEntries } from '../postgres/entries.js';
import type { Pool } from '../postgres/pool.js';
import { readHolds, readLots } from '../postgres/views.js';
import {
  type AccountState,
  type AgentEventName,
  CODE,
  OP,
  type PackedAgent,
  type PackedOperation,
  type PlanEventName,
  REASON,
  STATUS,
  type StatusName,
} from '../redis/format.js';
import { balancesOf } from '../usage/balance-check.js';
import type { Catalogs } from '../usage/catalogs.js';
import { createFingerprint, topUpFingerprint } from '../usage/fingerprint.js';
import { shownOrThrow } from '../usage/meter.js';
import { type CallOptions, UNITS, type Unit, type UnitName } from '../usage/types.js';

import type { AccountCalls } from './account-calls.js';
import { fromPostgres } from './from-postgres.js';
import { pageOf, pageOffset } from './pages.js';
import { beginningTerms, planView } from './plans.js';
import {
  type AccountBalance,
  type AccountCreated,
  type Accounts,
  type AgentCredits,
  type CreateAccountCall,
  type EntryKind,
  type HoldView,
  type LedgerLine,
  type LedgerQuery,
  LOT_SOURCES,
  type LotSource,
  type LotView,
  type Page,
  type ToppedUp,
  type TopUpCall,
} from './types.js';

/** An eviction between the look into Postgres and the script is rare; one after the other this often is not to be believed. */
const CREATE_ATTEMPTS_MAX = 5;

const STATUS_NAMES: Record<number, StatusName> = {
  [STATUS.active]: 'active',
  [STATUS.frozen]: 'frozen',
  [STATUS.closed]: 'closed',
};

/** The control plane: what billing backends call. */
export class AccountControl implements Accounts {
  constructor(
    private readonly calls: AccountCalls,
    private readonly pool: Pool,
    private readonly catalogs: Catalogs,
  ) {}

  async create(call: CreateAccountCall, options: CallOptions): Promise<AccountCreated> {
    this.calls.checkTime(call.eventTimeMs);
    const hash = createFingerprint(call);
    const partition = this.calls.executor.queueOf(call.accountId).partition.number;
    for (let attempt = 1; attempt <= CREATE_ATTEMPTS_MAX; attempt++) {
      const prepared = await fromPostgres(() => prepareAccount(this.pool, call.accountId, partition));
      if (prepared === null) return this.#createdBefore(call, hash);
      const { terms, refusal } = beginningTerms(this.catalogs.current().catalog, call);
      const packed: PackedOperation = [
        OP.create,
        0,
        call.requestId,
        hash,
        call.eventTimeMs,
        -1,
        prepared.accountKey,
        prepared.cursorSeq,
        ...terms,
      ];
      const executed = await this.calls.run(call.accountId, packed, options);
      // Evicted between the look into Postgres and the script: the account exists, and the next look finds it.
      if (executed.result.code === CODE.stale) continue;
      if (executed.result.code === CODE.none && refusal !== null) throw refusal;
      if (executed.result.code === CODE.denied && executed.result.denial.reason === REASON.accountExists) {
        throw accountExists(call.accountId);
      }
      if (executed.result.code === CODE.denied && executed.result.denial.reason === REASON.fieldInvalid) {
        throw new DrawdownError('FIELD_INVALID', 'imported.lots: one has expired already', {
          field: 'imported.lots',
        });
      }
      const outcome = await this.calls.outcome(executed, call.accountId, options);
      return {
        accountId: call.accountId,
        createdTimeMs: outcome.extra,
        duplicate: executed.result.code === CODE.duplicate,
      };
    }
    throw new DrawdownError('UNAVAILABLE', 'the account was evicted again and again while it was looked up', {
      retryAfterMs: 100,
    });
  }

  async topUp(call: TopUpCall, options: CallOptions): Promise<ToppedUp> {
    this.calls.checkTime(call.eventTimeMs);
    const packed: PackedOperation = [
      OP.grant,
      0,
      call.requestId,
      topUpFingerprint(call),
      call.eventTimeMs,
      -1,
      call.unit,
      call.amount,
      LOT_SOURCES.top_up,
      this.catalogs.current().catalog.lotPriorities.top_up,
      call.expiresAtMs,
    ];
    const executed = await this.calls.run(call.accountId, packed, options);
    if (executed.result.code === CODE.denied && executed.result.denial.reason === REASON.fieldInvalid) {
      throw new DrawdownError('FIELD_INVALID', 'expires_at_ms: is reached already', {
        field: 'expires_at_ms',
      });
    }
    const outcome = await this.calls.outcome(executed, call.accountId, options);
    return {
      lotId: outcome.extra,
      unit: outcome.unit as Unit,
      granted: outcome.amount,
      debtPaid: outcome.overdrawn,
      available: outcome.available,
      duplicate: executed.result.code === CODE.duplicate,
    };
  }

  async balance(accountId: string, options: CallOptions): Promise<AccountBalance> {
    const executed = await this.calls.run(accountId, [OP.show, 0], options, { ending: true });
    const { account, subscription } = shownOrThrow(executed, accountId);
    const status = STATUS_NAMES[account.status];
    if (status === undefined) throw new Error(`account ${accountId} has status ${account.status}`);
    const plan = planView(subscription, executed.decision.nowMs);
    const agentCredits = ownCredits(account, subscription?.[9] ?? []);
    return {
      accountId,
      status,
      balances: balancesOf(account),
      openHolds: account.openHolds,
      plan,
      agentCredits,
    };
  }

  async lots(
    query: { accountId: string; includeEmpty: boolean; pageSize: number; pageToken: string },
    options: CallOptions,
  ): Promise<Page<LotView>> {
    const { key } = await this.calls.caughtUp(query.accountId, options);
    const shown = await this.calls.run(query.accountId, [OP.show, 0], options, { ending: true });
    const agents = shownOrThrow(shown, query.accountId).subscription?.[9] ?? [];
    const offset = pageOffset(query.pageToken);
    const rows = await fromPostgres(() =>
      readLots(this.pool, {
        accountKey: key,
        includeEmpty: query.includeEmpty,
        offset,
        countMax: query.pageSize + 1,
      }),
    );
    const items = rows.map((row) => ({
      lotId: row.lot_id,
      unit: UNITS[row.unit as UnitName],
      source: row.source as LotSource,
      priority: row.priority,
      expiresAtMs: row.expires_ms,
      remaining: row.remaining,
      held: row.held,
      agentId: ownerName(row.owner, agents),
    }));
    return pageOf(items, query.pageSize, () => String(offset + query.pageSize));
  }

  async holds(
    query: { accountId: string; pageSize: number; pageToken: string },
    options: CallOptions,
  ): Promise<Page<HoldView>> {
    const { key } = await this.calls.caughtUp(query.accountId, options);
    const offset = pageOffset(query.pageToken);
    const rows = await fromPostgres(() =>
      readHolds(this.pool, { accountKey: key, offset, countMax: query.pageSize + 1 }),
    );
    const items = rows.map((row) => ({
      holdId: row.hold_id,
      agentId: row.agent,
      meter: row.meter,
      model: row.model,
      unit: UNITS[row.unit as UnitName],
      held: row.held,
      startTimeMs: row.start_ms,
      deadlineMs: row.deadline_ms,
      catalogVersion: row.catalog_version,
    }));
    return pageOf(items, query.pageSize, () => String(offset + query.pageSize));
  }

  async ledger(query: LedgerQuery, options: CallOptions): Promise<Page<LedgerLine>> {
    const { key } = await this.calls.caughtUp(query.accountId, options);
    const beyond = query.pageToken === '' ? null : pageOffset(query.pageToken);
    const rows = await fromPostgres(() =>
      readEntries(this.pool, {
        accountKey: key,
        newestFirst: query.order === 'newest_first',
        beyond,
        fromTimeMs: query.fromTimeMs,
        toTimeMs: query.toTimeMs,
        kinds: query.kinds,
        agent: query.agentId,
        countMax: query.pageSize + 1,
      }),
    );
    return pageOf(rows.map(lineOf), query.pageSize, (last) => String(last.accountSeq));
  }

  /** The account stands in Postgres: by the same request, or by another one. */
  async #createdBefore(call: CreateAccountCall, hash: number): Promise<AccountCreated> {
    const [entry] = await fromPostgres(() =>
      findEntries(this.pool, [{ accountId: call.accountId, kinds: ['account_created'], id: call.requestId }]),
    );
    if (entry === undefined) throw accountExists(call.accountId);
    const { payloadHash, bookedTimeMs }: KnownEntry = entry;
    if (payloadHash !== hash)
      throw new DrawdownError('ID_CONFLICT', 'request_id is already used with another payload', {
        field: 'request_id',
      });
    return { accountId: call.accountId, createdTimeMs: bookedTimeMs, duplicate: true };
  }
}

function accountExists(accountId: string): DrawdownError {
  return new DrawdownError('ACCOUNT_EXISTS', `account ${accountId} exists already`, { field: 'account_id' });
}

/** The agent whose own a lot is; # and its number where it is not remembered any more. Empty: the account's. */
function ownerName(owner: number, agents: readonly PackedAgent[]): string {
  if (owner === 0) return '';
  return agents.find(([number]) => number === owner)?.[1] ?? `#${owner}`;
}

/** What agents have of their own, in the order of their unlocking. */
function ownCredits(account: AccountState, agents: readonly PackedAgent[]): AgentCredits[] {
  const sums = new Map<number, { available: number; held: number }>();
  for (const { owner, remaining, held } of account.wallets.flatMap(({ lots }) => lots)) {
    if (owner === 0) continue;
    const sum = sums.get(owner) ?? { available: 0, held: 0 };
    sums.set(owner, { available: sum.available + remaining - held, held: sum.held + held });
  }
  return [...sums].map(([owner, sum]) => ({ agentId: ownerName(owner, agents), ...sum }));
}

function notedOf(note: EntryView['note']) {
  const text = (name: string): string => String(note?.[name] ?? '');
  const ofAgent = note?.agent_event !== undefined;
  const fromMs = Number(note?.from_ms ?? 0);
  const toMs = Number(note?.to_ms ?? 0);
  return {
    corrects: text('corrects'),
    reasonCode: text('reason_code'),
    reasonText: text('reason_text'),
    status: (note?.status as StatusName | undefined) ?? null,
    plan: text('plan'),
    planEvent: (note?.plan_event as PlanEventName | undefined) ?? null,
    planFromTimeMs: ofAgent ? 0 : fromMs,
    planToTimeMs: ofAgent ? 0 : toMs,
    agentEvent: (note?.agent_event as AgentEventName | undefined) ?? null,
    agentTier: text('tier'),
    agentFromTimeMs: ofAgent ? fromMs : 0,
    agentToTimeMs: ofAgent ? toMs : 0,
  };
}

function lineOf(row: EntryView): LedgerLine {
  const unit = row.unit === '' ? 0 : UNITS[row.unit as UnitName];
  return {
    accountSeq: row.account_seq,
    kind: row.kind as EntryKind,
    id: row.id,
    agentId: row.agent,
    meter: row.meter,
    model: row.model,
    quantities: Object.entries(row.quantities),
    catalogVersion: row.catalog_version,
    unit,
    granted: row.granted,
    spent: row.spent,
    expired: row.expired,
    converted: row.converted,
    debt: row.debt,
    lots: row.lots.map(([lotId, remainingDelta]) => ({ lotId, remainingDelta })),
    balanceAfter:
      unit === 0
        ? null
        : {
            unit,
            available: row.remaining_after - row.held_after,
            held: row.held_after,
            debt: row.debt_after,
          },
    flags: row.flags === '' ? [] : row.flags.split(','),
    ...notedOf(row.note),
    eventTimeMs: row.event_time.getTime(),
    bookedTimeMs: row.booked_time.getTime(),
    partition: row.partition,
    epoch: row.epoch,
    seq: row.seq,
  };
}
