// The vocabulary of the oracle: what an account is, what can be done to it, and what comes of it.
//
// The oracle is written from docs/accounting.md and docs/states.md alone and imports nothing from src/. It is slow and
// plain on purpose: amounts are bigints, every operation copies the whole account, every sum is taken anew.

export type Unit = 'credits' | 'tts_characters' | 'llm_messages';

/** The order in which due lots of several wallets expire. */
export const UNITS: readonly Unit[] = ['credits', 'tts_characters', 'llm_messages'];

/** No amount, no sum of a wallet's remaining and no debt goes beyond this. */
export const AMOUNT_MAX = 2n ** 53n - 1n;

/** Calls make no more lots in a wallet. */
export const LOTS_MAX = 1_000;

/** No call begins a cycle with own credits where a wallet has so many lots of agents. */
export const OWN_LOTS_MAX = 2_000;

/** In a wallet of so many no characters are set aside. */
export const LOTS_HOLDING_MAX = 2_000;

/** Top-ups and corrections burn after what has a smaller number. */
export const TOP_UP_PRIORITY = 20;

export type LotSource = 'free' | 'plan' | 'top_up' | 'conversion' | 'agent_cycle' | 'correction';

/** What describes a lot; only its expiry can be moved, by a call that expires it. Kept for every lot that was ever numbered: a reversal may bring one back. */
export interface LotOrigin {
  lot: number;
  unit: Unit;
  source: LotSource;
  priority: number;
  /** undefined means never. */
  expiresAtMs: number | undefined;
  /** Number of the agent whose own it is; undefined: the account's. */
  owner: number | undefined;
}

export interface Lot extends LotOrigin {
  remaining: bigint;
  held: bigint;
}

export interface Wallet {
  debt: bigint;
  lots: Lot[];
}

export interface Part {
  lot: number;
  amount: bigint;
}

/** What a catalog says of an agent tier. */
export interface Tier {
  name: string;
  cycle: { unit: 'day' | 'month'; count: number };
  unlock: bigint;
  renewal: bigint;
  own: bigint;
  priority: number;
  draws: boolean;
  graceMs: number;
}

/** A tier that the catalog in force does not know, by its name alone. */
export interface UnknownTier {
  name: string;
  kind: 'unknown';
}

export type OfferedTier = Tier | UnknownTier;

export interface Agent {
  number: number;
  id: string;
  state: 'active' | 'suspended' | 'removed';
  tier: Tier;
  anchorMs: number;
  /** Cycles since the anchor. */
  cycles: number;
  startMs: number;
  endMs: number;
  /** The end of its cycle, or that of its grace while its renewal is unpaid; undefined: never. */
  dueMs: number | undefined;
}

/** What makes a hold a session. */
export interface Session {
  generation: number;
  charge: bigint;
  quantities: string;
}

/** What one wallet would pay for a session, and set aside for it; with blocks the three are characters. */
export interface Offer {
  unit: Unit;
  charge: bigint;
  least: bigint;
  wanted: bigint;
  blocks?: Blocks;
}

export interface OpenHold {
  /** Conversion terms that it began with. */
  terms: Blocks | undefined;
  session: Session | undefined;
  /** Empty: none. */
  agent: string;
  unit: Unit;
  amount: bigint;
  parts: Part[];
  deadlineMs: number;
  catalogVersion: number;
  payload: string;
  /** What the Reserve answered; a repeat gets this, whatever Extends did since. */
  outcome: ReserveOutcome;
}

/** A plan as a call carries it: what it grants once or each period, and what becomes of that at a period's end. */
export interface Plan {
  name: string;
  rank: number;
  agentsMax: number | undefined;
  credits: bigint;
  priority: number;
  kind: 'expire' | 'keep' | 'free';
}

/** A plan that the catalog in force does not know, by its name alone. */
export interface UnknownPlan {
  name: string;
  kind: 'unknown';
}

export type OfferedPlan = Plan | UnknownPlan;

/** What an imported account brings along. */
export interface Import {
  lots: Pick<Lot, 'unit' | 'source' | 'priority' | 'expiresAtMs' | 'remaining'>[];
  /** The period of its plan that runs. */
  period: { startMs: number; endMs: number } | undefined;
}

export interface Period {
  plan: Plan;
  startMs: number;
  endMs: number;
  /** Undefined until it begins. */
  granted: { lot: number; amount: bigint; debtPaid: bigint } | undefined;
}

export interface Subscription {
  plan: Plan | undefined;
  period: Period | undefined;
  next: Period | undefined;
  change: Plan | undefined;
  freeGranted: boolean;
  agentsMade: number;
  /** In the order of their unlocking. */
  agents: Agent[];
}

export type Status = 'active' | 'frozen' | 'closed';

