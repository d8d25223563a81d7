/** What the clients' logs say must be in the ledger, line by line; no code of the product prices or folds anything here. */
import type { Done, EventFate, Known } from './client-log.js';
import type { Report } from './findings.js';
import type { Ledger, LedgerLine } from './ledger.js';
import {
  costOf,
  type Hold,
  type Operation,
  type SentEvent,
  type SessionOperation,
  sessionMicros,
} from './operations.js';

/** Refusals of the control plane that a client may meet: another client was first, or it asks again for what it has. */
const REFUSED_RIGHTLY: ReadonlySet<string> = new Set(['PERIOD_OVERLAPS', 'ALREADY_REVERSED', 'AGENT_EXISTS']);

export interface RoundLogs {
  readonly logs: readonly ReadonlyMap<number, Known>[];
  /** Redis has lost something in this round: what was applied and not durable could be lost with it. */
  readonly lostRedis: boolean;
}

export interface Counts {
  /** Usage events and calls whose last word was compared with the ledger. */
  events: number;
  calls: number;
  /** Charged again by a Redis that had forgotten, noticed by Postgres, and given back. */
  givenBack: number;
}

/** Everything that was sent in a cluster's life, compared with everything that stands in its ledger. */
export class Expectations {
  readonly #explained = new Set<string>();
  readonly counts: Counts = { events: 0, calls: 0, givenBack: 0 };
  readonly #costs = new Map<string, number>();

  constructor(
    private readonly ledger: Ledger,
    private readonly report: Report,
  ) {}

  check(rounds: readonly RoundLogs[]): void {
    const all = rounds.flatMap(({ logs, lostRedis }) =>
      logs.flatMap((log) => [...log.values()].map((known) => ({ known, lostRedis }))),
    );
    for (const { known, lostRedis } of all) this.#one(known, lostRedis);
    this.#unexplained();
  }

