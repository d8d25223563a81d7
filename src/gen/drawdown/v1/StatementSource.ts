// Original file: proto/drawdown/v1/account_service.proto

import type { LotSource as _drawdown_v1_LotSource, LotSource__Output as _drawdown_v1_LotSource__Output } from '../../drawdown/v1/LotSource.js';
import type { Long } from '@grpc/proto-loader';

export interface StatementSource {
  'source'?: (_drawdown_v1_LotSource);
  'count'?: (number | string | Long);
  'granted'?: (number | string | Long);
}

export interface StatementSource__Output {
  'source': (_drawdown_v1_LotSource__Output);
  'count': (string);
  'granted': (string);
}
