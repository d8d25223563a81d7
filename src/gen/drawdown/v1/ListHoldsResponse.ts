// Original file: proto/drawdown/v1/account_service.proto

import type { Hold as _drawdown_v1_Hold, Hold__Output as _drawdown_v1_Hold__Output } from '../../drawdown/v1/Hold.js';

export interface ListHoldsResponse {
  'holds'?: (_drawdown_v1_Hold)[];
  'nextPageToken'?: (string);
}

export interface ListHoldsResponse__Output {
  'holds': (_drawdown_v1_Hold__Output)[];
  'nextPageToken': (string);
}
