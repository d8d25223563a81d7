// Original file: proto/drawdown/v1/agent_service.proto

import type { Verdict as _drawdown_v1_Verdict, Verdict__Output as _drawdown_v1_Verdict__Output } from '../../drawdown/v1/Verdict.js';
import type { Reason as _drawdown_v1_Reason, Reason__Output as _drawdown_v1_Reason__Output } from '../../drawdown/v1/Reason.js';
import type { AgentState as _drawdown_v1_AgentState, AgentState__Output as _drawdown_v1_AgentState__Output } from '../../drawdown/v1/AgentState.js';
import type { Long } from '@grpc/proto-loader';

export interface ActivateAgentResponse {
  'verdict'?: (_drawdown_v1_Verdict);
  'reason'?: (_drawdown_v1_Reason);
  'state'?: (_drawdown_v1_AgentState);
  'cycleStartTimeMs'?: (number | string | Long);
  'cycleEndTimeMs'?: (number | string | Long);
  'cost'?: (number | string | Long);
  'available'?: (number | string | Long);
  'missing'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface ActivateAgentResponse__Output {
  'verdict': (_drawdown_v1_Verdict__Output);
  'reason': (_drawdown_v1_Reason__Output);
  'state': (_drawdown_v1_AgentState__Output);
  'cycleStartTimeMs': (string);
  'cycleEndTimeMs': (string);
  'cost': (string);
  'available': (string);
  'missing': (string);
  'duplicate': (boolean);
}
