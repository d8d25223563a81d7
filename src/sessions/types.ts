import type { Position, Quantities, Reason, Released, Settled, Unit } from '../usage/types.js';

/** What the transport hands to the sessions and gets back. Times are milliseconds since the Unix epoch, counts and amounts integers up to 2^53-1. */

export interface SessionOpen {
  /** The stream's own name for the session. */
  readonly number: number;
  readonly sessionId: string;
  readonly accountId: string;
  /** Empty: none. */
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly startTimeMs: number;
  /** What is known before the answer begins; may be empty. */
  readonly known: Quantities;
  /** At least one, none twice, none of the known. */
  readonly counted: readonly string[];
  /** 0: unknown. */
  readonly expectedMax: number;
  readonly whole: boolean;
  /** The newest that the stream can be the owner of; 0: it is taken from whoever has it. */
  readonly generation: number;
}

export interface SessionSettle {
  readonly number: number;
  readonly quantities: Quantities;
  readonly eventTimeMs: number;
}

export interface SessionRelease {
  readonly number: number;
  readonly eventTimeMs: number;
}

/** An open, a settle or a release that could not be judged, or progress of an unknown session. */
export interface SessionRefusal {
  readonly number: number;
  readonly reason: Reason;
  readonly message: string;
  /** 0: waiting does not help. */
  readonly retryAfterMs: number;
}

/** The verdict on an open. */
export interface SessionVerdict {
  readonly number: number;
  /** Null: allowed. */
  readonly denied: Reason | null;
  readonly allowedThrough: number;
  readonly unit: Unit | 0;
  readonly held: number;
  readonly available: number;
  readonly missing: number;
  readonly catalogVersion: number;
  /** As acknowledged before, of a session that was taken over; else empty. */
  readonly counts: ArrayLike<number>;
  readonly generation: number;
}

/** Where a session stands, as its stream is told. */
export interface SessionStand {
  readonly number: number;
  /** The counts that a checkpoint has. */
  readonly acknowledged: ArrayLike<number>;
  readonly allowedThrough: number;
}

export interface SessionStopped {
  readonly number: number;
  readonly reason: Reason;
  readonly allowedThrough: number;
}

export type SessionOutcome =
  | { readonly number: number; readonly kind: 'settled'; readonly settled: Settled }
  | { readonly number: number; readonly kind: 'released'; readonly released: Released };

/** What an open, a settle or a release came to, and where that stands in the journal; null: nothing was changed. */
export type Judged<T> =
  | { readonly answer: T; readonly position: Position | null }
  | { readonly refusal: SessionRefusal };

export type Told<T> = (judged: Judged<T>) => void;
