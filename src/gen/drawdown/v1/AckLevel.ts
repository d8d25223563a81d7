// Original file: proto/drawdown/v1/types.proto

export const AckLevel = {
  ACK_LEVEL_UNSPECIFIED: 'ACK_LEVEL_UNSPECIFIED',
  ACK_LEVEL_APPLIED: 'ACK_LEVEL_APPLIED',
  ACK_LEVEL_DURABLE: 'ACK_LEVEL_DURABLE',
} as const;

export type AckLevel =
  | 'ACK_LEVEL_UNSPECIFIED'
  | 0
  | 'ACK_LEVEL_APPLIED'
  | 1
  | 'ACK_LEVEL_DURABLE'
  | 2

export type AckLevel__Output = typeof AckLevel[keyof typeof AckLevel]
