import type { Report } from './finding.js';
import { hasFlag, type LedgerLine, lotChanges, notedAgent, notedPlan, notedStatus } from './line.js';

/** What the lines of one wallet add up to. Totals of a whole life may pass 2^53, a balance never does. */
export interface WalletFold {
  remaining: number;
  debt: number;
  granted: bigint;
  spent: bigint;
  expired: bigint;
  converted: bigint;
  /** Lots with something remaining; the others are forgotten, so that this stays small however many lots there were. */
  readonly lots: Map<number, number>;
}

/** An agent as its lines leave it. */
export interface AgentFold {
  readonly id: string;
  readonly tier: string;
  readonly state: 'active' | 'suspended';
  /** Its cycle. */
  readonly fromMs: number;
  readonly toMs: number;
}

type Column = 'granted' | 'spent' | 'expired' | 'converted' | 'debt';
/** Which columns a line of a kind may move, by sign. Where a column is not named it is 0. */
const SHAPES: Readonly<Record<string, Partial<Record<Column, 1 | -1>>>> = {
  account_created: {},
  grant: { granted: 1, debt: -1 },
  usage: { spent: 1, debt: 1 },
  settle: { spent: 1, debt: 1 },
  duplicate: { spent: 1, debt: 1 },
  release: {},
  hold_expired: {},
  lot_expired: { expired: 1 },
  reversal: { spent: -1, debt: -1 },
  rerate: { spent: 1, debt: 1 },
  expire_lot: { expired: 1 },
  account_status: {},
  conversion: { converted: 1 },
  conversion_grant: { granted: 1, debt: -1 },
  plan_grant: { granted: 1, debt: -1 },
  plan_change: {},
  opening_lot: { granted: 1 },
  agent_unlock: { spent: 1 },
  agent_renewal: { spent: 1 },
  agent_grant: { granted: 1 },
  agent_status: {},
  session_expired: { spent: 1, debt: 1 },
};
/** Lines that concern no wallet. */
const WALLETLESS_KINDS: ReadonlySet<string> = new Set([
  'account_created',
  'account_status',
  'plan_change',
  'agent_status',
]);
/** What the kinds of agents' lines may say happened. */
const AGENT_EVENTS: Readonly<Record<string, readonly string[]>> = {
  agent_unlock: ['unlocked'],
  agent_renewal: ['renewed', 'activated'],
  agent_grant: ['unlocked', 'renewed', 'activated'],
  agent_status: ['unpaid', 'suspended', 'removed'],
};
/** Lines that may make a lot. */
const LOT_MAKING_KINDS: ReadonlySet<string> = new Set([
  'grant',
  'reversal',
  'conversion_grant',
  'plan_grant',
  'opening_lot',
  'agent_grant',
]);
/** Statuses of an account by their names in the notes of lines. */
const STATUSES: Readonly<Record<string, number>> = { active: 1, frozen: 2, closed: 3 };
const SHAPED_COLUMNS: readonly Column[] = ['granted', 'spent', 'expired', 'converted', 'debt'];
const OVERDRAWING_KINDS: ReadonlySet<string> = new Set([
  'usage',
  'settle',
  'session_expired',
  'duplicate',
  'rerate',
]);

/**
 * Adds the lines of one account up, in order of their numbers, and reports what does not follow from what was before. After a
 * contradiction it goes on from what the line says, so that one mistake is not reported again at every later line.
 */
export class AccountFold {
  readonly wallets = new Map<string, WalletFold>();
  /** Number of the last line, and how many lines were seen. */
  last = 0;
  lines = 0;
  lastSeq = 0;
  partition = -1;
  lotsMade = 0;
  /** Number of the account's status; 0 before it is created. */
  status = 0;
  /** The plan, and the last billing period that began. */
  plan = '';
  periodStartMs = 0;
  periodEndMs = 0;
  /** Those that are not removed, by id. */
  readonly agents = new Map<string, AgentFold>();
  #freeGrants = 0;
  missing = 0;
  doubled = 0;
  /** Number of the last line that is missing before one that is there; 0: none. */
  lastMissing = 0;

