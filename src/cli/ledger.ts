import { type Command, InvalidArgumentError } from 'commander';
import { ENTRY_KINDS, type EntryKind } from '../credits/types.js';
import type { LedgerEntry__Output } from '../gen/drawdown/v1/LedgerEntry.js';
import { enumName } from '../grpc/names.js';
import { formatAmount, formatCredits, formatTable, formatTime } from './format.js';
import { type Io, printJson } from './io.js';
import { parseTime, parseWhole } from './parse.js';
import { addSidecarOptions, type SidecarOptions, withSidecar } from './sidecar-command.js';

interface LedgerOptions extends SidecarOptions {
  readonly limit: string;
  readonly page?: string;
  readonly oldestFirst?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly kind?: readonly EntryKind[];
  readonly agent?: string;
}

export function addLedgerCommand(program: Command, io: Io): void {
  const command = program
    .command('ledger <account>')
    .description('what is durable of an account, newest first: where did the credits go?')
    .option('--limit <count>', 'lines of one page, at most 1000', parseWhole, '20')
    .option('--page <token>', 'the page that the end of another names')
    .option('--oldest-first', 'in the order of booking')
    .option('--from <time>', 'booked at or after this time', parseTime)
    .option('--to <time>', 'booked before this time', parseTime)
    .option('--kind <kind>', `one of ${ENTRY_KINDS.join(', ')}; may come several times`, collectKind)
    .option('--agent <agent>', "only this agent's");
  addSidecarOptions(command)
    .addHelpText('after', '\nExample:\n  $ drawdown ledger acme --limit 5')
    .action((account: string, options: LedgerOptions) => ledger(account, options, io));
}

function collectKind(text: string, collected: readonly EntryKind[] = []): EntryKind[] {
  const kind = ENTRY_KINDS.find((known) => known === text);
  if (kind === undefined) throw new InvalidArgumentError(`One of ${ENTRY_KINDS.join(', ')} is needed.`);
  return [...collected, kind];
}

async function ledger(accountId: string, options: LedgerOptions, io: Io): Promise<void> {
  const answer = await withSidecar(options, (client) =>
    client.call('AccountService/ListLedgerEntries', {
      accountId,
      order: options.oldestFirst ? 'LEDGER_ORDER_OLDEST_FIRST' : 'LEDGER_ORDER_NEWEST_FIRST',
      fromTimeMs: options.from ?? 0,
      toTimeMs: options.to ?? 0,
      kinds: (options.kind ?? []).map((kind) => enumName('ENTRY_KIND', kind)),
      agentId: options.agent ?? '',
      pageSize: Number(options.limit),
      pageToken: options.page ?? '',
    }),
  );
  if (options.json) return printJson(io, answer);
  if (answer.entries.length === 0) return io.out('No entries.');
  io.out(formatTable(columns, answer.entries.map(row)));
  if (answer.nextPageToken !== '') io.out(`\nMore with --page ${answer.nextPageToken}`);
}

const columns = [
  { title: 'seq', right: true },
  { title: 'booked' },
  { title: 'kind' },
  { title: 'id' },
  { title: 'model' },
  { title: 'quantities' },
  { title: 'catalog', right: true },
  { title: 'lots' },
  { title: 'change', right: true },
  { title: 'available', right: true },
  { title: 'flags' },
];

function row(entry: LedgerEntry__Output): string[] {
  const kind = entry.kind.replace('ENTRY_KIND_', '').toLowerCase();
  const lots = entry.lots.map(
    ({ lotId, remainingDelta }) => `#${lotId} ${lotChange(entry.unit, remainingDelta)}`,
  );
  const quantities = Object.entries(entry.quantities).map(([name, count]) => `${name}=${count}`);
  return [
    entry.accountSeq,
    formatTime(entry.bookedTimeMs),
    kind,
    entry.id,
    entry.model || '-',
    quantities.join(' ') || '-',
    entry.catalogVersion === 0 ? '-' : String(entry.catalogVersion),
    lots.join(' ') || '-',
    entry.unit === 'UNIT_UNSPECIFIED' ? '-' : formatAmount(entry.unit, change(entry)),
    entry.balanceAfter ? formatAmount(entry.balanceAfter.unit, entry.balanceAfter.available) : '-',
    [...entry.flags, noteOf(entry)].filter((word) => word !== '').join(' '),
  ];
}

/** What a line says of itself beside its numbers. */
function noteOf({ corrects, status, reasonCode, reasonText }: LedgerEntry__Output): string {
  const now =
    status === 'ACCOUNT_STATUS_UNSPECIFIED' ? '' : status.replace('ACCOUNT_STATUS_', '').toLowerCase();
  const reason = [reasonCode, reasonText].filter((word) => word !== '').join(': ');
  return [corrects === '' ? '' : `of ${corrects}`, now, reason === '' ? '' : `(${reason})`]
    .filter((word) => word !== '')
    .join(' ');
}

function lotChange(unit: string, delta: string): string {
  return unit === 'UNIT_CREDITS' ? formatCredits(delta) : delta;
}

/** What the entry added to, or took from, the owner: granted less spent, expired and converted. */
function change({ granted, spent, expired, converted }: LedgerEntry__Output): string {
  return (BigInt(granted) - BigInt(spent) - BigInt(expired) - BigInt(converted)).toString();
}
