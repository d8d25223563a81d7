// Original file: proto/drawdown/v1/usage_service.proto

import type { Reason as _drawdown_v1_Reason, Reason__Output as _drawdown_v1_Reason__Output } from '../../drawdown/v1/Reason.js';
import type { Long } from '@grpc/proto-loader';

export interface SessionStop {
  'session'?: (number);
  'reason'?: (_drawdown_v1_Reason);
  'allowedThrough'?: (number | string | Long);
}

export interface SessionStop__Output {
  'session': (number);
  'reason': (_drawdown_v1_Reason__Output);
  'allowedThrough': (string);
}
