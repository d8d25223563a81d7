// Original file: proto/drawdown/v1/usage_service.proto

import type { Long } from '@grpc/proto-loader';

export interface SessionOpen {
  'session'?: (number);
  'sessionId'?: (string);
  'accountId'?: (string);
  'agentId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'startTimeMs'?: (number | string | Long);
  'known'?: ({[key: string]: number | string | Long});
  'counted'?: (string)[];
  'expectedMax'?: (number | string | Long);
  'whole'?: (boolean);
  'generation'?: (number);
}

export interface SessionOpen__Output {
  'session': (number);
  'sessionId': (string);
  'accountId': (string);
  'agentId': (string);
  'meter': (string);
  'model': (string);
  'startTimeMs': (string);
  'known': ({[key: string]: string});
  'counted': (string)[];
  'expectedMax': (string);
  'whole': (boolean);
  'generation': (number);
}
