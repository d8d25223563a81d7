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

/** The ledger's part of one operation; a usage event is one as it came. */
export interface LedgerDetails {
  readonly meter: string;
  readonly model: string;
  readonly agentId: string;
  readonly quantities: readonly (readonly [name: string, count: number])[];
}

export class OpaqueBuilder {
  readonly #texts: string[] = [];
  readonly #positions = new Map<string, number>();
  readonly #items: (number[] | null)[] = [];

  add(details: LedgerDetails | null, catalogVersion: number): void {
    if (details === null) {
      this.#items.push(null);
      return;
    }
    const { quantities } = details;
    const item = [
      this.#position(details.meter),
      this.#position(details.model),
      this.#position(details.agentId),
      catalogVersion,
    ];
    for (let i = 0; i < quantities.length; i++) {
      const quantity = quantities[i] as readonly [string, number];
      item.push(this.#position(quantity[0]), quantity[1]);
    }
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

/** The item of one operation of a record; null where the ledger needs nothing of it. */
export function opaqueItem(opaque: Opaque, operation: number): readonly number[] | null {
  return opaque[2][operation] ?? null;
}

/** One of an item's texts: 0 meter, 1 model, 2 agent. */
export function opaqueText(opaque: Opaque, item: readonly number[], slot: 0 | 1 | 2): string {
  return opaque[1][item[slot] as number] as string;
}

/** The quantities of an item as a JSON object. Their names come from the catalog (a-z 0-9 _), so they need no escaping. */
export function opaqueQuantities(opaque: Opaque, item: readonly number[]): string {
  const texts = opaque[1];
  let json = '{';
  for (let i = 4; i < item.length; i += 2) {
    json += `${i === 4 ? '' : ','}"${texts[item[i] as number]}":${item[i + 1]}`;
  }
  return `${json}}`;
}
