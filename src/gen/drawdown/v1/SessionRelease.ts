// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface SessionRelease {
  'session'?: (number);
  'eventTimeMs'?: (number | string | Long);
}

export interface SessionRelease__Output {
  'session': (number);
  'eventTimeMs': (string);
}
