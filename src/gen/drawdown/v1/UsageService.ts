// Original file: proto/drawdown/v1/usage_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CheckBalanceRequest as _drawdown_v1_CheckBalanceRequest, CheckBalanceRequest__Output as _drawdown_v1_CheckBalanceRequest__Output } from '../../drawdown/v1/CheckBalanceRequest.js';
import type { CheckBalanceResponse as _drawdown_v1_CheckBalanceResponse, CheckBalanceResponse__Output as _drawdown_v1_CheckBalanceResponse__Output } from '../../drawdown/v1/CheckBalanceResponse.js';
import type { ExtendRequest as _drawdown_v1_ExtendRequest, ExtendRequest__Output as _drawdown_v1_ExtendRequest__Output } from '../../drawdown/v1/ExtendRequest.js';
import type { ExtendResponse as _drawdown_v1_ExtendResponse, ExtendResponse__Output as _drawdown_v1_ExtendResponse__Output } from '../../drawdown/v1/ExtendResponse.js';
import type { GetUsageRequest as _drawdown_v1_GetUsageRequest, GetUsageRequest__Output as _drawdown_v1_GetUsageRequest__Output } from '../../drawdown/v1/GetUsageRequest.js';
import type { GetUsageResponse as _drawdown_v1_GetUsageResponse, GetUsageResponse__Output as _drawdown_v1_GetUsageResponse__Output } from '../../drawdown/v1/GetUsageResponse.js';
import type { MeterUsageRequest as _drawdown_v1_MeterUsageRequest, MeterUsageRequest__Output as _drawdown_v1_MeterUsageRequest__Output } from '../../drawdown/v1/MeterUsageRequest.js';
import type { MeterUsageResponse as _drawdown_v1_MeterUsageResponse, MeterUsageResponse__Output as _drawdown_v1_MeterUsageResponse__Output } from '../../drawdown/v1/MeterUsageResponse.js';
import type { RecordUsageBatchRequest as _drawdown_v1_RecordUsageBatchRequest, RecordUsageBatchRequest__Output as _drawdown_v1_RecordUsageBatchRequest__Output } from '../../drawdown/v1/RecordUsageBatchRequest.js';
import type { RecordUsageBatchResponse as _drawdown_v1_RecordUsageBatchResponse, RecordUsageBatchResponse__Output as _drawdown_v1_RecordUsageBatchResponse__Output } from '../../drawdown/v1/RecordUsageBatchResponse.js';
import type { RecordUsageRequest as _drawdown_v1_RecordUsageRequest, RecordUsageRequest__Output as _drawdown_v1_RecordUsageRequest__Output } from '../../drawdown/v1/RecordUsageRequest.js';
import type { RecordUsageResponse as _drawdown_v1_RecordUsageResponse, RecordUsageResponse__Output as _drawdown_v1_RecordUsageResponse__Output } from '../../drawdown/v1/RecordUsageResponse.js';
import type { ReleaseRequest as _drawdown_v1_ReleaseRequest, ReleaseRequest__Output as _drawdown_v1_ReleaseRequest__Output } from '../../drawdown/v1/ReleaseRequest.js';
import type { ReleaseResponse as _drawdown_v1_ReleaseResponse, ReleaseResponse__Output as _drawdown_v1_ReleaseResponse__Output } from '../../drawdown/v1/ReleaseResponse.js';
import type { ReserveRequest as _drawdown_v1_ReserveRequest, ReserveRequest__Output as _drawdown_v1_ReserveRequest__Output } from '../../drawdown/v1/ReserveRequest.js';
import type { ReserveResponse as _drawdown_v1_ReserveResponse, ReserveResponse__Output as _drawdown_v1_ReserveResponse__Output } from '../../drawdown/v1/ReserveResponse.js';
import type { SettleRequest as _drawdown_v1_SettleRequest, SettleRequest__Output as _drawdown_v1_SettleRequest__Output } from '../../drawdown/v1/SettleRequest.js';
import type { SettleResponse as _drawdown_v1_SettleResponse, SettleResponse__Output as _drawdown_v1_SettleResponse__Output } from '../../drawdown/v1/SettleResponse.js';

