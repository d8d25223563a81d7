// Original file: proto/drawdown/v1/types.proto

import type { Long } from '@grpc/proto-loader';

export interface DrainNotice {
  'withinMs'?: (number | string | Long);
}

export interface DrainNotice__Output {
  'withinMs': (string);
}
