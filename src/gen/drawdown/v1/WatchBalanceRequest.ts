// Original file: proto/drawdown/v1/account_service.proto

import type { WatchedAccount as _drawdown_v1_WatchedAccount, WatchedAccount__Output as _drawdown_v1_WatchedAccount__Output } from '../../drawdown/v1/WatchedAccount.js';
import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';

export interface WatchBalanceRequest {
  'accounts'?: (_drawdown_v1_WatchedAccount)[];
  'thresholds'?: (_drawdown_v1_Amount)[];
}

export interface WatchBalanceRequest__Output {
  'accounts': (_drawdown_v1_WatchedAccount__Output)[];
  'thresholds': (_drawdown_v1_Amount__Output)[];
}
