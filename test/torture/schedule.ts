/** When which fault is played: every kind once before any of them twice, in an order from the seed. */
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '../helpers/until.js';
import type { Cluster } from './cluster.js';
import type { Fault } from './faults/index.js';

/** Faults at once, each on something else. */
const LANES = 3;
/** Between two faults of a lane. */
const CALM_MAX_MS = 600;
/** A kind that found nothing to break waits for the next round; after so many it is said that it was not fired. */
const TRIES_MAX = 5;

export class Deck {
  #left: Fault[] = [];
  readonly fired = new Map<string, number>();
  readonly #inVain = new Map<string, number>();

  constructor(
    private readonly faults: readonly Fault[],
    private readonly random: SeededRandom,
  ) {
    for (const { kind } of faults) this.fired.set(kind, 0);
  }

  /** Kinds that were not fired, and are to be tried again. */
  get missing(): readonly string[] {
    return [...this.fired]
      .filter(([kind, times]) => times === 0 && this.#triesOf(kind) < TRIES_MAX)
      .map(([kind]) => kind);
  }

  draw(count: number): Fault[] {
    const hand: Fault[] = [];
    while (hand.length < count) {
      if (this.#left.length === 0) this.#left = this.#shuffled();
      hand.push(this.#left.pop() as Fault);
    }
    return hand;
  }

  played(fault: Fault, hasFired: boolean): void {
    if (hasFired) {
      this.fired.set(fault.kind, (this.fired.get(fault.kind) ?? 0) + 1);
      return;
    }
    this.#inVain.set(fault.kind, this.#triesOf(fault.kind) + 1);
    if (this.missing.includes(fault.kind)) this.#left.unshift(fault);
  }

  #triesOf(kind: string): number {
    return this.#inVain.get(kind) ?? 0;
  }

  #shuffled(): Fault[] {
    const all = [...this.faults];
    for (let i = all.length - 1; i > 0; i--) {
      const j = this.random.between(0, i);
      [all[i], all[j]] = [all[j] as Fault, all[i] as Fault];
    }
    return all;
  }
}

export interface Playing {
  readonly cluster: Cluster;
  readonly random: SeededRandom;
  readonly deck: Deck;
  /** Hears what is broken now. */
  readonly onPlaying: (kinds: readonly string[]) => void;
  /** Hears when a fault begins and when it is healed. */
  readonly note: (line: string) => void;
}

/** Plays them in lanes; resolves when all are healed. */
export async function playFaults(faults: readonly Fault[], playing: Playing): Promise<void> {
  const { cluster, random, deck, onPlaying, note } = playing;
  const now = new Set<string>();
  const locks = new Locks();
  const waiting = [...faults];
  const lane = async (): Promise<void> => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      const { kind } = fault;
      const { locks: wanted, place } = fault.needs(random);
      const calmMs = random.between(0, CALM_MAX_MS);
      // A source of its own: how long the fault lasts does not depend on what the other lane has drawn meanwhile.
      const own = new SeededRandom(random.between(0, 2 ** 31));
      await pause(calmMs);
      await locks.with(wanted, async () => {
        now.add(kind);
        onPlaying([...now]);
        note(`${kind} ${place} begins`);
        const lasts = (minMs: number, maxMs: number): Promise<void> =>
          pause(own.between(Math.round(minMs), Math.round(maxMs)));
        try {
          const hasFired = await (fault as Fault).play({ cluster, random: own, lasts }, place);
          deck.played(fault as Fault, hasFired);
          note(`${kind} ${place} ${hasFired ? 'is healed' : 'found nothing to break'}`);
        } finally {
          now.delete(kind);
          onPlaying([...now]);
        }
      });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Who needs the same waits for the one before. */
class Locks {
  readonly #last = new Map<string, Promise<void>>();

  async with(names: readonly string[], work: () => Promise<void>): Promise<void> {
    const before = names.map((name) => this.#last.get(name) ?? Promise.resolve());
    const mine = Promise.all(before).then(work);
    const over = mine.catch(() => undefined);
    for (const name of names) this.#last.set(name, over);
    await mine;
  }
}
