// Original file: proto/drawdown/v1/catalog_service.proto


export interface PublishCatalogRequest {
  'requestId'?: (string);
  'text'?: (string);
  'publishedBy'?: (string);
}

export interface PublishCatalogRequest__Output {
  'requestId': (string);
  'text': (string);
  'publishedBy': (string);
}
