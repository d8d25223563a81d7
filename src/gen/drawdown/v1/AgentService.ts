// Original file: proto/drawdown/v1/agent_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { ActivateAgentRequest as _drawdown_v1_ActivateAgentRequest, ActivateAgentRequest__Output as _drawdown_v1_ActivateAgentRequest__Output } from '../../drawdown/v1/ActivateAgentRequest.js';
import type { ActivateAgentResponse as _drawdown_v1_ActivateAgentResponse, ActivateAgentResponse__Output as _drawdown_v1_ActivateAgentResponse__Output } from '../../drawdown/v1/ActivateAgentResponse.js';
import type { GetAgentRequest as _drawdown_v1_GetAgentRequest, GetAgentRequest__Output as _drawdown_v1_GetAgentRequest__Output } from '../../drawdown/v1/GetAgentRequest.js';
import type { GetAgentResponse as _drawdown_v1_GetAgentResponse, GetAgentResponse__Output as _drawdown_v1_GetAgentResponse__Output } from '../../drawdown/v1/GetAgentResponse.js';
import type { ListAgentsRequest as _drawdown_v1_ListAgentsRequest, ListAgentsRequest__Output as _drawdown_v1_ListAgentsRequest__Output } from '../../drawdown/v1/ListAgentsRequest.js';
import type { ListAgentsResponse as _drawdown_v1_ListAgentsResponse, ListAgentsResponse__Output as _drawdown_v1_ListAgentsResponse__Output } from '../../drawdown/v1/ListAgentsResponse.js';
import type { RemoveAgentRequest as _drawdown_v1_RemoveAgentRequest, RemoveAgentRequest__Output as _drawdown_v1_RemoveAgentRequest__Output } from '../../drawdown/v1/RemoveAgentRequest.js';
import type { RemoveAgentResponse as _drawdown_v1_RemoveAgentResponse, RemoveAgentResponse__Output as _drawdown_v1_RemoveAgentResponse__Output } from '../../drawdown/v1/RemoveAgentResponse.js';
import type { SuspendAgentRequest as _drawdown_v1_SuspendAgentRequest, SuspendAgentRequest__Output as _drawdown_v1_SuspendAgentRequest__Output } from '../../drawdown/v1/SuspendAgentRequest.js';
import type { SuspendAgentResponse as _drawdown_v1_SuspendAgentResponse, SuspendAgentResponse__Output as _drawdown_v1_SuspendAgentResponse__Output } from '../../drawdown/v1/SuspendAgentResponse.js';
import type { UnlockAgentRequest as _drawdown_v1_UnlockAgentRequest, UnlockAgentRequest__Output as _drawdown_v1_UnlockAgentRequest__Output } from '../../drawdown/v1/UnlockAgentRequest.js';
import type { UnlockAgentResponse as _drawdown_v1_UnlockAgentResponse, UnlockAgentResponse__Output as _drawdown_v1_UnlockAgentResponse__Output } from '../../drawdown/v1/UnlockAgentResponse.js';

