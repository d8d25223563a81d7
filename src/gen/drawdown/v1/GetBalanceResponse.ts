// Original file: proto/drawdown/v1/account_service.proto

import type { AccountStatus as _drawdown_v1_AccountStatus, AccountStatus__Output as _drawdown_v1_AccountStatus__Output } from '../../drawdown/v1/AccountStatus.js';
import type { WalletBalance as _drawdown_v1_WalletBalance, WalletBalance__Output as _drawdown_v1_WalletBalance__Output } from '../../drawdown/v1/WalletBalance.js';
import type { BillingPeriod as _drawdown_v1_BillingPeriod, BillingPeriod__Output as _drawdown_v1_BillingPeriod__Output } from '../../drawdown/v1/BillingPeriod.js';
import type { ScheduledChange as _drawdown_v1_ScheduledChange, ScheduledChange__Output as _drawdown_v1_ScheduledChange__Output } from '../../drawdown/v1/ScheduledChange.js';
import type { AgentCredits as _drawdown_v1_AgentCredits, AgentCredits__Output as _drawdown_v1_AgentCredits__Output } from '../../drawdown/v1/AgentCredits.js';
import type { Long } from '@grpc/proto-loader';

export interface GetBalanceResponse {
  'accountId'?: (string);
  'status'?: (_drawdown_v1_AccountStatus);
  'balances'?: (_drawdown_v1_WalletBalance)[];
  'openHolds'?: (number | string | Long);
  'plan'?: (string);
  'period'?: (_drawdown_v1_BillingPeriod | null);
  'nextPeriod'?: (_drawdown_v1_BillingPeriod | null);
  'scheduledChange'?: (_drawdown_v1_ScheduledChange | null);
  'agentCredits'?: (_drawdown_v1_AgentCredits)[];
}

export interface GetBalanceResponse__Output {
  'accountId': (string);
  'status': (_drawdown_v1_AccountStatus__Output);
  'balances': (_drawdown_v1_WalletBalance__Output)[];
  'openHolds': (string);
  'plan': (string);
  'period': (_drawdown_v1_BillingPeriod__Output | null);
  'nextPeriod': (_drawdown_v1_BillingPeriod__Output | null);
  'scheduledChange': (_drawdown_v1_ScheduledChange__Output | null);
  'agentCredits': (_drawdown_v1_AgentCredits__Output)[];
}
