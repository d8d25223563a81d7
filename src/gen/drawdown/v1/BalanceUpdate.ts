// Original file: proto/drawdown/v1/account_service.proto

import type { WalletBalance as _drawdown_v1_WalletBalance, WalletBalance__Output as _drawdown_v1_WalletBalance__Output } from '../../drawdown/v1/WalletBalance.js';
import type { ThresholdCrossing as _drawdown_v1_ThresholdCrossing, ThresholdCrossing__Output as _drawdown_v1_ThresholdCrossing__Output } from '../../drawdown/v1/ThresholdCrossing.js';
import type { Long } from '@grpc/proto-loader';

export interface BalanceUpdate {
  'accountId'?: (string);
  'cursor'?: (number | string | Long);
  'balances'?: (_drawdown_v1_WalletBalance)[];
  'crossings'?: (_drawdown_v1_ThresholdCrossing)[];
}

export interface BalanceUpdate__Output {
  'accountId': (string);
  'cursor': (string);
  'balances': (_drawdown_v1_WalletBalance__Output)[];
  'crossings': (_drawdown_v1_ThresholdCrossing__Output)[];
}
