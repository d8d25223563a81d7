// Original file: proto/drawdown/v1/account_service.proto

export const AccountStatus = {
  ACCOUNT_STATUS_UNSPECIFIED: 'ACCOUNT_STATUS_UNSPECIFIED',
  ACCOUNT_STATUS_ACTIVE: 'ACCOUNT_STATUS_ACTIVE',
  ACCOUNT_STATUS_FROZEN: 'ACCOUNT_STATUS_FROZEN',
  ACCOUNT_STATUS_CLOSED: 'ACCOUNT_STATUS_CLOSED',
} as const;

export type AccountStatus =
  | 'ACCOUNT_STATUS_UNSPECIFIED'
  | 0
  | 'ACCOUNT_STATUS_ACTIVE'
  | 1
  | 'ACCOUNT_STATUS_FROZEN'
  | 2
  | 'ACCOUNT_STATUS_CLOSED'
  | 3

export type AccountStatus__Output = typeof AccountStatus[keyof typeof AccountStatus]
