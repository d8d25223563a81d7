import type { BlockTerms } from '../catalog/pricing.js';
import type { StoredOutcome } from '../redis/format.js';
import type { LedgerDetails } from '../redis/opaque.js';
import type { Position, Reason, Unit } from '../usage/types.js';

export interface SessionOffer {
  readonly unit: Unit;
  readonly charge: number;
  readonly least: number;
  readonly wanted: number;
  readonly conversion?: BlockTerms;
}

export interface OpenSession {
  readonly accountId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly startTimeMs: number;
  readonly hash: number;
  readonly holdTimeMs: number;
  readonly catalogVersion: number;
  readonly details: LedgerDetails;
  readonly offers: readonly SessionOffer[];
}

export type OpenedSession =
  | {
      readonly kind: 'open';
      readonly unit: Unit;
      readonly held: number;
      readonly available: number;
      readonly deadlineMs: number;
      readonly catalogVersion: number;
      readonly generation: number;
      readonly charge: number;
      readonly details: LedgerDetails | null;
      readonly position: Position;
    }
  | {
      readonly kind: 'denied';
      readonly reason: Reason;
      readonly unit: Unit | 0;
      readonly available: number;
      readonly missing: number;
    }
  | { readonly kind: 'ended'; readonly outcome: StoredOutcome }
  | { readonly kind: 'conflict' };

export interface Checkpoint {
  readonly accountId: string;
  readonly sessionId: string;
  readonly generation: number;
  readonly charge: number;
  readonly details: LedgerDetails;
  readonly holdTimeMs: number;
  readonly growLeast: number;
  readonly growWanted: number;
}

export type Checkpointed =
  | {
      readonly kind: 'ok';
      readonly held: number;
      readonly available: number;
      readonly deadlineMs: number;
      readonly refused: Reason | null;
    }
  | { readonly kind: 'moved' }
  | { readonly kind: 'ended'; readonly outcome: StoredOutcome };

export interface SessionOperations {
  open(open: OpenSession, options: { readonly deadlineMs: number }): Promise<OpenedSession>;
  checkpoint(checkpoint: Checkpoint, options: { readonly deadlineMs: number }): Promise<Checkpointed>;
}
