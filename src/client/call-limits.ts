import { MeterError } from './errors.js';

/** How long a call may take. Without either it waits as long as it takes. */
export interface CallLimits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export function aborted(signal: AbortSignal): MeterError {
  return new MeterError('CANCELLED', 'The call was aborted', { reason: 'ABORTED', cause: signal.reason });
}

export function timedOut(timeoutMs: number, cause?: unknown): MeterError {
  const message = `No answer within ${timeoutMs} ms; the outcome is unknown, a repetition is safe`;
  return new MeterError('DEADLINE_EXCEEDED', message, { reason: 'TIMED_OUT', retryable: true, cause });
}

/** Calls `onOver` once when the call is aborted or its time is over; the returned function ends the watch. */
export function watchLimits(limits: CallLimits, onOver: (error: MeterError) => void): () => void {
  const { signal, timeoutMs } = limits;
  if (signal === undefined && timeoutMs === undefined) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => over(aborted(signal as AbortSignal));
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  const over = (error: MeterError): void => {
    stop();
    onOver(error);
  };
  if (timeoutMs !== undefined) timer = setTimeout(() => over(timedOut(timeoutMs)), timeoutMs);
  signal?.addEventListener('abort', onAbort);
  return stop;
}

/** Resolves after `waitMs`, or rejects as soon as the call is aborted. */
export function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(aborted(signal as AbortSignal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, waitMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
