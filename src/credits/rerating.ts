import { type CompiledCatalog, walletCosts } from '../catalog/pricing.js';
import { DrawdownError } from '../errors.js';
import { readUnrated, type UnratedCursor, type UnratedLine } from '../postgres/charges.js';
import type { Pool } from '../postgres/pool.js';
import { CODE, OP, type PackedOperation, REASON } from '../redis/format.js';
import type { PublishedCatalog } from '../usage/catalogs.js';
import { resultError } from '../usage/executor.js';
import { positionOf } from '../usage/operation.js';
import { type CallOptions, type Position, UNITS, type UnitName } from '../usage/types.js';
import type { AccountCalls } from './account-calls.js';
import type { RatedCharge, RerateUsageCall, UsageRerated } from './correction-types.js';
import { fromPostgres } from './from-postgres.js';

/**
 * Prices what was booked unrated with the catalog in force, at most `limit` lines. What fails midway is resumed by a
 * repetition: a line that was rated is not found again, and its name is charged once whoever asks.
 */
export async function rerateUsage(
  calls: AccountCalls,
  pool: Pool,
  catalog: PublishedCatalog,
  call: RerateUsageCall,
  options: CallOptions,
): Promise<UsageRerated> {
  const after = readCursor(call.cursor);
  if (call.accountId !== '') await calls.caughtUp(call.accountId, options);
  const { limit, ...wanted } = call;
  const lines = await fromPostgres(() => readUnrated(pool, { ...wanted, after, countMax: limit }));
  const positions: Position[] = [];
  const rated = await Promise.all(
    lines.map((line) => rateLine(calls, catalog.compiled, line, options, positions)),
  );
  await calls.executor.settleDurability(positions, options);
  const last = lines.length < limit ? undefined : lines.at(-1);
  return {
    lookedAt: lines.length,
    leftUnrated: rated.filter((result) => result === 'unrated').length,
    charges: rated.filter((result) => typeof result === 'object'),
    catalogVersion: catalog.version,
    nextCursor: last === undefined ? '' : `${last.accountKey}.${last.accountSeq}`,
  };
}

/** What became of one line; 'corrected': by another call, meanwhile. */
async function rateLine(
  calls: AccountCalls,
  catalog: CompiledCatalog,
  line: UnratedLine,
  options: CallOptions,
  positions: Position[],
): Promise<RatedCharge | 'unrated' | 'corrected'> {
  const { accountId, meter, model } = line;
  const quantities = Object.entries(line.quantities);
  const priced = walletCosts(catalog, { meter, model, quantities });
  const cost = priced.kind === 'refused' ? undefined : priced.costs.find(({ unit }) => unit === line.unit);
  if (cost === undefined || cost.amount === 'unrated') return 'unrated';
  const unit = UNITS[line.unit as UnitName];
  // The event's own time: the ledger then refuses a second rerating by itself.
  const packed: PackedOperation = [
    OP.rerate,
    0,
    `${line.kind}/${line.id}`,
    0,
    line.eventTimeMs,
    -1,
    unit,
    cost.amount,
  ];
  const { result, decision } = await calls.run(accountId, packed, options, {
    details: { meter, model, agentId: line.agent, quantities },
    catalogVersion: catalog.version,
  });
  if (result.code === CODE.ok) {
    const { amount, overdrawn, seq } = result.outcome;
    positions.push(positionOf(decision, seq));
    return { meter, model, unit, charged: amount, overdrawn };
  }
  if (result.code === CODE.duplicate) return 'corrected';
  if (result.code === CODE.denied && result.denial.reason === REASON.alreadyReversed) return 'corrected';
  if (result.code === CODE.denied && result.denial.reason === REASON.amountOutOfRange) return 'unrated';
  throw resultError(result, accountId);
}

function readCursor(cursor: string): UnratedCursor {
  if (cursor === '') return { accountKey: 0, accountSeq: 0 };
  const [accountKey, accountSeq] = cursor.split('.').map(Number);
  if (!/^\d{1,15}\.\d{1,15}$/.test(cursor) || accountKey === undefined || accountSeq === undefined) {
    throw new DrawdownError('FIELD_INVALID', 'cursor: not one that this call returned', { field: 'cursor' });
  }
  return { accountKey, accountSeq };
}
