// Original file: proto/drawdown/v1/account_service.proto

export const CrossingDirection = {
  CROSSING_DIRECTION_UNSPECIFIED: 'CROSSING_DIRECTION_UNSPECIFIED',
  CROSSING_DIRECTION_DOWN: 'CROSSING_DIRECTION_DOWN',
  CROSSING_DIRECTION_UP: 'CROSSING_DIRECTION_UP',
} as const;

export type CrossingDirection =
  | 'CROSSING_DIRECTION_UNSPECIFIED'
  | 0
  | 'CROSSING_DIRECTION_DOWN'
  | 1
  | 'CROSSING_DIRECTION_UP'
  | 2

export type CrossingDirection__Output = typeof CrossingDirection[keyof typeof CrossingDirection]
