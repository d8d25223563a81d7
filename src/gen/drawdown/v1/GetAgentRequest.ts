// Original file: proto/drawdown/v1/agent_service.proto


export interface GetAgentRequest {
  'accountId'?: (string);
  'agentId'?: (string);
}

export interface GetAgentRequest__Output {
  'accountId': (string);
  'agentId': (string);
}
