/** What an audit looks at; every finding names one of these. */
export const CHECKS = [
  /** A ledger line is not what was written: its checksum differs. */
  'checksum',
  /** Flushes: contiguous, chained, and covering the lines that they wrote. */
  'flushes',
  /** An account's lines are numbered 1, 2, 3, ... */
  'numbers',
  /** granted + debt = change of remaining + spent + expired + converted. */
  'conservation',
  /** A line follows from the one before, and has the columns that its kind may have. */
  'line',
  /** What a line costs follows from its quantities and its catalog version. */
  'price',
  /** An id stands once under its account and kind. */
  'once',
  /** A correction names a charge of its account, once, and gives back what that charge took. */
  'corrections',
  /** Accounts, wallets, lots and holds in Postgres are what the ledger adds up to. */
  'balances',
  /** What wallets had when a month began is what the lines booked before it add up to. */
  'openings',
  /** Redis holds what Postgres holds, wherever both are at the same entry. */
  'redis',
  /** The journal in Redis goes on where Postgres stands. */
  'journal',
] as const;
export type Check = (typeof CHECKS)[number];

/** One contradiction, and as much of its place as is known. */
export interface Finding {
  readonly check: Check;
  readonly message: string;
  readonly accountKey?: number;
  /** The external id, where it is known already. */
  readonly account?: string;
  readonly accountSeq?: number;
  readonly partition?: number;
  readonly epoch?: number;
  readonly seq?: number;
}

export type Report = (finding: Finding) => void;