export interface AgentServiceClient extends grpc.Client {
  ActivateAgent(argument: _drawdown_v1_ActivateAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  ActivateAgent(argument: _drawdown_v1_ActivateAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  ActivateAgent(argument: _drawdown_v1_ActivateAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  ActivateAgent(argument: _drawdown_v1_ActivateAgentRequest, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  activateAgent(argument: _drawdown_v1_ActivateAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  activateAgent(argument: _drawdown_v1_ActivateAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  activateAgent(argument: _drawdown_v1_ActivateAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  activateAgent(argument: _drawdown_v1_ActivateAgentRequest, callback: grpc.requestCallback<_drawdown_v1_ActivateAgentResponse__Output>): grpc.ClientUnaryCall;
  
  GetAgent(argument: _drawdown_v1_GetAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  GetAgent(argument: _drawdown_v1_GetAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  GetAgent(argument: _drawdown_v1_GetAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  GetAgent(argument: _drawdown_v1_GetAgentRequest, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  getAgent(argument: _drawdown_v1_GetAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  getAgent(argument: _drawdown_v1_GetAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  getAgent(argument: _drawdown_v1_GetAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  getAgent(argument: _drawdown_v1_GetAgentRequest, callback: grpc.requestCallback<_drawdown_v1_GetAgentResponse__Output>): grpc.ClientUnaryCall;
  
  ListAgents(argument: _drawdown_v1_ListAgentsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  ListAgents(argument: _drawdown_v1_ListAgentsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  ListAgents(argument: _drawdown_v1_ListAgentsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  ListAgents(argument: _drawdown_v1_ListAgentsRequest, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  listAgents(argument: _drawdown_v1_ListAgentsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  listAgents(argument: _drawdown_v1_ListAgentsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  listAgents(argument: _drawdown_v1_ListAgentsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  listAgents(argument: _drawdown_v1_ListAgentsRequest, callback: grpc.requestCallback<_drawdown_v1_ListAgentsResponse__Output>): grpc.ClientUnaryCall;
  
  RemoveAgent(argument: _drawdown_v1_RemoveAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  RemoveAgent(argument: _drawdown_v1_RemoveAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  RemoveAgent(argument: _drawdown_v1_RemoveAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  RemoveAgent(argument: _drawdown_v1_RemoveAgentRequest, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  removeAgent(argument: _drawdown_v1_RemoveAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  removeAgent(argument: _drawdown_v1_RemoveAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  removeAgent(argument: _drawdown_v1_RemoveAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  removeAgent(argument: _drawdown_v1_RemoveAgentRequest, callback: grpc.requestCallback<_drawdown_v1_RemoveAgentResponse__Output>): grpc.ClientUnaryCall;
  
  SuspendAgent(argument: _drawdown_v1_SuspendAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  SuspendAgent(argument: _drawdown_v1_SuspendAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  SuspendAgent(argument: _drawdown_v1_SuspendAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  SuspendAgent(argument: _drawdown_v1_SuspendAgentRequest, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  suspendAgent(argument: _drawdown_v1_SuspendAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  suspendAgent(argument: _drawdown_v1_SuspendAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  suspendAgent(argument: _drawdown_v1_SuspendAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  suspendAgent(argument: _drawdown_v1_SuspendAgentRequest, callback: grpc.requestCallback<_drawdown_v1_SuspendAgentResponse__Output>): grpc.ClientUnaryCall;
  
  UnlockAgent(argument: _drawdown_v1_UnlockAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  UnlockAgent(argument: _drawdown_v1_UnlockAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  UnlockAgent(argument: _drawdown_v1_UnlockAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  UnlockAgent(argument: _drawdown_v1_UnlockAgentRequest, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  unlockAgent(argument: _drawdown_v1_UnlockAgentRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  unlockAgent(argument: _drawdown_v1_UnlockAgentRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  unlockAgent(argument: _drawdown_v1_UnlockAgentRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  unlockAgent(argument: _drawdown_v1_UnlockAgentRequest, callback: grpc.requestCallback<_drawdown_v1_UnlockAgentResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface AgentServiceHandlers extends grpc.UntypedServiceImplementation {
  ActivateAgent: grpc.handleUnaryCall<_drawdown_v1_ActivateAgentRequest__Output, _drawdown_v1_ActivateAgentResponse>;
  
  GetAgent: grpc.handleUnaryCall<_drawdown_v1_GetAgentRequest__Output, _drawdown_v1_GetAgentResponse>;
  
  ListAgents: grpc.handleUnaryCall<_drawdown_v1_ListAgentsRequest__Output, _drawdown_v1_ListAgentsResponse>;
  
  RemoveAgent: grpc.handleUnaryCall<_drawdown_v1_RemoveAgentRequest__Output, _drawdown_v1_RemoveAgentResponse>;
  
  SuspendAgent: grpc.handleUnaryCall<_drawdown_v1_SuspendAgentRequest__Output, _drawdown_v1_SuspendAgentResponse>;
  
  UnlockAgent: grpc.handleUnaryCall<_drawdown_v1_UnlockAgentRequest__Output, _drawdown_v1_UnlockAgentResponse>;
  
}

export interface AgentServiceDefinition extends grpc.ServiceDefinition {
  ActivateAgent: MethodDefinition<_drawdown_v1_ActivateAgentRequest, _drawdown_v1_ActivateAgentResponse, _drawdown_v1_ActivateAgentRequest__Output, _drawdown_v1_ActivateAgentResponse__Output>
  GetAgent: MethodDefinition<_drawdown_v1_GetAgentRequest, _drawdown_v1_GetAgentResponse, _drawdown_v1_GetAgentRequest__Output, _drawdown_v1_GetAgentResponse__Output>
  ListAgents: MethodDefinition<_drawdown_v1_ListAgentsRequest, _drawdown_v1_ListAgentsResponse, _drawdown_v1_ListAgentsRequest__Output, _drawdown_v1_ListAgentsResponse__Output>
  RemoveAgent: MethodDefinition<_drawdown_v1_RemoveAgentRequest, _drawdown_v1_RemoveAgentResponse, _drawdown_v1_RemoveAgentRequest__Output, _drawdown_v1_RemoveAgentResponse__Output>
  SuspendAgent: MethodDefinition<_drawdown_v1_SuspendAgentRequest, _drawdown_v1_SuspendAgentResponse, _drawdown_v1_SuspendAgentRequest__Output, _drawdown_v1_SuspendAgentResponse__Output>
  UnlockAgent: MethodDefinition<_drawdown_v1_UnlockAgentRequest, _drawdown_v1_UnlockAgentResponse, _drawdown_v1_UnlockAgentRequest__Output, _drawdown_v1_UnlockAgentResponse__Output>
}
