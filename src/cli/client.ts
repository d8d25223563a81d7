import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import type { ActivateAgentRequest } from '../gen/drawdown/v1/ActivateAgentRequest.js';
import type { ActivateAgentResponse__Output } from '../gen/drawdown/v1/ActivateAgentResponse.js';
import type { CancelScheduledChangeRequest } from '../gen/drawdown/v1/CancelScheduledChangeRequest.js';
import type { CancelScheduledChangeResponse__Output } from '../gen/drawdown/v1/CancelScheduledChangeResponse.js';
import type { ChangePlanRequest } from '../gen/drawdown/v1/ChangePlanRequest.js';
import type { ChangePlanResponse__Output } from '../gen/drawdown/v1/ChangePlanResponse.js';
import type { CloseAccountRequest } from '../gen/drawdown/v1/CloseAccountRequest.js';
import type { CloseAccountResponse__Output } from '../gen/drawdown/v1/CloseAccountResponse.js';
import type { ConvertCreditsRequest } from '../gen/drawdown/v1/ConvertCreditsRequest.js';
import type { ConvertCreditsResponse__Output } from '../gen/drawdown/v1/ConvertCreditsResponse.js';
import type { CreateAccountRequest } from '../gen/drawdown/v1/CreateAccountRequest.js';
import type { CreateAccountResponse__Output } from '../gen/drawdown/v1/CreateAccountResponse.js';
import type { ExpireLotRequest } from '../gen/drawdown/v1/ExpireLotRequest.js';
import type { ExpireLotResponse__Output } from '../gen/drawdown/v1/ExpireLotResponse.js';
import type { FreezeAccountRequest } from '../gen/drawdown/v1/FreezeAccountRequest.js';
import type { FreezeAccountResponse__Output } from '../gen/drawdown/v1/FreezeAccountResponse.js';
import type { GetAgentRequest } from '../gen/drawdown/v1/GetAgentRequest.js';
import type { GetAgentResponse__Output } from '../gen/drawdown/v1/GetAgentResponse.js';
import type { GetBalanceRequest } from '../gen/drawdown/v1/GetBalanceRequest.js';
import type { GetBalanceResponse__Output } from '../gen/drawdown/v1/GetBalanceResponse.js';
import type { GetCatalogRequest } from '../gen/drawdown/v1/GetCatalogRequest.js';
import type { GetCatalogResponse__Output } from '../gen/drawdown/v1/GetCatalogResponse.js';
import type { GetStatementRequest } from '../gen/drawdown/v1/GetStatementRequest.js';
import type { GetStatementResponse__Output } from '../gen/drawdown/v1/GetStatementResponse.js';
import type { ListAgentsRequest } from '../gen/drawdown/v1/ListAgentsRequest.js';
import type { ListAgentsResponse__Output } from '../gen/drawdown/v1/ListAgentsResponse.js';
import type { ListCatalogVersionsRequest } from '../gen/drawdown/v1/ListCatalogVersionsRequest.js';
import type { ListCatalogVersionsResponse__Output } from '../gen/drawdown/v1/ListCatalogVersionsResponse.js';
import type { ListHoldsRequest } from '../gen/drawdown/v1/ListHoldsRequest.js';
import type { ListHoldsResponse__Output } from '../gen/drawdown/v1/ListHoldsResponse.js';
import type { ListLedgerEntriesRequest } from '../gen/drawdown/v1/ListLedgerEntriesRequest.js';
import type { ListLedgerEntriesResponse__Output } from '../gen/drawdown/v1/ListLedgerEntriesResponse.js';
import type { ListLotsRequest } from '../gen/drawdown/v1/ListLotsRequest.js';
import type { ListLotsResponse__Output } from '../gen/drawdown/v1/ListLotsResponse.js';
import type { PublishCatalogRequest } from '../gen/drawdown/v1/PublishCatalogRequest.js';
import type { PublishCatalogResponse__Output } from '../gen/drawdown/v1/PublishCatalogResponse.js';
import type { RecordUsageBatchRequest } from '../gen/drawdown/v1/RecordUsageBatchRequest.js';
import type { RecordUsageBatchResponse__Output } from '../gen/drawdown/v1/RecordUsageBatchResponse.js';
import type { ReleaseRequest } from '../gen/drawdown/v1/ReleaseRequest.js';
import type { ReleaseResponse__Output } from '../gen/drawdown/v1/ReleaseResponse.js';
import type { RemoveAgentRequest } from '../gen/drawdown/v1/RemoveAgentRequest.js';
import type { RemoveAgentResponse__Output } from '../gen/drawdown/v1/RemoveAgentResponse.js';
import type { ReopenAccountRequest } from '../gen/drawdown/v1/ReopenAccountRequest.js';
import type { ReopenAccountResponse__Output } from '../gen/drawdown/v1/ReopenAccountResponse.js';
import type { RerateUsageRequest } from '../gen/drawdown/v1/RerateUsageRequest.js';
import type { RerateUsageResponse__Output } from '../gen/drawdown/v1/RerateUsageResponse.js';
import type { ReserveRequest } from '../gen/drawdown/v1/ReserveRequest.js';
import type { ReserveResponse__Output } from '../gen/drawdown/v1/ReserveResponse.js';
import type { ReverseUsageRequest } from '../gen/drawdown/v1/ReverseUsageRequest.js';
import type { ReverseUsageResponse__Output } from '../gen/drawdown/v1/ReverseUsageResponse.js';
import type { SettleRequest } from '../gen/drawdown/v1/SettleRequest.js';
import type { SettleResponse__Output } from '../gen/drawdown/v1/SettleResponse.js';
import type { StartBillingPeriodRequest } from '../gen/drawdown/v1/StartBillingPeriodRequest.js';
import type { StartBillingPeriodResponse__Output } from '../gen/drawdown/v1/StartBillingPeriodResponse.js';
import type { SuspendAgentRequest } from '../gen/drawdown/v1/SuspendAgentRequest.js';
import type { SuspendAgentResponse__Output } from '../gen/drawdown/v1/SuspendAgentResponse.js';
import type { TopUpRequest } from '../gen/drawdown/v1/TopUpRequest.js';
import type { TopUpResponse__Output } from '../gen/drawdown/v1/TopUpResponse.js';
import type { UnfreezeAccountRequest } from '../gen/drawdown/v1/UnfreezeAccountRequest.js';
import type { UnfreezeAccountResponse__Output } from '../gen/drawdown/v1/UnfreezeAccountResponse.js';
import type { UnlockAgentRequest } from '../gen/drawdown/v1/UnlockAgentRequest.js';
import type { UnlockAgentResponse__Output } from '../gen/drawdown/v1/UnlockAgentResponse.js';
import { readErrorDetails } from '../grpc/errors.js';
import { packageDefinition } from '../grpc/proto.js';
import { CommandFailure } from './io.js';

