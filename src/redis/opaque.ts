import { FORMAT } from './format.js';

/**
 * What only the ledger needs of a batch's operations: stored beside the batch, never read by a script.
 * Texts that repeat (meters, models, names of quantities) stand once, in a list. One item an operation: null, or
 * [meter, model, agent, catalog version, name, count, name, count, ...] with texts as positions in the list.
 */
export type Opaque = readonly [
  format: number,
  texts: readonly string[],
  items: readonly (readonly number[] | null)[],
];

/** The ledger's part of one operation. */
export interface LedgerDetails {
  readonly meter: string;
  readonly model: string;
  readonly agentId: string;
  readonly catalogVersion: number;
  readonly quantities: readonly (readonly [name: string, count: number])[];
}

export class OpaqueBuilder {
  readonly #texts: string[] = [];
  readonly #positions = new Map<string, number>();
  readonly #items: (number[] | null)[] = [];

  add(details: LedgerDetails | null): void {
    if (details === null) {
      this.#items.push(null);
      return;
    }
    const item = [
      this.#position(details.meter),
      this.#position(details.model),
      this.#position(details.agentId),
      details.catalogVersion,
    ];
    for (const [name, count] of details.quantities) item.push(this.#position(name), count);
    this.#items.push(item);
  }

  build(): Opaque {
    return [FORMAT, this.#texts, this.#items];
  }

  #position(text: string): number {
    let position = this.#positions.get(text);
    if (position === undefined) {
      position = this.#texts.length;
      this.#texts.push(text);
      this.#positions.set(text, position);
    }
    return position;
  }
}

/** The ledger's part of an operation of a record; null where it has none. */
export function readDetails(opaque: Opaque, operation: number): LedgerDetails | null {
  const [, texts, items] = opaque;
  const item = items[operation];
  if (item === undefined || item === null) return null;
  const text = (position: number): string => texts[item[position] as number] as string;
  const quantities: [string, number][] = [];
  for (let i = 4; i < item.length; i += 2) quantities.push([text(i), item[i + 1] as number]);
  return { meter: text(0), model: text(1), agentId: text(2), catalogVersion: item[3] as number, quantities };
}