export interface UsageServiceClient extends grpc.Client {
  CheckBalance(argument: _drawdown_v1_CheckBalanceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  CheckBalance(argument: _drawdown_v1_CheckBalanceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  CheckBalance(argument: _drawdown_v1_CheckBalanceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  CheckBalance(argument: _drawdown_v1_CheckBalanceRequest, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  checkBalance(argument: _drawdown_v1_CheckBalanceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  checkBalance(argument: _drawdown_v1_CheckBalanceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  checkBalance(argument: _drawdown_v1_CheckBalanceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  checkBalance(argument: _drawdown_v1_CheckBalanceRequest, callback: grpc.requestCallback<_drawdown_v1_CheckBalanceResponse__Output>): grpc.ClientUnaryCall;
  
  Extend(argument: _drawdown_v1_ExtendRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  Extend(argument: _drawdown_v1_ExtendRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  Extend(argument: _drawdown_v1_ExtendRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  Extend(argument: _drawdown_v1_ExtendRequest, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  extend(argument: _drawdown_v1_ExtendRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  extend(argument: _drawdown_v1_ExtendRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  extend(argument: _drawdown_v1_ExtendRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  extend(argument: _drawdown_v1_ExtendRequest, callback: grpc.requestCallback<_drawdown_v1_ExtendResponse__Output>): grpc.ClientUnaryCall;
  
  GetUsage(argument: _drawdown_v1_GetUsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  GetUsage(argument: _drawdown_v1_GetUsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  GetUsage(argument: _drawdown_v1_GetUsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  GetUsage(argument: _drawdown_v1_GetUsageRequest, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  getUsage(argument: _drawdown_v1_GetUsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  getUsage(argument: _drawdown_v1_GetUsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  getUsage(argument: _drawdown_v1_GetUsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  getUsage(argument: _drawdown_v1_GetUsageRequest, callback: grpc.requestCallback<_drawdown_v1_GetUsageResponse__Output>): grpc.ClientUnaryCall;
  
  MeterUsage(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_MeterUsageRequest, _drawdown_v1_MeterUsageResponse__Output>;
  MeterUsage(options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_MeterUsageRequest, _drawdown_v1_MeterUsageResponse__Output>;
  meterUsage(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_MeterUsageRequest, _drawdown_v1_MeterUsageResponse__Output>;
  meterUsage(options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_MeterUsageRequest, _drawdown_v1_MeterUsageResponse__Output>;
  
  RecordUsage(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_RecordUsageRequest, _drawdown_v1_RecordUsageResponse__Output>;
  RecordUsage(options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_RecordUsageRequest, _drawdown_v1_RecordUsageResponse__Output>;
  recordUsage(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_RecordUsageRequest, _drawdown_v1_RecordUsageResponse__Output>;
  recordUsage(options?: grpc.CallOptions): grpc.ClientDuplexStream<_drawdown_v1_RecordUsageRequest, _drawdown_v1_RecordUsageResponse__Output>;
  
  RecordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  RecordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  RecordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  RecordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  recordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  recordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  recordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  recordUsageBatch(argument: _drawdown_v1_RecordUsageBatchRequest, callback: grpc.requestCallback<_drawdown_v1_RecordUsageBatchResponse__Output>): grpc.ClientUnaryCall;
  
  Release(argument: _drawdown_v1_ReleaseRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  Release(argument: _drawdown_v1_ReleaseRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  Release(argument: _drawdown_v1_ReleaseRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  Release(argument: _drawdown_v1_ReleaseRequest, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  release(argument: _drawdown_v1_ReleaseRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  release(argument: _drawdown_v1_ReleaseRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  release(argument: _drawdown_v1_ReleaseRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  release(argument: _drawdown_v1_ReleaseRequest, callback: grpc.requestCallback<_drawdown_v1_ReleaseResponse__Output>): grpc.ClientUnaryCall;
  
  Reserve(argument: _drawdown_v1_ReserveRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  Reserve(argument: _drawdown_v1_ReserveRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  Reserve(argument: _drawdown_v1_ReserveRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  Reserve(argument: _drawdown_v1_ReserveRequest, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  reserve(argument: _drawdown_v1_ReserveRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  reserve(argument: _drawdown_v1_ReserveRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  reserve(argument: _drawdown_v1_ReserveRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  reserve(argument: _drawdown_v1_ReserveRequest, callback: grpc.requestCallback<_drawdown_v1_ReserveResponse__Output>): grpc.ClientUnaryCall;
  
  Settle(argument: _drawdown_v1_SettleRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  Settle(argument: _drawdown_v1_SettleRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  Settle(argument: _drawdown_v1_SettleRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  Settle(argument: _drawdown_v1_SettleRequest, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  settle(argument: _drawdown_v1_SettleRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  settle(argument: _drawdown_v1_SettleRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  settle(argument: _drawdown_v1_SettleRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  settle(argument: _drawdown_v1_SettleRequest, callback: grpc.requestCallback<_drawdown_v1_SettleResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface UsageServiceHandlers extends grpc.UntypedServiceImplementation {
  CheckBalance: grpc.handleUnaryCall<_drawdown_v1_CheckBalanceRequest__Output, _drawdown_v1_CheckBalanceResponse>;
  
  Extend: grpc.handleUnaryCall<_drawdown_v1_ExtendRequest__Output, _drawdown_v1_ExtendResponse>;
  
  GetUsage: grpc.handleUnaryCall<_drawdown_v1_GetUsageRequest__Output, _drawdown_v1_GetUsageResponse>;
  
  MeterUsage: grpc.handleBidiStreamingCall<_drawdown_v1_MeterUsageRequest__Output, _drawdown_v1_MeterUsageResponse>;
  
  RecordUsage: grpc.handleBidiStreamingCall<_drawdown_v1_RecordUsageRequest__Output, _drawdown_v1_RecordUsageResponse>;
  
  RecordUsageBatch: grpc.handleUnaryCall<_drawdown_v1_RecordUsageBatchRequest__Output, _drawdown_v1_RecordUsageBatchResponse>;
  
  Release: grpc.handleUnaryCall<_drawdown_v1_ReleaseRequest__Output, _drawdown_v1_ReleaseResponse>;
  
  Reserve: grpc.handleUnaryCall<_drawdown_v1_ReserveRequest__Output, _drawdown_v1_ReserveResponse>;
  
  Settle: grpc.handleUnaryCall<_drawdown_v1_SettleRequest__Output, _drawdown_v1_SettleResponse>;
  
}

export interface UsageServiceDefinition extends grpc.ServiceDefinition {
  CheckBalance: MethodDefinition<_drawdown_v1_CheckBalanceRequest, _drawdown_v1_CheckBalanceResponse, _drawdown_v1_CheckBalanceRequest__Output, _drawdown_v1_CheckBalanceResponse__Output>
  Extend: MethodDefinition<_drawdown_v1_ExtendRequest, _drawdown_v1_ExtendResponse, _drawdown_v1_ExtendRequest__Output, _drawdown_v1_ExtendResponse__Output>
  GetUsage: MethodDefinition<_drawdown_v1_GetUsageRequest, _drawdown_v1_GetUsageResponse, _drawdown_v1_GetUsageRequest__Output, _drawdown_v1_GetUsageResponse__Output>
  MeterUsage: MethodDefinition<_drawdown_v1_MeterUsageRequest, _drawdown_v1_MeterUsageResponse, _drawdown_v1_MeterUsageRequest__Output, _drawdown_v1_MeterUsageResponse__Output>
  RecordUsage: MethodDefinition<_drawdown_v1_RecordUsageRequest, _drawdown_v1_RecordUsageResponse, _drawdown_v1_RecordUsageRequest__Output, _drawdown_v1_RecordUsageResponse__Output>
  RecordUsageBatch: MethodDefinition<_drawdown_v1_RecordUsageBatchRequest, _drawdown_v1_RecordUsageBatchResponse, _drawdown_v1_RecordUsageBatchRequest__Output, _drawdown_v1_RecordUsageBatchResponse__Output>
  Release: MethodDefinition<_drawdown_v1_ReleaseRequest, _drawdown_v1_ReleaseResponse, _drawdown_v1_ReleaseRequest__Output, _drawdown_v1_ReleaseResponse__Output>
  Reserve: MethodDefinition<_drawdown_v1_ReserveRequest, _drawdown_v1_ReserveResponse, _drawdown_v1_ReserveRequest__Output, _drawdown_v1_ReserveResponse__Output>
  Settle: MethodDefinition<_drawdown_v1_SettleRequest, _drawdown_v1_SettleResponse, _drawdown_v1_SettleRequest__Output, _drawdown_v1_SettleResponse__Output>
}
