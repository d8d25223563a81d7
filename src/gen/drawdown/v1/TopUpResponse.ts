// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface TopUpResponse {
  'lotId'?: (number | string | Long);
  'unit'?: (_drawdown_v1_Unit);
  'granted'?: (number | string | Long);
  'debtPaid'?: (number | string | Long);
  'available'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface TopUpResponse__Output {
  'lotId': (string);
  'unit': (_drawdown_v1_Unit__Output);
  'granted': (string);
  'debtPaid': (string);
  'available': (string);
  'duplicate': (boolean);
}
