import { allowanceUnits, type Catalog } from '../catalog/catalog.js';
import { type Conversion, conversionOfCredits, conversionOfUnits } from '../catalog/conversion.js';
import { DrawdownError } from '../errors.js';
import { CODE, OP } from '../redis/format.js';
import type { Catalogs } from '../usage/catalogs.js';
import { reasonOf } from '../usage/executor.js';
import { convertFingerprint } from '../usage/fingerprint.js';
import { type CallOptions, type Reason, UNITS, type Unit } from '../usage/types.js';
import type { AccountCalls } from './account-calls.js';

export interface ConvertCreditsCall {
  readonly requestId: string;
  readonly accountId: string;
  /** The allowance. */
  readonly unit: Unit;
  /** Micro-credits to spend at most, or whole units of the allowance. */
  readonly wish: { readonly kind: 'credits' | 'units'; readonly value: number };
  readonly eventTimeMs: number;
}

export interface CreditsConverted {
  readonly verdict: 'allowed';
  readonly unit: Unit;
  readonly convertedMicros: number;
  readonly granted: number;
  readonly debtPaid: number;
  readonly lotId: number;
  readonly available: number;
  readonly duplicate: boolean;
  readonly catalogVersion: number;
}

/** Nothing was changed and nothing was stored. */
export interface ConversionDenied {
  readonly verdict: 'denied';
  readonly reason: Reason;
  readonly unit: Unit;
  readonly availableMicros: number;
  readonly missingMicros: number;
}

/** Conversions as the transport sees them; rejects with a DrawdownError. */
export interface Conversions {
  convert(call: ConvertCreditsCall, options: CallOptions): Promise<CreditsConverted | ConversionDenied>;
}

/** Reasons that are answers; all others are errors. */
const VERDICTS: ReadonlySet<Reason> = new Set(['INSUFFICIENT_BALANCE', 'ACCOUNT_FROZEN', 'ACCOUNT_CLOSED']);

/** Turns credits into allowances, at the rate of the catalog in force. There is no way back. */
export class ConversionControl implements Conversions {
  constructor(
    private readonly calls: AccountCalls,
    private readonly catalogs: Catalogs,
  ) {}

  async convert(
    call: ConvertCreditsCall,
    options: CallOptions,
  ): Promise<CreditsConverted | ConversionDenied> {
    this.calls.checkTime(call.eventTimeMs);
    const { requestId, accountId, unit, eventTimeMs } = call;
    const { version, catalog } = this.catalogs.current();
    const priced = price(call, catalog);
    const { units, costMicros } = priced instanceof DrawdownError ? NOTHING : priced;
    const packed = [
      OP.convert,
      0,
      requestId,
      convertFingerprint(call),
      eventTimeMs,
      -1,
      unit,
      units,
      costMicros,
      catalog.lotPriorities.conversion,
      version,
    ];
    // No usage, but the lines carry the version whose rate was taken.
    const details = { meter: '', model: '', agentId: '', quantities: [] };
    const executed = await this.calls.run(accountId, packed, options, { details, catalogVersion: version });
    const { result } = executed;
    const isKnown = result.code === CODE.duplicate || result.code === CODE.conflict;
    if (priced instanceof DrawdownError && !isKnown) throw priced;
    const denied = { verdict: 'denied', unit, availableMicros: 0, missingMicros: 0 } as const;
    if (result.code === 'unknown account') return { ...denied, reason: 'ACCOUNT_UNKNOWN' };
    if (result.code === CODE.denied && VERDICTS.has(reasonOf(result.denial))) {
      const { available, missing } = result.denial;
      return {
        ...denied,
        reason: reasonOf(result.denial),
        availableMicros: available,
        missingMicros: missing,
      };
    }
    const outcome = await this.calls.outcome(executed, accountId, options);
    return {
      verdict: 'allowed',
      unit,
      convertedMicros: outcome.converted,
      granted: outcome.amount,
      debtPaid: outcome.overdrawn,
      lotId: outcome.extra,
      available: outcome.available,
      duplicate: result.code === CODE.duplicate,
      catalogVersion: outcome.catalogVersion,
    };
  }
}

/** What a call is sent with that cannot be priced: it may repeat one that could be, and then gets its outcome. */
const NOTHING: Conversion = { units: 0, costMicros: 0 };

function price({ unit, wish }: ConvertCreditsCall, { allowances }: Catalog): Conversion | DrawdownError {
  const name = allowanceUnits.find((allowance) => UNITS[allowance] === unit);
  const rate = allowances.find((allowance) => allowance.unit === name)?.rate;
  if (rate === undefined) {
    return new DrawdownError('FIELD_INVALID', 'unit: the catalog has no rate for it', { field: 'unit' });
  }
  const { kind, value } = wish;
  const conversion = kind === 'units' ? conversionOfUnits(rate, value) : conversionOfCredits(rate, value);
  if (conversion === null) {
    return new DrawdownError('AMOUNT_OUT_OF_RANGE', `${kind}: would buy or cost more than 2^53-1`, {
      field: kind,
    });
  }
  if (conversion.units > 0) return conversion;
  return new DrawdownError('FIELD_INVALID', 'credits: buys no whole unit', { field: 'credits' });
}
