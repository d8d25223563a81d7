// Original file: proto/drawdown/v1/catalog_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { EstimateCostRequest as _drawdown_v1_EstimateCostRequest, EstimateCostRequest__Output as _drawdown_v1_EstimateCostRequest__Output } from '../../drawdown/v1/EstimateCostRequest.js';
import type { EstimateCostResponse as _drawdown_v1_EstimateCostResponse, EstimateCostResponse__Output as _drawdown_v1_EstimateCostResponse__Output } from '../../drawdown/v1/EstimateCostResponse.js';
import type { GetCatalogRequest as _drawdown_v1_GetCatalogRequest, GetCatalogRequest__Output as _drawdown_v1_GetCatalogRequest__Output } from '../../drawdown/v1/GetCatalogRequest.js';
import type { GetCatalogResponse as _drawdown_v1_GetCatalogResponse, GetCatalogResponse__Output as _drawdown_v1_GetCatalogResponse__Output } from '../../drawdown/v1/GetCatalogResponse.js';
import type { ListCatalogVersionsRequest as _drawdown_v1_ListCatalogVersionsRequest, ListCatalogVersionsRequest__Output as _drawdown_v1_ListCatalogVersionsRequest__Output } from '../../drawdown/v1/ListCatalogVersionsRequest.js';
import type { ListCatalogVersionsResponse as _drawdown_v1_ListCatalogVersionsResponse, ListCatalogVersionsResponse__Output as _drawdown_v1_ListCatalogVersionsResponse__Output } from '../../drawdown/v1/ListCatalogVersionsResponse.js';
import type { PublishCatalogRequest as _drawdown_v1_PublishCatalogRequest, PublishCatalogRequest__Output as _drawdown_v1_PublishCatalogRequest__Output } from '../../drawdown/v1/PublishCatalogRequest.js';
import type { PublishCatalogResponse as _drawdown_v1_PublishCatalogResponse, PublishCatalogResponse__Output as _drawdown_v1_PublishCatalogResponse__Output } from '../../drawdown/v1/PublishCatalogResponse.js';
import type { ValidateCatalogRequest as _drawdown_v1_ValidateCatalogRequest, ValidateCatalogRequest__Output as _drawdown_v1_ValidateCatalogRequest__Output } from '../../drawdown/v1/ValidateCatalogRequest.js';
import type { ValidateCatalogResponse as _drawdown_v1_ValidateCatalogResponse, ValidateCatalogResponse__Output as _drawdown_v1_ValidateCatalogResponse__Output } from '../../drawdown/v1/ValidateCatalogResponse.js';

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
  
  ListCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  ListCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  ListCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  ListCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  listCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  listCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  listCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  listCatalogVersions(argument: _drawdown_v1_ListCatalogVersionsRequest, callback: grpc.requestCallback<_drawdown_v1_ListCatalogVersionsResponse__Output>): grpc.ClientUnaryCall;
  
  PublishCatalog(argument: _drawdown_v1_PublishCatalogRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  PublishCatalog(argument: _drawdown_v1_PublishCatalogRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  PublishCatalog(argument: _drawdown_v1_PublishCatalogRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  PublishCatalog(argument: _drawdown_v1_PublishCatalogRequest, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  publishCatalog(argument: _drawdown_v1_PublishCatalogRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  publishCatalog(argument: _drawdown_v1_PublishCatalogRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  publishCatalog(argument: _drawdown_v1_PublishCatalogRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  publishCatalog(argument: _drawdown_v1_PublishCatalogRequest, callback: grpc.requestCallback<_drawdown_v1_PublishCatalogResponse__Output>): grpc.ClientUnaryCall;
  
  ValidateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  ValidateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  ValidateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  ValidateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  validateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  validateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  validateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  validateCatalog(argument: _drawdown_v1_ValidateCatalogRequest, callback: grpc.requestCallback<_drawdown_v1_ValidateCatalogResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface CatalogServiceHandlers extends grpc.UntypedServiceImplementation {
  EstimateCost: grpc.handleUnaryCall<_drawdown_v1_EstimateCostRequest__Output, _drawdown_v1_EstimateCostResponse>;
  
  GetCatalog: grpc.handleUnaryCall<_drawdown_v1_GetCatalogRequest__Output, _drawdown_v1_GetCatalogResponse>;
  
  ListCatalogVersions: grpc.handleUnaryCall<_drawdown_v1_ListCatalogVersionsRequest__Output, _drawdown_v1_ListCatalogVersionsResponse>;
  
  PublishCatalog: grpc.handleUnaryCall<_drawdown_v1_PublishCatalogRequest__Output, _drawdown_v1_PublishCatalogResponse>;
  
  ValidateCatalog: grpc.handleUnaryCall<_drawdown_v1_ValidateCatalogRequest__Output, _drawdown_v1_ValidateCatalogResponse>;
  
}

export interface CatalogServiceDefinition extends grpc.ServiceDefinition {
  EstimateCost: MethodDefinition<_drawdown_v1_EstimateCostRequest, _drawdown_v1_EstimateCostResponse, _drawdown_v1_EstimateCostRequest__Output, _drawdown_v1_EstimateCostResponse__Output>
  GetCatalog: MethodDefinition<_drawdown_v1_GetCatalogRequest, _drawdown_v1_GetCatalogResponse, _drawdown_v1_GetCatalogRequest__Output, _drawdown_v1_GetCatalogResponse__Output>
  ListCatalogVersions: MethodDefinition<_drawdown_v1_ListCatalogVersionsRequest, _drawdown_v1_ListCatalogVersionsResponse, _drawdown_v1_ListCatalogVersionsRequest__Output, _drawdown_v1_ListCatalogVersionsResponse__Output>
  PublishCatalog: MethodDefinition<_drawdown_v1_PublishCatalogRequest, _drawdown_v1_PublishCatalogResponse, _drawdown_v1_PublishCatalogRequest__Output, _drawdown_v1_PublishCatalogResponse__Output>
  ValidateCatalog: MethodDefinition<_drawdown_v1_ValidateCatalogRequest, _drawdown_v1_ValidateCatalogResponse, _drawdown_v1_ValidateCatalogRequest__Output, _drawdown_v1_ValidateCatalogResponse__Output>
}
