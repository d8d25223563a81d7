import { BinaryReader } from './binary.js';
import type { RedisConnection } from './connection.js';
import { type AccountState, type PackedSubscription, readAccount, unpack } from './format.js';
import { type Hold, readHold } from './hold-format.js';
import { accountScope, type PartitionKeys } from './keys.js';

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
  readonly sweptAtMs: number;
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
  const replies = (await call.exec()) ?? [];
  for (const [error] of replies) if (error !== null) throw error;
  const values = replies.map(([, value]) => value as (Buffer | string | null)[]);
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
