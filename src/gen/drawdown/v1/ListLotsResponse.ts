// Original file: proto/drawdown/v1/account_service.proto

import type { Lot as _drawdown_v1_Lot, Lot__Output as _drawdown_v1_Lot__Output } from '../../drawdown/v1/Lot.js';

export interface ListLotsResponse {
  'lots'?: (_drawdown_v1_Lot)[];
  'nextPageToken'?: (string);
}

export interface ListLotsResponse__Output {
  'lots': (_drawdown_v1_Lot__Output)[];
  'nextPageToken': (string);
}
