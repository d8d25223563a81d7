// Original file: proto/drawdown/v1/agent_service.proto

import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface SuspendAgentRequest {
  'requestId'?: (string);
  'accountId'?: (string);
  'agentId'?: (string);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
}

export interface SuspendAgentRequest__Output {
  'requestId': (string);
  'accountId': (string);
  'agentId': (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
}
