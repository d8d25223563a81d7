// Original file: proto/drawdown/v1/usage_service.proto

import type { UsageEvent as _drawdown_v1_UsageEvent, UsageEvent__Output as _drawdown_v1_UsageEvent__Output } from '../../drawdown/v1/UsageEvent.js';
import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';

export interface RecordUsageBatchRequest {
  'events'?: (_drawdown_v1_UsageEvent)[];
  'ackLevel'?: (_drawdown_v1_AckLevel);
}

export interface RecordUsageBatchRequest__Output {
  'events': (_drawdown_v1_UsageEvent__Output)[];
  'ackLevel': (_drawdown_v1_AckLevel__Output);
}
