import { allowedThrough, nothingAllowed } from '../catalog/allowed-through.js';
import type { WalletUnit } from '../catalog/catalog.js';
import { type CompiledCatalog, type Refusal, type WalletCost, walletCosts } from '../catalog/pricing.js';
import type { SessionOffer } from '../usage/session-operations.js';
import { type Quantities, UNITS, type Unit } from '../usage/types.js';
import { firstSliceCounts, wantedThrough } from './slices.js';
import type { SessionOpen } from './types.js';

/** What a session costs: the whole of its counts by the catalog version that it began with, rounded up once. */

const UNIT_NAMES: Record<Unit, WalletUnit> = { 1: 'credits', 2: 'tts_characters', 3: 'llm_messages' };

/** The known quantities, then the counted ones with their counts; those that are missing are 0. */
export function quantitiesAt(
  { known, counted }: SessionOpen,
  counts: ArrayLike<number>,
): Quantities[number][] {
  const quantities = new Array<Quantities[number]>(known.length + counted.length);
  for (let i = 0; i < known.length; i++) quantities[i] = known[i] as Quantities[number];
  for (let i = 0; i < counted.length; i++)
    quantities[known.length + i] = [counted[i] as string, counts[i] ?? 0];
  return quantities;
}

/**
 * What each wallet that can pay would hold for a session that begins: what is known, one count more at least, a first slice at best. Where credits
 * are converted for characters they hold for characters.
 */
export function offersOf(catalog: CompiledCatalog, open: SessionOpen): SessionOffer[] | Refusal {
  const { meter, model, known, counted, expectedMax, whole } = open;
  const quantities = quantitiesAt(open, []);
  const costsAt = (count: number) => {
    quantities[known.length] = [counted[0] as string, count];
    return walletCosts(catalog, { meter, model, quantities });
  };
  const leastCount = whole ? expectedMax : 1;
  const wantedCount = whole ? expectedMax : wantedThrough(0, firstSliceCounts, expectedMax);
  const now = costsAt(0);
  if (now.kind === 'refused') return now;
  const least = costsAt(leastCount);
  if (least.kind === 'refused') return least;
  const wanted = costsAt(Math.max(leastCount, wantedCount));
  if (wanted.kind === 'refused') return wanted;
  const offers: SessionOffer[] = [];
  const chargeable = wanted.costs.some(({ amount }) => amount !== 0);
  for (let i = 0; i < wanted.costs.length; i++) {
    const { unit, amount, conversion } = wanted.costs[i] as WalletCost;
    // An allowance that this work takes nothing from must not pay for it with nothing.
    if (amount === 'unrated' || (amount === 0 && chargeable)) continue;
    const paid = conversion === undefined ? i : wanted.costs.findIndex(isCharacters);
    offers.push({
      unit: UNITS[unit],
      charge: amountOf(now.costs[paid]),
      least: amountOf(least.costs[paid]),
      wanted: amountOf(wanted.costs[paid]),
      conversion,
    });
  }
  return offers;
}

/** What the charge of a session is counted in: the unit of its hold, or characters where credits are held for them. */
export function chargedIn(offers: readonly SessionOffer[] | Refusal, held: Unit): Unit {
  const offer = 'kind' in offers ? undefined : offers.find(({ unit }) => unit === held);
  return offer?.conversion === undefined ? held : UNITS.tts_characters;
}

/** The price of one session in the unit that its charge is counted in. */
export class SessionPrice {
  readonly #wallet: WalletUnit;

  constructor(
    private readonly catalog: CompiledCatalog,
    private readonly open: SessionOpen,
    readonly unit: Unit,
  ) {
    this.#wallet = UNIT_NAMES[unit];
  }

  chargeOf(quantities: Quantities): number | Refusal {
    const { meter, model } = this.open;
    const priced = walletCosts(this.catalog, { meter, model, quantities });
    if (priced.kind === 'refused') return priced;
    return amountOf(priced.costs.find(({ unit }) => unit === this.#wallet));
  }

  /** Up to which count of the first counted quantity what is held pays. */
  allowedThrough(quantities: Quantities, covers: number): number {
    const { meter, model, counted } = this.open;
    const usage = { meter, model, quantities };
    const allowed = allowedThrough(this.catalog, usage, counted[0] as string, covers, this.#wallet);
    return typeof allowed === 'number' && allowed !== nothingAllowed ? allowed : 0;
  }

  /** What a hold that covers so much grows by to pay for one count more than `from`, and to pay through `through`. Null: nothing to grow. */
  growth(
    counts: ArrayLike<number>,
    covers: number,
    from: number,
    through: number,
  ): { least: number; wanted: number } | null {
    if (through <= from) return null;
    const costAt = (count: number) => this.chargeOf(this.#quantitiesAt(counts, count));
    const [least, wanted] = [costAt(from + 1), costAt(through)];
    if (typeof least !== 'number' || typeof wanted !== 'number' || wanted <= covers) return null;
    return { least: Math.max(1, least - covers), wanted: wanted - covers };
  }

  #quantitiesAt(counts: ArrayLike<number>, first: number): Quantities {
    const { counted, known } = this.open;
    const quantities = quantitiesAt(this.open, counts);
    quantities[known.length] = [counted[0] as string, first];
    return quantities;
  }
}

function amountOf(cost: WalletCost | undefined): number {
  return cost === undefined || cost.amount === 'unrated' ? 0 : cost.amount;
}

function isCharacters(cost: WalletCost): boolean {
  return cost.unit === 'tts_characters';
}
