// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface StatementUse {
  'unit'?: (_drawdown_v1_Unit);
  'meter'?: (string);
  'model'?: (string);
  'agentId'?: (string);
  'count'?: (number | string | Long);
  'spent'?: (number | string | Long);
  'debt'?: (number | string | Long);
  'unrated'?: (number | string | Long);
  'quantities'?: ({[key: string]: number | string | Long});
}

export interface StatementUse__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'meter': (string);
  'model': (string);
  'agentId': (string);
  'count': (string);
  'spent': (string);
  'debt': (string);
  'unrated': (string);
  'quantities': ({[key: string]: string});
}
