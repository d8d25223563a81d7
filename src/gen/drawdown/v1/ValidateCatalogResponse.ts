// Original file: proto/drawdown/v1/catalog_service.proto

import type { CatalogProblem as _drawdown_v1_CatalogProblem, CatalogProblem__Output as _drawdown_v1_CatalogProblem__Output } from '../../drawdown/v1/CatalogProblem.js';

export interface ValidateCatalogResponse {
  'valid'?: (boolean);
  'problems'?: (_drawdown_v1_CatalogProblem)[];
  'hash'?: (string);
}

export interface ValidateCatalogResponse__Output {
  'valid': (boolean);
  'problems': (_drawdown_v1_CatalogProblem__Output)[];
  'hash': (string);
}
