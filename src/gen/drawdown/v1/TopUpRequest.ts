// Original file: proto/drawdown/v1/account_service.proto

import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';
import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface TopUpRequest {
  'requestId'?: (string);
  'accountId'?: (string);
  'amount'?: (_drawdown_v1_Amount | null);
  'expiresAtMs'?: (number | string | Long);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
}

export interface TopUpRequest__Output {
  'requestId': (string);
  'accountId': (string);
  'amount': (_drawdown_v1_Amount__Output | null);
  'expiresAtMs': (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
}
