// Original file: proto/drawdown/v1/account_service.proto

export const LotSource = {
  LOT_SOURCE_UNSPECIFIED: 'LOT_SOURCE_UNSPECIFIED',
  LOT_SOURCE_FREE: 'LOT_SOURCE_FREE',
  LOT_SOURCE_PLAN: 'LOT_SOURCE_PLAN',
  LOT_SOURCE_TOP_UP: 'LOT_SOURCE_TOP_UP',
  LOT_SOURCE_CONVERSION: 'LOT_SOURCE_CONVERSION',
  LOT_SOURCE_AGENT_CYCLE: 'LOT_SOURCE_AGENT_CYCLE',
  LOT_SOURCE_CORRECTION: 'LOT_SOURCE_CORRECTION',
} as const;

export type LotSource =
  | 'LOT_SOURCE_UNSPECIFIED'
  | 0
  | 'LOT_SOURCE_FREE'
  | 1
  | 'LOT_SOURCE_PLAN'
  | 2
  | 'LOT_SOURCE_TOP_UP'
  | 3
  | 'LOT_SOURCE_CONVERSION'
  | 4
  | 'LOT_SOURCE_AGENT_CYCLE'
  | 5
  | 'LOT_SOURCE_CORRECTION'
  | 6

export type LotSource__Output = typeof LotSource[keyof typeof LotSource]
