// Original file: proto/drawdown/v1/account_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateAccountRequest as _drawdown_v1_CreateAccountRequest, CreateAccountRequest__Output as _drawdown_v1_CreateAccountRequest__Output } from '../../drawdown/v1/CreateAccountRequest.js';
import type { CreateAccountResponse as _drawdown_v1_CreateAccountResponse, CreateAccountResponse__Output as _drawdown_v1_CreateAccountResponse__Output } from '../../drawdown/v1/CreateAccountResponse.js';
import type { GetBalanceRequest as _drawdown_v1_GetBalanceRequest, GetBalanceRequest__Output as _drawdown_v1_GetBalanceRequest__Output } from '../../drawdown/v1/GetBalanceRequest.js';
import type { GetBalanceResponse as _drawdown_v1_GetBalanceResponse, GetBalanceResponse__Output as _drawdown_v1_GetBalanceResponse__Output } from '../../drawdown/v1/GetBalanceResponse.js';
import type { GetStatementRequest as _drawdown_v1_GetStatementRequest, GetStatementRequest__Output as _drawdown_v1_GetStatementRequest__Output } from '../../drawdown/v1/GetStatementRequest.js';
import type { GetStatementResponse as _drawdown_v1_GetStatementResponse, GetStatementResponse__Output as _drawdown_v1_GetStatementResponse__Output } from '../../drawdown/v1/GetStatementResponse.js';
import type { ListHoldsRequest as _drawdown_v1_ListHoldsRequest, ListHoldsRequest__Output as _drawdown_v1_ListHoldsRequest__Output } from '../../drawdown/v1/ListHoldsRequest.js';
import type { ListHoldsResponse as _drawdown_v1_ListHoldsResponse, ListHoldsResponse__Output as _drawdown_v1_ListHoldsResponse__Output } from '../../drawdown/v1/ListHoldsResponse.js';
import type { ListLedgerEntriesRequest as _drawdown_v1_ListLedgerEntriesRequest, ListLedgerEntriesRequest__Output as _drawdown_v1_ListLedgerEntriesRequest__Output } from '../../drawdown/v1/ListLedgerEntriesRequest.js';
import type { ListLedgerEntriesResponse as _drawdown_v1_ListLedgerEntriesResponse, ListLedgerEntriesResponse__Output as _drawdown_v1_ListLedgerEntriesResponse__Output } from '../../drawdown/v1/ListLedgerEntriesResponse.js';
import type { ListLotsRequest as _drawdown_v1_ListLotsRequest, ListLotsRequest__Output as _drawdown_v1_ListLotsRequest__Output } from '../../drawdown/v1/ListLotsRequest.js';
import type { ListLotsResponse as _drawdown_v1_ListLotsResponse, ListLotsResponse__Output as _drawdown_v1_ListLotsResponse__Output } from '../../drawdown/v1/ListLotsResponse.js';
import type { TopUpRequest as _drawdown_v1_TopUpRequest, TopUpRequest__Output as _drawdown_v1_TopUpRequest__Output } from '../../drawdown/v1/TopUpRequest.js';
import type { TopUpResponse as _drawdown_v1_TopUpResponse, TopUpResponse__Output as _drawdown_v1_TopUpResponse__Output } from '../../drawdown/v1/TopUpResponse.js';
import type { WatchBalanceRequest as _drawdown_v1_WatchBalanceRequest, WatchBalanceRequest__Output as _drawdown_v1_WatchBalanceRequest__Output } from '../../drawdown/v1/WatchBalanceRequest.js';
import type { WatchBalanceResponse as _drawdown_v1_WatchBalanceResponse, WatchBalanceResponse__Output as _drawdown_v1_WatchBalanceResponse__Output } from '../../drawdown/v1/WatchBalanceResponse.js';

