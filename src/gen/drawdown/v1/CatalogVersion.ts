// Original file: proto/drawdown/v1/catalog_service.proto

import type { Long } from '@grpc/proto-loader';

export interface CatalogVersion {
  'version'?: (number);
  'hash'?: (string);
  'publishedTimeMs'?: (number | string | Long);
  'publishedBy'?: (string);
}

export interface CatalogVersion__Output {
  'version': (number);
  'hash': (string);
  'publishedTimeMs': (string);
  'publishedBy': (string);
}
