// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface ConvertCreditsRequest {
  'requestId'?: (string);
  'accountId'?: (string);
  'unit'?: (_drawdown_v1_Unit);
  'credits'?: (number | string | Long);
  'units'?: (number | string | Long);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
  'wish'?: "credits"|"units";
}

export interface ConvertCreditsRequest__Output {
  'requestId': (string);
  'accountId': (string);
  'unit': (_drawdown_v1_Unit__Output);
  'credits'?: (string);
  'units'?: (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
  'wish'?: "credits"|"units";
}
