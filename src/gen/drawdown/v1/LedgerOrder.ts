// Original file: proto/drawdown/v1/account_service.proto

export const LedgerOrder = {
  LEDGER_ORDER_UNSPECIFIED: 'LEDGER_ORDER_UNSPECIFIED',
  LEDGER_ORDER_NEWEST_FIRST: 'LEDGER_ORDER_NEWEST_FIRST',
  LEDGER_ORDER_OLDEST_FIRST: 'LEDGER_ORDER_OLDEST_FIRST',
} as const;

export type LedgerOrder =
  | 'LEDGER_ORDER_UNSPECIFIED'
  | 0
  | 'LEDGER_ORDER_NEWEST_FIRST'
  | 1
  | 'LEDGER_ORDER_OLDEST_FIRST'
  | 2

export type LedgerOrder__Output = typeof LedgerOrder[keyof typeof LedgerOrder]
