// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { CrossingDirection as _drawdown_v1_CrossingDirection, CrossingDirection__Output as _drawdown_v1_CrossingDirection__Output } from '../../drawdown/v1/CrossingDirection.js';
import type { Long } from '@grpc/proto-loader';

export interface ThresholdCrossing {
  'unit'?: (_drawdown_v1_Unit);
  'threshold'?: (number | string | Long);
  'direction'?: (_drawdown_v1_CrossingDirection);
  'available'?: (number | string | Long);
  'accountSeq'?: (number | string | Long);
  'bookedTimeMs'?: (number | string | Long);
}

export interface ThresholdCrossing__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'threshold': (string);
  'direction': (_drawdown_v1_CrossingDirection__Output);
  'available': (string);
  'accountSeq': (string);
  'bookedTimeMs': (string);
}
