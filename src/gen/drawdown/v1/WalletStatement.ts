// Original file: proto/drawdown/v1/account_service.proto

import type { Unit as _drawdown_v1_Unit, Unit__Output as _drawdown_v1_Unit__Output } from '../../drawdown/v1/Unit.js';
import type { WalletBalance as _drawdown_v1_WalletBalance, WalletBalance__Output as _drawdown_v1_WalletBalance__Output } from '../../drawdown/v1/WalletBalance.js';
import type { StatementSource as _drawdown_v1_StatementSource, StatementSource__Output as _drawdown_v1_StatementSource__Output } from '../../drawdown/v1/StatementSource.js';
import type { StatementCorrection as _drawdown_v1_StatementCorrection, StatementCorrection__Output as _drawdown_v1_StatementCorrection__Output } from '../../drawdown/v1/StatementCorrection.js';
import type { Long } from '@grpc/proto-loader';

export interface WalletStatement {
  'unit'?: (_drawdown_v1_Unit);
  'opening'?: (_drawdown_v1_WalletBalance | null);
  'closing'?: (_drawdown_v1_WalletBalance | null);
  'granted'?: (number | string | Long);
  'spent'?: (number | string | Long);
  'expired'?: (number | string | Long);
  'converted'?: (number | string | Long);
  'debtIncurred'?: (number | string | Long);
  'debtPaid'?: (number | string | Long);
  'sources'?: (_drawdown_v1_StatementSource)[];
  'corrections'?: (_drawdown_v1_StatementCorrection)[];
}

export interface WalletStatement__Output {
  'unit': (_drawdown_v1_Unit__Output);
  'opening': (_drawdown_v1_WalletBalance__Output | null);
  'closing': (_drawdown_v1_WalletBalance__Output | null);
  'granted': (string);
  'spent': (string);
  'expired': (string);
  'converted': (string);
  'debtIncurred': (string);
  'debtPaid': (string);
  'sources': (_drawdown_v1_StatementSource__Output)[];
  'corrections': (_drawdown_v1_StatementCorrection__Output)[];
}
