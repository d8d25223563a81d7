// Original file: proto/drawdown/v1/account_service.proto


export interface ListLotsRequest {
  'accountId'?: (string);
  'includeEmpty'?: (boolean);
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface ListLotsRequest__Output {
  'accountId': (string);
  'includeEmpty': (boolean);
  'pageSize': (number);
  'pageToken': (string);
}