export interface AccountState {
  exists: boolean;
  status: Status;
  wallets: Record<Unit, Wallet>;
  holds: Map<string, OpenHold>;
  /** Stored outcomes by kind and id, in that scope; open holds are in `holds` until they end. */
  ids: Map<string, StoredId>;
  lotOrigins: Map<number, LotOrigin>;
  /** Undefined: it never had a plan. */
  subscription: Subscription | undefined;
  lastLot: number;
  lastEntry: number;
}

/** `reversed` is the scope of charges by their names, `ended_lot` that of lots by their numbers. */
export type IdKind =
  | 'usage'
  | 'hold'
  | 'extend'
  | 'create'
  | 'grant'
  | 'reversal'
  | 'reversed'
  | 'rerate'
  | 'expire_lot'
  | 'convert'
  | 'ended_lot'
  | 'status'
  | 'plan'
  | 'agent';

export interface StoredId {
  /** undefined for a hold that was released or expired: no payload of a settle is known yet. */
  payload: string | undefined;
  /** What a late settle is priced with; undefined for everything but a hold that was released or expired. */
  catalogVersion: number | undefined;
  outcome: Outcome;
}

/** What one wallet would pay. `unrated` (credits only) means that the rate card has no price. */
export interface Price {
  unit: Unit;
  amount: bigint | 'unrated';
  /** Of credits only: they pay by becoming characters, and the amount says nothing. */
  blocks?: Blocks;
}

/** Whole blocks of micro-credits that become characters, and the priority of the lot that they become. */
export interface Blocks {
  units: bigint;
  micros: bigint;
  priority: number;
}

export type Op =
  | { kind: 'usage'; account: string; id: string; payload: string; prices: Price[]; agent?: string }
  | {
      kind: 'reserve';
      account: string;
      hold: string;
      payload: string;
      prices: Price[];
      holdTimeMs: number;
      catalogVersion: number;
      agent?: string;
    }
  | {
      kind: 'extend';
      account: string;
      id: string;
      hold: string;
      payload: string;
      addAmount: bigint;
      holdTimeMs: number;
    }
  | {
      kind: 'settle';
      account: string;
      hold: string;
      payload: string;
      prices: Price[];
      /** The catalog version that made the prices; 0 where the call named an amount itself. */
      pricedWith: number;
      agent?: string;
      /** The newest generation that the caller can be the owner of; undefined: any. */
      generation?: number | undefined;
    }
  | {
      kind: 'openSession';
      account: string;
      hold: string;
      payload: string;
      offers: Offer[];
      holdTimeMs: number;
      catalogVersion: number;
      quantities: string;
      agent?: string;
      generation?: number | undefined;
    }
  | {
      kind: 'checkpoint';
      account: string;
      hold: string;
      generation: number;
      charge: bigint;
      quantities: string;
      /** 0: the deadline stays. */
      holdTimeMs: number;
      growLeast: bigint;
      growWanted: bigint;
    }
  | { kind: 'release'; account: string; hold: string; generation?: number | undefined }
  | { kind: 'expireHold'; account: string; hold: string }
  | { kind: 'touch'; account: string }
  | { kind: 'create'; account: string; id: string; payload: string; plan?: OfferedPlan; imported?: Import }
  | {
      kind: 'startPeriod';
      account: string;
      id: string;
      payload: string;
      plan: OfferedPlan;
      startMs: number;
      endMs: number;
    }
  | {
      kind: 'changePlan';
      account: string;
      id: string;
      payload: string;
      plan: OfferedPlan;
      endMs: number | undefined;
    }
  | { kind: 'unlockAgent'; account: string; id: string; payload: string; agent: string; tier: OfferedTier }
  /** `tier` is the agent's own, with the terms that it has now. */
  | { kind: 'activateAgent'; account: string; id: string; payload: string; agent: string; tier: OfferedTier }
  | { kind: 'suspendAgent'; account: string; id: string; payload: string; agent: string }
  | { kind: 'removeAgent'; account: string; id: string; payload: string; agent: string }
  | { kind: 'cancelChange'; account: string; id: string; payload: string }
  | {
      kind: 'grant';
      account: string;
      id: string;
      payload: string;
      unit: Unit;
      amount: bigint;
      expiresAtMs: number | undefined;
    }
  | {
      kind: 'reversal';
      account: string;
      id: string;
      payload: string;
      /** The name of the charge; empty: a duplicate. */
      charge: string;
      unit: Unit;
      amount: bigint;
      /** Does the amount include what the charge was rerated to? */
      withRerate: boolean;
      /** Is it that of a session which was charged by its deadline and not settled when its caller looked? */
      unsettled?: boolean;
      /** What the charge had drawn, in the order of the drawing. */
      drawn: Part[];
    }
  | {
      kind: 'convert';
      account: string;
      id: string;
      payload: string;
      /** The allowance; its units; the micro-credits that they cost; the priority of the lot. */
      unit: Unit;
      units: bigint;
      cost: bigint;
      priority: number;
      catalogVersion: number;
    }
  /** `id` is the name of the charge. */
  | { kind: 'rerate'; account: string; id: string; unit: Unit; amount: bigint }
  | { kind: 'expireLot'; account: string; id: string; payload: string; lot: number }
  | {
      kind: 'setStatus';
      account: string;
      id: string;
      payload: string;
      call: 'freeze' | 'unfreeze' | 'close' | 'reopen';
    };

