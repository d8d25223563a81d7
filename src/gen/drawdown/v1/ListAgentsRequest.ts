// Original file: proto/drawdown/v1/agent_service.proto


export interface ListAgentsRequest {
  'accountId'?: (string);
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface ListAgentsRequest__Output {
  'accountId': (string);
  'pageSize': (number);
  'pageToken': (string);
}
