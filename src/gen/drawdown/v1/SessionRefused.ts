// Original file: proto/drawdown/v1/usage_service.proto

import type { Reason as _drawdown_v1_Reason, Reason__Output as _drawdown_v1_Reason__Output } from '../../drawdown/v1/Reason.js';
import type { Long } from '@grpc/proto-loader';

export interface SessionRefused {
  'session'?: (number);
  'reason'?: (_drawdown_v1_Reason);
  'message'?: (string);
  'retryAfterMs'?: (number | string | Long);
}

export interface SessionRefused__Output {
  'session': (number);
  'reason': (_drawdown_v1_Reason__Output);
  'message': (string);
  'retryAfterMs': (string);
}
