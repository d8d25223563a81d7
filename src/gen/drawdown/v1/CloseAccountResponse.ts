// Original file: proto/drawdown/v1/account_service.proto

import type { AccountStatus as _drawdown_v1_AccountStatus, AccountStatus__Output as _drawdown_v1_AccountStatus__Output } from '../../drawdown/v1/AccountStatus.js';

export interface CloseAccountResponse {
  'accountId'?: (string);
  'status'?: (_drawdown_v1_AccountStatus);
  'duplicate'?: (boolean);
}

export interface CloseAccountResponse__Output {
  'accountId': (string);
  'status': (_drawdown_v1_AccountStatus__Output);
  'duplicate': (boolean);
}
