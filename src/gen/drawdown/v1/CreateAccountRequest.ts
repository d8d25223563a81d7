// Original file: proto/drawdown/v1/account_service.proto

import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { AccountImport as _drawdown_v1_AccountImport, AccountImport__Output as _drawdown_v1_AccountImport__Output } from '../../drawdown/v1/AccountImport.js';
import type { Long } from '@grpc/proto-loader';

export interface CreateAccountRequest {
  'requestId'?: (string);
  'accountId'?: (string);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
  'plan'?: (string);
  'imported'?: (_drawdown_v1_AccountImport | null);
}

export interface CreateAccountRequest__Output {
  'requestId': (string);
  'accountId': (string);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
  'plan': (string);
  'imported': (_drawdown_v1_AccountImport__Output | null);
}