  #one(known: Known, lostRedis: boolean): void {
    const { operation, done } = known;
    if (done === null) {
      this.report('broken', `${nameOf(operation)} has no last word`);
      return;
    }
    this.counts.calls++;
    switch (operation.op) {
      case 'record':
        this.#record(operation, known, done, lostRedis);
        break;
      case 'hold':
        this.#hold(operation, done);
        break;
      case 'session':
        this.#session(operation, known, done, lostRedis);
        break;
      case 'call':
        this.#call(operation, done);
    }
  }

  #record(
    { events, isConflict }: Extract<Operation, { op: 'record' }>,
    { applied }: Known,
    done: Done,
    lostRedis: boolean,
  ): void {
    const { fates } = done as { readonly fates: readonly EventFate[] };
    for (const [i, event] of events.entries()) {
      this.#explain(event.accountId, `usage/${event.eventId}`);
      const fate = fates[i] as EventFate;
      if (isConflict) this.#conflict(event, fate);
      else this.#event(event, fate);
      const before = applied?.[i];
      if (before?.outcome === 'recorded' && fate.outcome === 'recorded' && !lostRedis) {
        this.report('broken', `event ${event.eventId} was applied, and was gone although Redis lost nothing`);
      }
    }
  }

  #event(event: SentEvent, fate: EventFate): void {
    this.counts.events++;
    const { unit, amount } = costOf(event);
    this.#costs.set(`${event.accountId}/${event.eventId}`, amount);
    if (fate.outcome === 'refused') {
      this.report('broken', `event ${event.eventId} was refused: ${fate.reason}`);
      return;
    }
    const line = this.#line(event.accountId, 'usage', event.eventId);
    if (line === null) return;
    this.#amount(`event ${event.eventId}`, line.spent, amount);
    if (fate.charged !== amount) {
      this.report('drift', `event ${event.eventId}: its answer said ${fate.charged}, it costs ${amount}`);
    }
    if (line.unit !== unit)
      this.report('drift', `event ${event.eventId} was charged in ${line.unit}, not ${unit}`);
  }

  /** Whatever it was told: what is durable stays as it was. Its first payload is checked where that was sent. */
  #conflict(event: SentEvent, fate: EventFate): void {
    if (fate.outcome === 'duplicate') {
      this.report('broken', `event ${event.eventId} with another payload was taken for a repetition`);
    }
  }

  #hold({ accountId, holdId, end, final }: Hold, done: Done): void {
    for (const kind of ['settle', 'release', 'hold_expired']) this.#explain(accountId, `${kind}/${holdId}`);
    if (end === 'settle' && 'charged' in done) {
      this.counts.events++;
      const line = this.#line(accountId, 'settle', holdId);
      if (line === null) return;
      this.#amount(`hold ${holdId}`, line.spent, final);
      if (done.charged !== final) {
        this.report('drift', `hold ${holdId}: its answer said ${done.charged}, it was settled on ${final}`);
      }
      return;
    }
    if (this.ledger.of(accountId, 'settle', holdId).length > 0) {
      this.report('double', `hold ${holdId} is settled although nobody settled it`);
    }
    if ('refused' in done && !(end === 'release' && done.refused === 'HOLD_UNKNOWN')) {
      this.report('broken', `the ${end} of hold ${holdId} was refused: ${done.refused}`);
    }
  }

  #session(operation: SessionOperation, known: Known, done: Done, lostRedis: boolean): void {
    const { accountId, sessionId, end } = operation;
    for (const kind of ['settle', 'session_expired', 'release', 'hold_expired']) {
      this.#explain(accountId, `${kind}/${sessionId}`);
    }
    let charged = 0;
    for (const kind of ['settle', 'session_expired']) {
      const lines = this.ledger.of(accountId, kind, sessionId);
      if (lines.length > 1) this.report('double', `session ${sessionId} has ${lines.length} lines ${kind}`);
      for (const { spent } of lines) charged += spent;
    }
    const { reported, acknowledged, ending } = known;
    if (end === 'settle' && 'charged' in done) {
      this.counts.events++;
      // At most what was reported was charged before, by its deadline, and it is settled on no less than that.
      this.#amount(`session ${sessionId}`, charged, sessionMicros(ending?.count ?? 0));
      return;
    }
    const most = known.allowed || charged > 0 ? sessionMicros(reported) : 0;
    if (charged > most) {
      this.report(
        'double',
        `session ${sessionId} was charged ${charged}, which is more than the ${most} that were sent`,
      );
    }
    if (
      end === 'leave' &&
      'left' in done &&
      !lostRedis &&
      acknowledged >= 0 &&
      charged < sessionMicros(acknowledged)
    ) {
      this.report(
        'loss',
        `session ${sessionId} was charged ${charged}, less than was acknowledged (${acknowledged})`,
      );
    }
    if ('refused' in done && !(end === 'release' && done.refused === 'HOLD_UNKNOWN')) {
      this.report('broken', `the ${end} of session ${sessionId} was refused: ${done.refused}`);
    }
  }

  #call({ name, request }: Extract<Operation, { op: 'call' }>, done: Done): void {
    const { accountId, requestId } = request;
    const kinds = LINES_OF_CALLS[name];
    for (const { kind } of kinds) this.#explain(accountId, `${kind}/${requestId}`);
    if ('refused' in done) {
      if (!REFUSED_RIGHTLY.has(done.refused)) {
        this.report('broken', `${name} ${requestId} was refused: ${done.refused}`);
      }
      this.#absent(kinds, accountId, requestId);
      return;
    }
    const { answer } = done as { readonly answer: Readonly<Record<string, unknown>> };
    if (answer.verdict === 'VERDICT_DENIED') {
      this.#absent(kinds, accountId, requestId);
      return;
    }
    for (const { kind, column, amountOf } of kinds) {
      const line = this.#line(accountId, kind, requestId);
      const amount = amountOf(request, answer, this.#costs);
      if (line !== null) this.#amount(`${name} ${requestId}`, line[column], amount);
    }
  }

  #absent(kinds: readonly LineOfCall[], accountId: string, requestId: string): void {
    for (const { kind } of kinds) {
      if (this.ledger.of(accountId, kind, requestId).length === 0) continue;
      this.report('double', `${requestId} was refused, and has a line ${kind}`);
    }
  }

  /** The one line that must be there; null where that is not so. */
  #line(account: string, kind: string, id: string): LedgerLine | null {
    const lines = this.ledger.of(account, kind, id);
    if (lines.length === 1) return lines[0] as LedgerLine;
    if (lines.length === 0)
      this.report('loss', `${kind} ${id} of ${account} has its last word and is not in the ledger`);
    else this.report('double', `${kind} ${id} of ${account} is there ${lines.length} times`);
    return null;
  }

  #amount(what: string, found: number, expected: number): void {
    if (found === expected) return;
    const difference = Math.abs(found - expected);
    this.report('drift', `${what} was charged ${found}, not ${expected}`, difference);
  }

  #explain(account: string, key: string): void {
    this.#explained.add(`${account} ${key}`);
  }

  /** Every other line is of a kind that comes by itself, and is explained by one that is known. */
  #unexplained(): void {
    for (const [account, line] of this.ledger.all()) {
      const { kind, id, debt, flags } = line;
      if (kind === 'duplicate') this.#duplicate(account, line);
      else if (!this.#isKnown(account, kind, id)) {
        this.report('double', `${account} has a line ${kind} ${id} that nobody asked for`);
      }
      if (debt > 0 && !mayBecomeDebt(kind, flags)) {
        this.report('broken', `${kind} ${id} of ${account} became debt although it was within its hold`);
      }
    }
  }

  #isKnown(account: string, kind: string, id: string): boolean {
    if (
      kind === 'account_created' ||
      kind === 'plan_change' ||
      (kind === 'grant' && id === `top-up-${account}`)
    )
      return true;
    if (kind === 'reversal' && id.startsWith('duplicate#')) return true;
    // What a charge converted is under its own name.
    if (kind.startsWith('conversion') && id.includes('#'))
      return this.#explained.has(`${account} ${id.split('#')[0]}`);
    return this.#explained.has(`${account} ${kind}/${id}`);
  }

  #duplicate(account: string, { id, spent }: LedgerLine): void {
    this.counts.givenBack++;
    if (spent === 0) return;
    const reversal = this.ledger.of(account, 'reversal', `duplicate#${id.split('#')[1]}`);
    const back = reversal.reduce((sum, line) => sum - line.spent, 0);
    if (back !== spent)
      this.report('double', `the duplicate ${id} of ${account} charged ${spent}, and ${back} came back`);
  }
}

