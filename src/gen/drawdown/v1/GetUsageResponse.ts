// Original file: proto/drawdown/v1/usage_service.proto

import type { UsageState as _drawdown_v1_UsageState, UsageState__Output as _drawdown_v1_UsageState__Output } from '../../drawdown/v1/UsageState.js';
import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface GetUsageResponse {
  'state'?: (_drawdown_v1_UsageState);
  'unit'?: (_drawdown_v1_Unit);
  'charged'?: (number | string | Long);
  'overdrawn'?: (number | string | Long);
  'held'?: (number | string | Long);
  'deadlineMs'?: (number | string | Long);
  'durable'?: (boolean);
  'converted'?: (number | string | Long);
}

export interface GetUsageResponse__Output {
  'state': (_drawdown_v1_UsageState__Output);
  'unit': (_drawdown_v1_Unit__Output);
  'charged': (string);
  'overdrawn': (string);
  'held': (string);
  'deadlineMs': (string);
  'durable': (boolean);
  'converted': (string);
}
