/** What the supervisor needs to know about a store that this sidecar runs itself. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process.js';

export interface ExitReason {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One life of a store's process, ready to serve. */
export interface StoreRun {
  pid: number;
  /** True when it was found alive, left behind by an owner that was killed. */
  adopted: boolean;
  exited: Promise<ExitReason>;
}

export interface StoreProcess {
  readonly name: 'redis' | 'postgres';
  readonly url: string;
  /** Adopts the living process of this data directory, or starts one, and waits until it serves. */
  start(): Promise<StoreRun>;
  /** Ends the process in an orderly way and waits until it is gone. */
  stop(pid: number): Promise<void>;
}

/** An adopted process is not our child, so nobody tells us of its end: look. */
const adoptedPollMs = 250;

export function adoptedRun(pid: number): StoreRun {
  async function watch(): Promise<ExitReason> {
    while (isAlive(pid)) {
      await sleep(adoptedPollMs, undefined, { ref: false });
    }
    return { code: null, signal: null };
  }
  return { pid, adopted: true, exited: watch() };
}

/** Resolves once the child runs, rejects when it could not be started (for example because there is no such program). */
export function spawned(child: ChildProcess): Promise<StoreRun> {
  const exited = new Promise<ExitReason>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      child.unref();
      resolve({ pid: child.pid as number, adopted: false, exited });
    });
  });
}
