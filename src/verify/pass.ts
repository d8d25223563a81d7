import type { Pool, PoolClient } from '../postgres/pool.js';
import { beginSnapshot, endSnapshot, joinSnapshot } from '../postgres/verify.js';
import type { Tally } from './report.js';

/** One snapshot of Postgres on two connections: one for the long stream of lines, one for all that is read beside it. */
export interface Snapshot {
  readonly asOf: Date;
  readonly lines: PoolClient;
  readonly rows: PoolClient;
}

export interface PassContext {
  readonly snapshot: Snapshot;
  readonly tally: Tally;
  readonly partitionCount: number;
  /** Lines of one part, about. */
  readonly linesMax: number;
  /** Called after every piece of work; throws to stop. */
  readonly onLines: (lines: number) => void;
}

/** Two connections on one snapshot. Where the work fails, a stream may be open on one of them: they are closed. */
export async function withSnapshot<Result>(
  pool: Pool,
  work: (snapshot: Snapshot) => Promise<Result>,
): Promise<Result> {
  const lines = await pool.connect();
  try {
    const rows = await pool.connect();
    try {
      const { name, asOf } = await beginSnapshot(lines);
      await joinSnapshot(rows, name);
      const result = await work({ asOf, lines, rows });
      await endSnapshot(lines);
      await endSnapshot(rows);
      rows.release();
      lines.release();
      return result;
    } catch (error) {
      rows.release(true);
      throw error;
    }
  } catch (error) {
    lines.release(true);
    throw error;
  }
}
