// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface LedgerPosition {
  'partition'?: (number);
  'epoch'?: (number);
  'seq'?: (number | string | Long);
}

export interface LedgerPosition__Output {
  'partition': (number);
  'epoch': (number);
  'seq': (string);
}
