import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Accounts, LedgerLine, LedgerQuery } from '../credits/types.js';
import type { CreateAccountRequest__Output } from '../gen/drawdown/v1/CreateAccountRequest.js';
import type { CreateAccountResponse } from '../gen/drawdown/v1/CreateAccountResponse.js';
import type { GetBalanceRequest__Output } from '../gen/drawdown/v1/GetBalanceRequest.js';
import type { GetBalanceResponse } from '../gen/drawdown/v1/GetBalanceResponse.js';
import type { LedgerEntry } from '../gen/drawdown/v1/LedgerEntry.js';
import type { ListHoldsRequest__Output } from '../gen/drawdown/v1/ListHoldsRequest.js';
import type { ListHoldsResponse } from '../gen/drawdown/v1/ListHoldsResponse.js';
import type { ListLedgerEntriesRequest__Output } from '../gen/drawdown/v1/ListLedgerEntriesRequest.js';
import type { ListLedgerEntriesResponse } from '../gen/drawdown/v1/ListLedgerEntriesResponse.js';
import type { ListLotsRequest__Output } from '../gen/drawdown/v1/ListLotsRequest.js';
import type { ListLotsResponse } from '../gen/drawdown/v1/ListLotsResponse.js';
import type { TopUpRequest__Output } from '../gen/drawdown/v1/TopUpRequest.js';
import type { TopUpResponse } from '../gen/drawdown/v1/TopUpResponse.js';
import type { WatchBalanceRequest__Output } from '../gen/drawdown/v1/WatchBalanceRequest.js';
import type { WatchBalanceResponse } from '../gen/drawdown/v1/WatchBalanceResponse.js';
import { callOptions, type OpenStream, unary } from './call.js';
import { type ConversionEnvironment, convertCredits } from './conversion-call.js';
import { type CorrectionEnvironment, correctionCalls } from './correction-calls.js';
import { enumName, unitName, walletBalance } from './names.js';
import type { Outcomes } from './outcomes.js';
import { type PlanEnvironment, planCalls } from './plan-calls.js';
import { getStatement, type StatementEnvironment } from './statement-call.js';
import {
  checkAmount,
  checkDurable,
  checkEntryKinds,
  checkId,
  checkImport,
  checkOptionalId,
  checkOrder,
  checkPage,
  checkTime,
  checkTimeRange,
  checkWhole,
} from './validate.js';
import { WatchStream, type WatchStreamEnvironment } from './watch-stream.js';

export interface AccountServiceEnvironment
  extends StatementEnvironment,
    WatchStreamEnvironment,
    CorrectionEnvironment,
    ConversionEnvironment,
    PlanEnvironment {
  readonly accounts: Accounts;
  /** The streams that are open, for the drain. */
  readonly streams: Set<OpenStream>;
  readonly outcomes: Outcomes;
}

/** AccountService over the control plane: checks, calls, and spells the outcome. */
export function accountService(environment: AccountServiceEnvironment): UntypedServiceImplementation {
  return {
    createAccount: createAccount(environment),
    topUp: topUp(environment),
    convertCredits: convertCredits(environment),
    getBalance: getBalance(environment),
    listLots: listLots(environment),
    listHolds: listHolds(environment),
    listLedgerEntries: listLedgerEntries(environment),
    getStatement: getStatement(environment),
    watchBalance(call: ServerWritableStream<WatchBalanceRequest__Output, WatchBalanceResponse>) {
      const { streams } = environment;
      streams.add(new WatchStream(call, environment, (stream) => streams.delete(stream)));
    },
    ...correctionCalls(environment),
    ...planCalls(environment),
  };
}

const createAccount = (environment: AccountServiceEnvironment) =>
  unary<CreateAccountRequest__Output, CreateAccountResponse>(
    'CreateAccount',
    environment,
    async (request, call) => {
      const { accounts, outcomes, settings } = environment;
      const createCall = {
        requestId: checkId(request.requestId, 'request_id'),
        accountId: checkId(request.accountId, 'account_id'),
        plan: checkOptionalId(request.plan, 'plan'),
        imported: request.imported === null ? null : checkImport(request.imported),
        eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      };
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('create_account', accounts.create(createCall, options));
      outcomes.accountCreated(result.duplicate);
      return { ...result };
    },
  );

