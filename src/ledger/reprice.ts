import { type CompiledCatalog, walletCosts } from '../catalog/pricing.js';
import { hasFlag, type LedgerLine, notedChargeBefore, quantityCounts } from './line.js';

const PRICED_KINDS: ReadonlySet<string> = new Set([
  'usage',
  'settle',
  'session_expired',
  'duplicate',
  'rerate',
]);

/**
 * Prices a line again from its quantities and its catalog version alone, and says how it differs from what was charged; null
 * where it does not, or where nothing was priced (an amount that the caller named has catalog version 0). The price is that of
 * the line's own wallet: micro-credits by the rate card, or the quantity that an allowance counts one to one.
 */
export function repriceProblem(
  line: LedgerLine,
  catalog: (version: number) => CompiledCatalog | undefined,
): string | null {
  if (!PRICED_KINDS.has(line.kind)) return null;
  if (line.catalogVersion === 0) return line.kind === 'usage' ? 'usage without a catalog version' : null;
  const compiled = catalog(line.catalogVersion);
  if (compiled === undefined) return `catalog version ${line.catalogVersion} is not there`;
  const quantities = quantityCounts(line);
  if (quantities === null) return `quantities are ${line.quantities}`;
  const priced = walletCosts(compiled, { meter: line.meter, model: line.model, quantities });
  if (priced.kind === 'refused') {
    return `cannot be priced with catalog version ${line.catalogVersion}: ${priced.field} ${priced.reason}`;
  }
  const cost = priced.costs.find(({ unit }) => unit === line.unit);
  if (cost === undefined) return `meter ${line.meter} has no wallet of ${line.unit}`;
  const unrated = cost.amount === 'unrated';
  // What a session was charged by its deadline is not charged again, and not given back.
  const price = cost.amount === 'unrated' ? 0 : cost.amount;
  const amount = Math.max(0, price - notedChargeBefore(line));
  if (unrated !== hasFlag(line, 'unrated'))
    return unrated ? 'unrated, without the flag' : 'flagged unrated, and it has a price';
  if (amount === line.spent) return null;
  return `spent ${line.spent}, catalog version ${line.catalogVersion} says ${amount}`;
}
