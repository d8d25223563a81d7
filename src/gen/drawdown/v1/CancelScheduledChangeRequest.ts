// Original file: proto/drawdown/v1/account_service.proto

import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface CancelScheduledChangeRequest {
  'requestId'?: (string);
  'accountId'?: (string);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
}

export interface CancelScheduledChangeRequest__Output {
  'requestId': (string);
  'accountId': (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
}
