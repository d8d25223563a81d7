/** What clients do, chosen from a seed. Each operation is self-contained: sent again as it is, it means the same. */
import type { SeededRandom } from '../helpers/until.js';

/** Accounts of one round by what happens to them, so that what each operation costs is known without knowing their order. */
export interface Accounts {
  /** More credits than the round can use: usage, holds, the control plane. */
  readonly rich: readonly string[];
  /** Few credits: holds only, which are settled within what they set aside, so that nothing may become debt. */
  readonly poor: readonly string[];
  /** Characters: an allowance that is converted automatically. */
  readonly speech: readonly string[];
  /** Metering sessions. */
  readonly session: readonly string[];
}

/** In micro-credits; 1,000,000 are a credit. */
export const GRANTED = {
  rich: 1_000_000_000_000,
  poor: 200_000,
  speech: 1_000_000_000_000,
  session: 1_000_000_000_000,
};

/** Whose tokens cost 1 micro-credit in and 5 out. */
const LLM = { meter: 'llm', model: 'claude-haiku-4-5' };
const SPEECH = { meter: 'tts', model: 'tts-1' };
export const MICROS_INPUT = 1;
export const MICROS_OUTPUT = 5;

export interface SentEvent {
  readonly eventId: string;
  readonly accountId: string;
  readonly agentId?: string;
  readonly meter: string;
  readonly model: string;
  readonly quantities: Readonly<Record<string, number>>;
  readonly eventTimeMs: number;
}

export type Operation =
  | {
      readonly op: 'record';
      readonly events: readonly SentEvent[];
      /** Over streams of the client library, or as one call. */
      readonly by: 'stream' | 'call';
      /** Sent once until it is applied, and again until it is durable. */
      readonly isRepeated: boolean;
      /** Ids that are durable with another payload. */
      readonly isConflict: boolean;
    }
  | {
      readonly op: 'hold';
      readonly accountId: string;
      readonly holdId: string;
      readonly held: number;
      readonly extendBy: number;
      readonly holdTimeMs: number;
      readonly startTimeMs: number;
      readonly end: 'settle' | 'release' | 'leave';
      readonly final: number;
    }
  | {
      readonly op: 'session';
      readonly accountId: string;
      readonly sessionId: string;
      readonly startTimeMs: number;
      /** Output tokens of each report more than before, and milliseconds before it. */
      readonly reports: readonly { readonly more: number; readonly waitMs: number }[];
      readonly end: 'settle' | 'release' | 'leave';
      /** Output tokens beyond the last report. */
      readonly rest: number;
    }
  | {
      readonly op: 'call';
      readonly name: ControlCall;
      readonly request: Readonly<Record<string, unknown>> & {
        readonly requestId: string;
        readonly accountId: string;
      };
    };

export type ControlCall =
  | 'AccountService/TopUp'
  | 'AccountService/StartBillingPeriod'
  | 'AccountService/ConvertCredits'
  | 'AccountService/ReverseUsage'
  | 'AgentService/UnlockAgent';

type Session = Extract<Operation, { op: 'session' }>;
export type Hold = Extract<Operation, { op: 'hold' }>;
export type SessionOperation = Session;

/** What a session's open says is known. */
export const SESSION_INPUT = 100;
export const sessionMicros = (output: number): number =>
  SESSION_INPUT * MICROS_INPUT + output * MICROS_OUTPUT;

export const sessionWork = LLM;
export const holdWork = LLM;

const BATCH_EVENTS_MAX = 100;
const REPORTS_MAX = 20;
const EVENT_AGE_MAX_MS = 60_000;
/** Half of what sidecars accept: events that seem newer than a Redis that lost them. */
const EVENT_FUTURE_MAX_MS = 30_000;
const PERIOD_MS = 30 * 24 * 3_600_000;
/** Batches that are durable and may be sent again with other payloads, and events that may be reversed. */
const REMEMBERED_MAX = 50;

/** How often each is chosen, of all. */
const WEIGHTS = { record: 45, speech: 8, hold: 18, session: 12, control: 12, conflict: 5 } as const;

export class Operations {
  #durable: (readonly SentEvent[])[] = [];
  readonly #startedPeriods = new Set<string>();

  constructor(
    private readonly random: SeededRandom,
    private readonly accounts: Accounts,
    private readonly client: string,
  ) {}

  /** `n` makes ids that no other operation of this client has. */
  next(n: number): Operation {
    const { random } = this;
    const total = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
    let left = random.between(1, total);
    for (const [name, weight] of Object.entries(WEIGHTS)) {
      left -= weight;
      if (left <= 0) return this[name as keyof typeof WEIGHTS](`${this.client}-${n}`);
    }
    return this.record(`${this.client}-${n}`);
  }

