import { DrawdownError } from '../errors.js';

/** Lines of an account are numbered without gaps: one that is not there stands in a month that was detached. */
export function detachedError(): DrawdownError {
  return new DrawdownError(
    'LEDGER_DETACHED',
    'lines of the ledger that are needed are not there: their months are detached',
  );
}
