// Original file: proto/drawdown/v1/agent_service.proto

export const AgentState = {
  AGENT_STATE_UNSPECIFIED: 'AGENT_STATE_UNSPECIFIED',
  AGENT_STATE_ACTIVE: 'AGENT_STATE_ACTIVE',
  AGENT_STATE_SUSPENDED: 'AGENT_STATE_SUSPENDED',
  AGENT_STATE_REMOVED: 'AGENT_STATE_REMOVED',
} as const;

export type AgentState =
  | 'AGENT_STATE_UNSPECIFIED'
  | 0
  | 'AGENT_STATE_ACTIVE'
  | 1
  | 'AGENT_STATE_SUSPENDED'
  | 2
  | 'AGENT_STATE_REMOVED'
  | 3

export type AgentState__Output = typeof AgentState[keyof typeof AgentState]