export interface AccountServiceClient extends grpc.Client {
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  
  GetBalance(argument: _drawdown_v1_GetBalanceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  GetBalance(argument: _drawdown_v1_GetBalanceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  GetBalance(argument: _drawdown_v1_GetBalanceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  GetBalance(argument: _drawdown_v1_GetBalanceRequest, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  getBalance(argument: _drawdown_v1_GetBalanceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  getBalance(argument: _drawdown_v1_GetBalanceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  getBalance(argument: _drawdown_v1_GetBalanceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  getBalance(argument: _drawdown_v1_GetBalanceRequest, callback: grpc.requestCallback<_drawdown_v1_GetBalanceResponse__Output>): grpc.ClientUnaryCall;
  
  GetStatement(argument: _drawdown_v1_GetStatementRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  GetStatement(argument: _drawdown_v1_GetStatementRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  GetStatement(argument: _drawdown_v1_GetStatementRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  GetStatement(argument: _drawdown_v1_GetStatementRequest, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  getStatement(argument: _drawdown_v1_GetStatementRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  getStatement(argument: _drawdown_v1_GetStatementRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  getStatement(argument: _drawdown_v1_GetStatementRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  getStatement(argument: _drawdown_v1_GetStatementRequest, callback: grpc.requestCallback<_drawdown_v1_GetStatementResponse__Output>): grpc.ClientUnaryCall;
  
  ListHolds(argument: _drawdown_v1_ListHoldsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  ListHolds(argument: _drawdown_v1_ListHoldsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  ListHolds(argument: _drawdown_v1_ListHoldsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  ListHolds(argument: _drawdown_v1_ListHoldsRequest, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  listHolds(argument: _drawdown_v1_ListHoldsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  listHolds(argument: _drawdown_v1_ListHoldsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  listHolds(argument: _drawdown_v1_ListHoldsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  listHolds(argument: _drawdown_v1_ListHoldsRequest, callback: grpc.requestCallback<_drawdown_v1_ListHoldsResponse__Output>): grpc.ClientUnaryCall;
  
  ListLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  ListLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  ListLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  ListLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  listLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  listLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  listLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  listLedgerEntries(argument: _drawdown_v1_ListLedgerEntriesRequest, callback: grpc.requestCallback<_drawdown_v1_ListLedgerEntriesResponse__Output>): grpc.ClientUnaryCall;
  
  ListLots(argument: _drawdown_v1_ListLotsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  ListLots(argument: _drawdown_v1_ListLotsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  ListLots(argument: _drawdown_v1_ListLotsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  ListLots(argument: _drawdown_v1_ListLotsRequest, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  listLots(argument: _drawdown_v1_ListLotsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  listLots(argument: _drawdown_v1_ListLotsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  listLots(argument: _drawdown_v1_ListLotsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  listLots(argument: _drawdown_v1_ListLotsRequest, callback: grpc.requestCallback<_drawdown_v1_ListLotsResponse__Output>): grpc.ClientUnaryCall;
  
  TopUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  TopUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  TopUp(argument: _drawdown_v1_TopUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  TopUp(argument: _drawdown_v1_TopUpRequest, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  
  WatchBalance(argument: _drawdown_v1_WatchBalanceRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  WatchBalance(argument: _drawdown_v1_WatchBalanceRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  watchBalance(argument: _drawdown_v1_WatchBalanceRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  watchBalance(argument: _drawdown_v1_WatchBalanceRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  
}

export interface AccountServiceHandlers extends grpc.UntypedServiceImplementation {
  CreateAccount: grpc.handleUnaryCall<_drawdown_v1_CreateAccountRequest__Output, _drawdown_v1_CreateAccountResponse>;
  
  GetBalance: grpc.handleUnaryCall<_drawdown_v1_GetBalanceRequest__Output, _drawdown_v1_GetBalanceResponse>;
  
  GetStatement: grpc.handleUnaryCall<_drawdown_v1_GetStatementRequest__Output, _drawdown_v1_GetStatementResponse>;
  
  ListHolds: grpc.handleUnaryCall<_drawdown_v1_ListHoldsRequest__Output, _drawdown_v1_ListHoldsResponse>;
  
  ListLedgerEntries: grpc.handleUnaryCall<_drawdown_v1_ListLedgerEntriesRequest__Output, _drawdown_v1_ListLedgerEntriesResponse>;
  
  ListLots: grpc.handleUnaryCall<_drawdown_v1_ListLotsRequest__Output, _drawdown_v1_ListLotsResponse>;
  
  TopUp: grpc.handleUnaryCall<_drawdown_v1_TopUpRequest__Output, _drawdown_v1_TopUpResponse>;
  
  WatchBalance: grpc.handleServerStreamingCall<_drawdown_v1_WatchBalanceRequest__Output, _drawdown_v1_WatchBalanceResponse>;
  
}

export interface AccountServiceDefinition extends grpc.ServiceDefinition {
  CreateAccount: MethodDefinition<_drawdown_v1_CreateAccountRequest, _drawdown_v1_CreateAccountResponse, _drawdown_v1_CreateAccountRequest__Output, _drawdown_v1_CreateAccountResponse__Output>
  GetBalance: MethodDefinition<_drawdown_v1_GetBalanceRequest, _drawdown_v1_GetBalanceResponse, _drawdown_v1_GetBalanceRequest__Output, _drawdown_v1_GetBalanceResponse__Output>
  GetStatement: MethodDefinition<_drawdown_v1_GetStatementRequest, _drawdown_v1_GetStatementResponse, _drawdown_v1_GetStatementRequest__Output, _drawdown_v1_GetStatementResponse__Output>
  ListHolds: MethodDefinition<_drawdown_v1_ListHoldsRequest, _drawdown_v1_ListHoldsResponse, _drawdown_v1_ListHoldsRequest__Output, _drawdown_v1_ListHoldsResponse__Output>
  ListLedgerEntries: MethodDefinition<_drawdown_v1_ListLedgerEntriesRequest, _drawdown_v1_ListLedgerEntriesResponse, _drawdown_v1_ListLedgerEntriesRequest__Output, _drawdown_v1_ListLedgerEntriesResponse__Output>
  ListLots: MethodDefinition<_drawdown_v1_ListLotsRequest, _drawdown_v1_ListLotsResponse, _drawdown_v1_ListLotsRequest__Output, _drawdown_v1_ListLotsResponse__Output>
  TopUp: MethodDefinition<_drawdown_v1_TopUpRequest, _drawdown_v1_TopUpResponse, _drawdown_v1_TopUpRequest__Output, _drawdown_v1_TopUpResponse__Output>
  WatchBalance: MethodDefinition<_drawdown_v1_WatchBalanceRequest, _drawdown_v1_WatchBalanceResponse, _drawdown_v1_WatchBalanceRequest__Output, _drawdown_v1_WatchBalanceResponse__Output>
}
