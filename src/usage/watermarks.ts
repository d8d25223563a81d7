import { DrawdownError } from '../errors.js';
import type { Position, Watermarks } from './types.js';

interface Waiter {
  readonly positions: readonly Position[];
  readonly resolve: (state: 'durable' | 'resend') => void;
  readonly reject: (error: DrawdownError) => void;
  timer: NodeJS.Timeout;
}

interface Mark {
  epoch: number;
  seq: number;
  /** Last seq of epochs that were closed: what they applied beyond it is lost. */
  readonly closed: Map<number, number>;
}

/** Through which (epoch, seq) each partition is durable. Fed by the flusher, or by a reader of the cursors where another sidecar flushes. */
export class DurableWatermarks implements Watermarks {
  readonly #marks: Mark[];
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<() => void>();
  #onAwaited: (positions: readonly Position[]) => void = () => undefined;
  #onEpochClosed: (partition: number) => void = () => undefined;
  #announced = false;

  constructor(partitionCount: number) {
    this.#marks = Array.from({ length: partitionCount }, () => ({ epoch: 0, seq: 0, closed: new Map() }));
  }

  /** Is somebody waiting for anything? */
  get hasWaiters(): boolean {
    return this.#waiters.size > 0 || this.#listeners.size > 0;
  }

  durableThrough(partition: number): { readonly epoch: number; readonly seq: number } {
    return this.#mark(partition);
  }

  advance(partition: number, epoch: number, seq: number): void {
    const mark = this.#mark(partition);
    if (epoch < mark.epoch || (epoch === mark.epoch && seq <= mark.seq)) return;
    mark.epoch = epoch;
    mark.seq = seq;
    this.#announce();
  }

  /** An epoch was closed: what it applied beyond `lastSeq` must be sent again. */
  closeEpoch(partition: number, epoch: number, lastSeq: number): void {
    this.#mark(partition).closed.set(epoch, lastSeq);
    this.#onEpochClosed(partition);
    this.#announce();
  }

  state(positions: readonly Position[]): 'durable' | 'resend' | 'pending' {
    let all: 'durable' | 'pending' = 'durable';
    for (const position of positions) {
      const mark = this.#mark(position.partition);
      if (position.epoch === mark.epoch && position.seq <= mark.seq) continue;
      const lastSeq = mark.closed.get(position.epoch);
      if (lastSeq === undefined) all = 'pending';
      else if (position.seq > lastSeq) return 'resend';
    }
    return all;
  }

  wait(positions: readonly Position[], deadlineMs: number): Promise<'durable' | 'resend'> {
    const state = this.state(positions);
    if (state !== 'pending') return Promise.resolve(state);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#waiters.delete(waiter);
          reject(
            new DrawdownError(
              'DEADLINE_EXCEEDED',
              'applied, but not durable before the deadline; repeat the call to wait on',
            ),
          );
        },
        Math.max(0, deadlineMs - Date.now()),
      );
      const waiter: Waiter = { positions, resolve, reject, timer };
      this.#waiters.add(waiter);
      this.#onAwaited(positions);
    });
  }

  /** Who makes them durable is told of positions that somebody waits for. (Streams hear of what is durable and do not wait.) */
  onAwaited(listener: (positions: readonly Position[]) => void): void {
    this.#onAwaited = listener;
  }

  /** Who keeps what was applied hears of partitions that may have lost some of it. */
  onEpochClosed(listener: (partition: number) => void): void {
    this.#onEpochClosed = listener;
  }

  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends every wait: the sidecar stops. What was applied stays applied. */
  stop(): void {
    for (const waiter of this.#waiters) {
      clearTimeout(waiter.timer);
      waiter.reject(
        new DrawdownError('DRAINING', 'the sidecar stopped before this was durable; repeat the call', {
          retryAfterMs: 1_000,
        }),
      );
    }
    this.#waiters.clear();
  }

  /** Several partitions of one flush advance in one turn of the event loop: waiters are told once. */
  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      for (const waiter of this.#waiters) {
        const state = this.state(waiter.positions);
        if (state === 'pending') continue;
        this.#waiters.delete(waiter);
        clearTimeout(waiter.timer);
        waiter.resolve(state);
      }
      for (const listener of this.#listeners) listener();
    });
  }

  #mark(partition: number): Mark {
    const mark = this.#marks[partition];
    if (mark === undefined) throw new Error(`no partition ${partition}`);
    return mark;
  }
}
