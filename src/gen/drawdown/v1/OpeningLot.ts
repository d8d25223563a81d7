// Original file: proto/drawdown/v1/account_service.proto

import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';
import type { LotSource as _drawdown_v1_LotSource, LotSource__Output as _drawdown_v1_LotSource__Output } from '../../drawdown/v1/LotSource.js';
import type { Long } from '@grpc/proto-loader';

export interface OpeningLot {
  'amount'?: (_drawdown_v1_Amount | null);
  'source'?: (_drawdown_v1_LotSource);
  'expiresAtMs'?: (number | string | Long);
}

export interface OpeningLot__Output {
  'amount': (_drawdown_v1_Amount__Output | null);
  'source': (_drawdown_v1_LotSource__Output);
  'expiresAtMs': (string);
}
