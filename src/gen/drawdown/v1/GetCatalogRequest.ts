// Original file: proto/drawdown/v1/catalog_service.proto


export interface GetCatalogRequest {
  'version'?: (number);
}

export interface GetCatalogRequest__Output {
  'version': (number);
}
