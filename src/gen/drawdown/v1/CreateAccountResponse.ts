// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface CreateAccountResponse {
  'accountId'?: (string);
  'createdTimeMs'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface CreateAccountResponse__Output {
  'accountId': (string);
  'createdTimeMs': (string);
  'duplicate': (boolean);
}
