// Original file: proto/drawdown/v1/account_service.proto

import type { EntryKind as _drawdown_v1_EntryKind, EntryKind__Output as _drawdown_v1_EntryKind__Output } from '../../drawdown/v1/EntryKind.js';
import type { Long } from '@grpc/proto-loader';

export interface StatementCorrection {
  'kind'?: (_drawdown_v1_EntryKind);
  'count'?: (number | string | Long);
  'spent'?: (number | string | Long);
}

export interface StatementCorrection__Output {
  'kind': (_drawdown_v1_EntryKind__Output);
  'count': (string);
  'spent': (string);
}
