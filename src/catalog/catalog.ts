/**
 * The catalog as the code sees it: one published version of the whole credit policy. Frozen; amounts of credits are
 * micro-credits, amounts of allowances whole units, times milliseconds. docs/catalog.md explains every key.
 */

/** The format number that this version reads and writes. */
export const catalogFormat = 1;

export const walletUnits = ['credits', 'tts_characters', 'llm_messages'] as const;
export type WalletUnit = (typeof walletUnits)[number];

/** What credits can be converted into. */
export const allowanceUnits = ['tts_characters', 'llm_messages'] as const;
export type AllowanceUnit = (typeof allowanceUnits)[number];

/** Sources of lots whose priority the catalog decides. */
export const prioritySources = ['free', 'plan', 'top_up', 'conversion', 'agent_cycle'] as const;
export type PrioritySource = (typeof prioritySources)[number];

/** A length by the calendar, UTC: 1 month, 1 year, 30 days. */
export interface CalendarLength {
  readonly count: number;
  readonly unit: 'day' | 'month' | 'year';
}

export interface QuantitySpec {
  readonly name: string;
  /** The quantity of the same meter that already counts this one. */
  readonly partOf?: string;
}

export interface MeterSpec {
  readonly name: string;
  readonly quantities: readonly QuantitySpec[];
  /** Which wallets may pay, the first first. */
  readonly wallets: readonly WalletUnit[];
  /** Where tts_characters may pay: the quantity of which one is one unit of the wallet. */
  readonly oneToOne: readonly { readonly unit: 'tts_characters'; readonly quantity: string }[];
}

export interface PriceSpec {
  readonly quantity: string;
  /** Micro-credits per million units. */
  readonly microsPerMillion: number;
}

/** What one of llm_messages buys: so many weighted tokens. A message is used whole. */
export interface MessageSpec {
  readonly weightedTokens: number;
  /** By quantity, in millionths. A quantity without one weighs as what it is a part of. */
  readonly weights: readonly { readonly quantity: string; readonly weightMillionths: number }[];
}

/** How the caller counts the characters of a text to be spoken. */
export interface CountingSpec {
  readonly count: 'code_points' | 'utf16_units' | 'bytes';
  readonly markup: 'counted' | 'not_counted';
}

export interface ModelSpec {
  readonly name: string;
  readonly meter: string;
  readonly aliases: readonly string[];
  readonly source: string;
  /** The day the prices were read at the source, YYYY-MM-DD. */
  readonly date: string;
  readonly prices: readonly PriceSpec[];
  /** Null: llm_messages do not pay for this model. */
  readonly message: MessageSpec | null;
  readonly counting: CountingSpec | null;
}

export interface PlanSpec {
  readonly name: string;
  /** A change to a plan of the same or a higher rank takes effect at once, to a lower one at the period's end. */
  readonly rank: number;
  readonly creditsMicros: number;
  /** Null: the free plan, whose credits are granted once in the life of an account and stay. */
  readonly period: { readonly length: CalendarLength; readonly onEnd: 'expire' | 'keep' } | null;
  /** Null: no limit. */
  readonly agentsMax: number | null;
}

export interface AllowanceSpec {
  readonly unit: AllowanceUnit;
  /** So many whole units for so many micro-credits, which are whole credits. */
  readonly rate: { readonly units: number; readonly creditsMicros: number };
  /** What a settle converts where the allowance is used up; null: nothing. */
  readonly autoConvert: { readonly blockMicros: number; readonly blockUnits: number } | null;
}

export interface AgentTierSpec {
  readonly name: string;
  /** Once; includes activation and the first cycle. */
  readonly unlockMicros: number;
  readonly cycle: CalendarLength;
  readonly renewalMicros: number;
  /** The agent's own, which expire with the cycle. */
  readonly cycleCreditsMicros: number;
  /** Does the agent draw on the account once its own credits are used? */
  readonly drawsOnAccount: boolean;
  readonly renewalGraceMs: number;
}

export interface Catalog {
  readonly format: typeof catalogFormat;
  /** Empty, or exactly one of them is the free plan. */
  readonly plans: readonly PlanSpec[];
  readonly lotPriorities: Readonly<Record<PrioritySource, number>>;
  readonly meters: readonly MeterSpec[];
  /** Models whose price unknown ones of their meter take. Those of other meters are unrated. */
  readonly defaultModels: readonly { readonly meter: string; readonly model: string }[];
  readonly models: readonly ModelSpec[];
  /** One that is not here cannot be bought with credits. */
  readonly allowances: readonly AllowanceSpec[];
  readonly agentTiers: readonly AgentTierSpec[];
  /** Amounts of what is available whose crossing is worth telling, the highest first. */
  readonly thresholds: Readonly<Record<WalletUnit, readonly number[]>>;
}
