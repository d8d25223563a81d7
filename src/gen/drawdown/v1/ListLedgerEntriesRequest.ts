// Original file: proto/drawdown/v1/account_service.proto

import type { LedgerOrder as _drawdown_v1_LedgerOrder, LedgerOrder__Output as _drawdown_v1_LedgerOrder__Output } from '../../drawdown/v1/LedgerOrder.js';
import type { EntryKind as _drawdown_v1_EntryKind, EntryKind__Output as _drawdown_v1_EntryKind__Output } from '../../drawdown/v1/EntryKind.js';
import type { Long } from '@grpc/proto-loader';

export interface ListLedgerEntriesRequest {
  'accountId'?: (string);
  'order'?: (_drawdown_v1_LedgerOrder);
  'fromTimeMs'?: (number | string | Long);
  'toTimeMs'?: (number | string | Long);
  'kinds'?: (_drawdown_v1_EntryKind)[];
  'agentId'?: (string);
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface ListLedgerEntriesRequest__Output {
  'accountId': (string);
  'order': (_drawdown_v1_LedgerOrder__Output);
  'fromTimeMs': (string);
  'toTimeMs': (string);
  'kinds': (_drawdown_v1_EntryKind__Output)[];
  'agentId': (string);
  'pageSize': (number);
  'pageToken': (string);
}
