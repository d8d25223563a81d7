// Original file: proto/drawdown/v1/account_service.proto

import type { LedgerEntry as _drawdown_v1_LedgerEntry, LedgerEntry__Output as _drawdown_v1_LedgerEntry__Output } from '../../drawdown/v1/LedgerEntry.js';

export interface ListLedgerEntriesResponse {
  'entries'?: (_drawdown_v1_LedgerEntry)[];
  'nextPageToken'?: (string);
}

export interface ListLedgerEntriesResponse__Output {
  'entries': (_drawdown_v1_LedgerEntry__Output)[];
  'nextPageToken': (string);
}
