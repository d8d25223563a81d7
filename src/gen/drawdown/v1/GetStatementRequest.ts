// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface GetStatementRequest {
  'accountId'?: (string);
  'fromTimeMs'?: (number | string | Long);
  'toTimeMs'?: (number | string | Long);
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface GetStatementRequest__Output {
  'accountId': (string);
  'fromTimeMs': (string);
  'toTimeMs': (string);
  'pageSize': (number);
  'pageToken': (string);
}
