// Original file: proto/drawdown/v1/account_service.proto

import type { LedgerPosition as _drawdown_v1_LedgerPosition, LedgerPosition__Output as _drawdown_v1_LedgerPosition__Output } from '../../drawdown/v1/LedgerPosition.js';
import type { WalletStatement as _drawdown_v1_WalletStatement, WalletStatement__Output as _drawdown_v1_WalletStatement__Output } from '../../drawdown/v1/WalletStatement.js';
import type { StatementUse as _drawdown_v1_StatementUse, StatementUse__Output as _drawdown_v1_StatementUse__Output } from '../../drawdown/v1/StatementUse.js';
import type { Long } from '@grpc/proto-loader';

export interface GetStatementResponse {
  'accountId'?: (string);
  'fromTimeMs'?: (number | string | Long);
  'toTimeMs'?: (number | string | Long);
  'through'?: (_drawdown_v1_LedgerPosition | null);
  'afterAccountSeq'?: (number | string | Long);
  'throughAccountSeq'?: (number | string | Long);
  'wallets'?: (_drawdown_v1_WalletStatement)[];
  'uses'?: (_drawdown_v1_StatementUse)[];
  'nextPageToken'?: (string);
}

export interface GetStatementResponse__Output {
  'accountId': (string);
  'fromTimeMs': (string);
  'toTimeMs': (string);
  'through': (_drawdown_v1_LedgerPosition__Output | null);
  'afterAccountSeq': (string);
  'throughAccountSeq': (string);
  'wallets': (_drawdown_v1_WalletStatement__Output)[];
  'uses': (_drawdown_v1_StatementUse__Output)[];
  'nextPageToken': (string);
}
