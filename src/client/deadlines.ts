import { type Listed, Roster } from './roster.js';

/** Whoever's time is over in the same span shares a timer, so each may wait so much longer: next to nothing beside the time of a call. */
const spanMs = 10;

interface Span {
  readonly number: number;
  readonly timer: NodeJS.Timeout;
  readonly members: Roster<Timed>;
}

/** Spans in which somebody's time is over, by their numbers. */
const spans = new Map<number, Span>();

/** What may take so long and no longer. There may be thousands a second, so none has a timer of its own. */
export abstract class Timed implements Listed {
  place = 0;
  #span: Span | null = null;

  /** Its time is over. Called once at most, and not after `stopTime`. */
  protected abstract late(): void;

  protected startTime(timeoutMs: number): void {
    const nowMs = performance.now();
    const number = Math.ceil((nowMs + timeoutMs) / spanMs);
    let span = spans.get(number);
    if (span === undefined) {
      const timer = setTimeout(() => Timed.#end(number), Math.ceil(number * spanMs - nowMs));
      span = { number, timer, members: new Roster() };
      spans.set(number, span);
    }
    this.#span = span;
    span.members.add(this);
  }

  protected stopTime(): void {
    const span = this.#span;
    if (span === null) return;
    this.#span = null;
    span.members.delete(this);
    if (span.members.size > 0) return;
    clearTimeout(span.timer);
    spans.delete(span.number);
  }

  /** Each on its own: where one throws, the others are late all the same. */
  static #end(number: number): void {
    for (const one of spans.get(number)?.members.all ?? []) queueMicrotask(() => one.#endTime());
  }

  #endTime(): void {
    if (this.#span === null) return;
    this.stopTime();
    this.late();
  }
}
