// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface Hold {
  'holdId'?: (string);
  'agentId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'unit'?: (_drawdown_v1_Unit);
  'held'?: (number | string | Long);
  'startTimeMs'?: (number | string | Long);
  'deadlineMs'?: (number | string | Long);
  'catalogVersion'?: (number);
}

export interface Hold__Output {
  'holdId': (string);
  'agentId': (string);
  'meter': (string);
  'model': (string);
  'unit': (_drawdown_v1_Unit__Output);
  'held': (string);
  'startTimeMs': (string);
  'deadlineMs': (string);
  'catalogVersion': (number);
}
