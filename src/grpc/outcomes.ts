import type { CompiledCatalog } from '../catalog/pricing.js';
import type { CycleBegun, CycleDenied } from '../credits/agent-types.js';
import type { ConversionDenied, CreditsConverted } from '../credits/conversions.js';
import type { StatusChange, UsageRerated } from '../credits/correction-types.js';
import { DrawdownError } from '../errors.js';
import { type Metrics, modelLabel, type Tally, UNIT_LABELS } from '../metrics.js';
import type { SessionVerdict } from '../sessions/types.js';
import type {
  Denied,
  EventResult,
  Held,
  Reason,
  Released,
  Settled,
  Unit,
  UsageEvent,
} from '../usage/types.js';

type OperationKind =
  | 'usage'
  | 'reserve'
  | 'extend'
  | 'open_session'
  | 'settle'
  | 'release'
  | 'create_account'
  | 'top_up'
  | 'convert_credits'
  | 'reverse_usage'
  | 'expire_lot'
  | 'rerate_usage'
  | 'start_billing_period'
  | 'change_plan'
  | 'cancel_scheduled_change'
  | `${'unlock' | 'activate' | 'suspend' | 'remove'}_agent`
  | `${StatusChange}_account`;
type Verdict = 'applied' | 'duplicate' | 'denied' | 'refused';

interface Charge {
  readonly unit: Unit;
  readonly charged: number;
  readonly overdrawn: number;
  readonly unrated: boolean;
  readonly converted: number;
}

/**
 * Counts what became of operations, in one place and from what callers are told. Events are summed up per batch by the
 * meter, model and unit that they share, so an event costs two map look-ups and a batch some microseconds; so are settles, which come one by
 * one, between scrapes.
 */
export class Outcomes {
  readonly #sessionsOpened: Tally;
  readonly #settled: Tally;
  /** Of settles, by the names that this catalog gives them. */
  #charges = new ChargeSums();
  #chargesCatalog: CompiledCatalog;

  constructor(
    private readonly metrics: Metrics,
    private readonly catalog: () => CompiledCatalog,
  ) {
    const applied = { verdict: 'applied', reason: 'none' };
    this.#sessionsOpened = metrics.tally(metrics.operations, { kind: 'open_session', ...applied });
    this.#settled = metrics.tally(metrics.operations, { kind: 'settle', ...applied });
    this.#chargesCatalog = catalog();
    metrics.onScrape(() => this.#flushCharges());
  }

  /** `results` are those of `events`, in order. */
  recorded(events: readonly UsageEvent[], results: readonly EventResult[]): void {
    const charges = new ChargeSums();
    let applied = 0;
    let duplicates = 0;
    for (let index = 0; index < results.length; index++) {
      const result = results[index] as EventResult;
      if (result.outcome === 'refused') this.#count('usage', 'refused', result.reason);
      else if (result.outcome === 'duplicate') duplicates++;
      else {
        const event = events[index] as UsageEvent;
        applied++;
        charges.add(event.meter, event.model, result);
      }
    }
    this.#count('usage', 'applied', 'none', applied);
    this.#count('usage', 'duplicate', 'none', duplicates);
    charges.flush(this.metrics, this.catalog());
  }

  /** Events that never reached the usage layer. */
  invalid(count: number): void {
    this.#count('usage', 'refused', 'FIELD_INVALID', count);
  }

  held(kind: 'reserve' | 'extend', result: Held | Denied): void {
    if (result.verdict === 'denied') this.#count(kind, 'denied', result.reason);
    else this.#count(kind, result.duplicate ? 'duplicate' : 'applied', 'none');
  }

  settled(call: { meter: string; model: string }, result: Settled): void {
    if (result.duplicate) {
      this.#count('settle', 'duplicate', 'none');
      return;
    }
    this.#settled.add(1);
    const catalog = this.catalog();
    if (catalog !== this.#chargesCatalog || this.#charges.count >= settlesSummedMax) {
      this.#flushCharges();
      this.#chargesCatalog = catalog;
    }
    this.#charges.add(call.meter, call.model, result);
  }

  #flushCharges(): void {
    this.#charges.flush(this.metrics, this.#chargesCatalog);
    this.#charges = new ChargeSums();
  }

  released(result: Released): void {
    this.#count('release', result.duplicate ? 'duplicate' : 'applied', 'none');
  }

  /** A session that was open before is a duplicate. */
  sessionOpened({ denied, generation }: SessionVerdict): void {
    if (denied !== null) this.#count('open_session', 'denied', denied);
    else if (generation > 1) this.#count('open_session', 'duplicate', 'none');
    else this.#sessionsOpened.add(1);
  }

  sessionRefused(kind: 'open_session' | 'settle' | 'release', reason: Reason): void {
    this.#count(kind, 'refused', reason);
  }

