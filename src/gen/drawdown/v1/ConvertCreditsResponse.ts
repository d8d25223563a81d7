// Original file: proto/drawdown/v1/account_service.proto

import type { Verdict as _drawdown_v1_Verdict, Verdict__Output as _drawdown_v1_Verdict__Output } from '../../drawdown/v1/Verdict.js';
import type { Reason as _drawdown_v1_Reason, Reason__Output as _drawdown_v1_Reason__Output } from '../../drawdown/v1/Reason.js';
import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { Long } from '@grpc/proto-loader';

export interface ConvertCreditsResponse {
  'verdict'?: (_drawdown_v1_Verdict);
  'reason'?: (_drawdown_v1_Reason);
  'unit'?: (_drawdown_v1_Unit);
  'converted'?: (number | string | Long);
  'granted'?: (number | string | Long);
  'debtPaid'?: (number | string | Long);
  'lotId'?: (number | string | Long);
  'available'?: (number | string | Long);
  'duplicate'?: (boolean);
  'catalogVersion'?: (number);
  'availableCredits'?: (number | string | Long);
  'missingCredits'?: (number | string | Long);
}

export interface ConvertCreditsResponse__Output {
  'verdict': (_drawdown_v1_Verdict__Output);
  'reason': (_drawdown_v1_Reason__Output);
  'unit': (_drawdown_v1_Unit__Output);
  'converted': (string);
  'granted': (string);
  'debtPaid': (string);
  'lotId': (string);
  'available': (string);
  'duplicate': (boolean);
  'catalogVersion': (number);
  'availableCredits': (string);
  'missingCredits': (string);
}