export type Reason =
  | 'INSUFFICIENT_BALANCE'
  | 'ACCOUNT_UNKNOWN'
  | 'ACCOUNT_EXISTS'
  | 'ACCOUNT_ACTIVE'
  | 'ACCOUNT_FROZEN'
  | 'ACCOUNT_CLOSED'
  | 'ALREADY_REVERSED'
  | 'LOT_UNKNOWN'
  | 'LOT_ENDED'
  | 'MODEL_UNRATED'
  | 'PERIOD_OVERLAPS'
  | 'PERIOD_ENDED'
  | 'PERIOD_STORED'
  | 'PLAN_UNCHANGED'
  | 'PLAN_UNKNOWN'
  | 'NOTHING_SCHEDULED'
  | 'AGENT_SUSPENDED'
  | 'TIER_UNKNOWN'
  | 'AGENT_UNKNOWN'
  | 'AGENT_EXISTS'
  | 'AGENT_ACTIVE'
  | 'AGENTS_MAX'
  | 'HOLD_ENDED'
  | 'HOLD_UNKNOWN'
  | 'FIELD_INVALID'
  | 'AMOUNT_OUT_OF_RANGE'
  | 'LIMIT_REACHED';

export interface UsageOutcome {
  of: 'usage';
  unit: Unit;
  charged: bigint;
  overdrawn: bigint;
  available: bigint;
  flags: Flag[];
  /** Micro-credits that were converted for it; undefined where none were converted or held for that. */
  converted?: bigint;
}

export interface ReserveOutcome {
  of: 'reserve';
  unit: Unit;
  held: bigint;
  available: bigint;
  deadlineMs: number;
}

export interface ExtendOutcome {
  of: 'extend';
  unit: Unit;
  held: bigint;
  available: bigint;
  deadlineMs: number;
}

export interface SessionOutcome {
  of: 'session';
  tookOver: boolean;
  unit: Unit;
  held: bigint;
  covers: bigint;
  available: bigint;
  deadlineMs: number;
  session: Session;
}

export interface CheckpointOutcome {
  of: 'checkpoint';
  unit: Unit;
  grown: bigint;
  /** Why it did not grow, or may not. */
  refused: Reason | undefined;
  /** Others have set something aside in its wallet. */
  othersHold: boolean;
  held: bigint;
  covers: bigint;
  available: bigint;
  deadlineMs: number;
}

export interface EndOutcome {
  of: 'end';
  state: 'settled' | 'released' | 'expired';
  unit: Unit;
  charged: bigint;
  overdrawn: bigint;
  released: bigint;
  available: bigint;
  flags: Flag[];
  /** Micro-credits that were converted for it; undefined where none were converted or held for that. */
  converted?: bigint;
}

export interface CreateOutcome {
  of: 'create';
  createdMs: number;
}

export interface GrantOutcome {
  of: 'grant';
  lot: number;
  unit: Unit;
  granted: bigint;
  debtPaid: bigint;
  available: bigint;
}

export interface ReversalOutcome {
  of: 'reversal';
  unit: Unit;
  amount: bigint;
  debtPaid: bigint;
  available: bigint;
}

export interface RerateOutcome {
  of: 'rerate';
  unit: Unit;
  charged: bigint;
  overdrawn: bigint;
  available: bigint;
  flags: Flag[];
}

export interface LotOutcome {
  of: 'expire_lot';
  unit: Unit;
  expired: bigint;
  available: bigint;
  /** When, for what is remembered of the lot; undefined for what the request is told. */
  atMs?: number;
}

export interface ConvertOutcome {
  of: 'convert';
  lot: number;
  unit: Unit;
  granted: bigint;
  debtPaid: bigint;
  converted: bigint;
  available: bigint;
}

export interface StatusOutcome {
  of: 'status';
}

export interface PlanOutcome {
  of: 'plan';
  what: 'started' | 'stored' | 'changed' | 'scheduled';
  granted: bigint;
  debtPaid: bigint;
  available: bigint;
  /** The lot of what was granted (0: none), or when what is stored or scheduled happens. */
  extra: number;
}

