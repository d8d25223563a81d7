// Original file: proto/drawdown/v1/account_service.proto


export interface GetBalanceRequest {
  'accountId'?: (string);
}

export interface GetBalanceRequest__Output {
  'accountId': (string);
}
