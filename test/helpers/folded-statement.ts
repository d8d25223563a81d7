/** A statement added up from the lines that ListLedgerEntries shows, in plain code that shares nothing with the product's SQL. */
import type { GetStatementResponse__Output } from '../../src/gen/drawdown/v1/GetStatementResponse.js';
import type { LedgerEntry__Output } from '../../src/gen/drawdown/v1/LedgerEntry.js';

const UNIT_ORDER = ['UNIT_CREDITS', 'UNIT_TTS_CHARACTERS', 'UNIT_LLM_MESSAGES'];
const USES = ['ENTRY_KIND_USAGE', 'ENTRY_KIND_SETTLE'];
const CORRECTIONS = ['ENTRY_KIND_DUPLICATE', 'ENTRY_KIND_REVERSAL'];

export interface Range {
  readonly fromTimeMs: number;
  readonly toTimeMs: number;
}

/** `sources` says where each lot came from. Ranges are closed ones. */
export function foldedStatement(
  ledger: readonly LedgerEntry__Output[],
  { fromTimeMs, toTimeMs }: Range,
  sources: ReadonlyMap<string, string>,
): Pick<GetStatementResponse__Output, 'afterAccountSeq' | 'throughAccountSeq' | 'wallets'> & {
  uses: Map<string, object>;
} {
  const before = ledger.filter((line) => Number(line.bookedTimeMs) < fromTimeMs);
  const through = ledger.filter((line) => Number(line.bookedTimeMs) < toTimeMs);
  const lines = through.slice(before.length);
  const units = UNIT_ORDER.filter((unit) => through.some((line) => line.unit === unit));
  return {
    afterAccountSeq: String(before.length),
    throughAccountSeq: String(through.length),
    wallets: units.map((unit) => foldedWallet(unit, before, through, lines, sources)),
    uses: foldedUses(lines),
  };
}

function foldedWallet(
  unit: string,
  before: readonly LedgerEntry__Output[],
  through: readonly LedgerEntry__Output[],
  lines: readonly LedgerEntry__Output[],
  sources: ReadonlyMap<string, string>,
): GetStatementResponse__Output['wallets'][number] {
  const own = lines.filter((line) => line.unit === unit);
  const balance = (of: readonly LedgerEntry__Output[]) =>
    of.findLast((line) => line.unit === unit)?.balanceAfter ?? { unit, available: '0', held: '0', debt: '0' };
  return {
    unit,
    opening: balance(before),
    closing: balance(through),
    granted: total(own, (line) => line.granted),
    spent: total(own, (line) => line.spent),
    expired: total(own, (line) => line.expired),
    converted: total(own, (line) => line.converted),
    debtIncurred: total(own, (line) => (line.debt.startsWith('-') ? '0' : line.debt)),
    debtPaid: total(own, (line) => (line.debt.startsWith('-') ? line.debt.slice(1) : '0')),
    sources: grouped(
      own.filter((line) => line.granted !== '0'),
      (line) => sources.get(line.lots[0]?.lotId ?? '') ?? 'none',
    )
      .map(([source, group]) => ({
        source,
        count: String(group.length),
        granted: total(group, (line) => line.granted),
      }))
      .sort((a, b) => (a.source < b.source ? -1 : 1)),
    corrections: grouped(
      own.filter((line) => CORRECTIONS.includes(line.kind)),
      (line) => line.kind,
    ).map(([kind, group]) => ({
      kind,
      count: String(group.length),
      spent: total(group, (line) => line.spent),
    })),
  } as GetStatementResponse__Output['wallets'][number];
}

/** By unit, meter, model and agent. */
function foldedUses(lines: readonly LedgerEntry__Output[]): Map<string, object> {
  const used = lines.filter((line) => USES.includes(line.kind));
  const groups = grouped(used, (line) => useKey({ ...line, agentId: line.agentId }));
  return new Map(
    groups.map(([key, group]) => {
      const names = new Set(group.flatMap((line) => Object.keys(line.quantities)));
      const quantities = [...names].map((name) => [
        name,
        total(group, (line) => line.quantities[name] ?? '0'),
      ]);
      const use = {
        count: String(group.length),
        spent: total(group, (line) => line.spent),
        debt: total(group, (line) => line.debt),
        unrated: String(group.filter((line) => line.flags.includes('unrated')).length),
        quantities: Object.fromEntries(quantities),
      };
      return [key, use];
    }),
  );
}

export function useKey(use: { unit: string; meter: string; model: string; agentId: string }): string {
  return [use.unit, use.meter, use.model, use.agentId].join(' ');
}

function total(lines: readonly LedgerEntry__Output[], column: (line: LedgerEntry__Output) => string): string {
  return lines.reduce((sum, line) => sum + BigInt(column(line)), 0n).toString();
}

function grouped<T>(items: readonly T[], key: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups];
}
