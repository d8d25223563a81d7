// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { LotSource as _drawdown_v1_LotSource, LotSource__Output as _drawdown_v1_LotSource__Output } from '../../drawdown/v1/LotSource.js';
import type { Long } from '@grpc/proto-loader';

export interface Lot {
  'lotId'?: (number | string | Long);
  'unit'?: (_drawdown_v1_Unit);
  'source'?: (_drawdown_v1_LotSource);
  'priority'?: (number);
  'expiresAtMs'?: (number | string | Long);
  'remaining'?: (number | string | Long);
  'held'?: (number | string | Long);
  'agentId'?: (string);
}

export interface Lot__Output {
  'lotId': (string);
  'unit': (_drawdown_v1_Unit__Output);
  'source': (_drawdown_v1_LotSource__Output);
  'priority': (number);
  'expiresAtMs': (string);
  'remaining': (string);
  'held': (string);
  'agentId': (string);
}
