// Original file: proto/drawdown/v1/account_service.proto

import type { Long } from '@grpc/proto-loader';

export interface LotChange {
  'lotId'?: (number | string | Long);
  'remainingDelta'?: (number | string | Long);
}

export interface LotChange__Output {
  'lotId': (string);
  'remainingDelta': (string);
}
