/** A small gRPC client for tests against a real sidecar: one connection, unary calls by name, and record streams. */
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import type { ActivateAgentRequest } from '../../src/gen/drawdown/v1/ActivateAgentRequest.js';
import type { ActivateAgentResponse__Output } from '../../src/gen/drawdown/v1/ActivateAgentResponse.js';
import type { CancelScheduledChangeRequest } from '../../src/gen/drawdown/v1/CancelScheduledChangeRequest.js';
import type { CancelScheduledChangeResponse__Output } from '../../src/gen/drawdown/v1/CancelScheduledChangeResponse.js';
import type { ChangePlanRequest } from '../../src/gen/drawdown/v1/ChangePlanRequest.js';
import type { ChangePlanResponse__Output } from '../../src/gen/drawdown/v1/ChangePlanResponse.js';
import type { CheckBalanceRequest } from '../../src/gen/drawdown/v1/CheckBalanceRequest.js';
import type { CheckBalanceResponse__Output } from '../../src/gen/drawdown/v1/CheckBalanceResponse.js';
import type { CloseAccountRequest } from '../../src/gen/drawdown/v1/CloseAccountRequest.js';
import type { CloseAccountResponse__Output } from '../../src/gen/drawdown/v1/CloseAccountResponse.js';
import type { ConvertCreditsRequest } from '../../src/gen/drawdown/v1/ConvertCreditsRequest.js';
import type { ConvertCreditsResponse__Output } from '../../src/gen/drawdown/v1/ConvertCreditsResponse.js';
import type { CreateAccountRequest } from '../../src/gen/drawdown/v1/CreateAccountRequest.js';
import type { CreateAccountResponse__Output } from '../../src/gen/drawdown/v1/CreateAccountResponse.js';
import type { EstimateCostRequest } from '../../src/gen/drawdown/v1/EstimateCostRequest.js';
import type { EstimateCostResponse__Output } from '../../src/gen/drawdown/v1/EstimateCostResponse.js';
import type { EventResult__Output } from '../../src/gen/drawdown/v1/EventResult.js';
import type { ExpireLotRequest } from '../../src/gen/drawdown/v1/ExpireLotRequest.js';
import type { ExpireLotResponse__Output } from '../../src/gen/drawdown/v1/ExpireLotResponse.js';
import type { ExtendRequest } from '../../src/gen/drawdown/v1/ExtendRequest.js';
import type { ExtendResponse__Output } from '../../src/gen/drawdown/v1/ExtendResponse.js';
import type { FreezeAccountRequest } from '../../src/gen/drawdown/v1/FreezeAccountRequest.js';
import type { FreezeAccountResponse__Output } from '../../src/gen/drawdown/v1/FreezeAccountResponse.js';
import type { GetAgentRequest } from '../../src/gen/drawdown/v1/GetAgentRequest.js';
import type { GetAgentResponse__Output } from '../../src/gen/drawdown/v1/GetAgentResponse.js';
import type { GetBalanceRequest } from '../../src/gen/drawdown/v1/GetBalanceRequest.js';
import type { GetBalanceResponse__Output } from '../../src/gen/drawdown/v1/GetBalanceResponse.js';
import type { GetCatalogRequest } from '../../src/gen/drawdown/v1/GetCatalogRequest.js';
import type { GetCatalogResponse__Output } from '../../src/gen/drawdown/v1/GetCatalogResponse.js';
import type { GetStatementRequest } from '../../src/gen/drawdown/v1/GetStatementRequest.js';
import type { GetStatementResponse__Output } from '../../src/gen/drawdown/v1/GetStatementResponse.js';
import type { GetUsageRequest } from '../../src/gen/drawdown/v1/GetUsageRequest.js';
import type { GetUsageResponse__Output } from '../../src/gen/drawdown/v1/GetUsageResponse.js';
import type { LedgerEntry__Output } from '../../src/gen/drawdown/v1/LedgerEntry.js';
import type { ListAgentsRequest } from '../../src/gen/drawdown/v1/ListAgentsRequest.js';
import type { ListAgentsResponse__Output } from '../../src/gen/drawdown/v1/ListAgentsResponse.js';
import type { ListCatalogVersionsRequest } from '../../src/gen/drawdown/v1/ListCatalogVersionsRequest.js';
import type { ListCatalogVersionsResponse__Output } from '../../src/gen/drawdown/v1/ListCatalogVersionsResponse.js';
import type { ListHoldsRequest } from '../../src/gen/drawdown/v1/ListHoldsRequest.js';
import type { ListHoldsResponse__Output } from '../../src/gen/drawdown/v1/ListHoldsResponse.js';
import type { ListLedgerEntriesRequest } from '../../src/gen/drawdown/v1/ListLedgerEntriesRequest.js';
import type { ListLedgerEntriesResponse__Output } from '../../src/gen/drawdown/v1/ListLedgerEntriesResponse.js';
import type { ListLotsRequest } from '../../src/gen/drawdown/v1/ListLotsRequest.js';
import type { ListLotsResponse__Output } from '../../src/gen/drawdown/v1/ListLotsResponse.js';
import type { PublishCatalogRequest } from '../../src/gen/drawdown/v1/PublishCatalogRequest.js';
import type { PublishCatalogResponse__Output } from '../../src/gen/drawdown/v1/PublishCatalogResponse.js';
import type { RecordUsageBatchRequest } from '../../src/gen/drawdown/v1/RecordUsageBatchRequest.js';
import type { RecordUsageBatchResponse__Output } from '../../src/gen/drawdown/v1/RecordUsageBatchResponse.js';
import type { RecordUsageRequest } from '../../src/gen/drawdown/v1/RecordUsageRequest.js';
import type { RecordUsageResponse__Output } from '../../src/gen/drawdown/v1/RecordUsageResponse.js';
import type { ReleaseRequest } from '../../src/gen/drawdown/v1/ReleaseRequest.js';
import type { ReleaseResponse__Output } from '../../src/gen/drawdown/v1/ReleaseResponse.js';
import type { RemoveAgentRequest } from '../../src/gen/drawdown/v1/RemoveAgentRequest.js';
import type { RemoveAgentResponse__Output } from '../../src/gen/drawdown/v1/RemoveAgentResponse.js';
import type { ReopenAccountRequest } from '../../src/gen/drawdown/v1/ReopenAccountRequest.js';
import type { ReopenAccountResponse__Output } from '../../src/gen/drawdown/v1/ReopenAccountResponse.js';
import type { RerateUsageRequest } from '../../src/gen/drawdown/v1/RerateUsageRequest.js';
import type { RerateUsageResponse__Output } from '../../src/gen/drawdown/v1/RerateUsageResponse.js';
import type { ReserveRequest } from '../../src/gen/drawdown/v1/ReserveRequest.js';
import type { ReserveResponse__Output } from '../../src/gen/drawdown/v1/ReserveResponse.js';
import type { ReverseUsageRequest } from '../../src/gen/drawdown/v1/ReverseUsageRequest.js';
import type { ReverseUsageResponse__Output } from '../../src/gen/drawdown/v1/ReverseUsageResponse.js';
import type { SettleRequest } from '../../src/gen/drawdown/v1/SettleRequest.js';
import type { SettleResponse__Output } from '../../src/gen/drawdown/v1/SettleResponse.js';
import type { StartBillingPeriodRequest } from '../../src/gen/drawdown/v1/StartBillingPeriodRequest.js';
import type { StartBillingPeriodResponse__Output } from '../../src/gen/drawdown/v1/StartBillingPeriodResponse.js';
import type { SuspendAgentRequest } from '../../src/gen/drawdown/v1/SuspendAgentRequest.js';
import type { SuspendAgentResponse__Output } from '../../src/gen/drawdown/v1/SuspendAgentResponse.js';
import type { TopUpRequest } from '../../src/gen/drawdown/v1/TopUpRequest.js';
import type { TopUpResponse__Output } from '../../src/gen/drawdown/v1/TopUpResponse.js';
import type { UnfreezeAccountRequest } from '../../src/gen/drawdown/v1/UnfreezeAccountRequest.js';
import type { UnfreezeAccountResponse__Output } from '../../src/gen/drawdown/v1/UnfreezeAccountResponse.js';
import type { Unit } from '../../src/gen/drawdown/v1/Unit.js';
import type { UnlockAgentRequest } from '../../src/gen/drawdown/v1/UnlockAgentRequest.js';
import type { UnlockAgentResponse__Output } from '../../src/gen/drawdown/v1/UnlockAgentResponse.js';
import type { UsageEvent } from '../../src/gen/drawdown/v1/UsageEvent.js';
import type { ValidateCatalogRequest } from '../../src/gen/drawdown/v1/ValidateCatalogRequest.js';
import type { ValidateCatalogResponse__Output } from '../../src/gen/drawdown/v1/ValidateCatalogResponse.js';
import type { WatchBalanceRequest } from '../../src/gen/drawdown/v1/WatchBalanceRequest.js';
import type { WatchBalanceResponse__Output } from '../../src/gen/drawdown/v1/WatchBalanceResponse.js';
import { readErrorDetails } from '../../src/grpc/errors.js';
import { packageDefinition } from '../../src/grpc/proto.js';
import { until } from './until.js';
import { Watcher } from './watcher.js';

