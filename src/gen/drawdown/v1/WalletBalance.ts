// Original file: proto/drawdown/v1/types.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface WalletBalance {
  'unit'?: (_drawdown_v1_Unit);
  'available'?: (number | string | Long);
  'held'?: (number | string | Long);
  'debt'?: (number | string | Long);
}

export interface WalletBalance__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'available': (string);
  'held': (string);
  'debt': (string);
}
