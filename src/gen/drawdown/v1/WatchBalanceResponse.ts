// Original file: proto/drawdown/v1/account_service.proto

import type { BalanceUpdate as _drawdown_v1_BalanceUpdate, BalanceUpdate__Output as _drawdown_v1_BalanceUpdate__Output } from '../../drawdown/v1/BalanceUpdate.js';
import type { DrainNotice as _drawdown_v1_DrainNotice, DrainNotice__Output as _drawdown_v1_DrainNotice__Output } from '../../drawdown/v1/DrainNotice.js';

export interface WatchBalanceResponse {
  'balance'?: (_drawdown_v1_BalanceUpdate | null);
  'drain'?: (_drawdown_v1_DrainNotice | null);
  'message'?: "balance"|"drain";
}

export interface WatchBalanceResponse__Output {
  'balance'?: (_drawdown_v1_BalanceUpdate__Output | null);
  'drain'?: (_drawdown_v1_DrainNotice__Output | null);
  'message'?: "balance"|"drain";
}
