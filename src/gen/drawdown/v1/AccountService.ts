// Original file: proto/drawdown/v1/account_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CancelScheduledChangeRequest as _drawdown_v1_CancelScheduledChangeRequest, CancelScheduledChangeRequest__Output as _drawdown_v1_CancelScheduledChangeRequest__Output } from '../../drawdown/v1/CancelScheduledChangeRequest.js';
import type { CancelScheduledChangeResponse as _drawdown_v1_CancelScheduledChangeResponse, CancelScheduledChangeResponse__Output as _drawdown_v1_CancelScheduledChangeResponse__Output } from '../../drawdown/v1/CancelScheduledChangeResponse.js';
import type { ChangePlanRequest as _drawdown_v1_ChangePlanRequest, ChangePlanRequest__Output as _drawdown_v1_ChangePlanRequest__Output } from '../../drawdown/v1/ChangePlanRequest.js';
import type { ChangePlanResponse as _drawdown_v1_ChangePlanResponse, ChangePlanResponse__Output as _drawdown_v1_ChangePlanResponse__Output } from '../../drawdown/v1/ChangePlanResponse.js';
import type { CloseAccountRequest as _drawdown_v1_CloseAccountRequest, CloseAccountRequest__Output as _drawdown_v1_CloseAccountRequest__Output } from '../../drawdown/v1/CloseAccountRequest.js';
import type { CloseAccountResponse as _drawdown_v1_CloseAccountResponse, CloseAccountResponse__Output as _drawdown_v1_CloseAccountResponse__Output } from '../../drawdown/v1/CloseAccountResponse.js';
import type { ConvertCreditsRequest as _drawdown_v1_ConvertCreditsRequest, ConvertCreditsRequest__Output as _drawdown_v1_ConvertCreditsRequest__Output } from '../../drawdown/v1/ConvertCreditsRequest.js';
import type { ConvertCreditsResponse as _drawdown_v1_ConvertCreditsResponse, ConvertCreditsResponse__Output as _drawdown_v1_ConvertCreditsResponse__Output } from '../../drawdown/v1/ConvertCreditsResponse.js';
import type { CreateAccountRequest as _drawdown_v1_CreateAccountRequest, CreateAccountRequest__Output as _drawdown_v1_CreateAccountRequest__Output } from '../../drawdown/v1/CreateAccountRequest.js';
import type { CreateAccountResponse as _drawdown_v1_CreateAccountResponse, CreateAccountResponse__Output as _drawdown_v1_CreateAccountResponse__Output } from '../../drawdown/v1/CreateAccountResponse.js';
import type { ExpireLotRequest as _drawdown_v1_ExpireLotRequest, ExpireLotRequest__Output as _drawdown_v1_ExpireLotRequest__Output } from '../../drawdown/v1/ExpireLotRequest.js';
import type { ExpireLotResponse as _drawdown_v1_ExpireLotResponse, ExpireLotResponse__Output as _drawdown_v1_ExpireLotResponse__Output } from '../../drawdown/v1/ExpireLotResponse.js';
import type { FreezeAccountRequest as _drawdown_v1_FreezeAccountRequest, FreezeAccountRequest__Output as _drawdown_v1_FreezeAccountRequest__Output } from '../../drawdown/v1/FreezeAccountRequest.js';
import type { FreezeAccountResponse as _drawdown_v1_FreezeAccountResponse, FreezeAccountResponse__Output as _drawdown_v1_FreezeAccountResponse__Output } from '../../drawdown/v1/FreezeAccountResponse.js';
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
import type { ReopenAccountRequest as _drawdown_v1_ReopenAccountRequest, ReopenAccountRequest__Output as _drawdown_v1_ReopenAccountRequest__Output } from '../../drawdown/v1/ReopenAccountRequest.js';
import type { ReopenAccountResponse as _drawdown_v1_ReopenAccountResponse, ReopenAccountResponse__Output as _drawdown_v1_ReopenAccountResponse__Output } from '../../drawdown/v1/ReopenAccountResponse.js';
import type { RerateUsageRequest as _drawdown_v1_RerateUsageRequest, RerateUsageRequest__Output as _drawdown_v1_RerateUsageRequest__Output } from '../../drawdown/v1/RerateUsageRequest.js';
import type { RerateUsageResponse as _drawdown_v1_RerateUsageResponse, RerateUsageResponse__Output as _drawdown_v1_RerateUsageResponse__Output } from '../../drawdown/v1/RerateUsageResponse.js';
import type { ReverseUsageRequest as _drawdown_v1_ReverseUsageRequest, ReverseUsageRequest__Output as _drawdown_v1_ReverseUsageRequest__Output } from '../../drawdown/v1/ReverseUsageRequest.js';
import type { ReverseUsageResponse as _drawdown_v1_ReverseUsageResponse, ReverseUsageResponse__Output as _drawdown_v1_ReverseUsageResponse__Output } from '../../drawdown/v1/ReverseUsageResponse.js';
import type { StartBillingPeriodRequest as _drawdown_v1_StartBillingPeriodRequest, StartBillingPeriodRequest__Output as _drawdown_v1_StartBillingPeriodRequest__Output } from '../../drawdown/v1/StartBillingPeriodRequest.js';
import type { StartBillingPeriodResponse as _drawdown_v1_StartBillingPeriodResponse, StartBillingPeriodResponse__Output as _drawdown_v1_StartBillingPeriodResponse__Output } from '../../drawdown/v1/StartBillingPeriodResponse.js';
import type { TopUpRequest as _drawdown_v1_TopUpRequest, TopUpRequest__Output as _drawdown_v1_TopUpRequest__Output } from '../../drawdown/v1/TopUpRequest.js';
import type { TopUpResponse as _drawdown_v1_TopUpResponse, TopUpResponse__Output as _drawdown_v1_TopUpResponse__Output } from '../../drawdown/v1/TopUpResponse.js';
import type { UnfreezeAccountRequest as _drawdown_v1_UnfreezeAccountRequest, UnfreezeAccountRequest__Output as _drawdown_v1_UnfreezeAccountRequest__Output } from '../../drawdown/v1/UnfreezeAccountRequest.js';
import type { UnfreezeAccountResponse as _drawdown_v1_UnfreezeAccountResponse, UnfreezeAccountResponse__Output as _drawdown_v1_UnfreezeAccountResponse__Output } from '../../drawdown/v1/UnfreezeAccountResponse.js';
import type { WatchBalanceRequest as _drawdown_v1_WatchBalanceRequest, WatchBalanceRequest__Output as _drawdown_v1_WatchBalanceRequest__Output } from '../../drawdown/v1/WatchBalanceRequest.js';
import type { WatchBalanceResponse as _drawdown_v1_WatchBalanceResponse, WatchBalanceResponse__Output as _drawdown_v1_WatchBalanceResponse__Output } from '../../drawdown/v1/WatchBalanceResponse.js';

