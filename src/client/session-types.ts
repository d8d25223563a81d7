import type { CallLimits } from './call-limits.js';
import type { Quantities, Reason, ReleaseResult, SettleResult, Unit } from './types.js';

/** What a session is opened with. `timeoutMs` limits the wait for the verdict, `signal` every wait of the session. */
export interface OpenRequest extends CallLimits {
  /** Unique per account among sessions and holds. The unary calls know it as a `holdId`. */
  readonly sessionId: string;
  readonly accountId: string;
  readonly agentId?: string;
  readonly meter: string;
  readonly model: string;
  /** What is known before the answer begins, e.g. input_tokens. */
  readonly known?: Quantities;
  /** The quantities that `report` counts; `allowedThrough` counts the first. */
  readonly counted: readonly string[];
  /** How far the first counted quantity goes at most, where that is known: no more than this is set aside. */
  readonly expectedMax?: number;
  /** Set aside all of `expectedMax` at once, or deny: for work that cannot be cut short. */
  readonly whole?: boolean;
  /** When the request began; without it: now. Whoever wants to take a session over repeats it. */
  readonly startTimeMs?: number;
}

export interface EndOptions extends CallLimits {
  /** When the request ended; without it: now. */
  readonly eventTimeMs?: number;
}

/**
 * A request that is metered while it is answered. `allowed: false` with a reason is a result, not an error; such a session has
 * ended, and `report`, `settle` and `release` are not for it.
 */
export interface Session {
  readonly sessionId: string;
  readonly accountId: string;
  readonly allowed: boolean;
  readonly reason: Reason | null;
  /** The wallet that holds, or the last one tried; null where none was. */
  readonly unit: Unit | null;
  /** What was set aside, and what was available, when it was opened (or last resumed). */
  readonly held: bigint;
  readonly available: bigint;
  /** For INSUFFICIENT_BALANCE: how much more is needed. */
  readonly missing: bigint;
  /** 0 where nobody judged. */
  readonly catalogVersion: number;
  /** False: the sidecar was away, and the policy `whenUnavailable` decided; nothing is held. */
  readonly judged: boolean;
  /** 1, and one more with every time that it was taken over. 0 where nobody judged. */
  readonly generation: number;

  /** Up to which count of the first counted quantity the answer may go on without asking. */
  readonly allowedThrough: number;
  /** The largest counts: those reported, and where the session was taken over those acknowledged before. */
  readonly counts: Quantities;
  /** What the session is settled at if nobody ends it. */
  readonly acknowledged: Quantities;
  /** Set once `allowedThrough` will not grow any more. */
  readonly stopped: Reason | null;

  /** Cumulative counts of counted quantities; those left out are as they were, and the largest count. */
  report(counts: Quantities): void;
  /** Waits until `allowedThrough` is at least `count` (true), or will not be (false). Whoever waits has used up what was allowed. */
  room(count: number, limits?: CallLimits): Promise<boolean>;
  /** Is called once, also where the session has stopped before. */
  onStop(listener: (reason: Reason) => void): void;
  /** Ends it with what was really used: all quantities, those known at the open included. Without them: what was known and reported. */
  settle(quantities?: Quantities, options?: EndOptions): Promise<SettleResult>;
  /** Ends it without a charge. */
  release(options?: EndOptions): Promise<ReleaseResult>;
}
