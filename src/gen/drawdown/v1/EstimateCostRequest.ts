// Original file: proto/drawdown/v1/catalog_service.proto

import type { Long } from '@grpc/proto-loader';

export interface EstimateCostRequest {
  'meter'?: (string);
  'model'?: (string);
  'quantities'?: ({[key: string]: number | string | Long});
}

export interface EstimateCostRequest__Output {
  'meter': (string);
  'model': (string);
  'quantities': ({[key: string]: string});
}
