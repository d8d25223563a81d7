// Original file: proto/drawdown/v1/usage_service.proto

import type { SessionOpen as _drawdown_v1_SessionOpen, SessionOpen__Output as _drawdown_v1_SessionOpen__Output } from '../../drawdown/v1/SessionOpen.js';
import type { SessionProgress as _drawdown_v1_SessionProgress, SessionProgress__Output as _drawdown_v1_SessionProgress__Output } from '../../drawdown/v1/SessionProgress.js';
import type { SessionSettle as _drawdown_v1_SessionSettle, SessionSettle__Output as _drawdown_v1_SessionSettle__Output } from '../../drawdown/v1/SessionSettle.js';
import type { SessionRelease as _drawdown_v1_SessionRelease, SessionRelease__Output as _drawdown_v1_SessionRelease__Output } from '../../drawdown/v1/SessionRelease.js';
import type { Long } from '@grpc/proto-loader';

export interface MeterUsageRequest {
  'messageNumber'?: (number | string | Long);
  'opens'?: (_drawdown_v1_SessionOpen)[];
  'progress'?: (_drawdown_v1_SessionProgress)[];
  'settles'?: (_drawdown_v1_SessionSettle)[];
  'releases'?: (_drawdown_v1_SessionRelease)[];
}

export interface MeterUsageRequest__Output {
  'messageNumber': (string);
  'opens': (_drawdown_v1_SessionOpen__Output)[];
  'progress': (_drawdown_v1_SessionProgress__Output)[];
  'settles': (_drawdown_v1_SessionSettle__Output)[];
  'releases': (_drawdown_v1_SessionRelease__Output)[];
}
