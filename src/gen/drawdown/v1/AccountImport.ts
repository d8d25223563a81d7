// Original file: proto/drawdown/v1/account_service.proto

import type { OpeningLot as _drawdown_v1_OpeningLot, OpeningLot__Output as _drawdown_v1_OpeningLot__Output } from '../../drawdown/v1/OpeningLot.js';
import type { Long } from '@grpc/proto-loader';

export interface AccountImport {
  'lots'?: (_drawdown_v1_OpeningLot)[];
  'periodStartTimeMs'?: (number | string | Long);
  'periodEndTimeMs'?: (number | string | Long);
}

export interface AccountImport__Output {
  'lots': (_drawdown_v1_OpeningLot__Output)[];
  'periodStartTimeMs': (string);
  'periodEndTimeMs': (string);
}
