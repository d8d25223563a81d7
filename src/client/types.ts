/**
 * What calls take and give. These are the client's own types, not the generated ones: amounts are bigint, enums are short words,
 * nothing is optional that is always there.
 */

export type Unit = 'credits' | 'tts_characters' | 'llm_messages';

/** The units by their numbers in the proto. */
export const UNITS: readonly (Unit | null)[] = [null, 'credits', 'tts_characters', 'llm_messages'];

/** The names of `Reason` in the proto by their numbers, without their prefix. */
export const REASONS = [
  null,
  'INSUFFICIENT_BALANCE',
  'ACCOUNT_UNKNOWN',
  'ACCOUNT_FROZEN',
  'ACCOUNT_CLOSED',
  'AGENT_SUSPENDED',
  'MODEL_UNRATED',
  'ID_CONFLICT',
  'HOLD_ENDED',
  'HOLD_UNKNOWN',
  'EVENT_TOO_OLD',
  'EVENT_IN_FUTURE',
  'FIELD_INVALID',
  'AMOUNT_OUT_OF_RANGE',
  'UNAVAILABLE',
  'LIMIT_REACHED',
  'AGENTS_MAX',
  'SESSION_MOVED',
  'SESSION_EXPIRED',
  'SESSION_UNKNOWN',
] as const;

/** Why an answer is no; docs/errors.md. */
export type Reason = Exclude<(typeof REASONS)[number], null>;

/** By the names of the catalog: input_tokens, output_tokens, characters, ... Totals include their parts. */
export type Quantities = Readonly<Record<string, number | bigint>>;

export interface Amount {
  readonly unit: Unit;
  /** Credits are counted in micro-credits. */
  readonly value: bigint;
}

/** Finished usage. A retry repeats it unchanged, its time included. */
export interface UsageEvent {
  /** Unique per account. */
  readonly eventId: string;
  readonly accountId: string;
  readonly agentId?: string;
  /** As the catalog names it: llm, tts. */
  readonly meter: string;
  readonly model: string;
  readonly quantities: Quantities;
  /** When it happened. */
  readonly eventTimeMs: number;
}

export type EventResult =
  | {
      /** 'duplicate': booked earlier, perhaps by this client before a connection broke; the rest is that of the booking. */
      readonly outcome: 'recorded' | 'duplicate';
      /** The wallet that paid. */
      readonly unit: Unit;
      readonly charged: bigint;
      /** The part of `charged` that became debt. */
      readonly overdrawn: bigint;
      readonly available: bigint;
      /** Micro-credits that were converted to pay for it. */
      readonly converted: bigint;
      /** The rate card had no price: booked with 0, to be rated later. */
      readonly unrated: boolean;
    }
  | { readonly outcome: 'refused'; readonly reason: Reason; readonly message: string };

/** What is set aside or was used: quantities, priced by the catalog, or an amount of one wallet. */
export type Measure = { readonly quantities: Quantities } | { readonly amount: Amount };

/** When a call returns: changed in Redis, or committed in Postgres. */
export type AckLevel = 'applied' | 'durable';

export interface HoldName {
  /** Unique per account. */
  readonly holdId: string;
  readonly accountId: string;
}

export type ReserveRequest = HoldName &
  Measure & {
    readonly agentId?: string;
    readonly meter: string;
    readonly model: string;
    /** When the work begins. */
    readonly startTimeMs: number;
    /** How long the hold lasts unless it is extended; the sidecar has a default. */
    readonly holdTimeMs?: number;
  };

/** `allowed: false` with a reason is a result, not an error. */
export interface Verdict {
  readonly allowed: boolean;
  readonly reason: Reason | null;
  /** The wallet that holds, or the last one tried; null where none was. */
  readonly unit: Unit | null;
  readonly held: bigint;
  readonly available: bigint;
  /** For INSUFFICIENT_BALANCE: how much more is needed. */
  readonly missing: bigint;
  readonly deadlineMs: number;
  readonly duplicate: boolean;
}

export interface ReserveResult extends Verdict {
  /** 0 where nobody judged. */
  readonly catalogVersion: number;
  /** False: the sidecar was away, and the policy `whenUnavailable` decided; nothing is held. */
  readonly judged: boolean;
}

export interface ExtendRequest extends HoldName {
  /** Unique per account. */
  readonly extendId: string;
  /** In the hold's unit. */
  readonly addAmount?: bigint;
  /** The new deadline, from now; an earlier one than the hold's changes nothing. */
  readonly holdTimeMs?: number;
  readonly eventTimeMs: number;
}

export type SettleRequest = HoldName &
  Measure & {
    readonly agentId?: string;
    readonly meter: string;
    readonly model: string;
    /** When the work ended. */
    readonly eventTimeMs: number;
    /** Of a session: the newest generation that the caller can own; refused SESSION_MOVED while a newer one is open. Without it: whoever has it. */
    readonly generation?: number;
  };

export type SettleResult =
  | {
      readonly outcome: 'settled';
      readonly unit: Unit;
      readonly charged: bigint;
      readonly released: bigint;
      readonly releasedUnit: Unit | null;
      readonly overdrawn: bigint;
      readonly available: bigint;
      readonly converted: bigint;
      readonly late: boolean;
      readonly holdUnknown: boolean;
      readonly unrated: boolean;
      readonly duplicate: boolean;
      readonly catalogVersion: number;
    }
  /** The sidecar was away: the meter keeps the settle and repeats it until it is durable. */
  | { readonly outcome: 'kept' };

export interface ReleaseRequest extends HoldName {
  readonly eventTimeMs: number;
  /** As that of a settle. */
  readonly generation?: number;
}

export interface ReleaseResult {
  readonly unit: Unit | null;
  readonly released: bigint;
  readonly available: bigint;
  readonly duplicate: boolean;
}

export interface CheckBalanceRequest {
  readonly accountId: string;
  readonly agentId?: string;
  /** With a meter, a model and a measure the answer says whether a `reserve` of it would be allowed now. */
  readonly estimate?: Measure & { readonly meter: string; readonly model: string };
}

export interface WalletBalance {
  readonly unit: Unit;
  readonly available: bigint;
  readonly held: bigint;
  readonly debt: bigint;
}

export interface CheckBalanceResult {
  readonly allowed: boolean;
  readonly reason: Reason | null;
  readonly unit: Unit | null;
  /** What the estimate costs. */
  readonly amount: bigint;
  readonly missing: bigint;
  readonly balances: readonly WalletBalance[];
}

/** Something that was taken over and could not be booked. */
export type Lost =
  | { readonly kind: 'event'; readonly event: UsageEvent; readonly reason: Reason; readonly message: string }
  | { readonly kind: 'settle'; readonly settle: SettleRequest; readonly error: Error };
