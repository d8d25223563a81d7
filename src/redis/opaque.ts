import { FORMAT, pack, unpack } from './format.js';

/** Meter, model, agent, catalog version. */
const HEAD_NUMBERS = 4;

/**
 * What only the ledger needs of a batch's operations: stored beside the batch, never read by a script.
 * Texts that repeat (meters, models, names of quantities) stand once, in a list. The numbers of all operations stand in one list, because a
 * list an operation costs more than what it says: how many follow (0: nothing to say), meter, model, agent, catalog version, and
 * name and count of each quantity, texts as positions in the list.
 */
type PackedOpaque = readonly [format: number, texts: readonly string[], numbers: readonly number[]];

export interface Opaque {
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  /** Where each operation's numbers begin, at how many they are. */
  readonly starts: readonly number[];
}

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
  readonly #numbers: number[] = [];

  add(details: LedgerDetails | null, catalogVersion: number): void {
    const numbers = this.#numbers;
    if (details === null) {
      numbers.push(0);
      return;
    }
    const { quantities } = details;
    numbers.push(
      HEAD_NUMBERS + 2 * quantities.length,
      this.#position(details.meter),
      this.#position(details.model),
      this.#position(details.agentId),
      catalogVersion,
    );
    for (let i = 0; i < quantities.length; i++) {
      const quantity = quantities[i] as readonly [string, number];
      numbers.push(this.#position(quantity[0]), quantity[1]);
    }
  }

  build(): Buffer {
    return pack([FORMAT, this.#texts, this.#numbers] satisfies PackedOpaque);
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

/** Throws on a format that this version does not know. */
export function unpackOpaque(data: Buffer): Opaque {
  const [format, texts, numbers] = unpack<PackedOpaque>(data);
  if (format !== FORMAT) throw new Error(`what the ledger needs of a batch has format ${format}`);
  const starts: number[] = [];
  for (let start = 0; start < numbers.length; start += 1 + (numbers[start] as number)) starts.push(start);
  return { texts, numbers, starts };
}

/** Where the numbers of one operation of a record begin; -1 where the ledger needs nothing of it. */
export function opaqueStart({ numbers, starts }: Opaque, operation: number): number {
  const start = operation < 0 ? undefined : starts[operation];
  return start === undefined || numbers[start] === 0 ? -1 : start;
}

/** One of an operation's texts: 1 meter, 2 model, 3 agent. */
export function opaqueText({ texts, numbers }: Opaque, start: number, slot: 1 | 2 | 3): string {
  return texts[numbers[start + slot] as number] as string;
}

export function opaqueCatalogVersion({ numbers }: Opaque, start: number): number {
  return numbers[start + HEAD_NUMBERS] as number;
}

/** The quantities of an operation as a JSON object. Their names come from the catalog (a-z 0-9 _), so they need no escaping. */
export function opaqueQuantities({ texts, numbers }: Opaque, start: number): string {
  const end = start + (numbers[start] as number);
  let json = '{';
  for (let i = start + HEAD_NUMBERS + 1; i < end; i += 2) {
    json += `${json === '{' ? '' : ','}"${texts[numbers[i] as number]}":${numbers[i + 1]}`;
  }
  return `${json}}`;
}
