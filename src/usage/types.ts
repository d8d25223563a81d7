/**
 * What the transport hands to the usage layer and gets back. All times are milliseconds since the Unix epoch, all
 * amounts whole units (micro-credits for credits), proven to be integers from 0 to 2^53-1 by whoever fills them in.
 */

/** Units by their number in scripts, journal and proto. */
export const UNITS = { credits: 1, tts_characters: 2, llm_messages: 3 } as const;
export type UnitName = keyof typeof UNITS;
export type Unit = (typeof UNITS)[UnitName];

/** Quantities of one meter as name and count pairs, in the order in which they came. */
export type Quantities = readonly (readonly [name: string, count: number])[];

/** Why a verdict is DENIED or an event REFUSED: the names of `Reason` in the proto without their prefix. */
export type Reason =
  | 'INSUFFICIENT_BALANCE'
  | 'ACCOUNT_UNKNOWN'
  | 'ACCOUNT_FROZEN'
  | 'ACCOUNT_CLOSED'
  | 'AGENT_SUSPENDED'
  | 'MODEL_UNRATED'
  | 'ID_CONFLICT'
  | 'HOLD_ENDED'
  | 'HOLD_UNKNOWN'
  | 'EVENT_TOO_OLD'
  | 'EVENT_IN_FUTURE'
  | 'FIELD_INVALID'
  | 'AMOUNT_OUT_OF_RANGE'
  | 'UNAVAILABLE'
  | 'LIMIT_REACHED'
  | 'AGENTS_MAX'
  | 'SESSION_MOVED'
  | 'SESSION_EXPIRED'
  | 'SESSION_UNKNOWN';

/** A place in one partition's journal. Compared as (epoch, seq), never by seq alone. */
export interface Position {
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
}

export interface UsageEvent {
  readonly eventId: string;
  readonly accountId: string;
  /** Empty: none. */
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Quantities;
  readonly eventTimeMs: number;
}

export type EventResult =
  | {
      readonly outcome: 'recorded' | 'duplicate';
      readonly unit: Unit;
      readonly charged: number;
      readonly overdrawn: number;
      readonly available: number;
      readonly unrated: boolean;
      /** Micro-credits that were converted to pay for it. */
      readonly converted: number;
    }
  | { readonly outcome: 'refused'; readonly reason: Reason; readonly message: string };

/** Results in the order of the events, and where they stand in the journals (duplicates included). */
export interface RecordOutcome {
  readonly results: EventResult[];
  /** The highest position per partition that must be durable before the batch is. */
  readonly positions: readonly Position[];
}

/** How a call wants to be treated. */
export interface CallOptions {
  /** Wait until Postgres has committed before answering. */
  readonly durable: boolean;
  /** The caller's deadline: past it an operation that was not sent yet is dropped, one that was sent never is. */
  readonly deadlineMs: number;
}

export type Estimate =
  | { readonly kind: 'quantities'; readonly quantities: Quantities }
  | { readonly kind: 'amount'; readonly unit: Unit; readonly value: number };

export interface HoldCall {
  readonly holdId: string;
  readonly accountId: string;
}

export interface ReserveCall extends HoldCall {
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly estimate: Estimate;
  readonly startTimeMs: number;
  /** 0: the default. */
  readonly holdTimeMs: number;
}

export interface ExtendCall extends HoldCall {
  readonly extendId: string;
  readonly addAmount: number;
  readonly holdTimeMs: number;
  readonly eventTimeMs: number;
}

export interface SettleCall extends HoldCall {
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly final: Estimate;
  readonly eventTimeMs: number;
  /** Of a session: the newest that the caller can be the owner of. Without it: whoever has it. */
  readonly generation?: number;
}

export interface ReleaseCall extends HoldCall {
  readonly eventTimeMs: number;
  /** As that of a settle. */
  readonly generation?: number;
}

export interface Denied {
  readonly verdict: 'denied';
  readonly reason: Reason;
  readonly unit: Unit | 0;
  readonly available: number;
  readonly missing: number;
}

export interface Held {
  readonly verdict: 'allowed';
  readonly unit: Unit;
  readonly held: number;
  readonly available: number;
  readonly deadlineMs: number;
  readonly duplicate: boolean;
  readonly catalogVersion: number;
}

export interface Settled {
  readonly unit: Unit;
  readonly charged: number;
  readonly released: number;
  /** That of the hold. */
  readonly releasedUnit: Unit;
  readonly overdrawn: number;
  readonly available: number;
  readonly late: boolean;
  readonly holdUnknown: boolean;
  readonly unrated: boolean;
  readonly converted: number;
  readonly duplicate: boolean;
  readonly catalogVersion: number;
  /** Where it stands in the journal. */
  readonly position: Position;
}

export interface Released {
  readonly unit: Unit;
  readonly released: number;
  readonly available: number;
  readonly duplicate: boolean;
  /** Where it stands in the journal. */
  readonly position: Position;
}

export interface WalletBalance {
  readonly unit: Unit;
  readonly available: number;
  readonly held: number;
  readonly debt: number;
}

export interface BalanceCheck {
  readonly verdict: 'allowed' | 'denied';
  readonly reason: Reason | null;
  readonly unit: Unit | 0;
  readonly amount: number;
  readonly missing: number;
  readonly balances: readonly WalletBalance[];
}

export type UsageState = 'unknown' | 'recorded' | 'held' | 'settled' | 'released' | 'expired';

export interface UsageStatus {
  readonly state: UsageState;
  readonly unit: Unit | 0;
  readonly charged: number;
  readonly overdrawn: number;
  readonly held: number;
  readonly deadlineMs: number;
  readonly converted: number;
  readonly durable: boolean;
}

/**
 * The usage layer as the transport sees it. Expected outcomes are values; a call that could not be judged rejects
 * with a DrawdownError (see src/errors.ts).
 */
export interface UsageMeter {
  /** Never rejects for one event's sake: an event that could not be judged is refused UNAVAILABLE or LIMIT_REACHED. */
  record(events: readonly UsageEvent[], options: CallOptions): Promise<RecordOutcome>;
  reserve(call: ReserveCall, options: CallOptions): Promise<Held | Denied>;
  extend(call: ExtendCall, options: CallOptions): Promise<Held | Denied>;
  settle(call: SettleCall, options: CallOptions): Promise<Settled>;
  release(call: ReleaseCall, options: CallOptions): Promise<Released>;
  checkBalance(
    call: { accountId: string; agentId: string; meter: string; model: string; estimate: Estimate | null },
    options: CallOptions,
  ): Promise<BalanceCheck>;
  getUsage(
    call: { accountId: string; kind: 'event' | 'hold'; id: string },
    options: CallOptions,
  ): Promise<UsageStatus>;
}

/** Tells when positions are durable, or that they were lost with Redis and must be sent again. */
export interface Watermarks {
  /** Resolves 'durable' or 'resend'; rejects DEADLINE_EXCEEDED at the deadline, UNAVAILABLE when the sidecar stops. */
  wait(positions: readonly Position[], deadlineMs: number): Promise<'durable' | 'resend'>;
  /** Is every position durable now ('durable'), lost ('resend'), or neither yet ('pending')? Cheap; for streams. */
  state(positions: readonly Position[]): 'durable' | 'resend' | 'pending';
  /** Calls back after every advance of any partition; returns the unsubscribe function. */
  onAdvance(listener: () => void): () => void;
}