/** The calls that commands make, with what goes in and what comes out. 64-bit integers are decimal strings. */
interface Calls {
  'AccountService/CreateAccount': [CreateAccountRequest, CreateAccountResponse__Output];
  'AccountService/TopUp': [TopUpRequest, TopUpResponse__Output];
  'AccountService/ConvertCredits': [ConvertCreditsRequest, ConvertCreditsResponse__Output];
  'AccountService/StartBillingPeriod': [StartBillingPeriodRequest, StartBillingPeriodResponse__Output];
  'AccountService/ChangePlan': [ChangePlanRequest, ChangePlanResponse__Output];
  'AccountService/CancelScheduledChange': [
    CancelScheduledChangeRequest,
    CancelScheduledChangeResponse__Output,
  ];
  'AccountService/CloseAccount': [CloseAccountRequest, CloseAccountResponse__Output];
  'AccountService/ExpireLot': [ExpireLotRequest, ExpireLotResponse__Output];
  'AccountService/FreezeAccount': [FreezeAccountRequest, FreezeAccountResponse__Output];
  'AccountService/ReopenAccount': [ReopenAccountRequest, ReopenAccountResponse__Output];
  'AccountService/RerateUsage': [RerateUsageRequest, RerateUsageResponse__Output];
  'AccountService/ReverseUsage': [ReverseUsageRequest, ReverseUsageResponse__Output];
  'AccountService/UnfreezeAccount': [UnfreezeAccountRequest, UnfreezeAccountResponse__Output];
  'AccountService/GetBalance': [GetBalanceRequest, GetBalanceResponse__Output];
  'AccountService/ListLots': [ListLotsRequest, ListLotsResponse__Output];
  'AccountService/ListHolds': [ListHoldsRequest, ListHoldsResponse__Output];
  'AccountService/ListLedgerEntries': [ListLedgerEntriesRequest, ListLedgerEntriesResponse__Output];
  'AgentService/ActivateAgent': [ActivateAgentRequest, ActivateAgentResponse__Output];
  'AgentService/GetAgent': [GetAgentRequest, GetAgentResponse__Output];
  'AgentService/ListAgents': [ListAgentsRequest, ListAgentsResponse__Output];
  'AgentService/RemoveAgent': [RemoveAgentRequest, RemoveAgentResponse__Output];
  'AgentService/SuspendAgent': [SuspendAgentRequest, SuspendAgentResponse__Output];
  'AgentService/UnlockAgent': [UnlockAgentRequest, UnlockAgentResponse__Output];
  'CatalogService/GetCatalog': [GetCatalogRequest, GetCatalogResponse__Output];
  'CatalogService/ListCatalogVersions': [ListCatalogVersionsRequest, ListCatalogVersionsResponse__Output];
  'CatalogService/PublishCatalog': [PublishCatalogRequest, PublishCatalogResponse__Output];
  'AccountService/GetStatement': [GetStatementRequest, GetStatementResponse__Output];
  'UsageService/RecordUsageBatch': [RecordUsageBatchRequest, RecordUsageBatchResponse__Output];
  'UsageService/Reserve': [ReserveRequest, ReserveResponse__Output];
  'UsageService/Settle': [SettleRequest, SettleResponse__Output];
  'UsageService/Release': [ReleaseRequest, ReleaseResponse__Output];
}

