// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface AgentCredits {
  'agentId'?: (string);
  'available'?: (number | string | Long);
  'held'?: (number | string | Long);
}

export interface AgentCredits__Output {
  'agentId': (string);
  'available': (string);
  'held': (string);
}
