/** What the checkers found wrong, by what it means for whoever pays or is paid. */
export type FindingKind =
  /** Something that has its last word is not in the ledger. */
  | 'loss'
  /** Something is in the ledger twice, or that nobody asked for. */
  | 'double'
  /** An amount is not what it must be: of a line, of a wallet, of two stores that must agree. */
  | 'drift'
  /** A promise of another kind is broken: recovery, memory, an answer that must not be. */
  | 'broken';

export interface Finding {
  readonly kind: FindingKind;
  readonly message: string;
  /** Micro-credits, for a drift. */
  readonly amount?: number;
}

export type Report = (kind: FindingKind, message: string, amount?: number) => void;