/** Longer than the sidecar's own longest wait for Postgres, so that its answer arrives. */
const callTimeoutMs = 40_000;

export interface SidecarAddress {
  readonly address: string;
  readonly token: string | undefined;
}

/** A connection to one sidecar, for the length of one command. */
export class SidecarClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(private readonly sidecar: SidecarAddress) {
    this.#client = new Client(sidecar.address, credentials.createInsecure());
    if (sidecar.token !== undefined) this.#metadata.set('authorization', `Bearer ${sidecar.token}`);
  }

  /** Rejects with a CommandFailure of one line that says what to do. */
  call<Name extends keyof Calls>(name: Name, request: Calls[Name][0]): Promise<Calls[Name][1]> {
    const [service, method] = name.split('/') as [string, string];
    const definition = (
      packageDefinition[`drawdown.v1.${service}`] as Record<string, MethodDefinition<object, object>>
    )[method] as MethodDefinition<object, object>;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        request,
        this.#metadata,
        { deadline: Date.now() + callTimeoutMs },
        (error, response) => {
          if (error === null) resolve(response as Calls[Name][1]);
          else reject(new CommandFailure(describeFailure(error, this.sidecar.address)));
        },
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

function describeFailure(error: ServiceError, address: string): string {
  const { reason, field, retryAfterMs } = readErrorDetails(error.metadata);
  if (error.code === status.UNAVAILABLE && reason === null) {
    return `No sidecar answers at ${address}. Start one with "npm start" or "drawdown serve", or name another with --address.`;
  }
  const code = reason ?? status[error.code];
  const where = field === null || error.details.includes(field) ? '' : ` (field ${field})`;
  const when = retryAfterMs === null ? '' : '. Try again with the same --id and --time';
  return `${code}: ${error.details}${where}${when}`;
}
