import { CommandFailure, EXIT } from './io.js';

/** npm passes Ctrl-C on to a process that the terminal has told already: repeats within this time are the same one. */
const SAME_SIGNAL_MS = 1_000;

/** Resolves with the first signal to stop, or when asked to; a later signal ends the process at once. */
export function stopSignal(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    firstMs ??= nowMs;
    if (nowMs - firstMs > SAME_SIGNAL_MS) {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      process.kill(process.pid, signal);
    }
    resolve();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { promise, resolve };
}

/** Runs work that a signal to stop aborts: it cleans up, and the command fails. */
export async function untilStopped<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopped = new AbortController();
  void stopSignal().promise.then(() => stopped.abort(new CommandFailure('interrupted', EXIT.failed)));
  return await work(stopped.signal);
}