export interface AccountServiceClient extends grpc.Client {
  CancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  CancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  CancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  CancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  cancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  cancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  cancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  cancelScheduledChange(argument: _drawdown_v1_CancelScheduledChangeRequest, callback: grpc.requestCallback<_drawdown_v1_CancelScheduledChangeResponse__Output>): grpc.ClientUnaryCall;
  
  ChangePlan(argument: _drawdown_v1_ChangePlanRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  ChangePlan(argument: _drawdown_v1_ChangePlanRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  ChangePlan(argument: _drawdown_v1_ChangePlanRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  ChangePlan(argument: _drawdown_v1_ChangePlanRequest, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  changePlan(argument: _drawdown_v1_ChangePlanRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  changePlan(argument: _drawdown_v1_ChangePlanRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  changePlan(argument: _drawdown_v1_ChangePlanRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  changePlan(argument: _drawdown_v1_ChangePlanRequest, callback: grpc.requestCallback<_drawdown_v1_ChangePlanResponse__Output>): grpc.ClientUnaryCall;
  
  CloseAccount(argument: _drawdown_v1_CloseAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  CloseAccount(argument: _drawdown_v1_CloseAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  CloseAccount(argument: _drawdown_v1_CloseAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  CloseAccount(argument: _drawdown_v1_CloseAccountRequest, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  closeAccount(argument: _drawdown_v1_CloseAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  closeAccount(argument: _drawdown_v1_CloseAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  closeAccount(argument: _drawdown_v1_CloseAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  closeAccount(argument: _drawdown_v1_CloseAccountRequest, callback: grpc.requestCallback<_drawdown_v1_CloseAccountResponse__Output>): grpc.ClientUnaryCall;
  
  ConvertCredits(argument: _drawdown_v1_ConvertCreditsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  ConvertCredits(argument: _drawdown_v1_ConvertCreditsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  ConvertCredits(argument: _drawdown_v1_ConvertCreditsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  ConvertCredits(argument: _drawdown_v1_ConvertCreditsRequest, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  convertCredits(argument: _drawdown_v1_ConvertCreditsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  convertCredits(argument: _drawdown_v1_ConvertCreditsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  convertCredits(argument: _drawdown_v1_ConvertCreditsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  convertCredits(argument: _drawdown_v1_ConvertCreditsRequest, callback: grpc.requestCallback<_drawdown_v1_ConvertCreditsResponse__Output>): grpc.ClientUnaryCall;
  
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  CreateAccount(argument: _drawdown_v1_CreateAccountRequest, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  createAccount(argument: _drawdown_v1_CreateAccountRequest, callback: grpc.requestCallback<_drawdown_v1_CreateAccountResponse__Output>): grpc.ClientUnaryCall;
  
  ExpireLot(argument: _drawdown_v1_ExpireLotRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  ExpireLot(argument: _drawdown_v1_ExpireLotRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  ExpireLot(argument: _drawdown_v1_ExpireLotRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  ExpireLot(argument: _drawdown_v1_ExpireLotRequest, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  expireLot(argument: _drawdown_v1_ExpireLotRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  expireLot(argument: _drawdown_v1_ExpireLotRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  expireLot(argument: _drawdown_v1_ExpireLotRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  expireLot(argument: _drawdown_v1_ExpireLotRequest, callback: grpc.requestCallback<_drawdown_v1_ExpireLotResponse__Output>): grpc.ClientUnaryCall;
  
  FreezeAccount(argument: _drawdown_v1_FreezeAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  FreezeAccount(argument: _drawdown_v1_FreezeAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  FreezeAccount(argument: _drawdown_v1_FreezeAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  FreezeAccount(argument: _drawdown_v1_FreezeAccountRequest, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  freezeAccount(argument: _drawdown_v1_FreezeAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  freezeAccount(argument: _drawdown_v1_FreezeAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  freezeAccount(argument: _drawdown_v1_FreezeAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  freezeAccount(argument: _drawdown_v1_FreezeAccountRequest, callback: grpc.requestCallback<_drawdown_v1_FreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  
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
  
  ReopenAccount(argument: _drawdown_v1_ReopenAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  ReopenAccount(argument: _drawdown_v1_ReopenAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  ReopenAccount(argument: _drawdown_v1_ReopenAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  ReopenAccount(argument: _drawdown_v1_ReopenAccountRequest, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  reopenAccount(argument: _drawdown_v1_ReopenAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  reopenAccount(argument: _drawdown_v1_ReopenAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  reopenAccount(argument: _drawdown_v1_ReopenAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  reopenAccount(argument: _drawdown_v1_ReopenAccountRequest, callback: grpc.requestCallback<_drawdown_v1_ReopenAccountResponse__Output>): grpc.ClientUnaryCall;
  
  RerateUsage(argument: _drawdown_v1_RerateUsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  RerateUsage(argument: _drawdown_v1_RerateUsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  RerateUsage(argument: _drawdown_v1_RerateUsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  RerateUsage(argument: _drawdown_v1_RerateUsageRequest, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  rerateUsage(argument: _drawdown_v1_RerateUsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  rerateUsage(argument: _drawdown_v1_RerateUsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  rerateUsage(argument: _drawdown_v1_RerateUsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  rerateUsage(argument: _drawdown_v1_RerateUsageRequest, callback: grpc.requestCallback<_drawdown_v1_RerateUsageResponse__Output>): grpc.ClientUnaryCall;
  
  ReverseUsage(argument: _drawdown_v1_ReverseUsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  ReverseUsage(argument: _drawdown_v1_ReverseUsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  ReverseUsage(argument: _drawdown_v1_ReverseUsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  ReverseUsage(argument: _drawdown_v1_ReverseUsageRequest, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  reverseUsage(argument: _drawdown_v1_ReverseUsageRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  reverseUsage(argument: _drawdown_v1_ReverseUsageRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  reverseUsage(argument: _drawdown_v1_ReverseUsageRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  reverseUsage(argument: _drawdown_v1_ReverseUsageRequest, callback: grpc.requestCallback<_drawdown_v1_ReverseUsageResponse__Output>): grpc.ClientUnaryCall;
  
  StartBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  StartBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  StartBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  StartBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  startBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  startBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  startBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  startBillingPeriod(argument: _drawdown_v1_StartBillingPeriodRequest, callback: grpc.requestCallback<_drawdown_v1_StartBillingPeriodResponse__Output>): grpc.ClientUnaryCall;
  
  TopUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  TopUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  TopUp(argument: _drawdown_v1_TopUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  TopUp(argument: _drawdown_v1_TopUpRequest, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  topUp(argument: _drawdown_v1_TopUpRequest, callback: grpc.requestCallback<_drawdown_v1_TopUpResponse__Output>): grpc.ClientUnaryCall;
  
  UnfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  UnfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  UnfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  UnfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  unfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  unfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  unfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  unfreezeAccount(argument: _drawdown_v1_UnfreezeAccountRequest, callback: grpc.requestCallback<_drawdown_v1_UnfreezeAccountResponse__Output>): grpc.ClientUnaryCall;
  
  WatchBalance(argument: _drawdown_v1_WatchBalanceRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  WatchBalance(argument: _drawdown_v1_WatchBalanceRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  watchBalance(argument: _drawdown_v1_WatchBalanceRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  watchBalance(argument: _drawdown_v1_WatchBalanceRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_drawdown_v1_WatchBalanceResponse__Output>;
  
}

export interface AccountServiceHandlers extends grpc.UntypedServiceImplementation {
  CancelScheduledChange: grpc.handleUnaryCall<_drawdown_v1_CancelScheduledChangeRequest__Output, _drawdown_v1_CancelScheduledChangeResponse>;
  
  ChangePlan: grpc.handleUnaryCall<_drawdown_v1_ChangePlanRequest__Output, _drawdown_v1_ChangePlanResponse>;
  
  CloseAccount: grpc.handleUnaryCall<_drawdown_v1_CloseAccountRequest__Output, _drawdown_v1_CloseAccountResponse>;
  
  ConvertCredits: grpc.handleUnaryCall<_drawdown_v1_ConvertCreditsRequest__Output, _drawdown_v1_ConvertCreditsResponse>;
  
  CreateAccount: grpc.handleUnaryCall<_drawdown_v1_CreateAccountRequest__Output, _drawdown_v1_CreateAccountResponse>;
  
  ExpireLot: grpc.handleUnaryCall<_drawdown_v1_ExpireLotRequest__Output, _drawdown_v1_ExpireLotResponse>;
  
  FreezeAccount: grpc.handleUnaryCall<_drawdown_v1_FreezeAccountRequest__Output, _drawdown_v1_FreezeAccountResponse>;
  
  GetBalance: grpc.handleUnaryCall<_drawdown_v1_GetBalanceRequest__Output, _drawdown_v1_GetBalanceResponse>;
  
  GetStatement: grpc.handleUnaryCall<_drawdown_v1_GetStatementRequest__Output, _drawdown_v1_GetStatementResponse>;
  
  ListHolds: grpc.handleUnaryCall<_drawdown_v1_ListHoldsRequest__Output, _drawdown_v1_ListHoldsResponse>;
  
  ListLedgerEntries: grpc.handleUnaryCall<_drawdown_v1_ListLedgerEntriesRequest__Output, _drawdown_v1_ListLedgerEntriesResponse>;
  
  ListLots: grpc.handleUnaryCall<_drawdown_v1_ListLotsRequest__Output, _drawdown_v1_ListLotsResponse>;
  
  ReopenAccount: grpc.handleUnaryCall<_drawdown_v1_ReopenAccountRequest__Output, _drawdown_v1_ReopenAccountResponse>;
  
  RerateUsage: grpc.handleUnaryCall<_drawdown_v1_RerateUsageRequest__Output, _drawdown_v1_RerateUsageResponse>;
  
  ReverseUsage: grpc.handleUnaryCall<_drawdown_v1_ReverseUsageRequest__Output, _drawdown_v1_ReverseUsageResponse>;
  
  StartBillingPeriod: grpc.handleUnaryCall<_drawdown_v1_StartBillingPeriodRequest__Output, _drawdown_v1_StartBillingPeriodResponse>;
  
  TopUp: grpc.handleUnaryCall<_drawdown_v1_TopUpRequest__Output, _drawdown_v1_TopUpResponse>;
  
  UnfreezeAccount: grpc.handleUnaryCall<_drawdown_v1_UnfreezeAccountRequest__Output, _drawdown_v1_UnfreezeAccountResponse>;
  
  WatchBalance: grpc.handleServerStreamingCall<_drawdown_v1_WatchBalanceRequest__Output, _drawdown_v1_WatchBalanceResponse>;
  
}

export interface AccountServiceDefinition extends grpc.ServiceDefinition {
  CancelScheduledChange: MethodDefinition<_drawdown_v1_CancelScheduledChangeRequest, _drawdown_v1_CancelScheduledChangeResponse, _drawdown_v1_CancelScheduledChangeRequest__Output, _drawdown_v1_CancelScheduledChangeResponse__Output>
  ChangePlan: MethodDefinition<_drawdown_v1_ChangePlanRequest, _drawdown_v1_ChangePlanResponse, _drawdown_v1_ChangePlanRequest__Output, _drawdown_v1_ChangePlanResponse__Output>
  CloseAccount: MethodDefinition<_drawdown_v1_CloseAccountRequest, _drawdown_v1_CloseAccountResponse, _drawdown_v1_CloseAccountRequest__Output, _drawdown_v1_CloseAccountResponse__Output>
  ConvertCredits: MethodDefinition<_drawdown_v1_ConvertCreditsRequest, _drawdown_v1_ConvertCreditsResponse, _drawdown_v1_ConvertCreditsRequest__Output, _drawdown_v1_ConvertCreditsResponse__Output>
  CreateAccount: MethodDefinition<_drawdown_v1_CreateAccountRequest, _drawdown_v1_CreateAccountResponse, _drawdown_v1_CreateAccountRequest__Output, _drawdown_v1_CreateAccountResponse__Output>
  ExpireLot: MethodDefinition<_drawdown_v1_ExpireLotRequest, _drawdown_v1_ExpireLotResponse, _drawdown_v1_ExpireLotRequest__Output, _drawdown_v1_ExpireLotResponse__Output>
  FreezeAccount: MethodDefinition<_drawdown_v1_FreezeAccountRequest, _drawdown_v1_FreezeAccountResponse, _drawdown_v1_FreezeAccountRequest__Output, _drawdown_v1_FreezeAccountResponse__Output>
  GetBalance: MethodDefinition<_drawdown_v1_GetBalanceRequest, _drawdown_v1_GetBalanceResponse, _drawdown_v1_GetBalanceRequest__Output, _drawdown_v1_GetBalanceResponse__Output>
  GetStatement: MethodDefinition<_drawdown_v1_GetStatementRequest, _drawdown_v1_GetStatementResponse, _drawdown_v1_GetStatementRequest__Output, _drawdown_v1_GetStatementResponse__Output>
  ListHolds: MethodDefinition<_drawdown_v1_ListHoldsRequest, _drawdown_v1_ListHoldsResponse, _drawdown_v1_ListHoldsRequest__Output, _drawdown_v1_ListHoldsResponse__Output>
  ListLedgerEntries: MethodDefinition<_drawdown_v1_ListLedgerEntriesRequest, _drawdown_v1_ListLedgerEntriesResponse, _drawdown_v1_ListLedgerEntriesRequest__Output, _drawdown_v1_ListLedgerEntriesResponse__Output>
  ListLots: MethodDefinition<_drawdown_v1_ListLotsRequest, _drawdown_v1_ListLotsResponse, _drawdown_v1_ListLotsRequest__Output, _drawdown_v1_ListLotsResponse__Output>
  ReopenAccount: MethodDefinition<_drawdown_v1_ReopenAccountRequest, _drawdown_v1_ReopenAccountResponse, _drawdown_v1_ReopenAccountRequest__Output, _drawdown_v1_ReopenAccountResponse__Output>
  RerateUsage: MethodDefinition<_drawdown_v1_RerateUsageRequest, _drawdown_v1_RerateUsageResponse, _drawdown_v1_RerateUsageRequest__Output, _drawdown_v1_RerateUsageResponse__Output>
  ReverseUsage: MethodDefinition<_drawdown_v1_ReverseUsageRequest, _drawdown_v1_ReverseUsageResponse, _drawdown_v1_ReverseUsageRequest__Output, _drawdown_v1_ReverseUsageResponse__Output>
  StartBillingPeriod: MethodDefinition<_drawdown_v1_StartBillingPeriodRequest, _drawdown_v1_StartBillingPeriodResponse, _drawdown_v1_StartBillingPeriodRequest__Output, _drawdown_v1_StartBillingPeriodResponse__Output>
  TopUp: MethodDefinition<_drawdown_v1_TopUpRequest, _drawdown_v1_TopUpResponse, _drawdown_v1_TopUpRequest__Output, _drawdown_v1_TopUpResponse__Output>
  UnfreezeAccount: MethodDefinition<_drawdown_v1_UnfreezeAccountRequest, _drawdown_v1_UnfreezeAccountResponse, _drawdown_v1_UnfreezeAccountRequest__Output, _drawdown_v1_UnfreezeAccountResponse__Output>
  WatchBalance: MethodDefinition<_drawdown_v1_WatchBalanceRequest, _drawdown_v1_WatchBalanceResponse, _drawdown_v1_WatchBalanceRequest__Output, _drawdown_v1_WatchBalanceResponse__Output>
}
