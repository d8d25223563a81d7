// Original file: proto/drawdown/v1/account_service.proto

import type { PlanOutcome as _drawdown_v1_PlanOutcome, PlanOutcome__Output as _drawdown_v1_PlanOutcome__Output } from '../../drawdown/v1/PlanOutcome.js';
import type { Long } from '@grpc/proto-loader';

export interface ChangePlanResponse {
  'accountId'?: (string);
  'outcome'?: (_drawdown_v1_PlanOutcome);
  'effectiveTimeMs'?: (number | string | Long);
  'granted'?: (number | string | Long);
  'debtPaid'?: (number | string | Long);
  'lotId'?: (number | string | Long);
  'available'?: (number | string | Long);
  'duplicate'?: (boolean);
}

export interface ChangePlanResponse__Output {
  'accountId': (string);
  'outcome': (_drawdown_v1_PlanOutcome__Output);
  'effectiveTimeMs': (string);
  'granted': (string);
  'debtPaid': (string);
  'lotId': (string);
  'available': (string);
  'duplicate': (boolean);
}
