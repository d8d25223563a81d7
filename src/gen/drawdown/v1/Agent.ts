// Original file: proto/drawdown/v1/agent_service.proto

import type { AgentState as _drawdown_v1_AgentState, AgentState__Output as _drawdown_v1_AgentState__Output } from '../../drawdown/v1/AgentState.js';
import type { Long } from '@grpc/proto-loader';

export interface Agent {
  'agentId'?: (string);
  'state'?: (_drawdown_v1_AgentState);
  'tier'?: (string);
  'cycleStartTimeMs'?: (number | string | Long);
  'cycleEndTimeMs'?: (number | string | Long);
  'graceEndTimeMs'?: (number | string | Long);
  'renewalCost'?: (number | string | Long);
  'cycleCredits'?: (number | string | Long);
  'ownAvailable'?: (number | string | Long);
  'ownHeld'?: (number | string | Long);
  'drawsOnAccount'?: (boolean);
}

export interface Agent__Output {
  'agentId': (string);
  'state': (_drawdown_v1_AgentState__Output);
  'tier': (string);
  'cycleStartTimeMs': (string);
  'cycleEndTimeMs': (string);
  'graceEndTimeMs': (string);
  'renewalCost': (string);
  'cycleCredits': (string);
  'ownAvailable': (string);
  'ownHeld': (string);
  'drawsOnAccount': (boolean);
}