  /** Its events are durable: they may be reversed, or be sent with another payload. */
  remember(operation: Operation): void {
    if (operation.op !== 'record' || operation.isConflict) return;
    this.#durable.push(operation.events);
    if (this.#durable.length > REMEMBERED_MAX) this.#durable.shift();
  }

  record(id: string): Operation {
    const { random } = this;
    const events: SentEvent[] = [];
    for (let i = random.between(1, BATCH_EVENTS_MAX); i > 0; i--) {
      const earlier = events.length > 0 && random.next() < 0.05 ? random.pick(events) : null;
      events.push(earlier ?? this.#llmEvent(`${id}-${i}`));
    }
    return this.#sent(events);
  }

  speech(id: string): Operation {
    const { random } = this;
    const events = Array.from({ length: random.between(1, 10) }, (_, i) => ({
      eventId: `${id}-${i}`,
      accountId: random.pick(this.accounts.speech),
      ...SPEECH,
      quantities: { characters: random.between(1, 400) },
      eventTimeMs: Date.now() - random.between(0, EVENT_AGE_MAX_MS),
    }));
    return this.#sent(events);
  }

  conflict(id: string): Operation {
    const { random } = this;
    if (this.#durable.length === 0) return this.record(id);
    const events = random
      .pick(this.#durable)
      .map((event) => ({ ...event, quantities: changed(event.quantities) }));
    return { op: 'record', events, by: 'stream', isRepeated: false, isConflict: true };
  }

  hold(id: string): Operation {
    const { random } = this;
    const isPoor = random.next() < 0.5;
    const held = random.between(100, 5_000);
    const extendBy = random.next() < 0.3 ? random.between(1, 2_000) : 0;
    const chance = random.next();
    const end = chance < 0.7 ? 'settle' : chance < 0.9 ? 'release' : 'leave';
    return {
      op: 'hold',
      accountId: random.pick(isPoor ? this.accounts.poor : this.accounts.rich),
      holdId: id,
      held,
      extendBy,
      holdTimeMs: random.pick(end === 'leave' ? [1_000, 2_000] : [1_000, 15_000]),
      startTimeMs: Date.now(),
      end,
      final: random.between(0, isPoor ? held : 2 * held),
    };
  }

  session(id: string): Operation {
    const { random } = this;
    const chance = random.next();
    return {
      op: 'session',
      accountId: random.pick(this.accounts.session),
      sessionId: id,
      startTimeMs: Date.now(),
      reports: Array.from({ length: random.between(0, REPORTS_MAX) }, () => ({
        more: random.between(1, 50),
        waitMs: random.between(1, 60),
      })),
      end: chance < 0.75 ? 'settle' : chance < 0.85 ? 'release' : 'leave',
      rest: random.between(0, 10),
    };
  }

  control(id: string): Operation {
    const { random, accounts } = this;
    const accountId = random.pick(accounts.rich);
    const common = { requestId: id, eventTimeMs: Date.now() };
    const chance = random.next();
    if (chance < 0.35) {
      const whose = random.pick([...accounts.rich, ...accounts.poor, ...accounts.poor]);
      const amount = { unit: 'UNIT_CREDITS', value: random.between(1_000, 50_000) };
      return call('AccountService/TopUp', { ...common, accountId: whose, amount });
    }
    if (chance < 0.55) {
      const speaker = random.pick(accounts.speech);
      const wish = { unit: 'UNIT_TTS_CHARACTERS', units: random.between(1, 1_000) };
      return call('AccountService/ConvertCredits', { ...common, accountId: speaker, ...wish });
    }
    if (chance < 0.65 && !this.#startedPeriods.has(accountId)) {
      this.#startedPeriods.add(accountId);
      const startTimeMs = Date.now();
      const period = { plan: 'starter', startTimeMs, endTimeMs: startTimeMs + PERIOD_MS };
      return call('AccountService/StartBillingPeriod', { ...common, accountId, ...period });
    }
    if (chance < 0.75) {
      return call('AgentService/UnlockAgent', {
        ...common,
        accountId,
        agentId: `agent-${id}`,
        tier: 'standard',
      });
    }
    return this.#reversal(id) ?? this.record(id);
  }

  #reversal(id: string): Operation | null {
    const { random } = this;
    if (this.#durable.length === 0) return null;
    const index = random.between(0, this.#durable.length - 1);
    const events = this.#durable[index] as readonly SentEvent[];
    const event = random.pick(events);
    if (event.meter !== 'llm') return null;
    this.#durable = this.#durable.filter((_, i) => i !== index);
    const { accountId, eventId } = event;
    return call('AccountService/ReverseUsage', {
      requestId: id,
      accountId,
      eventId,
      eventTimeMs: Date.now(),
    });
  }

  #sent(events: readonly SentEvent[]): Operation {
    const { random } = this;
    return {
      op: 'record',
      events,
      by: random.next() < 0.8 ? 'stream' : 'call',
      isRepeated: random.next() < 0.3,
      isConflict: false,
    };
  }

  #llmEvent(eventId: string): SentEvent {
    const { random } = this;
    const isAhead = random.next() < 0.1;
    const distanceMs = isAhead
      ? -random.between(0, EVENT_FUTURE_MAX_MS)
      : random.between(0, EVENT_AGE_MAX_MS);
    return {
      eventId,
      accountId: random.pick(this.accounts.rich),
      ...(random.next() < 0.2 ? { agentId: `label-${random.between(1, 5)}` } : {}),
      ...LLM,
      quantities: { input_tokens: random.between(1, 2_000), output_tokens: random.between(0, 500) },
      eventTimeMs: Date.now() - distanceMs,
    };
  }
}

function call(name: ControlCall, request: Extract<Operation, { op: 'call' }>['request']): Operation {
  return { op: 'call', name, request };
}

function changed(quantities: SentEvent['quantities']): SentEvent['quantities'] {
  return Object.fromEntries(Object.entries(quantities).map(([name, value]) => [name, value + 1]));
}

/** What an event costs, computed from the price list alone: micro-credits, or characters. */
export function costOf(event: SentEvent): { readonly unit: string; readonly amount: number } {
  const { characters, input_tokens = 0, output_tokens = 0 } = event.quantities;
  if (characters !== undefined) return { unit: 'tts_characters', amount: characters };
  return { unit: 'credits', amount: input_tokens * MICROS_INPUT + output_tokens * MICROS_OUTPUT };
}
