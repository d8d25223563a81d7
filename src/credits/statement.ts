import type { BalanceRow, LedgerEnd, MovementRow, UseRow } from '../postgres/statements.js';
import { UNITS, type Unit, type UnitName, type WalletBalance } from '../usage/types.js';
import type { EntryKind, LotSource } from './types.js';

/** A statement as the transport sees it, and how the ledger's sums become one. Sums are exact: they may exceed 2^53. */

export interface StatementQuery {
  readonly accountId: string;
  /** Booked time; 0: open. */
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface Statement {
  readonly accountId: string;
  readonly fromTimeMs: number;
  /** 0: open. */
  readonly toTimeMs: number;
  readonly through: Pick<LedgerEnd, 'partition' | 'epoch' | 'seq'>;
  readonly afterAccountSeq: number;
  readonly throughAccountSeq: number;
  /** Empty on later pages. */
  readonly wallets: readonly WalletStatement[];
  readonly uses: readonly StatementUse[];
  readonly nextPageToken: string;
}

export interface WalletStatement {
  readonly unit: Unit;
  readonly opening: WalletBalance;
  readonly closing: WalletBalance;
  readonly granted: bigint;
  readonly spent: bigint;
  readonly expired: bigint;
  readonly converted: bigint;
  readonly debtIncurred: bigint;
  readonly debtPaid: bigint;
  readonly sources: readonly {
    readonly source: LotSource;
    readonly count: bigint;
    readonly granted: bigint;
  }[];
  readonly corrections: readonly {
    readonly kind: EntryKind;
    readonly count: bigint;
    readonly spent: bigint;
  }[];
}

export interface StatementUse {
  readonly unit: Unit;
  readonly meter: string;
  readonly model: string;
  readonly agentId: string;
  readonly count: bigint;
  readonly spent: bigint;
  readonly debt: bigint;
  readonly unrated: bigint;
  readonly quantities: readonly (readonly [name: string, count: bigint])[];
}

/** Statements as the transport sees them; rejects with a DrawdownError (ACCOUNT_UNKNOWN, LIMIT_REACHED, LEDGER_DETACHED, ...). */
export interface StatementReader {
  read(query: StatementQuery, options: { readonly deadlineMs: number }): Promise<Statement>;
}

/** Where a statement shows what a line of each kind spent. Others than these spend nothing. */
const SPENDING: Record<EntryKind, 'use' | 'correction' | 'none'> = {
  account_created: 'none',
  account_status: 'none',
  plan_grant: 'none',
  plan_change: 'none',
  opening_lot: 'none',
  grant: 'none',
  usage: 'use',
  settle: 'use',
  release: 'none',
  hold_expired: 'none',
  lot_expired: 'none',
  expire_lot: 'none',
  duplicate: 'correction',
  reversal: 'correction',
  // Its event is among the uses already, at no cost.
  rerate: 'correction',
  conversion: 'none',
  conversion_grant: 'none',
  // Of the agent, with no meter and no model.
  agent_unlock: 'use',
  agent_renewal: 'use',
  agent_grant: 'none',
  agent_status: 'none',
  session_expired: 'use',
};

/** The kinds whose lines are uses. */
export const USE_KINDS = (Object.keys(SPENDING) as EntryKind[]).filter((kind) => SPENDING[kind] === 'use');

const NOTHING = { remaining: 0, held: 0, debt: 0 };

/** What the ledger says of a range. */
export interface WalletRows {
  readonly opening: readonly BalanceRow[];
  readonly closing: readonly BalanceRow[];
  readonly movements: readonly MovementRow[];
}

/** One statement a wallet, in the order of units. Throws where the ledger contradicts itself: a wrong statement is worse than none. */
export function walletStatements({ opening, closing, movements }: WalletRows): WalletStatement[] {
  return closing
    .map((end) => {
      const start = opening.find(({ unit }) => unit === end.unit) ?? { unit: end.unit, ...NOTHING };
      return walletStatement(
        start,
        end,
        movements.filter(({ unit }) => unit === end.unit),
      );
    })
    .sort((a, b) => a.unit - b.unit);
}

function walletStatement(
  start: BalanceRow,
  end: BalanceRow,
  movements: readonly MovementRow[],
): WalletStatement {
  const total = (column: 'granted' | 'spent' | 'expired' | 'converted' | 'debtIncurred' | 'debtPaid') =>
    movements.reduce((sum, movement) => sum + BigInt(movement[column]), 0n);
  const wallet = {
    unit: UNITS[end.unit as UnitName],
    opening: walletBalance(start),
    closing: walletBalance(end),
    granted: total('granted'),
    spent: total('spent'),
    expired: total('expired'),
    converted: total('converted'),
    debtIncurred: total('debtIncurred'),
    debtPaid: total('debtPaid'),
    sources: movements
      .filter(({ granted }) => granted !== '0')
      .map(({ source, lines, granted }) => {
        if (source === null) throw new Error('a grant of a lot that is not there');
        return { source: source as LotSource, count: BigInt(lines), granted: BigInt(granted) };
      }),
    corrections: movements
      .filter(({ kind }) => SPENDING[kind as EntryKind] === 'correction')
      .map(({ kind, lines, spent }) => ({
        kind: kind as EntryKind,
        count: BigInt(lines),
        spent: BigInt(spent),
      })),
  };
  const change = wallet.granted - wallet.spent - wallet.expired - wallet.converted;
  const debtChange = wallet.debtIncurred - wallet.debtPaid;
  const owned = BigInt(end.remaining - start.remaining);
  const owed = BigInt(end.debt - start.debt);
  if (owned - owed !== change || owed !== debtChange) {
    throw new Error(
      `a statement of ${end.unit} does not add up: balances changed by ${owned - owed}, lines by ${change}; debt by ${owed} and ${debtChange}`,
    );
  }
  return wallet;
}

function walletBalance({ unit, remaining, held, debt }: BalanceRow): WalletBalance {
  return { unit: UNITS[unit as UnitName], available: remaining - held, held, debt };
}

export function statementUse(
  row: UseRow,
  quantities: readonly (readonly [name: string, count: bigint])[],
): StatementUse {
  return {
    unit: UNITS[row.unit as UnitName],
    meter: row.meter,
    model: row.model,
    agentId: row.agent,
    count: BigInt(row.lines),
    spent: BigInt(row.spent),
    debt: BigInt(row.debt),
    unrated: BigInt(row.unrated),
    quantities,
  };
}
