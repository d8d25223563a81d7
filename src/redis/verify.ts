import type { ChainableCommander } from 'ioredis';
import { BinaryReader } from './binary.js';
import type { RedisConnection } from './connection.js';
import { type AccountState, type PackedSubscription, readAccount, unpack } from './format.js';
import { type Hold, readHold } from './hold-format.js';
import { accountScope, fieldsOfDeadline, type PartitionKeys } from './keys.js';

/** What verification reads: nothing here writes, and every call takes at most a batch. */

/** The names of a hash, some at a time; one that is there all the while comes at least once. */
export async function* scanFields(
  connection: RedisConnection,
  key: string,
  countPerCall: number,
): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, flat] = (await connection.client.hscanBuffer(key, cursor, 'COUNT', countPerCall)) as [
      Buffer,
      Buffer[],
    ];
    cursor = next.toString();
    const names: string[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const name = (flat[i] as Buffer).toString();
      // Every key holds a field without a name, so that it never vanishes.
      if (name !== '') names.push(name);
    }
    if (names.length > 0) yield names;
  } while (cursor !== '0');
}

export interface HotState {
  /** By account id; absent: not in Redis. */
  readonly accounts: ReadonlyMap<string, HotAccount>;
  /** By scoped hold id. */
  readonly holds: ReadonlyMap<string, HotHold>;
}

export interface HotAccount {
  /** Null: not readable. */
  readonly state: AccountState | null;
  /** Null: none, or not readable. */
  readonly subscription: PackedSubscription | null;
  /** When the sweeper will look at it; 0: never. */
  readonly sweptAtMs: number;
}

export interface HotHold {
  readonly state: Hold | null;
  /** When the sweeper will look at it, as its own deadline says; 0: it has none, or one that it shares (lackingDeadlines tells). */
  readonly sweptAtMs: number;
}

/** Deadlines read by one call: each may be of all the sessions that one script opened. */
const DEADLINES_PER_CALL = 100;

/** Which of these holds, that have no deadline of their own, share none at their time either. One that has changed since it was read is not told. */
export async function lackingDeadlines(
  connection: RedisConnection,
  keys: PartitionKeys,
  holds: readonly { readonly field: string; readonly deadlineMs: number }[],
): Promise<Set<string>> {
  const lacking = new Map(holds.map(({ field, deadlineMs }) => [field, deadlineMs]));
  const times = [...new Set(lacking.values())];
  for (let first = 0; first < times.length; first += DEADLINES_PER_CALL) {
    const page = times.slice(first, first + DEADLINES_PER_CALL);
    const fields = [...lacking].flatMap(([field, deadlineMs]) => (page.includes(deadlineMs) ? [field] : []));
    // All as of one moment, which is later than that at which they were read.
    const call = connection.client.multi();
    call.hmgetBuffer(keys[3], ...fields);
    call.zmscore(keys[6], ...fields);
    for (const deadlineMs of page) call.zrangebyscore(keys[6], deadlineMs, deadlineMs);
    const [values = [], scores = [], ...members] = await results<(Buffer | null)[]>(call);
    const found = decodeAll(fields, values, scores, readHold);
    for (const field of fields) {
      const { state, sweptAtMs } = found.get(field) ?? { state: null, sweptAtMs: 0 };
      if (state?.deadlineMs !== lacking.get(field) || sweptAtMs > 0) lacking.delete(field);
    }
    // An older deadline names it, too, where it was moved since.
    for (const [i, deadlineMs] of page.entries())
      for (const member of members[i] ?? [])
        for (const field of fieldsOfDeadline(String(member)))
          if (lacking.get(field) === deadlineMs) lacking.delete(field);
  }
  return new Set(lacking.keys());
}

/** Some accounts and holds of one partition, all as of one moment. */
export async function readHot(
  connection: RedisConnection,
  keys: PartitionKeys,
  accountIds: readonly string[],
  holdFields: readonly string[],
): Promise<HotState> {
  const call = connection.client.multi();
  if (accountIds.length > 0) {
    call.hmgetBuffer(keys[1], ...accountIds);
    call.zmscore(keys[6], ...accountIds.map((id) => `a${id}`));
    call.hmgetBuffer(keys[2], ...accountIds.map(accountScope));
  }
  if (holdFields.length > 0) {
    call.hmgetBuffer(keys[3], ...holdFields);
    call.zmscore(keys[6], ...holdFields);
  }
  const values = await results<(Buffer | string | null)[]>(call);
  if (accountIds.length === 0) values.unshift([], [], []);
  const [accountValues = [], accountScores = [], subscriptionValues = [], holdValues = [], holdScores = []] =
    values;
  const subscriptions = decodeAll(accountIds, subscriptionValues, [], (data) =>
    unpack<PackedSubscription>(data),
  );
  return {
    accounts: withSubscriptions(
      decodeAll(accountIds, accountValues, accountScores, (data) => readAccount(new BinaryReader(data))),
      subscriptions,
    ),
    holds: decodeAll(holdFields, holdValues, holdScores, readHold),
  };
}

async function results<Result>(call: ChainableCommander): Promise<Result[]> {
  const replies = (await call.exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw error;
  return replies.map(([, value]) => value as Result);
}

function withSubscriptions(
  accounts: ReadonlyMap<string, Omit<HotAccount, 'subscription'>>,
  subscriptions: ReadonlyMap<string, { readonly state: PackedSubscription | null }>,
): Map<string, HotAccount> {
  return new Map(
    [...accounts].map(([id, account]) => [
      id,
      { ...account, subscription: subscriptions.get(id)?.state ?? null },
    ]),
  );
}

function decodeAll<State>(
  names: readonly string[],
  values: readonly (Buffer | string | null)[],
  scores: readonly (Buffer | string | null)[],
  decode: (data: Buffer) => State,
): Map<string, { state: State | null; sweptAtMs: number }> {
  const decoded = new Map<string, { state: State | null; sweptAtMs: number }>();
  for (const [i, name] of names.entries()) {
    const value = values[i];
    if (value == null) continue;
    let state: State | null = null;
    try {
      state = decode(value as Buffer);
    } catch {
      // Said as a finding by whoever asked.
    }
    decoded.set(name, { state, sweptAtMs: Number(scores[i] ?? 0) });
  }
  return decoded;
}
