// Original file: proto/drawdown/v1/usage_service.proto

import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface ReleaseRequest {
  'holdId'?: (string);
  'accountId'?: (string);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
  'generation'?: (number);
}

export interface ReleaseRequest__Output {
  'holdId': (string);
  'accountId': (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
  'generation': (number);
}