/** 64-bit integers come back as decimal strings. */
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
  'AccountService/GetStatement': [GetStatementRequest, GetStatementResponse__Output];
  'UsageService/RecordUsageBatch': [RecordUsageBatchRequest, RecordUsageBatchResponse__Output];
  'UsageService/Reserve': [ReserveRequest, ReserveResponse__Output];
  'UsageService/Extend': [ExtendRequest, ExtendResponse__Output];
  'UsageService/Settle': [SettleRequest, SettleResponse__Output];
  'UsageService/Release': [ReleaseRequest, ReleaseResponse__Output];
  'UsageService/CheckBalance': [CheckBalanceRequest, CheckBalanceResponse__Output];
  'UsageService/GetUsage': [GetUsageRequest, GetUsageResponse__Output];
  'AgentService/ActivateAgent': [ActivateAgentRequest, ActivateAgentResponse__Output];
  'AgentService/GetAgent': [GetAgentRequest, GetAgentResponse__Output];
  'AgentService/ListAgents': [ListAgentsRequest, ListAgentsResponse__Output];
  'AgentService/RemoveAgent': [RemoveAgentRequest, RemoveAgentResponse__Output];
  'AgentService/SuspendAgent': [SuspendAgentRequest, SuspendAgentResponse__Output];
  'AgentService/UnlockAgent': [UnlockAgentRequest, UnlockAgentResponse__Output];
  'CatalogService/GetCatalog': [GetCatalogRequest, GetCatalogResponse__Output];
  'CatalogService/ListCatalogVersions': [ListCatalogVersionsRequest, ListCatalogVersionsResponse__Output];
  'CatalogService/ValidateCatalog': [ValidateCatalogRequest, ValidateCatalogResponse__Output];
  'CatalogService/PublishCatalog': [PublishCatalogRequest, PublishCatalogResponse__Output];
  'CatalogService/EstimateCost': [EstimateCostRequest, EstimateCostResponse__Output];
}

