// Original file: proto/drawdown/v1/agent_service.proto

import type { Agent as _drawdown_v1_Agent, Agent__Output as _drawdown_v1_Agent__Output } from '../../drawdown/v1/Agent.js';

export interface GetAgentResponse {
  'agent'?: (_drawdown_v1_Agent | null);
}

export interface GetAgentResponse__Output {
  'agent': (_drawdown_v1_Agent__Output | null);
}
