// Original file: proto/drawdown/v1/usage_service.proto

import type { EventResult as _drawdown_v1_EventResult, EventResult__Output as _drawdown_v1_EventResult__Output } from '../../drawdown/v1/EventResult.js';
import type { Long } from '@grpc/proto-loader';

export interface BatchApplied {
  'batchNumber'?: (number | string | Long);
  'results'?: (_drawdown_v1_EventResult)[];
}

export interface BatchApplied__Output {
  'batchNumber': (string);
  'results': (_drawdown_v1_EventResult__Output)[];
}
