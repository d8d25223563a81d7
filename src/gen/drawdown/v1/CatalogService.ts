// Original file: proto/drawdown/v1/catalog_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { EstimateCostRequest as _drawdown_v1_EstimateCostRequest, EstimateCostRequest__Output as _drawdown_v1_EstimateCostRequest__Output } from '../../drawdown/v1/EstimateCostRequest.js';
import type { EstimateCostResponse as _drawdown_v1_EstimateCostResponse, EstimateCostResponse__Output as _drawdown_v1_EstimateCostResponse__Output } from '../../drawdown/v1/EstimateCostResponse.js';
import type { GetCatalogRequest as _drawdown_v1_GetCatalogRequest, GetCatalogRequest__Output as _drawdown_v1_GetCatalogRequest__Output } from '../../drawdown/v1/GetCatalogRequest.js';
import type { GetCatalogResponse as _drawdown_v1_GetCatalogResponse, GetCatalogResponse__Output as _drawdown_v1_GetCatalogResponse__Output } from '../../drawdown/v1/GetCatalogResponse.js';

export interface CatalogServiceClient extends grpc.Client {
  EstimateCost(argument: _drawdown_v1_EstimateCostRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  EstimateCost(argument: _drawdown_v1_EstimateCostRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  EstimateCost(argument: _drawdown_v1_EstimateCostRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  EstimateCost(argument: _drawdown_v1_EstimateCostRequest, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  estimateCost(argument: _drawdown_v1_EstimateCostRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  estimateCost(argument: _drawdown_v1_EstimateCostRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  estimateCost(argument: _drawdown_v1_EstimateCostRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  estimateCost(argument: _drawdown_v1_EstimateCostRequest, callback: grpc.requestCallback<_drawdown_v1_EstimateCostResponse__Output>): grpc.ClientUnaryCall;
  
  GetCatalog(argument: _drawdown_v1_GetCatalogRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  GetCatalog(argument: _drawdown_v1_GetCatalogRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  GetCatalog(argument: _drawdown_v1_GetCatalogRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  GetCatalog(argument: _drawdown_v1_GetCatalogRequest, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  getCatalog(argument: _drawdown_v1_GetCatalogRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  getCatalog(argument: _drawdown_v1_GetCatalogRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  getCatalog(argument: _drawdown_v1_GetCatalogRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  getCatalog(argument: _drawdown_v1_GetCatalogRequest, callback: grpc.requestCallback<_drawdown_v1_GetCatalogResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface CatalogServiceHandlers extends grpc.UntypedServiceImplementation {
  EstimateCost: grpc.handleUnaryCall<_drawdown_v1_EstimateCostRequest__Output, _drawdown_v1_EstimateCostResponse>;
  
  GetCatalog: grpc.handleUnaryCall<_drawdown_v1_GetCatalogRequest__Output, _drawdown_v1_GetCatalogResponse>;
  
}

export interface CatalogServiceDefinition extends grpc.ServiceDefinition {
  EstimateCost: MethodDefinition<_drawdown_v1_EstimateCostRequest, _drawdown_v1_EstimateCostResponse, _drawdown_v1_EstimateCostRequest__Output, _drawdown_v1_EstimateCostResponse__Output>
  GetCatalog: MethodDefinition<_drawdown_v1_GetCatalogRequest, _drawdown_v1_GetCatalogResponse, _drawdown_v1_GetCatalogRequest__Output, _drawdown_v1_GetCatalogResponse__Output>
}
