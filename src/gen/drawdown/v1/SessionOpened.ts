// Original file: proto/drawdown/v1/usage_service.proto

import type { Verdict as _drawdown_v1_Verdict, Verdict__Output as _drawdown_v1_Verdict__Output } from '../../drawdown/v1/Verdict.js';
import type { Reason as _drawdown_v1_Reason, Reason__Output as _drawdown_v1_Reason__Output } from '../../drawdown/v1/Reason.js';
import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface SessionOpened {
  'session'?: (number);
  'verdict'?: (_drawdown_v1_Verdict);
  'reason'?: (_drawdown_v1_Reason);
  'allowedThrough'?: (number | string | Long);
  'unit'?: (_drawdown_v1_Unit);
  'held'?: (number | string | Long);
  'available'?: (number | string | Long);
  'missing'?: (number | string | Long);
  'catalogVersion'?: (number);
  'counts'?: (number | string | Long)[];
  'generation'?: (number);
}

export interface SessionOpened__Output {
  'session': (number);
  'verdict': (_drawdown_v1_Verdict__Output);
  'reason': (_drawdown_v1_Reason__Output);
  'allowedThrough': (string);
  'unit': (_drawdown_v1_Unit__Output);
  'held': (string);
  'available': (string);
  'missing': (string);
  'catalogVersion': (number);
  'counts': (string)[];
  'generation': (number);
}
