import type { AllowanceUnit } from '../catalog/catalog.js';
import { conversionOfUnits } from '../catalog/conversion.js';
import type { CompiledCatalog } from '../catalog/pricing.js';
import type { LedgerLine } from './line.js';

/**
 * What is wrong between a line of an account and the one before it, where credits were converted: what they bought stands just behind
 * them, under the same id, at the rate of the catalog version on both; null where nothing is. A settle of credits that were
 * held and not needed converts nothing and buys nothing.
 */
export function conversionProblem(
  before: LedgerLine | null,
  line: LedgerLine,
  catalog: (version: number) => CompiledCatalog | undefined,
): string | null {
  const away = before !== null && before.kind === 'conversion' && before.converted > 0 ? before : null;
  if (line.kind !== 'conversion_grant') {
    return away === null ? null : `what the conversion ${away.id} bought is not the next line`;
  }
  if (away === null || away.id !== line.id || away.catalogVersion !== line.catalogVersion) {
    return 'the line before is not the conversion that paid for it';
  }
  const rate = catalog(line.catalogVersion)?.rates.get(line.unit as AllowanceUnit);
  if (rate === undefined) return `catalog version ${line.catalogVersion} has no rate for ${line.unit}`;
  const cost = conversionOfUnits(rate, line.granted)?.costMicros;
  if (cost === away.converted) return null;
  return `converted ${away.converted} for ${line.granted}, catalog version ${line.catalogVersion} says ${cost}`;
}
