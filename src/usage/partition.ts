import { DrawdownError } from '../errors.js';
import type { PartitionKeys } from '../redis/keys.js';
import type { DurableReply, Fence, FenceRefusal } from '../redis/scripts.js';

/** A closed partition is opened again by itself, rebuilt where it must be; a fenced one waits for an operator. */
export type PartitionState =
  | { readonly kind: 'closed'; readonly why: string }
  | { readonly kind: 'open'; readonly runId: string }
  | { readonly kind: 'fenced'; readonly why: string };

/**
 * One partition as this process sees it.
 *
 * States: closed -> open (verified against Postgres under the connection's run_id) -> closed (connection lost, or doubted) -> ...
 *         any -> fenced: Redis and Postgres contradict each other in a way that only people can settle -> open, once they have.
 */
export class Partition {
  #state: PartitionState = { kind: 'closed', why: 'not opened yet' };
  #epoch = 0;
  #verifiedRunId = '';
  #seqSeen = 0;
  /** What Redis said when it was last told what is durable; null before. */
  progress: DurableReply | null = null;
  /** Bytes of the journal that are not durable, as of the last script. */
  pendingBytes = 0;
  #pendingSinceMs = 0;

  constructor(
    readonly number: number,
    readonly keys: PartitionKeys,
    private readonly installation: string,
    /** Called after the partition was closed or fenced. */
    private readonly onStopped: (partition: Partition) => void,
    /** Called after entries were seen that were not before. */
    private readonly onSeen: () => void,
  ) {}

  get state(): PartitionState {
    return this.#state;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Highest seq that this process has seen; a Redis that has less went back. */
  get seqSeen(): number {
    return this.#seqSeen;
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  open(at: { readonly epoch: number; readonly seq: number; readonly runId: string }): void {
    if (at.epoch !== this.#epoch) {
      this.#seqSeen = 0;
      this.#pendingSinceMs = 0;
    }
    this.#epoch = at.epoch;
    this.#seqSeen = Math.max(this.#seqSeen, at.seq);
    this.#state = { kind: 'open', runId: at.runId };
    this.#verifiedRunId = at.runId;
  }

  close(why: string): void {
    if (this.#state.kind !== 'open') return;
    this.#state = { kind: 'closed', why };
    this.onStopped(this);
  }

  /** Closes it until it is verified again, also on the server that it was verified on. */
  doubt(why: string): void {
    this.#verifiedRunId = '';
    this.close(why);
  }

  fence(why: string): void {
    if (this.#state.kind === 'fenced') return;
    this.#verifiedRunId = '';
    this.#state = { kind: 'fenced', why };
    this.onStopped(this);
  }

  /** Serves again after a lost connection, if the server is the one that was verified: its fence checks the rest. */
  reopen(runId: string): boolean {
    if (this.#state.kind !== 'closed' || runId !== this.#verifiedRunId) return false;
    this.#state = { kind: 'open', runId };
    return true;
  }

  /** What a script call must carry. `forRunId`: for opening, before the partition is open. */
  fenceArguments(forRunId?: string): Fence {
    const runId = forRunId ?? (this.#state.kind === 'open' ? this.#state.runId : '');
    return {
      keys: this.keys,
      installation: this.installation,
      epoch: this.#epoch,
      runId,
      seqSeen: this.#seqSeen,
    };
  }

  saw(epoch: number, seq: number, bookedMs: number): void {
    if (epoch !== this.#epoch || seq <= this.#seqSeen) return;
    this.#seqSeen = seq;
    if (this.#pendingSinceMs === 0) this.#pendingSinceMs = bookedMs;
    this.onSeen();
  }

  /** Entries through `seq`, the last of them booked at `bookedMs`, are durable. */
  durableThrough(seq: number, bookedMs: number): void {
    this.#pendingSinceMs = this.#seqSeen > seq ? bookedMs : 0;
  }

  /** Age of the oldest entry that is not durable, at most (0: none): it was booked after the last durable one. */
  pendingAgeMs(nowMs: number): number {
    return this.#pendingSinceMs === 0 ? 0 : Math.max(0, nowMs - this.#pendingSinceMs);
  }

  /** Why this partition does not serve; null if it does. */
  unavailability(): DrawdownError | null {
    switch (this.#state.kind) {
      case 'open':
        return null;
      case 'closed':
        return new DrawdownError('UNAVAILABLE', `partition ${this.number} is closed: ${this.#state.why}`, {
          retryAfterMs: 200,
        });
      case 'fenced':
        return new DrawdownError(
          'PARTITION_FENCED',
          `partition ${this.number} is fenced: ${this.#state.why}`,
          {
            retryAfterMs: 5_000,
          },
        );
    }
  }

  /** Draws the consequence of a refusal by the scripts' fence and says it as an error. Nothing was changed by the call. */
  refused(refusal: FenceRefusal): DrawdownError {
    if (refusal.status === 'SKEW') {
      return new DrawdownError(
        'CLOCK_SKEW',
        `Redis' clock differs by ${refusal.skewMs} ms from the sidecar's: correct the clock`,
        { retryAfterMs: 1_000 },
      );
    }
    if (refusal.status === 'FENCED' || refusal.status === 'EMPTY') this.doubt(doubtOf(refusal));
    else this.fence(refusalText(refusal));
    return this.unavailability() as DrawdownError;
  }
}

function doubtOf(refusal: Extract<FenceRefusal, { status: 'FENCED' | 'EMPTY' }>): string {
  if (refusal.status !== 'FENCED') return 'Redis has lost its keys';
  switch (refusal.what) {
    case 'run_id':
      return 'Redis must be verified';
    case 'epoch':
      return `Redis is at epoch ${refusal.epoch}`;
    case 'seq':
      return 'Redis went back: it lacks entries that were acknowledged';
  }
}

function refusalText(refusal: Exclude<FenceRefusal, { status: 'SKEW' | 'FENCED' | 'EMPTY' }>): string {
  return refusal.status === 'FORMAT'
    ? `Redis holds data of format ${refusal.format}, which this version does not know`
    : "Redis holds another installation's data";
}
