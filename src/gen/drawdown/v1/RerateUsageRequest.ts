// Original file: proto/drawdown/v1/account_service.proto

import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface RerateUsageRequest {
  'accountId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'fromTimeMs'?: (number | string | Long);
  'toTimeMs'?: (number | string | Long);
  'limit'?: (number);
  'cursor'?: (string);
  'ackLevel'?: (_drawdown_v1_AckLevel);
}

export interface RerateUsageRequest__Output {
  'accountId': (string);
  'meter': (string);
  'model': (string);
  'fromTimeMs': (string);
  'toTimeMs': (string);
  'limit': (number);
  'cursor': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
}
