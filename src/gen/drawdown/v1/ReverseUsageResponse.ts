// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface ReverseUsageResponse {
  'unit'?: (_drawdown_v1_Unit);
  'reversed'?: (number | string | Long);
  'debtPaid'?: (number | string | Long);
  'available'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface ReverseUsageResponse__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'reversed': (string);
  'debtPaid': (string);
  'available': (string);
  'duplicate': (boolean);
}
