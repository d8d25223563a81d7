// Original file: proto/drawdown/v1/usage_service.proto

import type { SettleResponse as _drawdown_v1_SettleResponse, SettleResponse__Output as _drawdown_v1_SettleResponse__Output } from '../../drawdown/v1/SettleResponse.js';
import type { ReleaseResponse as _drawdown_v1_ReleaseResponse, ReleaseResponse__Output as _drawdown_v1_ReleaseResponse__Output } from '../../drawdown/v1/ReleaseResponse.js';

export interface SessionEnded {
  'session'?: (number);
  'settled'?: (_drawdown_v1_SettleResponse | null);
  'released'?: (_drawdown_v1_ReleaseResponse | null);
  'outcome'?: "settled"|"released";
}

export interface SessionEnded__Output {
  'session': (number);
  'settled'?: (_drawdown_v1_SettleResponse__Output | null);
  'released'?: (_drawdown_v1_ReleaseResponse__Output | null);
  'outcome'?: "settled"|"released";
}