/** Usage that was reported after the fact, or went beyond what was set aside. */
function mayBecomeDebt(kind: string, flags: string): boolean {
  if (kind === 'usage' || kind === 'duplicate') return true;
  return /\b(late|hold_unknown|over_hold|difference)\b/.test(flags);
}

interface LineOfCall {
  readonly kind: string;
  readonly column: 'granted' | 'spent' | 'converted';
  readonly amountOf: (
    request: Readonly<Record<string, unknown>>,
    answer: Readonly<Record<string, unknown>>,
    costs: ReadonlyMap<string, number>,
  ) => number;
}

/** In micro-credits: what the shipped catalog says that the plan brings, an agent costs, and a character costs. */
const STARTER_GRANT = 1_000_000_000;
const UNLOCK_COST = 50_000_000;
const CHARACTER_COST = 10_000;

const LINES_OF_CALLS: Readonly<Record<Extract<Operation, { op: 'call' }>['name'], readonly LineOfCall[]>> = {
  'AccountService/TopUp': [
    { kind: 'grant', column: 'granted', amountOf: ({ amount }) => (amount as { value: number }).value },
  ],
  'AccountService/StartBillingPeriod': [
    { kind: 'plan_grant', column: 'granted', amountOf: () => STARTER_GRANT },
  ],
  'AccountService/ConvertCredits': [
    { kind: 'conversion', column: 'converted', amountOf: ({ units }) => (units as number) * CHARACTER_COST },
    { kind: 'conversion_grant', column: 'granted', amountOf: ({ units }) => units as number },
  ],
  'AccountService/ReverseUsage': [
    {
      kind: 'reversal',
      column: 'spent',
      amountOf: ({ accountId, eventId }, _, costs) => -(costs.get(`${accountId}/${eventId}`) ?? 0),
    },
  ],
  'AgentService/UnlockAgent': [{ kind: 'agent_unlock', column: 'spent', amountOf: () => UNLOCK_COST }],
};

function nameOf(operation: Operation): string {
  switch (operation.op) {
    case 'record':
      return `record ${operation.events[0]?.eventId}`;
    case 'hold':
      return `hold ${operation.holdId}`;
    case 'session':
      return `session ${operation.sessionId}`;
    case 'call':
      return `${operation.name} ${operation.request.requestId}`;
  }
}
