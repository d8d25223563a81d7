// Original file: proto/drawdown/v1/usage_service.proto

import type { Quantities as _drawdown_v1_Quantities, Quantities__Output as _drawdown_v1_Quantities__Output } from '../../drawdown/v1/Quantities.js';
import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';

export interface CheckBalanceRequest {
  'accountId'?: (string);
  'agentId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'quantities'?: (_drawdown_v1_Quantities | null);
  'amount'?: (_drawdown_v1_Amount | null);
  'estimate'?: "quantities"|"amount";
}

export interface CheckBalanceRequest__Output {
  'accountId': (string);
  'agentId': (string);
  'meter': (string);
  'model': (string);
  'quantities'?: (_drawdown_v1_Quantities__Output | null);
  'amount'?: (_drawdown_v1_Amount__Output | null);
  'estimate'?: "quantities"|"amount";
}
