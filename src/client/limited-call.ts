import { aborted, type CallLimits, timedOut } from './call-limits.js';
import { Timed } from './deadlines.js';
import type { MeterError } from './errors.js';

const nobody = (): void => undefined;

/** A call that waits for its answer within limits. What it holds for its caller it lets go with the answer. */
export abstract class LimitedCall<Result> extends Timed {
  #resolve: (result: Result) => void = nobody;
  #reject: (error: MeterError) => void = nobody;
  #signal: AbortSignal | undefined;
  #timeoutMs = 0;

  /** It was aborted or its time is over. Called once at most, and not after the answer. */
  protected abstract giveUp(error: MeterError): void;

  /** Its answer; the limits hold from now on. */
  within({ signal, timeoutMs }: CallLimits): Promise<Result> {
    const answer = new Promise<Result>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (timeoutMs !== undefined) {
      this.#timeoutMs = timeoutMs;
      this.startTime(timeoutMs);
    }
    if (signal !== undefined) {
      this.#signal = signal;
      signal.addEventListener('abort', this);
    }
    return answer;
  }

  resolve(result: Result): void {
    this.#resolve(result);
    this.#stop();
  }

  reject(error: MeterError): void {
    this.#reject(error);
    this.#stop();
  }

  /** How a signal tells. */
  handleEvent(): void {
    const signal = this.#signal as AbortSignal;
    this.#stopWatch();
    this.giveUp(aborted(signal));
  }

  protected override late(): void {
    this.#stopWatch();
    this.giveUp(timedOut(this.#timeoutMs));
  }

  #stop(): void {
    this.#resolve = nobody;
    this.#reject = nobody;
    this.#stopWatch();
  }

  #stopWatch(): void {
    this.stopTime();
    if (this.#signal === undefined) return;
    this.#signal.removeEventListener('abort', this);
    this.#signal = undefined;
  }
}