  accountCreated(duplicate: boolean): void {
    this.#count('create_account', duplicate ? 'duplicate' : 'applied', 'none');
  }

  toppedUp(result: { unit: Unit; granted: number; duplicate: boolean }): void {
    this.#count('top_up', result.duplicate ? 'duplicate' : 'applied', 'none');
    if (!result.duplicate) this.metrics.grantedUnits.inc({ unit: UNIT_LABELS[result.unit] }, result.granted);
  }

  converted(result: CreditsConverted | ConversionDenied): void {
    if (result.verdict === 'denied') {
      this.#count('convert_credits', 'denied', result.reason);
      return;
    }
    this.#count('convert_credits', result.duplicate ? 'duplicate' : 'applied', 'none');
    if (!result.duplicate) this.metrics.convertedCredits.inc({ by: 'call' }, result.convertedMicros);
  }

  planned(
    kind: 'start_billing_period' | 'change_plan',
    result: { granted: number; duplicate: boolean },
  ): void {
    this.#count(kind, result.duplicate ? 'duplicate' : 'applied', 'none');
    if (!result.duplicate) this.metrics.grantedUnits.inc({ unit: UNIT_LABELS[1] }, result.granted);
  }

  begun(kind: 'unlock_agent' | 'activate_agent', result: CycleBegun | CycleDenied): void {
    if (result.verdict === 'denied') this.#count(kind, 'denied', result.reason);
    else this.#count(kind, result.duplicate ? 'duplicate' : 'applied', 'none');
  }

  corrected(
    kind:
      | 'suspend_agent'
      | 'remove_agent'
      | 'cancel_scheduled_change'
      | 'reverse_usage'
      | 'expire_lot'
      | `${StatusChange}_account`,
    result: { readonly duplicate: boolean },
  ): void {
    this.#count(kind, result.duplicate ? 'duplicate' : 'applied', 'none');
  }

  rerated({ charges }: UsageRerated): void {
    this.#count('rerate_usage', 'applied', 'none', charges.length);
    const sums = new ChargeSums();
    for (const charge of charges)
      sums.add(charge.meter, charge.model, { ...charge, unrated: false, converted: 0 });
    sums.flush(this.metrics, this.catalog());
  }

  /** Passes a call's result on and counts its error, if it ends with one. */
  async watched<T>(kind: OperationKind, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      this.#count(kind, 'refused', error instanceof DrawdownError ? error.code : 'INTERNAL');
      throw error;
    }
  }

  #count(kind: OperationKind, verdict: Verdict, reason: string, count = 1): void {
    if (count > 0) this.metrics.operations.inc({ kind, verdict, reason }, count);
  }
}

/** Settles whose charges are summed up at most before they are counted: as many names of models may be among them. */
const settlesSummedMax = 1_000;

/** Sums by meter, model and unit; of one batch, or of so many settles, so its size is bounded by what these may hold. */
class ChargeSums {
  /** Charges in the sums. */
  count = 0;
  #converted = 0;
  readonly #byMeter = new Map<string, Map<string, { charged: number[]; debt: number[]; unrated: number }>>();

  add(meter: string, model: string, charge: Charge): void {
    let byModel = this.#byMeter.get(meter);
    if (byModel === undefined) {
      byModel = new Map();
      this.#byMeter.set(meter, byModel);
    }
    let sums = byModel.get(model);
    if (sums === undefined) {
      sums = { charged: [0, 0, 0, 0], debt: [0, 0, 0, 0], unrated: 0 };
      byModel.set(model, sums);
    }
    sums.charged[charge.unit] = (sums.charged[charge.unit] as number) + charge.charged;
    if (charge.overdrawn > 0) sums.debt[charge.unit] = (sums.debt[charge.unit] as number) + charge.overdrawn;
    if (charge.unrated) sums.unrated++;
    this.#converted += charge.converted;
    this.count++;
  }

  flush(metrics: Metrics, catalog: CompiledCatalog): void {
    if (this.#converted > 0) metrics.convertedCredits.inc({ by: 'charge' }, this.#converted);
    for (const [meter, byModel] of this.#byMeter) {
      for (const [name, sums] of byModel) {
        // A meter that is booked is one of the catalog's, now or at the time of a hold.
        const known = catalog.meter(meter) === undefined ? 'other' : meter;
        const model = modelLabel(catalog, meter, name);
        if (sums.unrated > 0) metrics.unratedEvents.inc({ meter: known }, sums.unrated);
        for (const number of [1, 2, 3] as const) {
          const unit = UNIT_LABELS[number];
          const charged = sums.charged[number] as number;
          const debt = sums.debt[number] as number;
          if (charged > 0) metrics.chargedUnits.inc({ unit, meter: known, model }, charged);
          if (debt > 0) metrics.debtBookedUnits.inc({ unit }, debt);
        }
      }
    }
  }
}
