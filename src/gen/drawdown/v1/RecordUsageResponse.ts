// Original file: proto/drawdown/v1/usage_service.proto

import type { BatchApplied as _drawdown_v1_BatchApplied, BatchApplied__Output as _drawdown_v1_BatchApplied__Output } from '../../drawdown/v1/BatchApplied.js';
import type { DurableWatermark as _drawdown_v1_DurableWatermark, DurableWatermark__Output as _drawdown_v1_DurableWatermark__Output } from '../../drawdown/v1/DurableWatermark.js';
import type { ResendBatches as _drawdown_v1_ResendBatches, ResendBatches__Output as _drawdown_v1_ResendBatches__Output } from '../../drawdown/v1/ResendBatches.js';
import type { DrainNotice as _drawdown_v1_DrainNotice, DrainNotice__Output as _drawdown_v1_DrainNotice__Output } from '../../drawdown/v1/DrainNotice.js';

export interface RecordUsageResponse {
  'applied'?: (_drawdown_v1_BatchApplied | null);
  'durable'?: (_drawdown_v1_DurableWatermark | null);
  'resend'?: (_drawdown_v1_ResendBatches | null);
  'drain'?: (_drawdown_v1_DrainNotice | null);
  'message'?: "applied"|"durable"|"resend"|"drain";
}

export interface RecordUsageResponse__Output {
  'applied'?: (_drawdown_v1_BatchApplied__Output | null);
  'durable'?: (_drawdown_v1_DurableWatermark__Output | null);
  'resend'?: (_drawdown_v1_ResendBatches__Output | null);
  'drain'?: (_drawdown_v1_DrainNotice__Output | null);
  'message'?: "applied"|"durable"|"resend"|"drain";
}
