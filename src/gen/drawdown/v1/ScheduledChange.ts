// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface ScheduledChange {
  'plan'?: (string);
  'effectiveTimeMs'?: (number | string | Long);
}

export interface ScheduledChange__Output {
  'plan': (string);
  'effectiveTimeMs': (string);
}
