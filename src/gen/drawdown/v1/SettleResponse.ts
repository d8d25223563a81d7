// Original file: proto/drawdown/v1/usage_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface SettleResponse {
  'unit'?: (_drawdown_v1_Unit);
  'charged'?: (number | string | Long);
  'released'?: (number | string | Long);
  'overdrawn'?: (number | string | Long);
  'available'?: (number | string | Long);
  'late'?: (boolean);
  'holdUnknown'?: (boolean);
  'unrated'?: (boolean);
  'duplicate'?: (boolean);
  'catalogVersion'?: (number);
  'converted'?: (number | string | Long);
  'releasedUnit'?: (_drawdown_v1_Unit);
}

export interface SettleResponse__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'charged': (string);
  'released': (string);
  'overdrawn': (string);
  'available': (string);
  'late': (boolean);
  'holdUnknown': (boolean);
  'unrated': (boolean);
  'duplicate': (boolean);
  'catalogVersion': (number);
  'converted': (string);
  'releasedUnit': (_drawdown_v1_Unit__Output);
}
