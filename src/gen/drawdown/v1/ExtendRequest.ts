// Original file: proto/drawdown/v1/usage_service.proto

import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface ExtendRequest {
  'extendId'?: (string);
  'accountId'?: (string);
  'holdId'?: (string);
  'addAmount'?: (number | string | Long);
  'holdTimeMs'?: (number | string | Long);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
}

export interface ExtendRequest__Output {
  'extendId': (string);
  'accountId': (string);
  'holdId': (string);
  'addAmount': (string);
  'holdTimeMs': (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
}
