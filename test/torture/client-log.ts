/**
 * What a client writes down: every operation before it is sent, and what it learned of it, each line on the disk before the client goes on. A client that was
 * killed reads it when it is started again; the checkers read all of them.
 */
import { closeSync, existsSync, fdatasync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Operation } from './operations.js';

/** What became of one event of a record. */
export interface EventFate {
  readonly outcome: 'recorded' | 'duplicate' | 'refused';
  /** In the unit of the wallet that paid. */
  readonly charged?: number;
  readonly reason?: string;
}

/** What is learned of an operation, by its number. */
export type Learned =
  /** Applied, not yet durable. */
  | { readonly n: number; readonly applied: readonly EventFate[] }
  /** Of a hold: the verdict. Of a session: its open. */
  | { readonly n: number; readonly allowed: true }
  /** Of a session: what it reports, before it does. */
  | { readonly n: number; readonly reports: number }
  | { readonly n: number; readonly acknowledged: number }
  /** The end of a hold or a session, before it is sent: a repetition is the same. */
  | { readonly n: number; readonly ending: number; readonly eventTimeMs: number }
  /** The last word: durable, or refused for good. */
  | { readonly n: number; readonly done: Done };

export type Done =
  | { readonly fates: readonly EventFate[] }
  | { readonly denied: string }
  | { readonly left: true }
  | { readonly charged: number; readonly late: boolean }
  | { readonly released: number }
  | { readonly answer: Readonly<Record<string, unknown>> }
  | { readonly refused: string };

export type Line = { readonly n: number; readonly sent: Operation } | Learned;

/** An operation and all that is known of it. */
export interface Known {
  readonly n: number;
  readonly operation: Operation;
  applied: readonly EventFate[] | null;
  allowed: boolean;
  reported: number;
  acknowledged: number;
  ending: { readonly count: number; readonly eventTimeMs: number } | null;
  done: Done | null;
}

export function readLog(file: string): Map<number, Known> {
  const known = new Map<number, Known>();
  if (!existsSync(file)) return known;
  const text = readFileSync(file, 'utf8');
  // What stands behind the last line break was being written when its client was killed.
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line !== '') note(known, JSON.parse(line) as Line);
  }
  return known;
}

export function note(known: Map<number, Known>, line: Line): void {
  if ('sent' in line) {
    known.set(line.n, {
      n: line.n,
      operation: line.sent,
      applied: null,
      allowed: false,
      reported: 0,
      acknowledged: -1,
      ending: null,
      done: null,
    });
    return;
  }
  const one = known.get(line.n);
  if (one === undefined) throw new Error(`the log has something of ${line.n}, which was never sent`);
  if ('applied' in line) one.applied = line.applied;
  else if ('allowed' in line) one.allowed = true;
  else if ('reports' in line) one.reported = Math.max(one.reported, line.reports);
  else if ('acknowledged' in line) one.acknowledged = Math.max(one.acknowledged, line.acknowledged);
  else if ('ending' in line) one.ending = { count: line.ending, eventTimeMs: line.eventTimeMs };
  else one.done = line.done;
}

/** Appends; what is written in one turn shares one fdatasync. */
export class ClientLog {
  readonly #file: number;
  #waiting: { readonly text: string; readonly written: () => void }[] = [];
  #isSyncing = false;

  constructor(file: string) {
    const text = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    this.#file = openSync(file, 'a');
    ftruncateSync(this.#file, text.lastIndexOf('\n') + 1);
  }

  write(line: Line): Promise<void> {
    return new Promise((written) => {
      this.#waiting.push({ text: `${JSON.stringify(line)}\n`, written });
      if (!this.#isSyncing) this.#sync();
    });
  }

  close(): void {
    closeSync(this.#file);
  }

  #sync(): void {
    const batch = this.#waiting.splice(0);
    if (batch.length === 0) {
      this.#isSyncing = false;
      return;
    }
    this.#isSyncing = true;
    writeSync(this.#file, batch.map(({ text }) => text).join(''));
    fdatasync(this.#file, (error) => {
      if (error !== null) throw error;
      for (const { written } of batch) written();
      this.#sync();
    });
  }
}
