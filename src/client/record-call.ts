import type { MeterError } from './errors.js';
import type { AckLevel, EventResult } from './types.js';

/** One call of `record`: collects the results of its events and settles its promise once. */
export class RecordCall {
  readonly #results: EventResult[];
  #unanswered: number;
  #isOver = false;

  constructor(
    events: number,
    readonly until: AckLevel,
    private readonly settle: {
      resolve(results: readonly EventResult[]): void;
      reject(error: MeterError): void;
    },
  ) {
    this.#results = new Array(events);
    this.#unanswered = events;
  }

  /** Nobody waits for it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The result of an event, which may still change until it is final. */
  note(index: number, result: EventResult): void {
    this.#results[index] = result;
  }

  /** The result of an event will not change any more. Once for each event. */
  finish(): void {
    if (--this.#unanswered > 0 || this.#isOver) return;
    this.#isOver = true;
    this.settle.resolve(this.#results);
  }

  fail(error: MeterError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.settle.reject(error);
  }
}
