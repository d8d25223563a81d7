/** Keeps one store running. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExitReason, StoreProcess, StoreRun } from './store.js';

export interface StoreExit extends ExitReason {
  store: StoreProcess['name'];
  pid: number;
  /** Undefined when the supervisor gives up. */
  restartInMs: number | undefined;
}

export interface SupervisorOptions {
  store: StoreProcess;
  onExit: (exit: StoreExit) => void;
  onRestart: (run: StoreRun) => void;
  /** The store stays down: whoever runs the sidecar must look. */
  onGivenUp: (error: Error) => void;
}

/** From 100 ms, doubled to 5 s: ten attempts take about half a minute, past what a busy machine needs to recover. */
const backoffStartMs = 100;
const backoffMaxMs = 5_000;
const attemptsMax = 10;
/** A store that ran this long was healthy: what ends it afterwards is a new matter. */
const healthyAfterMs = 60_000;
/** What it does is to exist. */
const awakeIntervalMs = 60_000;

/**
 * idle -> running (start) -> waiting (the process ended) -> running (restarted) or given up (too many attempts);
 * from anywhere -> stopped (stop). Only `running` has a pid.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #run: StoreRun | undefined;
  #stopped = new AbortController();
  #watching: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  async start(): Promise<StoreRun> {
    const run = await this.#options.store.start();
    this.#run = run;
    this.#watching = this.#watch();
    return run;
  }

  /** Ends the store and leaves no process behind, whatever the supervisor was doing. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    // The store's process does not keep ours alive: with nothing else to do, Node would leave before it hears of the end.
    const awake = setInterval(() => undefined, awakeIntervalMs);
    try {
      if (this.#run !== undefined) {
        await this.#options.store.stop(this.#run.pid);
      }
      await this.#watching;
    } finally {
      clearInterval(awake);
    }
  }

  async #watch(): Promise<void> {
    let attempts = 0;
    while (this.#run !== undefined && !this.#stopped.signal.aborted) {
      const startedMs = performance.now();
      const { pid, exited } = this.#run;
      const reason = await exited;
      this.#run = undefined;
      if (this.#stopped.signal.aborted) {
        return;
      }
      attempts = performance.now() - startedMs > healthyAfterMs ? 0 : attempts;
      const next = backoffMs(attempts);
      this.#options.onExit({ ...reason, store: this.#options.store.name, pid, restartInMs: next });
      attempts = await this.#restart(attempts);
    }
  }

  /** Tries until the store runs, the sidecar stops or the attempts are used up; returns how many were made. */
  async #restart(attemptsBefore: number): Promise<number> {
    let problem: unknown = 'it ends again and again';
    for (let attempts = attemptsBefore; attempts < attemptsMax; attempts += 1) {
      try {
        await sleep(backoffMs(attempts), undefined, { signal: this.#stopped.signal, ref: false });
      } catch {
        return attempts; // Stopped while waiting.
      }
      try {
        const run = await this.#options.store.start();
        if (this.#stopped.signal.aborted) {
          await this.#options.store.stop(run.pid);
          return attempts;
        }
        this.#run = run;
        this.#options.onRestart(run);
        return attempts + 1;
      } catch (error) {
        problem = error;
      }
    }
    this.#options.onGivenUp(
      new Error(`${this.#options.store.name} stays down after ${attemptsMax} attempts: ${String(problem)}`),
    );
    return attemptsMax;
  }
}

function backoffMs(attempts: number): number | undefined {
  return attempts < attemptsMax ? Math.min(backoffStartMs * 2 ** attempts, backoffMaxMs) : undefined;
}
