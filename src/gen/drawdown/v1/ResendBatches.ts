// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface ResendBatches {
  'batchNumbers'?: (number | string | Long)[];
}

export interface ResendBatches__Output {
  'batchNumbers': (string)[];
}
