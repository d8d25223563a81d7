// Original file: proto/drawdown/v1/types.proto

export const Verdict = {
  VERDICT_UNSPECIFIED: 'VERDICT_UNSPECIFIED',
  VERDICT_ALLOWED: 'VERDICT_ALLOWED',
  VERDICT_DENIED: 'VERDICT_DENIED',
} as const;

export type Verdict =
  | 'VERDICT_UNSPECIFIED'
  | 0
  | 'VERDICT_ALLOWED'
  | 1
  | 'VERDICT_DENIED'
  | 2

export type Verdict__Output = typeof Verdict[keyof typeof Verdict]
