// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface DurableWatermark {
  'durableThrough'?: (number | string | Long);
}

export interface DurableWatermark__Output {
  'durableThrough': (string);
}
