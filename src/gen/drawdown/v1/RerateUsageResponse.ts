// Original file: proto/drawdown/v1/account_service.proto

import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';
import type { Long } from '@grpc/proto-loader';

export interface RerateUsageResponse {
  'lookedAt'?: (number | string | Long);
  'rerated'?: (number | string | Long);
  'leftUnrated'?: (number | string | Long);
  'charged'?: (_drawdown_v1_Amount)[];
  'overdrawn'?: (_drawdown_v1_Amount)[];
  'catalogVersion'?: (number);
  'nextCursor'?: (string);
}

export interface RerateUsageResponse__Output {
  'lookedAt': (string);
  'rerated': (string);
  'leftUnrated': (string);
  'charged': (_drawdown_v1_Amount__Output)[];
  'overdrawn': (_drawdown_v1_Amount__Output)[];
  'catalogVersion': (number);
  'nextCursor': (string);
}
