import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { type SetAsideLine, setAsideLines, type UnreadableSetAside } from '../set-aside.js';
import { withPostgres } from '../stores.js';
import { formatCredits, formatTable, formatTime } from './format.js';
import type { Io } from './io.js';
import { addConfigOptions, configSources } from './serve.js';

export function addCommand(program: Command, io: Io): void {
  const command = program
    .command('set-aside')
    .description('list what records of journals would have booked that were set aside');
  addConfigOptions(command)
    .option('--missing', 'only what the ledger has no line of: what was not sent again')
    .option('--json', 'print a JSON object for each line')
    .addHelpText(
      'after',
      '\nA record is set aside where Redis had it and it cannot follow what is in the ledger (docs/runbook.md). It books nothing: what is missing is\n' +
        'to be sent again by its gateway, unchanged.\n\nExample:\n  $ drawdown set-aside --missing',
    )
    .action((options: Record<string, unknown>) => setAside(options, io));
}

/** Lines that are aligned with each other; a table of all would be kept in memory. */
const LINES_PER_TABLE = 500;

async function setAside(options: Readonly<Record<string, unknown>>, io: Io): Promise<void> {
  await withPostgres(loadConfig(configSources(options)), async (pool) => {
    const counts = { lines: 0, missing: 0, unreadable: 0 };
    let table: SetAsideLine[] = [];
    const print = (): void => {
      if (table.length > 0) io.out(formatTable(columns, table.map(row)));
      table = [];
    };
    for await (const line of setAsideLines(pool)) {
      if ('unreadable' in line) counts.unreadable += 1;
      else {
        counts.lines += 1;
        if (line.inLedger && options.missing === true) continue;
        if (!line.inLedger) counts.missing += 1;
      }
      if (options.json === true) io.out(JSON.stringify(forPrograms(line)));
      else if ('unreadable' in line) io.out(`partition ${line.partition}: ${line.unreadable}`);
      else if (table.push(line) === LINES_PER_TABLE) print();
    }
    print();
    if (options.json !== true) {
      io.out(
        `lines set aside: ${counts.lines}, not in the ledger: ${counts.missing}; records that cannot be read: ${counts.unreadable}`,
      );
    }
  });
}

/** Times and amounts as text, as everywhere. */
function forPrograms(line: SetAsideLine | UnreadableSetAside): object {
  return Object.fromEntries(
    Object.entries(line).map(([name, value]) => {
      const isLarge = name.endsWith('TimeMs') || name === 'change' || name === 'epoch' || name === 'seq';
      return [name, isLarge ? String(value) : value];
    }),
  );
}

const columns = [
  { title: 'partition', right: true },
  { title: 'seq', right: true },
  { title: 'booked' },
  { title: 'account' },
  { title: 'kind' },
  { title: 'id' },
  { title: 'agent' },
  { title: 'model' },
  { title: 'quantities' },
  { title: 'change', right: true },
  { title: 'in the ledger' },
];

function row(line: SetAsideLine): string[] {
  const { partition, epoch, seq, account, kind, id, agent, model, unit, change } = line;
  const quantities = Object.entries(line.quantities).map(([name, count]) => `${name}=${count}`);
  const amount = unit === 'credits' ? formatCredits(String(change)) : String(change);
  return [
    String(partition),
    `${epoch}-${seq}`,
    formatTime(String(line.bookedTimeMs)),
    account,
    kind,
    id,
    agent || '-',
    model || '-',
    quantities.join(' ') || '-',
    unit === '' ? '-' : `${amount} ${unit}`,
    line.inLedger ? 'yes' : 'no',
  ];
}
