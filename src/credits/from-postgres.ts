import { DrawdownError } from '../errors.js';
import { wasCancelled } from '../postgres/statements.js';

/** Reads; what Postgres does not answer becomes UNAVAILABLE, or DEADLINE_EXCEEDED where its time was over. */
export async function fromPostgres<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof DrawdownError) throw cause;
    if (wasCancelled(cause)) {
      throw new DrawdownError('DEADLINE_EXCEEDED', 'the ledger could not be read within the deadline', {
        cause,
      });
    }
    throw new DrawdownError('UNAVAILABLE', 'Postgres is needed for this call and does not answer', {
      cause,
      retryAfterMs: 500,
    });
  }
}