  constructor(
    readonly accountKey: number,
    private readonly report: Report,
  ) {}

  add(line: LedgerLine): void {
    const gap = this.#number(line);
    this.#place(line);
    this.#shape(line);
    this.#status(line);
    this.#plan(line);
    this.#agent(line);
    this.lines += 1;
    if (line.unit === '') return;
    const wallet = this.#wallet(line.unit);
    const change = this.#lots(line, wallet);
    this.#conserve(line, wallet, change, gap);
    wallet.granted += BigInt(line.granted);
    wallet.spent += BigInt(line.spent);
    wallet.expired += BigInt(line.expired);
    wallet.converted += BigInt(line.converted);
    wallet.remaining = line.remainingAfter;
    wallet.debt = line.debtAfter;
  }

  /** Returns whether lines are missing before this one: then it cannot follow from the one before. */
  #number(line: LedgerLine): boolean {
    const expected = this.last + 1;
    const { accountSeq } = line;
    if (accountSeq > expected) {
      this.missing += accountSeq - expected;
      this.lastMissing = accountSeq - 1;
      const gap = expected === accountSeq - 1 ? `line ${expected}` : `lines ${expected} to ${accountSeq - 1}`;
      this.#find('numbers', line, `${gap} missing before this line`);
    } else if (accountSeq < expected) {
      this.doubled += 1;
      this.#find('numbers', line, `a second line of number ${accountSeq}`);
    }
    this.last = Math.max(this.last, accountSeq);
    return accountSeq !== expected;
  }

  #place(line: LedgerLine): void {
    if (this.partition >= 0 && line.partition !== this.partition) {
      this.#find('line', line, `partition ${line.partition} after ${this.partition}`);
    }
    if (line.seq <= this.lastSeq) this.#find('line', line, `seq ${line.seq} after ${this.lastSeq}`);
    this.partition = line.partition;
    this.lastSeq = line.seq;
  }

  #shape(line: LedgerLine): void {
    const shape = SHAPES[line.kind];
    if (shape === undefined) {
      this.#find('line', line, `unknown kind ${line.kind}`);
      return;
    }
    for (const column of SHAPED_COLUMNS) {
      if (line[column] * (shape[column] ?? 0) < 0 || (shape[column] === undefined && line[column] !== 0)) {
        this.#find('line', line, `a line of kind ${line.kind} with ${column} ${line[column]}`);
      }
    }
    const created = line.kind === 'account_created';
    if (created !== (line.accountSeq === 1)) {
      this.#find('line', line, created ? 'created again' : 'the first line does not create the account');
    }
    if (WALLETLESS_KINDS.has(line.kind) !== (line.unit === ''))
      this.#find('line', line, `a line of kind ${line.kind} with unit '${line.unit}'`);
    if (OVERDRAWING_KINDS.has(line.kind) && line.debt > 0 !== hasFlag(line, 'overdrawn')) {
      this.#find('line', line, `debt ${line.debt} with flags '${line.flags}'`);
    }
  }

  #status(line: LedgerLine): void {
    if (line.kind === 'account_created') this.status = STATUSES.active as number;
    if (line.kind !== 'account_status') return;
    const status = STATUSES[notedStatus(line) ?? ''];
    if (status === undefined) this.#find('line', line, `a status in the note ${line.note}`);
    else if (status === this.status) this.#find('line', line, `status ${status} again`);
    this.status = status ?? this.status;
  }

  /** A period puts the account on its plan; free credits have none, and are granted once. */
  #plan(line: LedgerLine): void {
    if (line.kind !== 'plan_grant' && line.kind !== 'plan_change') return;
    const note = notedPlan(line);
    if (note === null) {
      this.#find('line', line, `a plan in the note ${line.note}`);
    } else if (line.kind === 'plan_change') {
      if (note.event === 'changed') this.plan = note.plan;
      // An account that is imported brings its period along.
      if (note.event === 'changed' && note.fromMs > 0) this.#period(note);
    } else if (note.fromMs === 0) {
      this.#freeGrants += 1;
      if (this.#freeGrants > 1) this.#find('line', line, 'free credits are granted a second time');
    } else {
      if (note.fromMs < this.periodStartMs)
        this.#find('line', line, `a period from ${note.fromMs} after one from ${this.periodStartMs}`);
      this.plan = note.plan;
      this.#period(note);
    }
  }

  /** An agent that is unlocked was not there; all else happens to one that was. */
  #agent(line: LedgerLine): void {
    const events = AGENT_EVENTS[line.kind];
    if (events === undefined) return;
    const note = notedAgent(line);
    const { agent: id } = line;
    if (note === null || !events.includes(note.event)) {
      this.#find('line', line, `an agent in the note ${line.note}`);
    } else if (this.agents.has(id) === (line.kind === 'agent_unlock')) {
      this.#find('line', line, `agent ${id} is ${note.event}`);
    } else if (note.event === 'removed') {
      this.agents.delete(id);
    } else {
      const { tier, fromMs, toMs } = note;
      const state = note.event === 'suspended' ? 'suspended' : 'active';
      this.agents.set(id, { id, tier, state, fromMs, toMs });
    }
  }

  #period({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): void {
    this.periodStartMs = fromMs;
    this.periodEndMs = toMs;
  }

  /** Applies the changes of the lots; returns their sum. */
  #lots(line: LedgerLine, wallet: WalletFold): number {
    const changes = lotChanges(line);
    if (changes === null) {
      this.#find('line', line, `lots are ${line.lots}`);
      return 0;
    }
    let sum = 0;
    for (const [lot, change] of changes) {
      sum += change;
      const remaining = (wallet.lots.get(lot) ?? 0) + change;
      if (remaining === 0) wallet.lots.delete(lot);
      else wallet.lots.set(lot, remaining);
      if (remaining < 0) this.#find('conservation', line, `lot ${lot} is drawn to ${remaining}`);
      if (LOT_MAKING_KINDS.has(line.kind)) this.lotsMade = Math.max(this.lotsMade, lot);
    }
    return sum;
  }

  #conserve(line: LedgerLine, wallet: WalletFold, change: number, gap: boolean): void {
    const { granted, debt, spent, expired, converted } = line;
    if (granted + debt !== change + spent + expired + converted) {
      this.#find(
        'conservation',
        line,
        `granted ${granted} + debt ${debt} is not change of remaining ${change} + spent ${spent} + expired ${expired} + converted ${converted}`,
      );
    }
    if (!gap && line.remainingAfter !== wallet.remaining + change) {
      const message = `remaining after is ${line.remainingAfter}, ${wallet.remaining} before and a change of ${change}`;
      this.#find('conservation', line, message);
    }
    if (!gap && line.debtAfter !== wallet.debt + debt) {
      this.#find(
        'conservation',
        line,
        `debt after is ${line.debtAfter}, ${wallet.debt} before and a change of ${debt}`,
      );
    }
    if (line.heldAfter < 0 || line.heldAfter > line.remainingAfter) {
      this.#find('line', line, `held after is ${line.heldAfter}, remaining ${line.remainingAfter}`);
    }
  }

  #wallet(unit: string): WalletFold {
    let wallet = this.wallets.get(unit);
    if (wallet === undefined) {
      wallet = { remaining: 0, debt: 0, granted: 0n, spent: 0n, expired: 0n, converted: 0n, lots: new Map() };
      this.wallets.set(unit, wallet);
    }
    return wallet;
  }

  #find(check: 'numbers' | 'line' | 'conservation', line: LedgerLine, message: string): void {
    const { accountKey, accountSeq, partition, epoch, seq } = line;
    this.report({ check, message, accountKey, accountSeq, partition, epoch, seq });
  }
}
