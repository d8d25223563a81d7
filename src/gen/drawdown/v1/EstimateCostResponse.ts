// Original file: proto/drawdown/v1/catalog_service.proto

import type { Amount as _drawdown_v1_Amount, Amount__Output as _drawdown_v1_Amount__Output } from '../../drawdown/v1/Amount.js';

export interface EstimateCostResponse {
  'catalogVersion'?: (number);
  'unrated'?: (boolean);
  'costs'?: (_drawdown_v1_Amount)[];
}

export interface EstimateCostResponse__Output {
  'catalogVersion': (number);
  'unrated': (boolean);
  'costs': (_drawdown_v1_Amount__Output)[];
}