/** How a call failed, with the details that the sidecar attached. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly status: string;
  readonly reason: string | null;
  readonly field: string | null;
  readonly retryAfterMs: number | null;

  constructor(error: ServiceError) {
    super(`${status[error.code]}: ${error.details}`);
    const details = readErrorDetails(error.metadata);
    this.status = status[error.code] as string;
    this.reason = details.reason;
    this.field = details.field;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Longer than any wait of the sidecar: a call that needs it hangs. */
const callLimitMs = 60_000;

/** A model whose price is one credit per million input tokens: N tokens cost N micro-credits. */
const plainModel = { meter: 'llm', model: 'claude-haiku-4-5' };

export interface Balance {
  readonly available: number;
  readonly held: number;
  readonly debt: number;
}

export class TestClient {
  readonly #client: Client;
  readonly #streams = new Set<TestStream>();

  constructor(readonly address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      // A sidecar that is started again is found at once.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 200,
    });
  }

  close(): void {
    for (const stream of this.#streams) stream.call.cancel();
    this.#client.close();
  }

  /** Rejects with a CallFailure. */
  call<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name][0],
    options: { readonly deadlineMs?: number } = {},
  ): Promise<Calls[Name][1]> {
    const { path, requestSerialize, responseDeserialize } = definitionOf(name);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        { deadline: options.deadlineMs ?? Date.now() + callLimitMs },
        (error, response) => {
          if (error === null) resolve(response as Calls[Name][1]);
          else reject(new CallFailure(error));
        },
      );
    });
  }

  /** How a call that must fail does. */
  async failure<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name][0],
    options: { readonly deadlineMs?: number } = {},
  ): Promise<CallFailure> {
    try {
      const answer = await this.call(name, request, options);
      throw new Error(`${name} succeeded: ${JSON.stringify(answer)}`);
    } catch (error) {
      if (error instanceof CallFailure) return error;
      throw error;
    }
  }

  /** An account with so many micro-credits, durable. */
  async account(accountId: string, micros = 0): Promise<string> {
    await this.call('AccountService/CreateAccount', {
      requestId: `create-${accountId}`,
      accountId,
      eventTimeMs: Date.now(),
    });
    if (micros > 0) await this.topUp(accountId, micros);
    return accountId;
  }

  topUp(
    accountId: string,
    value: number,
    more: Partial<Pick<TopUpRequest, 'requestId' | 'expiresAtMs' | 'eventTimeMs' | 'ackLevel'>> & {
      unit?: Unit;
    } = {},
  ): Promise<TopUpResponse__Output> {
    return this.call('AccountService/TopUp', {
      requestId: more.requestId ?? `top-up-${accountId}`,
      accountId,
      amount: { unit: more.unit ?? 'UNIT_CREDITS', value },
      expiresAtMs: more.expiresAtMs ?? 0,
      eventTimeMs: more.eventTimeMs ?? Date.now(),
      ...(more.ackLevel === undefined ? {} : { ackLevel: more.ackLevel }),
    });
  }

  /** Records events and returns their results in order. */
  async record(
    events: UsageEvent[],
    ackLevel: 'ACK_LEVEL_APPLIED' | 'ACK_LEVEL_DURABLE' = 'ACK_LEVEL_APPLIED',
  ): Promise<EventResult__Output[]> {
    return (await this.call('UsageService/RecordUsageBatch', { events, ackLevel })).results;
  }

  reserve(
    accountId: string,
    holdId: string,
    value: number,
    more: Partial<ReserveRequest> = {},
  ): Promise<ReserveResponse__Output> {
    return this.call('UsageService/Reserve', reserveRequest(accountId, holdId, value, more));
  }

  settle(
    accountId: string,
    holdId: string,
    value: number,
    more: Partial<SettleRequest> = {},
  ): Promise<SettleResponse__Output> {
    return this.call('UsageService/Settle', settleRequest(accountId, holdId, value, more));
  }

  release(
    accountId: string,
    holdId: string,
    more: Partial<ReleaseRequest> = {},
  ): Promise<ReleaseResponse__Output> {
    return this.call('UsageService/Release', { accountId, holdId, eventTimeMs: Date.now(), ...more });
  }

  async holdState(accountId: string, holdId: string): Promise<string> {
    return (await this.call('UsageService/GetUsage', { accountId, holdId })).state;
  }

  async balance(accountId: string, unit: Unit = 'UNIT_CREDITS'): Promise<Balance> {
    const { balances } = await this.call('AccountService/GetBalance', { accountId });
    const found = balances.find((balance) => balance.unit === unit);
    return {
      available: Number(found?.available ?? 0),
      held: Number(found?.held ?? 0),
      debt: Number(found?.debt ?? 0),
    };
  }

  /** The whole ledger of an account, oldest first; it waits until everything acknowledged before is in it. */
  async ledger(
    accountId: string,
    query: Partial<ListLedgerEntriesRequest> = {},
  ): Promise<LedgerEntry__Output[]> {
    const entries: LedgerEntry__Output[] = [];
    let pageToken = '';
    do {
      const page = await this.call('AccountService/ListLedgerEntries', {
        accountId,
        order: 'LEDGER_ORDER_OLDEST_FIRST',
        pageSize: 1_000,
        ...query,
        pageToken,
      });
      entries.push(...page.entries);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return entries;
  }

  watch(request: WatchBalanceRequest): Watcher {
    const { path, requestSerialize, responseDeserialize } = definitionOf('AccountService/WatchBalance');
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    return new Watcher(call as ClientReadableStream<WatchBalanceResponse__Output>);
  }

  stream(): TestStream {
    const { path, requestSerialize, responseDeserialize } = definitionOf('UsageService/RecordUsage');
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const stream = new TestStream(
      call as ClientDuplexStream<RecordUsageRequest, RecordUsageResponse__Output>,
    );
    this.#streams.add(stream);
    call.on('close', () => this.#streams.delete(stream));
    return stream;
  }
}

/** One RecordUsage stream: what was sent, what came back. */
export class TestStream {
  readonly applied = new Map<number, EventResult__Output[]>();
  readonly resend: number[] = [];
  durableThrough = 0;
  drained = false;
  /** How it ended; undefined while it is open. */
  ended: string | undefined;
  #sent = 0;

  constructor(readonly call: ClientDuplexStream<RecordUsageRequest, RecordUsageResponse__Output>) {
    call.on('data', (answer: RecordUsageResponse__Output) => {
      if (answer.applied) this.applied.set(Number(answer.applied.batchNumber), answer.applied.results);
      if (answer.durable) this.durableThrough = Number(answer.durable.durableThrough);
      if (answer.resend) this.resend.push(...answer.resend.batchNumbers.map(Number));
      if (answer.drain) this.drained = true;
    });
    call.on('error', (error: ServiceError) => {
      this.ended = status[error.code] as string;
    });
    call.on('end', () => {
      this.ended ??= 'OK';
    });
  }

  /** Sends the next batch and returns its number. */
  send(events: UsageEvent[]): number {
    this.#sent += 1;
    this.call.write({ batchNumber: this.#sent, events });
    return this.#sent;
  }

  /** Sends a batch under its number again, as RESEND asks; its results are awaited anew. */
  sendAgain(batchNumber: number, events: UsageEvent[]): void {
    this.applied.delete(batchNumber);
    this.call.write({ batchNumber, events });
  }

  async results(batchNumber: number): Promise<EventResult__Output[]> {
    return until(`batch ${batchNumber} is applied`, () => {
      if (this.ended !== undefined) throw new Error(`the stream ended with ${this.ended}`);
      return this.applied.get(batchNumber);
    });
  }

  async durable(batchNumber: number): Promise<void> {
    await until(`batch ${batchNumber} is durable`, () => {
      if (this.ended !== undefined) throw new Error(`the stream ended with ${this.ended}`);
      return this.durableThrough >= batchNumber;
    });
  }

  async end(): Promise<string> {
    this.call.end();
    return until('the stream ends', () => this.ended);
  }
}

/** An event that costs so many micro-credits. */
export function usageEvent(
  accountId: string,
  eventId: string,
  micros: number,
  more: Partial<UsageEvent> = {},
): UsageEvent {
  return {
    eventId,
    accountId,
    ...plainModel,
    quantities: { input_tokens: micros },
    eventTimeMs: Date.now(),
    ...more,
  };
}

export function reserveRequest(
  accountId: string,
  holdId: string,
  value: number,
  more: Partial<ReserveRequest> = {},
): ReserveRequest {
  const amount = { unit: 'UNIT_CREDITS' as const, value };
  return { accountId, holdId, ...plainModel, amount, startTimeMs: Date.now(), ...more };
}

export function settleRequest(
  accountId: string,
  holdId: string,
  value: number,
  more: Partial<SettleRequest> = {},
): SettleRequest {
  const amount = { unit: 'UNIT_CREDITS' as const, value };
  return { accountId, holdId, ...plainModel, amount, eventTimeMs: Date.now(), ...more };
}

function definitionOf(name: string): MethodDefinition<object, object> {
  const [service, method] = name.split('/') as [string, string];
  return (packageDefinition[`drawdown.v1.${service}`] as Record<string, MethodDefinition<object, object>>)[
    method
  ] as MethodDefinition<object, object>;
}
