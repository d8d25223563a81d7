// Original file: proto/drawdown/v1/account_service.proto


export interface CancelScheduledChangeResponse {
  'accountId'?: (string);
  'duplicate'?: (boolean);
}

export interface CancelScheduledChangeResponse__Output {
  'accountId': (string);
  'duplicate': (boolean);
}
