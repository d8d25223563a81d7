// Original file: proto/drawdown/v1/types.proto

import type { Long } from '@grpc/proto-loader';

export interface Quantities {
  'values'?: ({[key: string]: number | string | Long});
}

export interface Quantities__Output {
  'values': ({[key: string]: string});
}
