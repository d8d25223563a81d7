import { isDeepStrictEqual } from 'node:util';
import { LOT_SOURCES, type LotSource } from '../credits/types.js';
import type { StoredAccount, StoredHold } from '../ledger/account-audit.js';
import type { PoolClient } from '../postgres/pool.js';
import { readAccountsById, readHoldPlaces } from '../postgres/verified-accounts.js';
import type { RedisConnection } from '../redis/connection.js';
import type { AccountState } from '../redis/format.js';
import { holdField, type PartitionKeys, splitScope } from '../redis/keys.js';
import { type HotHold, type HotState, lackingDeadlines, readHot, scanFields } from '../redis/verify.js';
import { UNITS, type UnitName } from '../usage/types.js';
import type { Tally } from './report.js';
import { ACCOUNTS_PER_PAGE_MAX, readStoredAccounts } from './stored-accounts.js';

/** Holds looked at at once. */
const HOLDS_PER_PAGE_MAX = 500;

export interface HotContext {
  readonly connection: RedisConnection;
  /** The snapshot; what is read from Redis is read after it was taken, so Redis is never behind. */
  readonly rows: PoolClient;
  readonly tally: Tally;
  /** Called after every batch; throws to stop. */
  readonly onBatch: () => void;
}

/** A partition as Postgres has it in the snapshot. */
export interface HotPartition {
  readonly partition: number;
  readonly keys: PartitionKeys;
  readonly cursorSeq: number;
}

/** Compares the accounts that Redis holds with Postgres; calls `moving` with those that are ahead of it. */
export async function verifyHotAccounts(
  context: HotContext,
  place: HotPartition,
  moving: (accountId: string) => void,
): Promise<void> {
  // A scan may bring a field twice; as many as Redis holds are bounded by accountsHotMax.
  const seen = new Set<string>();
  for await (const names of scanFields(context.connection, place.keys[1], ACCOUNTS_PER_PAGE_MAX)) {
    const fresh = names.filter((name) => !seen.has(name));
    for (const name of fresh) seen.add(name);
    for (const accountId of await compareAccounts(context, place, fresh)) moving(accountId);
    context.onBatch();
  }
}

/** Compares some accounts; returns those that Redis holds at a later entry than the snapshot. */
export async function compareAccounts(
  context: HotContext,
  place: HotPartition,
  accountIds: readonly string[],
): Promise<string[]> {
  if (accountIds.length === 0) return [];
  const stored = new Map<string, StoredAccount>();
  const { rows } = context;
  for (const account of await readStoredAccounts(rows, await readAccountsById(rows, accountIds))) {
    stored.set(account.accountId as string, account);
  }
  return compareWithStored(context, place, accountIds, stored);
}

/** The same with what Postgres has of them (by account id) at hand. */
export async function compareWithStored(
  { connection, tally }: Pick<HotContext, 'connection' | 'tally'>,
  place: HotPartition,
  accountIds: readonly string[],
  stored: ReadonlyMap<string, StoredAccount>,
): Promise<string[]> {
  const fields = [...stored].flatMap(([id, account]) =>
    account.holds.map((hold) => holdField(id, hold.holdId)),
  );
  const hot = await readHot(connection, place.keys, accountIds, fields);
  const ahead: string[] = [];
  const withoutOwn: WithoutOwnDeadline[] = [];
  for (const [accountId, { state, subscription, sweptAtMs }] of hot.accounts) {
    const account = stored.get(accountId);
    const find = (message: string): void =>
      tally.report({
        check: 'redis',
        message,
        account: accountId,
        partition: place.partition,
        ...(account === undefined
          ? {}
          : { accountKey: account.accountKey, accountSeq: account.entries, seq: account.seq }),
      });
    if (state === null) {
      find('its state in Redis is not readable');
    } else if (state.seq > (account?.seq ?? place.cursorSeq)) {
      ahead.push(accountId);
    } else if (account === undefined) {
      find(`Redis has it since seq ${state.seq}, Postgres does not know it at ${place.cursorSeq}`);
    } else if (state.seq < account.seq) {
      find(`Redis has it at seq ${state.seq}, Postgres at ${account.seq}`);
    } else {
      tally.comparedWithRedis += 1;
      compareStates(account, state, find);
      if (!isDeepStrictEqual(subscription, account.subscription?.state?.packed ?? null))
        find('its subscription differs between Redis and Postgres');
      withoutOwn.push(...compareHolds(account, accountId, hot, find));
      if (!state.isConsistent) find('what its state in Redis says of its lots contradicts them');
      if (sweptAtMs !== state.dueAtMs) find(`it is due at ${state.dueAtMs}, Redis will look at ${sweptAtMs}`);
      const drift = creditsOfRedis(state) - creditsOfPostgres(account);
      tally.driftMicros += drift < 0n ? -drift : drift;
    }
  }
  if (withoutOwn.length > 0) {
    const lacking = await lackingDeadlines(connection, place.keys, withoutOwn);
    for (const { field, find } of withoutOwn) if (lacking.has(field)) find();
  }
  return ahead;
}

