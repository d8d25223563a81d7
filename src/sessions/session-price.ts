import { allowedThrough, nothingAllowed } from '../catalog/allowed-through.js';
import type { WalletUnit } from '../catalog/catalog.js';
import { type CompiledCatalog, type Refusal, type WalletCost, walletCosts } from '../catalog/pricing.js';
import { type Quantities, UNITS, type Unit } from '../usage/types.js';
import type { SessionOffer } from './operations.js';
import { firstSliceCounts, wantedThrough } from './slices.js';
import type { SessionOpen } from './types.js';

/** What a session costs: the whole of its counts by the catalog version that it began with, rounded up once. */

const UNIT_NAMES: Record<Unit, WalletUnit> = { 1: 'credits', 2: 'tts_characters', 3: 'llm_messages' };

/** The known quantities, then the counted ones with their counts. */
export function quantitiesAt({ known, counted }: SessionOpen, counts: ArrayLike<number>): Quantities {
  return [...known, ...counted.map((name, index) => [name, counts[index] ?? 0] as const)];
}

/** What each wallet that can pay would hold for a session that begins: what is known, one count more at least, a first slice at best. */
export function offersOf(catalog: CompiledCatalog, open: SessionOpen): SessionOffer[] | Refusal {
  const { meter, model, expectedMax } = open;
  const costsAt = (count: number) =>
    walletCosts(catalog, { meter, model, quantities: quantitiesAt(open, [count]) });
  const leastCount = open.whole ? expectedMax : 1;
  const wantedCount = open.whole ? expectedMax : wantedThrough(0, firstSliceCounts, expectedMax);
  const [now, least, wanted] = [costsAt(0), costsAt(leastCount), costsAt(Math.max(leastCount, wantedCount))];
  if (now.kind === 'refused') return now;
  if (least.kind === 'refused') return least;
  if (wanted.kind === 'refused') return wanted;
  const offers: SessionOffer[] = [];
  const chargeable = wanted.costs.some(({ amount }) => amount !== 0);
  for (const [index, cost] of wanted.costs.entries()) {
    // An allowance that this work takes nothing from must not pay for it with nothing.
    if (cost.amount === 'unrated' || (cost.amount === 0 && chargeable)) continue;
    offers.push({
      unit: UNITS[cost.unit],
      charge: amountOf(now.costs[index]),
      least: amountOf(least.costs[index]),
      wanted: cost.amount,
      ...(cost.conversion === undefined ? {} : { conversion: cost.conversion }),
    });
  }
  return offers;
}

/** The price of one session in the wallet that holds for it. */
export class SessionPrice {
  readonly #wallet: WalletUnit;

  constructor(
    readonly catalog: CompiledCatalog,
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

  /** Up to which count of the first counted quantity `held` pays. */
  allowedThrough(quantities: Quantities, held: number): number {
    const { meter, model, counted } = this.open;
    const usage = { meter, model, quantities };
    const allowed = allowedThrough(this.catalog, usage, counted[0] as string, held, this.#wallet);
    return typeof allowed === 'number' && allowed !== nothingAllowed ? allowed : 0;
  }

  /** What a hold of `held` grows by to pay for one count more than `from`, and to pay through `through`. Null: nothing to grow. */
  growth(
    counts: ArrayLike<number>,
    held: number,
    from: number,
    through: number,
  ): { least: number; wanted: number } | null {
    if (through <= from) return null;
    const costAt = (count: number) => this.chargeOf(this.#quantitiesAt(counts, count));
    const [least, wanted] = [costAt(from + 1), costAt(through)];
    if (typeof least !== 'number' || typeof wanted !== 'number' || wanted <= held) return null;
    return { least: Math.max(1, least - held), wanted: wanted - held };
  }

  #quantitiesAt(counts: ArrayLike<number>, first: number): Quantities {
    const { counted, known } = this.open;
    return [
      ...known,
      ...counted.map((name, index) => [name, index === 0 ? first : (counts[index] as number)] as const),
    ];
  }
}

function amountOf(cost: WalletCost | undefined): number {
  return cost === undefined || cost.amount === 'unrated' ? 0 : cost.amount;
}
