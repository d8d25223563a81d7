// Original file: proto/drawdown/v1/usage_service.proto

export const EventOutcome = {
  EVENT_OUTCOME_UNSPECIFIED: 'EVENT_OUTCOME_UNSPECIFIED',
  EVENT_OUTCOME_RECORDED: 'EVENT_OUTCOME_RECORDED',
  EVENT_OUTCOME_DUPLICATE: 'EVENT_OUTCOME_DUPLICATE',
  EVENT_OUTCOME_REFUSED: 'EVENT_OUTCOME_REFUSED',
} as const;

export type EventOutcome =
  | 'EVENT_OUTCOME_UNSPECIFIED'
  | 0
  | 'EVENT_OUTCOME_RECORDED'
  | 1
  | 'EVENT_OUTCOME_DUPLICATE'
  | 2
  | 'EVENT_OUTCOME_REFUSED'
  | 3

export type EventOutcome__Output = typeof EventOutcome[keyof typeof EventOutcome]
