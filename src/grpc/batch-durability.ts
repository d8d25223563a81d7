import type { Position, Watermarks } from '../usage/types.js';

/**
 * What one stream has to remember about its batches until they are durable: which came, where they stand in the journals,
 * and which must come again.
 *
 * A batch is *applying* (the usage layer has it), then *applied* (its positions are known), then durable, which is
 * forgotten. When its positions were lost with Redis it is *awaited*: named to the client, which sends it again under its
 * old number, and so *applying* once more. The watermark never passes a batch that is applying, applied or awaited.
 *
 * With Postgres away for hours a stream goes on, so memory must not grow with the number of batches: neighbours that are
 * applied are merged into one range whose positions are the highest of each partition and epoch. A range becomes durable
 * with its last batch, and is lost as a whole: then more is asked for than was lost, which deduplication makes
 * harmless.
 */

type State = 'applying' | 'applied' | 'awaited';

interface Range {
  /** First and last batch number. */
  from: number;
  to: number;
  state: State;
  positions: readonly Position[];
}

/** Ranges are merged from here on. Each has at most one position per partition, so about 1 MB per stream. */
const rangesMax = 1_024;

/** Numbers in one ResendBatches: some 3 KB on the wire. More follow in the next message. */
export const resendNumbersMax = 1_000;

export interface Progress {
  /** Everything up to and including this batch is durable. */
  readonly durableThrough: number;
  /** Batches found lost since the last call. */
  readonly resend: readonly number[];
  /** There may be more to resend: call again. */
  readonly more: boolean;
}

export class BatchDurability {
  /** By `from`, without overlaps; everything below the first range is durable. */
  #ranges: Range[] = [];
  #next = 1;
  #durableThrough = 0;
  #mergeAt = rangesMax;
  /** Which range is looked at out of turn, so that a loss behind a waiting head is found too. */
  #probe = 0;
  /** The last look ended with a full message of lost batches. */
  #hasMoreLost = false;

  /** The number that a new batch must have. */
  get next(): number {
    return this.#next;
  }

  get allDurable(): boolean {
    return this.#ranges.length === 0;
  }

  /** Nothing is on its way: what is not durable is awaited from the client. */
  get onlyAwaited(): boolean {
    return this.#ranges.every((range) => range.state === 'awaited');
  }

  get rangeCount(): number {
    return this.#ranges.length;
  }

  /** Takes a batch in: the next new one, or an awaited one. Those of one range come in their order. */
  accept(batchNumber: number): boolean {
    if (batchNumber === this.#next) {
      this.#next++;
      this.#ranges.push({ from: batchNumber, to: batchNumber, state: 'applying', positions: [] });
      this.#mergeWhenMany();
      return true;
    }
    const index = this.#indexOf(batchNumber);
    const range = this.#ranges[index];
    if (range === undefined || range.state !== 'awaited' || range.from !== batchNumber) return false;
    if (range.from === range.to) {
      range.state = 'applying';
    } else {
      range.from++;
      this.#ranges.splice(index, 0, { from: batchNumber, to: batchNumber, state: 'applying', positions: [] });
    }
    return true;
  }

  applied(batchNumber: number, positions: readonly Position[]): void {
    const range = this.#ranges[this.#indexOf(batchNumber)];
    if (range?.state !== 'applying') throw new Error(`Batch ${batchNumber} is not being applied`);
    range.state = 'applied';
    range.positions = positions;
  }

  advance(watermarks: Pick<Watermarks, 'state'>): Progress {
    let durable = 0;
    for (; durable < this.#ranges.length; durable++) {
      const range = this.#ranges[durable] as Range;
      if (range.state !== 'applied' || stateOf(range, watermarks) !== 'durable') break;
      this.#durableThrough = range.to;
    }
    if (durable > 0) this.#ranges.splice(0, durable);
    const resend = this.#hasMoreLost || this.#losesAny(watermarks) ? this.#nameLost(watermarks) : [];
    this.#hasMoreLost = resend.length === resendNumbersMax;
    return { durableThrough: this.#durableThrough, resend, more: this.#hasMoreLost };
  }

  /** Looks at the head and at one other range; losses come in groups, so a single one is enough to look at all. */
  #losesAny(watermarks: Pick<Watermarks, 'state'>): boolean {
    const head = this.#ranges[0];
    if (head === undefined) return false;
    this.#probe = (this.#probe + 1) % this.#ranges.length;
    const probe = this.#ranges[this.#probe] as Range;
    return [head, probe].some(
      (range) => range.state === 'applied' && stateOf(range, watermarks) === 'resend',
    );
  }

  #nameLost(watermarks: Pick<Watermarks, 'state'>): number[] {
    const numbers: number[] = [];
    for (let index = 0; index < this.#ranges.length && numbers.length < resendNumbersMax; index++) {
      const range = this.#ranges[index] as Range;
      if (range.state !== 'applied' || stateOf(range, watermarks) !== 'resend') continue;
      const room = resendNumbersMax - numbers.length;
      if (range.to - range.from + 1 > room) {
        this.#ranges.splice(index + 1, 0, { ...range, from: range.from + room });
        range.to = range.from + room - 1;
      }
      range.state = 'awaited';
      range.positions = [];
      for (let number = range.from; number <= range.to; number++) numbers.push(number);
    }
    return numbers;
  }

  /** The range that holds the batch, or -1. */
  #indexOf(batchNumber: number): number {
    let low = 0;
    let high = this.#ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle] as Range;
      if (batchNumber < range.from) high = middle - 1;
      else if (batchNumber > range.to) low = middle + 1;
      else return middle;
    }
    return -1;
  }

  /** Merges pairs, so the oldest and the newest batches keep equally fine ranges and the cost per batch is constant. */
  #mergeWhenMany(): void {
    if (this.#ranges.length < this.#mergeAt) return;
    const merged: Range[] = [];
    for (let index = 0; index < this.#ranges.length; index++) {
      const range = this.#ranges[index] as Range;
      const other = this.#ranges[index + 1];
      if (range.state === 'applied' && other?.state === 'applied') {
        const positions = highest([...range.positions, ...other.positions]);
        merged.push({ from: range.from, to: other.to, state: 'applied', positions });
        index++;
      } else {
        merged.push(range);
      }
    }
    this.#ranges = merged;
    this.#mergeAt = Math.max(rangesMax, merged.length * 2);
  }
}

function stateOf(range: Range, watermarks: Pick<Watermarks, 'state'>): 'durable' | 'resend' | 'pending' {
  return range.positions.length === 0 ? 'durable' : watermarks.state(range.positions);
}

/** The highest position of each partition and epoch. Epochs stay apart: a loss in one is not undone by the next. */
function highest(positions: readonly Position[]): Position[] {
  const byPlace = new Map<string, Position>();
  for (const position of positions) {
    const place = `${position.partition}:${position.epoch}`;
    const known = byPlace.get(place);
    if (known === undefined || known.seq < position.seq) byPlace.set(place, position);
  }
  return [...byPlace.values()];
}
