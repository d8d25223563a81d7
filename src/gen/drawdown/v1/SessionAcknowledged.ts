// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface SessionAcknowledged {
  'session'?: (number);
  'counts'?: (number | string | Long)[];
  'allowedThrough'?: (number | string | Long);
}

export interface SessionAcknowledged__Output {
  'session': (number);
  'counts': (string)[];
  'allowedThrough': (string);
}
