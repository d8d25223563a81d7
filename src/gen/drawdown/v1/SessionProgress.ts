// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface SessionProgress {
  'session'?: (number);
  'counts'?: (number | string | Long)[];
}

export interface SessionProgress__Output {
  'session': (number);
  'counts': (string)[];
}
