import { formatCredits } from '../cli/format.js';
import type { Population } from './population.js';
import type { Tally } from './tally.js';
import type { Wallets } from './watch.js';

/** What the live view shows, from one moment to the next. */
export interface Moment {
  readonly elapsedSeconds: number;
  readonly seconds: number;
  readonly appliedPerSecond: number;
  readonly tally: Tally;
  readonly population: Population;
  readonly wallets: Wallets;
  readonly journal: { readonly entries: number; readonly oldestSeconds: number };
}

export interface Display {
  show(moment: Moment): void;
  /** A step that takes a moment. */
  step(text: string): void;
  /** Leaves the last view standing. */
  end(): void;
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** A block of lines that is written over itself. */
export class LiveDisplay implements Display {
  #linesShown = 0;

  constructor(
    private readonly write: (text: string) => void,
    /** Of the terminal, now. */
    private readonly columns: () => number,
  ) {}

  show(moment: Moment): void {
    const { tally, wallets, journal, population } = moment;
    const { events, reservations } = tally;
    const time = `${moment.elapsedSeconds.toFixed(0)} of ${moment.seconds} s`;
    this.#draw([
      `Drawdown demo  ${bar(moment.elapsedSeconds / moment.seconds)}  ${time}`,
      `  usage events   ${count(moment.appliedPerSecond)}/s, ${count(events.applied)} applied`,
      `  verdicts       duplicate ${count(events.duplicate)}, refused ${count(events.denied)}, overdrawn ${count(events.overdrawn)}`,
      `  reservations   allowed ${count(reservations.made)}, denied ${count(reservations.denied)}, settled ${count(reservations.settled)}, released ${count(reservations.released)}`,
      `  balances       ${bar(wallets.empty / population.scarceIds.length)}  ${wallets.empty} of ${population.scarceIds.length} small ones are empty`,
      `  debt           ${formatCredits(String(wallets.debtMicros))} credits`,
      `  journal        ${count(journal.entries)} entries not yet in Postgres, the oldest ${journal.oldestSeconds.toFixed(1)} s old`,
    ]);
  }

  step(text: string): void {
    this.end();
    this.write(`${text}\n`);
  }

  end(): void {
    this.#linesShown = 0;
  }

  #draw(lines: readonly string[]): void {
    // Up to the first line, then each line is cleared before it is written. A line that wraps would shift all of it.
    const fit = this.columns() - 1;
    const up = this.#linesShown === 0 ? '' : `\u001b[${this.#linesShown}A`;
    this.write(up + lines.map((line) => `\u001b[2K${line.slice(0, fit)}\n`).join(''));
    this.#linesShown = lines.length;
  }
}

const barWidth = 24;

function bar(part: number): string {
  const full = Math.round(Math.min(1, Math.max(0, part)) * barWidth);
  return `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}]`;
}

/** A line now and then, for logs and pipes. */
export class LineDisplay implements Display {
  #shownSeconds = 0;

  constructor(
    private readonly out: (line: string) => void,
    private readonly everySeconds: number,
  ) {}

  show({ elapsedSeconds, appliedPerSecond, tally, wallets, population, journal }: Moment): void {
    if (elapsedSeconds - this.#shownSeconds < this.everySeconds) return;
    this.#shownSeconds = elapsedSeconds;
    const { events, reservations } = tally;
    this.out(
      `${elapsedSeconds.toFixed(0)} s: ${count(appliedPerSecond)} events/s, applied ${count(events.applied)}, ` +
        `reservations ${count(reservations.made)} allowed ${count(reservations.denied)} denied, ` +
        `empty ${wallets.empty} of ${population.scarceIds.length} small balances, ` +
        `journal ${count(journal.entries)} entries, oldest ${journal.oldestSeconds.toFixed(1)} s`,
    );
  }

  step(text: string): void {
    this.out(text);
  }

  end(): void {}
}