function creditsOfRedis(state: AccountState): bigint {
  const wallet = state.wallets.find(({ unit }) => unit === UNITS.credits);
  return (wallet?.lots ?? []).reduce((sum, lot) => sum + BigInt(lot.remaining), -BigInt(wallet?.debt ?? 0));
}

function creditsOfPostgres(account: StoredAccount): bigint {
  const debt = account.wallets.find(({ unit }) => unit === 'credits')?.debt ?? 0;
  return account.lots
    .filter(({ unit }) => unit === 'credits')
    .reduce((sum, lot) => sum + BigInt(lot.remaining), -BigInt(debt));
}

function compareStates(account: StoredAccount, state: AccountState, find: (message: string) => void): void {
  const pairs: [name: string, redis: number, postgres: number][] = [
    ['account key', state.key, account.accountKey],
    ['status', state.status, account.status],
    ['entries', state.entries, account.entries],
    ['time of the last change', state.changedAtMs, account.changedMs],
    ['lots made', state.lotsMade, account.lotsMade],
    ['open holds', state.openHolds, account.openHolds],
    ['next due', state.dueAtMs, account.nextDueMs],
  ];
  for (const [name, redis, postgres] of pairs) {
    if (redis !== postgres) find(`${name}: ${redis} in Redis, ${postgres} in Postgres`);
  }
  for (const [name, unit] of Object.entries(UNITS)) {
    const wallet = state.wallets.find((one) => one.unit === unit);
    const stored = account.wallets.find((one) => one.unit === name);
    if ((wallet?.debt ?? 0) !== (stored?.debt ?? 0)) {
      find(`${name}: debt ${wallet?.debt ?? 0} in Redis, ${stored?.debt ?? 0} in Postgres`);
    }
    const redis = (wallet?.lots ?? []).map(
      (lot) =>
        `${lot.id} ${lot.source} ${lot.priority} ${lot.expiresAtMs} ${lot.remaining} ${lot.held} ${lot.owner}`,
    );
    const postgres = lotsInOrder(account, name as UnitName);
    for (let i = 0; i < Math.max(redis.length, postgres.length); i++) {
      if (redis[i] === postgres[i]) continue;
      find(
        `${name}: lot (number source priority expiry remaining held owner) ${redis[i] ?? 'none'} in Redis, ${postgres[i] ?? 'none'} in Postgres`,
      );
      break;
    }
  }
}

/** The lots of a wallet in burn-down order, as Redis keeps them. */
function lotsInOrder(account: StoredAccount, unit: UnitName): string[] {
  const neverLast = (expiresMs: number): number => (expiresMs === 0 ? Number.POSITIVE_INFINITY : expiresMs);
  return account.lots
    .filter((lot) => lot.unit === unit)
    .sort((a, b) => {
      if (a.owner !== b.owner) return a.owner - b.owner;
      if (a.priority !== b.priority) return a.priority - b.priority;
      if (a.expiresMs !== b.expiresMs) return neverLast(a.expiresMs) - neverLast(b.expiresMs);
      return a.lotId - b.lotId;
    })
    .map(
      (lot) =>
        `${lot.lotId} ${LOT_SOURCES[lot.source as LotSource] ?? lot.source} ${lot.priority} ${lot.expiresMs} ${lot.remaining} ${lot.held} ${lot.owner}`,
    );
}

