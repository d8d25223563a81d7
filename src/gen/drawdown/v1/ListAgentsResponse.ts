// Original file: proto/drawdown/v1/agent_service.proto

import type { Agent as _drawdown_v1_Agent, Agent__Output as _drawdown_v1_Agent__Output } from '../../drawdown/v1/Agent.js';

export interface ListAgentsResponse {
  'agents'?: (_drawdown_v1_Agent)[];
  'nextPageToken'?: (string);
}

export interface ListAgentsResponse__Output {
  'agents': (_drawdown_v1_Agent__Output)[];
  'nextPageToken': (string);
}
