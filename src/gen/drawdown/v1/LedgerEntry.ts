// Original file: proto/drawdown/v1/account_service.proto

import type { EntryKind as _drawdown_v1_EntryKind, EntryKind__Output as _drawdown_v1_EntryKind__Output } from '../../drawdown/v1/EntryKind.js';
import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { LotChange as _drawdown_v1_LotChange, LotChange__Output as _drawdown_v1_LotChange__Output } from '../../drawdown/v1/LotChange.js';
import type { WalletBalance as _drawdown_v1_WalletBalance, WalletBalance__Output as _drawdown_v1_WalletBalance__Output } from '../../drawdown/v1/WalletBalance.js';
import type { AccountStatus as _drawdown_v1_AccountStatus, AccountStatus__Output as _drawdown_v1_AccountStatus__Output } from '../../drawdown/v1/AccountStatus.js';
import type { PlanEvent as _drawdown_v1_PlanEvent, PlanEvent__Output as _drawdown_v1_PlanEvent__Output } from '../../drawdown/v1/PlanEvent.js';
import type { AgentEvent as _drawdown_v1_AgentEvent, AgentEvent__Output as _drawdown_v1_AgentEvent__Output } from '../../drawdown/v1/AgentEvent.js';
import type { Long } from '@grpc/proto-loader';

export interface LedgerEntry {
  'accountSeq'?: (number | string | Long);
  'kind'?: (_drawdown_v1_EntryKind);
  'id'?: (string);
  'agentId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'quantities'?: ({[key: string]: number | string | Long});
  'catalogVersion'?: (number);
  'unit'?: (_drawdown_v1_Unit);
  'granted'?: (number | string | Long);
  'spent'?: (number | string | Long);
  'expired'?: (number | string | Long);
  'converted'?: (number | string | Long);
  'debt'?: (number | string | Long);
  'lots'?: (_drawdown_v1_LotChange)[];
  'balanceAfter'?: (_drawdown_v1_WalletBalance | null);
  'flags'?: (string)[];
  'eventTimeMs'?: (number | string | Long);
  'bookedTimeMs'?: (number | string | Long);
  'partition'?: (number);
  'epoch'?: (number);
  'seq'?: (number | string | Long);
  'corrects'?: (string);
  'reasonCode'?: (string);
  'reasonText'?: (string);
  'status'?: (_drawdown_v1_AccountStatus);
  'plan'?: (string);
  'planEvent'?: (_drawdown_v1_PlanEvent);
  'planFromTimeMs'?: (number | string | Long);
  'planToTimeMs'?: (number | string | Long);
  'agentEvent'?: (_drawdown_v1_AgentEvent);
  'agentTier'?: (string);
  'agentFromTimeMs'?: (number | string | Long);
  'agentToTimeMs'?: (number | string | Long);
}

export interface LedgerEntry__Output {
  'accountSeq': (string);
  'kind': (_drawdown_v1_EntryKind__Output);
  'id': (string);
  'agentId': (string);
  'meter': (string);
  'model': (string);
  'quantities': ({[key: string]: string});
  'catalogVersion': (number);
  'unit': (_drawdown_v1_Unit__Output);
  'granted': (string);
  'spent': (string);
  'expired': (string);
  'converted': (string);
  'debt': (string);
  'lots': (_drawdown_v1_LotChange__Output)[];
  'balanceAfter': (_drawdown_v1_WalletBalance__Output | null);
  'flags': (string)[];
  'eventTimeMs': (string);
  'bookedTimeMs': (string);
  'partition': (number);
  'epoch': (number);
  'seq': (string);
  'corrects': (string);
  'reasonCode': (string);
  'reasonText': (string);
  'status': (_drawdown_v1_AccountStatus__Output);
  'plan': (string);
  'planEvent': (_drawdown_v1_PlanEvent__Output);
  'planFromTimeMs': (string);
  'planToTimeMs': (string);
  'agentEvent': (_drawdown_v1_AgentEvent__Output);
  'agentTier': (string);
  'agentFromTimeMs': (string);
  'agentToTimeMs': (string);
}