/** What is remembered of a lot that was carried forward: the expiry that it took (undefined: never). */
export interface CarriedOutcome {
  of: 'carried';
  expiresAtMs: number | undefined;
}

export interface WithdrawnOutcome {
  of: 'withdrawn';
}

export interface AgentOutcome {
  of: 'agent';
  what: 'unlocked' | 'activated' | 'suspended' | 'removed';
  cost: bigint;
  available: bigint;
  startMs: number;
  endMs: number;
}

export type Outcome =
  | AgentOutcome
  | PlanOutcome
  | CarriedOutcome
  | WithdrawnOutcome
  | UsageOutcome
  | ReserveOutcome
  | ExtendOutcome
  | SessionOutcome
  | CheckpointOutcome
  | EndOutcome
  | CreateOutcome
  | GrantOutcome
  | ReversalOutcome
  | RerateOutcome
  | LotOutcome
  | ConvertOutcome
  | StatusOutcome;

/** How much a denial was short of; only for INSUFFICIENT_BALANCE. */
export interface Shortfall {
  unit: Unit;
  available: bigint;
  missing: bigint;
}

export type Result =
  | { verdict: 'done' | 'duplicate'; outcome: Outcome }
  | { verdict: 'conflict' }
  | { verdict: 'denied' | 'refused'; reason: Reason; shortfall?: Shortfall }
  /** A settle was priced with another catalog version than its hold's: price it again with this one. */
  | { verdict: 'reprice'; catalogVersion: number }
  /** The session is over. */
  | { verdict: 'ended'; outcome: EndOutcome }
  /** Something changed since the caller looked; it looks again. Of a checkpoint: the session moved. */
  | { verdict: 'stale' }
  /** What a sweep or a touch answers, whether or not anything was due. */
  | { verdict: 'swept' };

export type Flag =
  | 'overdrawn'
  | 'unrated'
  | 'late'
  | 'hold_unknown'
  | 'over_hold'
  | 'frozen'
  | 'closed'
  | 'converted'
  | 'agent_suspended'
  | 'difference';

export type EntryKind =
  | 'account_created'
  | 'grant'
  | 'usage'
  | 'settle'
  | 'release'
  | 'hold_expired'
  | 'session_expired'
  | 'lot_expired'
  | 'reversal'
  | 'rerate'
  | 'expire_lot'
  | 'account_status'
  | 'conversion'
  | 'conversion_grant'
  | 'plan_grant'
  | 'plan_change'
  | 'opening_lot'
  | 'agent_unlock'
  | 'agent_renewal'
  | 'agent_grant'
  | 'agent_status';

/** What an entry says of the account's plan. Times of undefined are open. */
export interface PlanNote {
  plan: string;
  /** Undefined for plan_grant. */
  event: 'changed' | 'scheduled' | 'period_stored' | 'withdrawn' | undefined;
  fromMs: number | undefined;
  toMs: number | undefined;
}

/** What an entry says of an agent, and the cycle that it is in. */
export interface AgentNote {
  number: number;
  id: string;
  tier: string;
  event: 'unlocked' | 'activated' | 'renewed' | 'unpaid' | 'suspended' | 'removed';
  fromMs: number;
  toMs: number;
  priority: number;
}

export interface LotChange {
  lot: number;
  delta: bigint;
}

export interface WalletAfter {
  remaining: bigint;
  held: bigint;
  debt: bigint;
}

/** What a session was charged by its deadline. */
export interface ChargedBefore {
  charged: bigint;
  overdrawn: bigint;
  converted: bigint;
}

/** One line of the ledger. granted + debt = change of remaining + spent + expired + converted. */
export interface Entry {
  account: string;
  accountSeq: number;
  kind: EntryKind;
  /** The caller's id; undefined for a lot that expired. */
  id: string | undefined;
  /** undefined for account_created, account_status, plan_change and agent_status. */
  unit: Unit | undefined;
  granted: bigint;
  spent: bigint;
  expired: bigint;
  converted: bigint;
  debt: bigint;
  /** What a hold gave back when this entry ended it. */
  released: bigint;
  lots: LotChange[];
  after: WalletAfter | undefined;
  flags: Flag[];
  /** For conversion_grant: that of its lot. */
  priority: number;
  bookedMs: number;
  /** When it was due, for what happens by itself; else when it was booked. */
  dueMs: number;
  plan: PlanNote | undefined;
  agent: AgentNote | undefined;
  /** For whom the hold was that this entry ended, or a settle where there was none; empty: for none. */
  holdAgent: string;
  /** What a session was charged for by its deadline. */
  quantities: string;
  before: ChargedBefore | undefined;
}

export interface Step {
  result: Result;
  entries: Entry[];
  state: AccountState;
}
