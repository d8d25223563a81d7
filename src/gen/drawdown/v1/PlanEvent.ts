// Original file: proto/drawdown/v1/account_service.proto

export const PlanEvent = {
  PLAN_EVENT_UNSPECIFIED: 'PLAN_EVENT_UNSPECIFIED',
  PLAN_EVENT_CHANGED: 'PLAN_EVENT_CHANGED',
  PLAN_EVENT_SCHEDULED: 'PLAN_EVENT_SCHEDULED',
  PLAN_EVENT_PERIOD_STORED: 'PLAN_EVENT_PERIOD_STORED',
  PLAN_EVENT_WITHDRAWN: 'PLAN_EVENT_WITHDRAWN',
} as const;

export type PlanEvent =
  | 'PLAN_EVENT_UNSPECIFIED'
  | 0
  | 'PLAN_EVENT_CHANGED'
  | 1
  | 'PLAN_EVENT_SCHEDULED'
  | 2
  | 'PLAN_EVENT_PERIOD_STORED'
  | 3
  | 'PLAN_EVENT_WITHDRAWN'
  | 4

export type PlanEvent__Output = typeof PlanEvent[keyof typeof PlanEvent]
