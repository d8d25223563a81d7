// Original file: proto/drawdown/v1/usage_service.proto

import type { UsageEvent as _drawdown_v1_UsageEvent, UsageEvent__Output as _drawdown_v1_UsageEvent__Output } from '../../drawdown/v1/UsageEvent.js';
import type { Long } from '@grpc/proto-loader';

export interface RecordUsageRequest {
  'batchNumber'?: (number | string | Long);
  'events'?: (_drawdown_v1_UsageEvent)[];
}

export interface RecordUsageRequest__Output {
  'batchNumber': (string);
  'events': (_drawdown_v1_UsageEvent__Output)[];
}
