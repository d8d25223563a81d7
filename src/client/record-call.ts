import { type CallLimits, watchLimits } from './call-limits.js';
import type { MeterError } from './errors.js';
import type { AckLevel, EventResult } from './types.js';

/**
 * One call of `record`: collects the results of its events and settles its promise once. It refers to nothing of the caller's events:
 * many calls may wait.
 */
export class RecordCall {
  readonly #results: EventResult[];
  #unanswered: number;
  #isOver = false;
  #stopWatch: (() => void) | undefined;

  constructor(
    events: number,
    readonly until: AckLevel,
    private readonly resolve: (results: readonly EventResult[]) => void,
    private readonly reject: (error: MeterError) => void,
  ) {
    this.#results = new Array(events);
    this.#unanswered = events;
    if (events === 0) this.#end();
  }

  /** Nobody waits for it any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Fails the call when it is aborted or its time is over, after `onOver`. */
  limit(limits: CallLimits, onOver: () => void): void {
    if (this.#isOver) return;
    this.#stopWatch = watchLimits(limits, (error) => {
      onOver();
      this.fail(error);
    });
  }

  /** The result of an event, which may still change until it is final. */
  note(index: number, result: EventResult): void {
    this.#results[index] = result;
  }

  /** The result of an event will not change any more. Once for each event. */
  finish(): void {
    if (--this.#unanswered === 0) this.#end();
  }

  fail(error: MeterError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopWatch?.();
    this.reject(error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopWatch?.();
    this.resolve(this.#results);
  }
}
