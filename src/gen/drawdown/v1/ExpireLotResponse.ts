// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface ExpireLotResponse {
  'lotId'?: (number | string | Long);
  'unit'?: (_drawdown_v1_Unit);
  'expired'?: (number | string | Long);
  'available'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface ExpireLotResponse__Output {
  'lotId': (string);
  'unit': (_drawdown_v1_Unit__Output);
  'expired': (string);
  'available': (string);
  'duplicate': (boolean);
}
