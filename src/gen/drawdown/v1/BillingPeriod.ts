// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface BillingPeriod {
  'plan'?: (string);
  'startTimeMs'?: (number | string | Long);
  'endTimeMs'?: (number | string | Long);
}

export interface BillingPeriod__Output {
  'plan': (string);
  'startTimeMs': (string);
  'endTimeMs': (string);
}
