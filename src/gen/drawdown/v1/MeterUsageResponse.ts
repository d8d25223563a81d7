// Original file: proto/drawdown/v1/usage_service.proto

import type { SessionOpened as _drawdown_v1_SessionOpened, SessionOpened__Output as _drawdown_v1_SessionOpened__Output } from '../../drawdown/v1/SessionOpened.js';
import type { SessionAcknowledged as _drawdown_v1_SessionAcknowledged, SessionAcknowledged__Output as _drawdown_v1_SessionAcknowledged__Output } from '../../drawdown/v1/SessionAcknowledged.js';
import type { SessionStop as _drawdown_v1_SessionStop, SessionStop__Output as _drawdown_v1_SessionStop__Output } from '../../drawdown/v1/SessionStop.js';
import type { SessionEnded as _drawdown_v1_SessionEnded, SessionEnded__Output as _drawdown_v1_SessionEnded__Output } from '../../drawdown/v1/SessionEnded.js';
import type { SessionRefused as _drawdown_v1_SessionRefused, SessionRefused__Output as _drawdown_v1_SessionRefused__Output } from '../../drawdown/v1/SessionRefused.js';
import type { DrainNotice as _drawdown_v1_DrainNotice, DrainNotice__Output as _drawdown_v1_DrainNotice__Output } from '../../drawdown/v1/DrainNotice.js';
import type { Long } from '@grpc/proto-loader';

export interface MeterUsageResponse {
  'opened'?: (_drawdown_v1_SessionOpened)[];
  'acknowledged'?: (_drawdown_v1_SessionAcknowledged)[];
  'stops'?: (_drawdown_v1_SessionStop)[];
  'ended'?: (_drawdown_v1_SessionEnded)[];
  'refused'?: (_drawdown_v1_SessionRefused)[];
  'durableThrough'?: (number | string | Long);
  'resend'?: (number | string | Long)[];
  'drain'?: (_drawdown_v1_DrainNotice | null);
}

export interface MeterUsageResponse__Output {
  'opened': (_drawdown_v1_SessionOpened__Output)[];
  'acknowledged': (_drawdown_v1_SessionAcknowledged__Output)[];
  'stops': (_drawdown_v1_SessionStop__Output)[];
  'ended': (_drawdown_v1_SessionEnded__Output)[];
  'refused': (_drawdown_v1_SessionRefused__Output)[];
  'durableThrough': (string);
  'resend': (string)[];
  'drain': (_drawdown_v1_DrainNotice__Output | null);
}
