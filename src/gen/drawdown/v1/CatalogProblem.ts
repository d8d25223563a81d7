// Original file: proto/drawdown/v1/catalog_service.proto


export interface CatalogProblem {
  'line'?: (number);
  'column'?: (number);
  'path'?: (string);
  'message'?: (string);
}

export interface CatalogProblem__Output {
  'line': (number);
  'column': (number);
  'path': (string);
  'message': (string);
}
