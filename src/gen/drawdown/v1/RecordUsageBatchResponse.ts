// Original file: proto/drawdown/v1/usage_service.proto

import type { EventResult as _drawdown_v1_EventResult, EventResult__Output as _drawdown_v1_EventResult__Output } from '../../drawdown/v1/EventResult.js';

export interface RecordUsageBatchResponse {
  'results'?: (_drawdown_v1_EventResult)[];
}

export interface RecordUsageBatchResponse__Output {
  'results': (_drawdown_v1_EventResult__Output)[];
}
