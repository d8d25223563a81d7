// Original file: proto/drawdown/v1/account_service.proto


export interface ListHoldsRequest {
  'accountId'?: (string);
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface ListHoldsRequest__Output {
  'accountId': (string);
  'pageSize': (number);
  'pageToken': (string);
}
