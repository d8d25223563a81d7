// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface SessionSettle {
  'session'?: (number);
  'quantities'?: ({[key: string]: number | string | Long});
  'eventTimeMs'?: (number | string | Long);
}

export interface SessionSettle__Output {
  'session': (number);
  'quantities': ({[key: string]: string});
  'eventTimeMs': (string);
}
