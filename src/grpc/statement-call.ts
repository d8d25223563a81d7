import type { Statement, StatementReader, StatementUse, WalletStatement } from '../credits/statement.js';
import { DrawdownError } from '../errors.js';
import type { GetStatementRequest__Output } from '../gen/drawdown/v1/GetStatementRequest.js';
import type { GetStatementResponse } from '../gen/drawdown/v1/GetStatementResponse.js';
import type { StatementUse as WireUse } from '../gen/drawdown/v1/StatementUse.js';
import type { WalletStatement as WireWallet } from '../gen/drawdown/v1/WalletStatement.js';
import { type CallEnvironment, callOptions, unary } from './call.js';
import { enumName, unitName, walletBalance } from './names.js';
import { checkId, checkPage, checkTimeRange } from './validate.js';

export interface StatementEnvironment extends CallEnvironment {
  readonly statements: StatementReader;
}

export const getStatement = (environment: StatementEnvironment) =>
  unary<GetStatementRequest__Output, GetStatementResponse>(
    'GetStatement',
    environment,
    async (request, call) => {
      const query = {
        accountId: checkId(request.accountId, 'account_id'),
        ...checkTimeRange(request),
        ...checkPage(request),
      };
      const options = callOptions(call, false, environment.settings);
      return spelled(await environment.statements.read(query, options));
    },
  );

function spelled(statement: Statement): GetStatementResponse {
  return {
    ...statement,
    wallets: statement.wallets.map(spelledWallet),
    uses: statement.uses.map(spelledUse),
  };
}

function spelledWallet(wallet: WalletStatement): WireWallet {
  return {
    unit: unitName(wallet.unit),
    opening: walletBalance(wallet.opening),
    closing: walletBalance(wallet.closing),
    granted: sum(wallet.granted),
    spent: sum(wallet.spent),
    expired: sum(wallet.expired),
    converted: sum(wallet.converted),
    debtIncurred: sum(wallet.debtIncurred),
    debtPaid: sum(wallet.debtPaid),
    sources: wallet.sources.map(({ source, count, granted }) => ({
      source: enumName('LOT_SOURCE', source),
      count: sum(count),
      granted: sum(granted),
    })),
    corrections: wallet.corrections.map(({ kind, count, spent }) => ({
      kind: enumName('ENTRY_KIND', kind),
      count: sum(count),
      spent: sum(spent),
    })),
  };
}

function spelledUse(use: StatementUse): WireUse {
  return {
    unit: unitName(use.unit),
    meter: use.meter,
    model: use.model,
    agentId: use.agentId,
    count: sum(use.count),
    spent: sum(use.spent),
    debt: sum(use.debt),
    unrated: sum(use.unrated),
    quantities: Object.fromEntries(use.quantities.map(([name, count]) => [name, sum(count)])),
  };
}

const INT64_MAX = 2n ** 63n - 1n;

/** A sum of amounts, each below 2^53, as the int64 of the protocol. */
function sum(value: bigint): string {
  if (value <= INT64_MAX && value >= -INT64_MAX) return value.toString();
  throw new DrawdownError(
    'AMOUNT_OUT_OF_RANGE',
    'a sum exceeds 2^63-1: ask for shorter ranges, which add up',
  );
}
