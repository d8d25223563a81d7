import type { Command } from 'commander';
import type { GetStatementResponse__Output } from '../gen/drawdown/v1/GetStatementResponse.js';
import type { StatementUse__Output } from '../gen/drawdown/v1/StatementUse.js';
import type { WalletBalance__Output } from '../gen/drawdown/v1/WalletBalance.js';
import type { WalletStatement__Output } from '../gen/drawdown/v1/WalletStatement.js';
import type { SidecarClient } from './client.js';
import { formatAmount, formatCredits, formatFields, formatTable, formatTime, unitLabel } from './format.js';
import { type Io, printJson } from './io.js';
import { parseTime } from './parse.js';
import { addSidecarOptions, type SidecarOptions, withSidecar } from './sidecar-command.js';

interface StatementOptions extends SidecarOptions {
  readonly from?: string;
  readonly to?: string;
}

export function addStatementCommand(account: Command, io: Io): void {
  const command = account
    .command('statement <account>')
    .description('what an account had, got and used between two moments: it adds up to the unit')
    .option('--from <time>', 'booked at or after this time (default: since the account began)', parseTime)
    .option('--to <time>', 'booked before this time (default: now)', parseTime);
  addSidecarOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown account statement acme --from 2025-01-01 --to 2025-02-01')
    .action(async (accountId: string, options: StatementOptions) => {
      const statement = await withSidecar(options, (client) => readStatement(client, accountId, options));
      if (options.json) return printJson(io, statement);
      io.out(statementText(statement));
    });
}

/** Groups of one page; the largest that is served. */
const pageSize = 1_000;

/** With all pages of its uses. */
export async function readStatement(
  client: SidecarClient,
  accountId: string,
  { from, to }: Pick<StatementOptions, 'from' | 'to'>,
): Promise<GetStatementResponse__Output> {
  const request = { accountId, fromTimeMs: from ?? 0, toTimeMs: to ?? 0, pageSize };
  const first = await client.call('AccountService/GetStatement', request);
  const uses = [...first.uses];
  let pageToken = first.nextPageToken;
  while (pageToken !== '') {
    const page = await client.call('AccountService/GetStatement', { ...request, pageToken });
    uses.push(...page.uses);
    pageToken = page.nextPageToken;
  }
  return { ...first, uses, nextPageToken: '' };
}

/** As people read it. */
export function statementText(statement: GetStatementResponse__Output): string {
  const { through, afterAccountSeq, throughAccountSeq } = statement;
  const first = BigInt(afterAccountSeq) + 1n;
  const head = formatFields([
    ['account', statement.accountId],
    ['from', statement.fromTimeMs === '0' ? 'the beginning' : formatTime(statement.fromTimeMs)],
    ['to', statement.toTimeMs === '0' ? 'now' : formatTime(statement.toTimeMs)],
    ['lines', first > BigInt(throughAccountSeq) ? 'none' : `${first} to ${throughAccountSeq}`],
    ['ledger', `partition ${through?.partition}, epoch ${through?.epoch}, through entry ${through?.seq}`],
  ]);
  const wallets = statement.wallets.map((wallet) =>
    walletText(
      wallet,
      statement.uses.filter((use) => use.unit === wallet.unit),
    ),
  );
  return [head, ...wallets].join('\n\n');
}

type Row = [what: string, count: string, amount: string, quantities: string];

function walletText(wallet: WalletStatement__Output, uses: readonly StatementUse__Output[]): string {
  const { unit } = wallet;
  const amount = (value: bigint): string =>
    unit === 'UNIT_CREDITS' ? formatCredits(value.toString()) : value.toString();
  const moved = (what: string, count: string, value: bigint, quantities = ''): Row[] =>
    value === 0n && count === '' ? [] : [[what, count, amount(value), quantities]];
  const rows: Row[] = [
    ['opening balance', '', amount(ownedOf(wallet.opening)), ''],
    ...wallet.sources.flatMap(({ source, count, granted }) =>
      moved(`granted: ${lowerCase(source, 'LOT_SOURCE_')}`, count, BigInt(granted)),
    ),
    ...uses.flatMap((use) =>
      moved(`used: ${useText(use)}`, use.count, -BigInt(use.spent), quantitiesText(use)),
    ),
    ...wallet.corrections.flatMap(({ kind, count, spent }) =>
      moved(`corrected: ${lowerCase(kind, 'ENTRY_KIND_')}`, count, -BigInt(spent)),
    ),
    ...moved('expired', '', -BigInt(wallet.expired)),
    ...moved('converted', '', -BigInt(wallet.converted)),
    ['closing balance', '', amount(ownedOf(wallet.closing)), ''],
  ];
  const columns = [
    { title: unitLabel(unit) },
    { title: 'count', right: true },
    { title: 'amount', right: true },
    { title: 'quantities' },
  ];
  return [
    formatTable(columns, rows),
    `opening: ${balanceText(unit, wallet.opening)}`,
    `closing: ${balanceText(unit, wallet.closing)}`,
  ].join('\n');
}

/** What the account has of a wallet, less what it owes. */
function ownedOf(balance: WalletBalance__Output | null): bigint {
  if (balance === null) return 0n;
  return BigInt(balance.available) + BigInt(balance.held) - BigInt(balance.debt);
}

function balanceText(unit: string, balance: WalletBalance__Output | null): string {
  const { available = '0', held = '0', debt = '0' } = balance ?? {};
  return `available ${formatAmount(unit, available)}, held ${formatAmount(unit, held)}, debt ${formatAmount(unit, debt)}`;
}

function useText({ meter, model, agentId, unrated }: StatementUse__Output): string {
  // What an agent itself costs has no meter.
  const parts = [meter, model, agentId === '' ? '' : `${meter === '' ? 'agent' : 'by'} ${agentId}`].filter(
    (part) => part !== '',
  );
  return unrated === '0' ? parts.join(' ') : `${parts.join(' ')} (${unrated} unrated)`;
}

function quantitiesText({ quantities }: StatementUse__Output): string {
  return Object.entries(quantities)
    .map(([name, count]) => `${name}=${count}`)
    .join(' ');
}

function lowerCase(name: string, prefix: string): string {
  return name.replace(prefix, '').toLowerCase();
}
