// Original file: proto/drawdown/v1/catalog_service.proto


export interface ValidateCatalogRequest {
  'text'?: (string);
}

export interface ValidateCatalogRequest__Output {
  'text': (string);
}
