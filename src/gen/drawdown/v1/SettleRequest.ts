// Original file: proto/drawdown/v1/usage_service.proto

import type { Quantities as _drawdown_v1_Quantities, Quantities__Output as _drawdown_v1_Quantities__Output } from '../../drawdown/v1/Quantities.js';
import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';
import type { AckLevel as _drawdown_v1_AckLevel, AckLevel__Output as _drawdown_v1_AckLevel__Output } from '../../drawdown/v1/AckLevel.js';
import type { Long } from '@grpc/proto-loader';

export interface SettleRequest {
  'holdId'?: (string);
  'accountId'?: (string);
  'agentId'?: (string);
  'meter'?: (string);
  'model'?: (string);
  'quantities'?: (_drawdown_v1_Quantities | null);
  'amount'?: (_drawdown_v1_Amount | null);
  'eventTimeMs'?: (number | string | Long);
  'ackLevel'?: (_drawdown_v1_AckLevel);
  'generation'?: (number);
  'final'?: "quantities"|"amount";
}

export interface SettleRequest__Output {
  'holdId': (string);
  'accountId': (string);
  'agentId': (string);
  'meter': (string);
  'model': (string);
  'quantities'?: (_drawdown_v1_Quantities__Output | null);
  'amount'?: (_drawdown_v1_Amount__Output | null);
  'eventTimeMs': (string);
  'ackLevel': (_drawdown_v1_AckLevel__Output);
  'generation': (number);
  'final'?: "quantities"|"amount";
}
