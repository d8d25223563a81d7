// Original file: proto/drawdown/v1/usage_service.proto


export interface GetUsageRequest {
  'accountId'?: (string);
  'eventId'?: (string);
  'holdId'?: (string);
  'id'?: "eventId"|"holdId";
}

export interface GetUsageRequest__Output {
  'accountId': (string);
  'eventId'?: (string);
  'holdId'?: (string);
  'id'?: "eventId"|"holdId";
}
