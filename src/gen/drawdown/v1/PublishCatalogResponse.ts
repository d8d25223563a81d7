// Original file: proto/drawdown/v1/catalog_service.proto

import type { PublishOutcome as _drawdown_v1_PublishOutcome, PublishOutcome__Output as _drawdown_v1_PublishOutcome__Output } from '../../drawdown/v1/PublishOutcome.js';
import type { CatalogVersion as _drawdown_v1_CatalogVersion, CatalogVersion__Output as _drawdown_v1_CatalogVersion__Output } from '../../drawdown/v1/CatalogVersion.js';
import type { CatalogProblem as _drawdown_v1_CatalogProblem, CatalogProblem__Output as _drawdown_v1_CatalogProblem__Output } from '../../drawdown/v1/CatalogProblem.js';

export interface PublishCatalogResponse {
  'outcome'?: (_drawdown_v1_PublishOutcome);
  'catalogVersion'?: (_drawdown_v1_CatalogVersion | null);
  'problems'?: (_drawdown_v1_CatalogProblem)[];
  'duplicate'?: (boolean);
}

export interface PublishCatalogResponse__Output {
  'outcome': (_drawdown_v1_PublishOutcome__Output);
  'catalogVersion': (_drawdown_v1_CatalogVersion__Output | null);
  'problems': (_drawdown_v1_CatalogProblem__Output)[];
  'duplicate': (boolean);
}
