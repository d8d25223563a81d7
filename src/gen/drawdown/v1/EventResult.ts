// Original file: proto/drawdown/v1/usage_service.proto

import type { EventOutcome as _drawdown_v1_EventOutcome, EventOutcome__Output as _drawdown_v1_EventOutcome__Output } from '../../drawdown/v1/EventOutcome.js';
import type { Reason as _drawdown_v1_Reason, Reason__Output as _drawdown_v1_Reason__Output } from '../../drawdown/v1/Reason.js';
import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface EventResult {
  'outcome'?: (_drawdown_v1_EventOutcome);
  'reason'?: (_drawdown_v1_Reason);
  'unit'?: (_drawdown_v1_Unit);
  'charged'?: (number | string | Long);
  'overdrawn'?: (number | string | Long);
  'available'?: (number | string | Long);
  'unrated'?: (boolean);
  'message'?: (string);
  'converted'?: (number | string | Long);
}

export interface EventResult__Output {
  'outcome': (_drawdown_v1_EventOutcome__Output);
  'reason': (_drawdown_v1_Reason__Output);
  'unit': (_drawdown_v1_Unit__Output);
  'charged': (string);
  'overdrawn': (string);
  'available': (string);
  'unrated': (boolean);
  'message': (string);
  'converted': (string);
}