const topUp = (environment: AccountServiceEnvironment) =>
  unary<TopUpRequest__Output, TopUpResponse>('TopUp', environment, async (request, call) => {
    const { accounts, outcomes, settings } = environment;
    const { unit, value } = checkAmount(request.amount, 'amount', { min: 1 });
    const topUpCall = {
      requestId: checkId(request.requestId, 'request_id'),
      accountId: checkId(request.accountId, 'account_id'),
      unit,
      amount: value,
      expiresAtMs: checkWhole(request.expiresAtMs, 'expires_at_ms'),
      eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
    };
    const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
    const result = await outcomes.watched('top_up', accounts.topUp(topUpCall, options));
    outcomes.toppedUp(result);
    return { ...result, unit: unitName(result.unit) };
  });

const getBalance = (environment: AccountServiceEnvironment) =>
  unary<GetBalanceRequest__Output, GetBalanceResponse>('GetBalance', environment, async (request, call) => {
    const accountId = checkId(request.accountId, 'account_id');
    const result = await environment.accounts.balance(
      accountId,
      callOptions(call, false, environment.settings),
    );
    return {
      accountId: result.accountId,
      status: enumName('ACCOUNT_STATUS', result.status),
      balances: result.balances.map(walletBalance),
      openHolds: result.openHolds,
      ...result.plan,
      agentCredits: result.agentCredits.map((credits) => ({ ...credits })),
    };
  });

const listLots = (environment: AccountServiceEnvironment) =>
  unary<ListLotsRequest__Output, ListLotsResponse>('ListLots', environment, async (request, call) => {
    const query = {
      accountId: checkId(request.accountId, 'account_id'),
      includeEmpty: request.includeEmpty,
      ...checkPage(request),
    };
    const page = await environment.accounts.lots(query, callOptions(call, false, environment.settings));
    const lots = page.items.map((lot) => ({
      ...lot,
      unit: unitName(lot.unit),
      source: enumName('LOT_SOURCE', lot.source),
    }));
    return { lots, nextPageToken: page.nextPageToken };
  });

const listHolds = (environment: AccountServiceEnvironment) =>
  unary<ListHoldsRequest__Output, ListHoldsResponse>('ListHolds', environment, async (request, call) => {
    const query = { accountId: checkId(request.accountId, 'account_id'), ...checkPage(request) };
    const page = await environment.accounts.holds(query, callOptions(call, false, environment.settings));
    const holds = page.items.map((hold) => ({ ...hold, unit: unitName(hold.unit) }));
    return { holds, nextPageToken: page.nextPageToken };
  });

const listLedgerEntries = (environment: AccountServiceEnvironment) =>
  unary<ListLedgerEntriesRequest__Output, ListLedgerEntriesResponse>(
    'ListLedgerEntries',
    environment,
    async (request, call) => {
      const query = ledgerQuery(request);
      const page = await environment.accounts.ledger(query, callOptions(call, false, environment.settings));
      return { entries: page.items.map(ledgerEntry), nextPageToken: page.nextPageToken };
    },
  );

function ledgerQuery(request: ListLedgerEntriesRequest__Output): LedgerQuery {
  return {
    accountId: checkId(request.accountId, 'account_id'),
    order: checkOrder(request.order),
    ...checkTimeRange(request),
    kinds: checkEntryKinds(request.kinds),
    agentId: checkOptionalId(request.agentId, 'agent_id'),
    ...checkPage(request),
  };
}

function ledgerEntry(line: LedgerLine): LedgerEntry {
  return {
    ...line,
    kind: enumName('ENTRY_KIND', line.kind),
    unit: unitName(line.unit),
    quantities: Object.fromEntries(line.quantities),
    lots: line.lots.map((change) => ({ ...change })),
    balanceAfter: line.balanceAfter === null ? null : walletBalance(line.balanceAfter),
    flags: [...line.flags],
    status: enumName('ACCOUNT_STATUS', line.status ?? 'unspecified'),
    planEvent: enumName('PLAN_EVENT', line.planEvent ?? 'unspecified'),
    agentEvent: enumName('AGENT_EVENT', line.agentEvent ?? 'unspecified'),
  };
}