interface WithoutOwnDeadline {
  readonly field: string;
  readonly deadlineMs: number;
  /** Says that it shares none either. */
  readonly find: () => void;
}

/** Every hold that Postgres has is in Redis, as it is there, and will be swept at its deadline. Returns those that may share one. */
function compareHolds(
  account: StoredAccount,
  accountId: string,
  hot: HotState,
  find: (message: string) => void,
): WithoutOwnDeadline[] {
  const withoutOwn: WithoutOwnDeadline[] = [];
  for (const { holdId, deadlineMs, ...hold } of account.holds) {
    const field = holdField(accountId, holdId);
    const found = hot.holds.get(field);
    if (found === undefined) find(`hold ${holdId} is open in Postgres, Redis does not have it`);
    else if (!sameHold(hold, found)) find(`hold ${holdId} differs between Redis and Postgres`);
    else if (found.sweptAtMs !== deadlineMs) {
      const wrong = () => find(`hold ${holdId} ends at ${deadlineMs}, Redis will look at ${found.sweptAtMs}`);
      if (found.sweptAtMs > 0) wrong();
      else withoutOwn.push({ field, deadlineMs, find: wrong });
    }
  }
  return withoutOwn;
}

function sameHold({ state }: Pick<StoredHold, 'state'>, { state: hot }: HotHold): boolean {
  if (state === null || hot === null) return false;
  return (
    hot.unit === (UNITS[state.unit as UnitName] as number | undefined) &&
    hot.amount === state.amount &&
    hot.deadlineMs === state.deadlineMs &&
    hot.catalogVersion === state.catalogVersion &&
    hot.startTimeMs === state.startMs &&
    hot.agentId === state.agent &&
    hot.meter === state.meter &&
    hot.model === state.model &&
    hot.accountKey === state.accountKey &&
    hot.generation === state.generation &&
    hot.charge === state.charge &&
    hot.details === state.details &&
    hot.parts.length === state.parts.length &&
    hot.parts.every((value, i) => value === state.parts[i])
  );
}

/** Every hold that Redis has belongs to an account there, and Postgres has it where it has the account at the same entry. */
export async function verifyHotHolds(context: HotContext, place: HotPartition): Promise<void> {
  for await (const fields of scanFields(context.connection, place.keys[3], HOLDS_PER_PAGE_MAX)) {
    await verifyHolds(context, place, fields);
    context.onBatch();
  }
}

async function verifyHolds(
  { connection, rows, tally }: HotContext,
  place: HotPartition,
  fields: readonly string[],
): Promise<void> {
  const holds = fields.map((field) => {
    const { accountId, id } = splitScope(field.slice(1));
    return { field, accountId, holdId: id };
  });
  const hot = await readHot(
    connection,
    place.keys,
    [...new Set(holds.map((hold) => hold.accountId))],
    fields,
  );
  const stored = new Map<string, { seq: number; open: boolean }>();
  for (const { accountId, holdId, seq, open } of await readHoldPlaces(rows, holds)) {
    stored.set(holdField(accountId, holdId), { seq, open });
  }
  for (const { field, accountId, holdId } of holds) {
    // Ended since it was scanned.
    if (!hot.holds.has(field)) continue;
    const account = hot.accounts.get(accountId);
    const known = stored.get(field);
    const find = (message: string): void =>
      tally.report({
        check: 'redis',
        message,
        account: accountId,
        partition: place.partition,
        ...(known === undefined ? {} : { seq: known.seq }),
      });
    if (account === undefined) find(`hold ${holdId} is open in Redis, its account is not there`);
    else if (known !== undefined && !known.open && account.state?.seq === known.seq) {
      find(`hold ${holdId} is open in Redis, Postgres does not have it`);
    }
  }
}
