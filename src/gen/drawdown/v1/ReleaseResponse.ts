// Original file: proto/drawdown/v1/usage_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface ReleaseResponse {
  'unit'?: (_drawdown_v1_Unit);
  'released'?: (number | string | Long);
  'available'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface ReleaseResponse__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'released': (string);
  'available': (string);
  'duplicate': (boolean);
}
