// Original file: proto/drawdown/v1/catalog_service.proto

import type { CatalogVersion as _drawdown_v1_CatalogVersion, CatalogVersion__Output as _drawdown_v1_CatalogVersion__Output } from '../../drawdown/v1/CatalogVersion.js';

export interface ListCatalogVersionsResponse {
  'versions'?: (_drawdown_v1_CatalogVersion)[];
  'nextPageToken'?: (string);
  'inForce'?: (number);
}

export interface ListCatalogVersionsResponse__Output {
  'versions': (_drawdown_v1_CatalogVersion__Output)[];
  'nextPageToken': (string);
  'inForce': (number);
}
