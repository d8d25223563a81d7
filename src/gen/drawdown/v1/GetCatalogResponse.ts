// Original file: proto/drawdown/v1/catalog_service.proto

import type { Long } from '@grpc/proto-loader';

export interface GetCatalogResponse {
  'version'?: (number);
  'hash'?: (string);
  'json'?: (string);
  'publishedTimeMs'?: (number | string | Long);
  'publishedBy'?: (string);
}

export interface GetCatalogResponse__Output {
  'version': (number);
  'hash': (string);
  'json': (string);
  'publishedTimeMs': (string);
  'publishedBy': (string);
}
