import type { HoldState, StoredAccount, StoredHold, StoredSubscription } from '../ledger/account-audit.js';
import type { AgentFold } from '../ledger/fold.js';
import type { StoredOpening } from '../ledger/opening-audit.js';
import type { PoolClient } from '../postgres/pool.js';
import { readSubscriptions, type VerifiedSubscription } from '../postgres/subscriptions.js';
import {
  readAccountsWithin,
  readLiveLots,
  readOpenHolds,
  readOpenings,
  readWallets,
  type VerifiedAccount,
  type VerifiedHold,
  type VerifiedOpening,
} from '../postgres/verified-accounts.js';
import type { KeyRange } from '../postgres/verify.js';
import { AGENT_STATE, FORMAT, type PackedSubscription, subscriptionDueMs, unpack } from '../redis/format.js';
import { readHold } from '../redis/hold-format.js';
import { UNITS, type UnitName } from '../usage/types.js';

/** Accounts read at once; each may bring a thousand lots a wallet, so this bounds memory. */
export const ACCOUNTS_PER_PAGE_MAX = 500;

const UNIT_NAMES = new Map<number, UnitName>(
  Object.entries(UNITS).map(([name, number]) => [number, name as UnitName]),
);

/** Puts wallets, lots and open holds to their accounts. */
export async function readStoredAccounts(
  client: PoolClient,
  accounts: readonly VerifiedAccount[],
): Promise<StoredAccount[]> {
  if (accounts.length === 0) return [];
  const keys = accounts.map((account) => account.accountKey);
  const wallets = byAccount(await readWallets(client, keys));
  const lots = byAccount(await readLiveLots(client, keys));
  const holds = byAccount(await readOpenHolds(client, keys));
  const subscriptions = byAccount(await readSubscriptions(client, keys));
  return accounts.map((account) => ({
    ...account,
    wallets: (wallets.get(account.accountKey) ?? []).map((wallet) => ({
      unit: wallet.unit,
      debt: Number(wallet.debt),
      granted: BigInt(wallet.granted),
      spent: BigInt(wallet.spent),
      expired: BigInt(wallet.expired),
      converted: BigInt(wallet.converted),
    })),
    lots: (lots.get(account.accountKey) ?? []).map((lot) => ({
      ...lot,
      expiresMs: Number(lot.expiresMs),
      remaining: Number(lot.remaining),
      held: Number(lot.held),
    })),
    holds: (holds.get(account.accountKey) ?? []).map(storedHold),
    subscription: (subscriptions.get(account.accountKey) ?? []).map(storedSubscription)[0] ?? null,
  }));
}

function byAccount<Row extends { readonly accountKey: number }>(rows: readonly Row[]): Map<number, Row[]> {
  const grouped = new Map<number, Row[]>();
  for (const row of rows) {
    const group = grouped.get(row.accountKey);
    if (group === undefined) grouped.set(row.accountKey, [row]);
    else group.push(row);
  }
  return grouped;
}

/** The openings of some accounts, by account key. */
export async function readStoredOpenings(
  client: PoolClient,
  accountKeys: readonly number[],
): Promise<Map<number, StoredOpening[]>> {
  return byAccount((await readOpenings(client, accountKeys)).map(storedOpening));
}

function storedOpening(row: VerifiedOpening): StoredOpening & { readonly accountKey: number } {
  return {
    ...row,
    accountSeq: Number(row.accountSeq),
    remaining: Number(row.remaining),
    held: Number(row.held),
    debt: Number(row.debt),
  };
}

function storedHold(row: VerifiedHold): StoredHold {
  return {
    ...row,
    held: Number(row.held),
    startMs: Number(row.startMs),
    deadlineMs: Number(row.deadlineMs),
    state: holdState(row.state),
  };
}

function holdState(packed: Buffer): HoldState | null {
  try {
    const { unit, agentId: agent, startTimeMs: startMs, ...hold } = readHold(packed);
    return { ...hold, agent, startMs, unit: UNIT_NAMES.get(unit) ?? '' };
  } catch {
    return null;
  }
}

function storedSubscription(row: VerifiedSubscription): StoredSubscription {
  return { ...row, state: subscriptionState(row.state) };
}

function subscriptionState(packed: Buffer): StoredSubscription['state'] {
  try {
    const subscription = unpack<PackedSubscription>(packed);
    if (!Array.isArray(subscription) || subscription[0] !== FORMAT) return null;
    const [, plan, , , period] = subscription;
    const [periodStartMs, periodEndMs] = period === false ? [0, 0] : period;
    const dueMs = subscriptionDueMs(subscription);
    const agents = agentsOf(subscription);
    return { plan, periodStartMs, periodEndMs, dueMs, agents, packed: subscription };
  } catch {
    return null;
  }
}

function agentsOf([, , , , , , , , , agents]: PackedSubscription): AgentFold[] {
  return agents
    .filter((agent) => agent[2] !== AGENT_STATE.removed)
    .map(([, id, state, tier, , , , , , , , , , fromMs, toMs]) => ({
      id,
      tier,
      state: state === AGENT_STATE.active ? 'active' : 'suspended',
      fromMs,
      toMs,
    }));
}

/** Some accounts in order of their keys, a page in memory at a time. */
export class AccountPages {
  #page: StoredAccount[] = [];
  #openings = new Map<number, StoredOpening[]>();
  #place = 0;
  #range: KeyRange;
  #ended = false;

  constructor(
    private readonly client: PoolClient,
    range: KeyRange,
  ) {
    this.#range = range;
  }

  /** The next account without taking it; null at the end. */
  async peek(): Promise<StoredAccount | null> {
    if (this.#place >= this.#page.length && !this.#ended) {
      const accounts = await readAccountsWithin(this.client, this.#range, ACCOUNTS_PER_PAGE_MAX);
      this.#page = await readStoredAccounts(this.client, accounts);
      this.#openings = await readStoredOpenings(
        this.client,
        accounts.map((account) => account.accountKey),
      );
      this.#place = 0;
      const last = accounts.at(-1);
      if (last !== undefined) this.#range = { ...this.#range, afterKey: last.accountKey };
      this.#ended = accounts.length < ACCOUNTS_PER_PAGE_MAX;
    }
    return this.#page[this.#place] ?? null;
  }

  /** The openings of an account of this page. */
  openings(accountKey: number): readonly StoredOpening[] {
    return this.#openings.get(accountKey) ?? [];
  }

  take(): void {
    this.#place += 1;
  }
}
