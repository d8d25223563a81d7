// Original file: proto/drawdown/v1/catalog_service.proto


export interface ListCatalogVersionsRequest {
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface ListCatalogVersionsRequest__Output {
  'pageSize': (number);
  'pageToken': (string);
}
