// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface WatchedAccount {
  'accountId'?: (string);
  'cursor'?: (number | string | Long);
}

export interface WatchedAccount__Output {
  'accountId': (string);
  'cursor': (string);
}
