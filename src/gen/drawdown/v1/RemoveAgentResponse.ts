// Original file: proto/drawdown/v1/agent_service.proto

import type { AgentState as _drawdown_v1_AgentState, AgentState__Output as _drawdown_v1_AgentState__Output } from '../../drawdown/v1/AgentState.js';

export interface RemoveAgentResponse {
  'state'?: (_drawdown_v1_AgentState);
  'duplicate'?: (boolean);
}

export interface RemoveAgentResponse__Output {
  'state': (_drawdown_v1_AgentState__Output);
  'duplicate': (boolean);
}
