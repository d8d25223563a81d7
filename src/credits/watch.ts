import type { Catalog } from '../catalog/catalog.js';
import { type Crossing, crossingsBetween } from '../ledger/crossings.js';
import type { Pool } from '../postgres/pool.js';
import { type BalanceRow, readBalancesAfter } from '../postgres/statements.js';
import { readLinesAfter, type WatchedLine } from '../postgres/watch.js';
import { UNITS, type Unit, type UnitName, type WalletBalance } from '../usage/types.js';
import { detachedError } from './detached.js';
import { fromPostgres } from './from-postgres.js';

/** Amounts of available units by wallet. */
export type Thresholds = ReadonlyMap<UnitName, readonly bigint[]>;

/** The catalog's, for whoever names none. */
export function catalogThresholds({ thresholds }: Pick<Catalog, 'thresholds'>): Thresholds {
  const units = Object.entries(thresholds) as [UnitName, readonly number[]][];
  return new Map(units.map(([unit, amounts]) => [unit, amounts.map(BigInt)]));
}

export interface WatchRequest {
  /** 0 as cursor: begin now. */
  readonly accounts: readonly { readonly accountId: string; readonly cursor: number }[];
  /** Null: the default. */
  readonly thresholds: Thresholds | null;
}

export interface WatchedCrossing extends Crossing {
  readonly unit: Unit;
  readonly available: number;
  readonly accountSeq: number;
  readonly bookedTimeMs: number;
}

export interface BalanceUpdate {
  readonly accountId: string;
  readonly cursor: number;
  readonly balances: readonly WalletBalance[];
  readonly crossings: readonly WatchedCrossing[];
}

/** One reader's view of some accounts. */
export interface BalanceWatch {
  /** The next update, as soon as there is one; null once the watch is closed. Not to be called again before it resolves. */
  next(): Promise<BalanceUpdate | null>;
  close(): void;
}

/** Watches as the transport sees them; rejects with a DrawdownError (ACCOUNT_UNKNOWN, FIELD_INVALID, LIMIT_REACHED, ...). */
export interface BalanceWatches {
  open(request: WatchRequest): Promise<BalanceWatch>;
}

/** Lines read for one update: what a busy account books in some seconds. With 16 thresholds an update stays below a megabyte. */
const LINES_PER_UPDATE_MAX = 1_000;

/** An account as one watch has followed it so far. */
interface Followed {
  readonly accountId: string;
  readonly accountKey: number;
  cursor: number;
  /** The last line that is known to be there. */
  latest: number;
  readonly wallets: Map<UnitName, WatchedWallet>;
}

type WatchedWallet = Omit<BalanceRow, 'unit'>;

/**
 * Follows the ledger of some accounts for one reader, at the reader's pace: nothing is read before it asks for the next update, so a
 * slow one gets fewer and larger changes, and the memory of a watch is one update.
 *
 * States: *open* -> *closed* (close). While open, an account is either up to date or in `#behind`.
 */
export class AccountsWatch implements BalanceWatch {
  /** Accounts with lines beyond their cursor or without an update so far, the one that waits longest first. */
  readonly #behind = new Set<Followed>();
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(
    private readonly pool: Pool,
    private readonly followed: ReadonlyMap<number, Followed>,
    private readonly thresholds: Thresholds,
    private readonly onClosed: (watch: AccountsWatch) => void,
  ) {
    for (const account of followed.values()) this.#behind.add(account);
  }

  /** Begins after the given lines of the accounts. */
  static async begin(
    pool: Pool,
    accounts: readonly {
      readonly accountId: string;
      readonly accountKey: number;
      readonly cursor: number;
      readonly latest: number;
    }[],
    thresholds: Thresholds,
    onClosed: (watch: AccountsWatch) => void,
  ): Promise<AccountsWatch> {
    const followed = new Map<number, Followed>();
    for (const account of accounts) {
      const balances = await readBalancesAfter(pool, account.accountKey, account.cursor);
      if (balances === null) throw detachedError();
      const wallets = new Map(balances.map(({ unit, ...wallet }) => [unit as UnitName, wallet]));
      followed.set(account.accountKey, { ...account, wallets });
    }
    return new AccountsWatch(pool, followed, thresholds, onClosed);
  }

  get accountKeys(): Iterable<number> {
    return this.followed.keys();
  }

  get size(): number {
    return this.followed.size;
  }

  latest(accountKey: number): number {
    return this.followed.get(accountKey)?.latest ?? Number.POSITIVE_INFINITY;
  }

  /** An account has more lines. */
  advanced(accountKey: number, entries: number): void {
    const account = this.followed.get(accountKey);
    if (account === undefined || entries <= account.latest) return;
    account.latest = entries;
    this.#behind.add(account);
    this.#wake();
  }

  async next(): Promise<BalanceUpdate | null> {
    while (!this.#isClosed) {
      const [account] = this.#behind;
      if (account === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const update = await this.#advance(account);
      if (update !== null && !this.#isClosed) return update;
    }
    return null;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake();
    this.onClosed(this);
  }

  /** Moves one account on by a page of lines; null where that is nothing to tell yet. */
  async #advance(account: Followed): Promise<BalanceUpdate | null> {
    this.#behind.delete(account);
    const crossings: WatchedCrossing[] = [];
    if (account.cursor < account.latest) {
      const { accountKey, cursor } = account;
      const lines = await fromPostgres(() =>
        readLinesAfter(this.pool, accountKey, cursor, LINES_PER_UPDATE_MAX),
      );
      if (lines.length === 0) throw detachedError();
      for (const line of lines) this.#follow(account, line, crossings);
      account.latest = Math.max(account.latest, account.cursor);
    }
    const isBehind = account.cursor < account.latest;
    // To the end of the others, so that one account's past does not keep them waiting.
    if (isBehind) this.#behind.add(account);
    if (isBehind && crossings.length === 0) return null;
    return {
      accountId: account.accountId,
      cursor: account.cursor,
      balances: [...account.wallets]
        .map(([unit, wallet]) => balanceOf(unit, wallet))
        .sort((a, b) => a.unit - b.unit),
      crossings,
    };
  }

  #follow(account: Followed, line: WatchedLine, crossings: WatchedCrossing[]): void {
    if (line.accountSeq !== account.cursor + 1) throw detachedError();
    account.cursor = line.accountSeq;
    if (line.unit === '') return;
    const unit = line.unit as UnitName;
    const { remaining, held, debt, accountSeq, bookedTimeMs } = line;
    const before = account.wallets.get(unit) ?? { remaining: 0, held: 0, debt: 0 };
    const available = remaining - held;
    const place = { unit: UNITS[unit], available, accountSeq, bookedTimeMs };
    const passed = crossingsBetween(
      before.remaining - before.held,
      available,
      this.thresholds.get(unit) ?? [],
    );
    for (const crossing of passed) crossings.push({ ...crossing, ...place });
    account.wallets.set(unit, { remaining, held, debt });
  }
}

function balanceOf(unit: UnitName, { remaining, held, debt }: WatchedWallet): WalletBalance {
  return { unit: UNITS[unit], available: remaining - held, held, debt };
}
