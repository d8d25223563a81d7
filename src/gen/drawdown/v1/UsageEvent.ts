// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface UsageEvent {
  'eventId'?: (string);
  'accountId'?: (string);
  'agentId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'quantities'?: ({[key: string]: number | string | Long});
  'eventTimeMs'?: (number | string | Long);
}

export interface UsageEvent__Output {
  'eventId': (string);
  'accountId': (string);
  'agentId': (string);
  'meter': (string);
  'model': (string);
  'quantities': ({[key: string]: string});
  'eventTimeMs': (string);
}
