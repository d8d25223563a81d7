// Original file: proto/drawdown/v1/types.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface Amount {
  'unit'?: (_drawdown_v1_Unit);
  'value'?: (number | string | Long);
}

export interface Amount__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'value': (string);
}
