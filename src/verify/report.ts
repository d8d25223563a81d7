import type { Check, Finding, Report } from '../ledger/finding.js';

/** One contradiction that verification found, with as much of its place as is known. */
export interface VerifyProblem {
  readonly check: Check;
  /** The external id, or `key 17` where there is none (any more). */
  readonly account: string | null;
  readonly accountSeq: number | null;
  readonly partition: number | null;
  readonly epoch: number | null;
  readonly seq: number | null;
  readonly message: string;
}

/** A part that one snapshot showed, with all from the part before. */
export interface VerifiedPart {
  readonly step: 'flushes' | 'accounts' | 'redis';
  /** The last of it; empty: to the end. */
  readonly through: string;
  /** When that snapshot was taken: what was changed since is not verified. */
  readonly asOf: string;
}

export interface VerifyReport {
  /** No problem was found. Accounts that moved are none. */
  readonly clean: boolean;
  readonly accounts: number;
  readonly lines: number;
  readonly flushes: number;
  /** Open holds in Postgres. */
  readonly holds: number;
  /** Accounts that Redis and Postgres held at the same entry. */
  readonly comparedWithRedis: number;
  /** Accounts that Redis holds at a later entry than Postgres, each time they were looked at: traffic goes on there. */
  readonly moving: number;
  /** By how many micro-credits balances differ: ledger from Postgres, and Postgres from Redis, added up without sign. */
  readonly driftMicros: bigint;
  /** Ledger lines that accounts should have and have not. */
  readonly missing: number;
  /** Ledger lines whose number or id is there twice. */
  readonly doubled: number;
  /** Journal records that could not follow the ledger and were kept for people: a loss that was told, so no problem. */
  readonly setAsideRecords: number;
  readonly parts: readonly VerifiedPart[];
  readonly problemsTotal: number;
  /** The first of each check, at most `problemsMax` in all. */
  readonly problems: readonly VerifyProblem[];
}

/** Of one check so many are kept, so that one kind of problem does not hide the others. */
const PER_CHECK_SHARE = 0.25;

/** What a tally holds of the ledger. Redis is looked at as a whole, by whoever ends the run. */
export interface SavedTally {
  readonly accounts: number;
  readonly lines: number;
  readonly flushes: number;
  readonly holds: number;
  readonly setAsideRecords: number;
  readonly driftMicros: bigint;
  readonly missing: number;
  readonly doubled: number;
  readonly problemsTotal: number;
  readonly findings: readonly Finding[];
  readonly parts: readonly VerifiedPart[];
}

/** Counts what was looked at, and keeps a bounded number of findings. */
export class Tally {
  accounts = 0;
  lines = 0;
  flushes = 0;
  holds = 0;
  comparedWithRedis = 0;
  moving = 0;
  driftMicros = 0n;
  missing = 0;
  doubled = 0;
  setAsideRecords = 0;
  #total = 0;
  readonly #kept: Finding[] = [];
  readonly #keptOf = new Map<Check, number>();
  readonly #parts: VerifiedPart[] = [];

  constructor(
    private readonly problemsMax: number,
    saved: SavedTally | null = null,
  ) {
    if (saved === null) return;
    const { findings, parts, problemsTotal, ...counts } = saved;
    Object.assign(this, counts);
    for (const finding of findings) this.report(finding);
    this.#total = problemsTotal;
    this.#parts.push(...parts);
  }

  verified(step: VerifiedPart['step'], asOf: Date, through: string): void {
    this.#parts.push({ step, through, asOf: asOf.toISOString() });
  }

  save(): SavedTally {
    const { accounts, lines, flushes, holds, setAsideRecords, driftMicros, missing, doubled } = this;
    return {
      accounts,
      lines,
      flushes,
      holds,
      setAsideRecords,
      driftMicros,
      missing,
      doubled,
      problemsTotal: this.#total,
      findings: this.#kept,
      parts: this.#parts,
    };
  }

  readonly report: Report = (finding) => {
    this.#total += 1;
    const kept = this.#keptOf.get(finding.check) ?? 0;
    if (kept >= Math.ceil(this.problemsMax * PER_CHECK_SHARE) || this.#kept.length >= this.problemsMax)
      return;
    this.#keptOf.set(finding.check, kept + 1);
    this.#kept.push(finding);
  };

  /** Those that were kept. */
  get findings(): readonly Finding[] {
    return this.#kept;
  }

  /** Keys of the accounts whose names are still to be looked up. */
  unnamed(): number[] {
    const keys = this.#kept.flatMap(({ account, accountKey }) =>
      account === undefined && accountKey !== undefined ? [accountKey] : [],
    );
    return [...new Set(keys)];
  }

  finish(names: ReadonlyMap<number, string>): VerifyReport {
    return {
      clean: this.#total === 0,
      accounts: this.accounts,
      lines: this.lines,
      flushes: this.flushes,
      holds: this.holds,
      comparedWithRedis: this.comparedWithRedis,
      moving: this.moving,
      driftMicros: this.driftMicros,
      missing: this.missing,
      doubled: this.doubled,
      setAsideRecords: this.setAsideRecords,
      parts: this.#parts,
      problemsTotal: this.#total,
      problems: this.#kept.map((finding) => problemOf(finding, names)),
    };
  }
}

function problemOf(finding: Finding, names: ReadonlyMap<number, string>): VerifyProblem {
  const { check, account, accountKey, accountSeq, partition, epoch, seq, message } = finding;
  const named = account ?? (accountKey === undefined ? null : (names.get(accountKey) ?? `key ${accountKey}`));
  return {
    check,
    account: named,
    accountSeq: accountSeq ?? null,
    partition: partition ?? null,
    epoch: epoch ?? null,
    seq: seq ?? null,
    message,
  };
}

/** As JSON for programs: what may pass 2^53 one day is a string. */
export function reportJson(report: VerifyReport): object {
  const text = (value: number | null): string | null => (value === null ? null : String(value));
  return {
    ...report,
    driftMicros: String(report.driftMicros),
    problems: report.problems.map((problem) => ({
      ...problem,
      accountSeq: text(problem.accountSeq),
      epoch: text(problem.epoch),
      seq: text(problem.seq),
    })),
  };
}

/** One line for people: where, what. */
export function problemText(problem: VerifyProblem): string {
  const place = [
    problem.account === null ? '' : `account ${problem.account}`,
    problem.accountSeq === null ? '' : `line ${problem.accountSeq}`,
    problem.partition === null ? '' : `partition ${problem.partition}`,
    problem.epoch === null ? '' : `epoch ${problem.epoch}`,
    problem.seq === null ? '' : `seq ${problem.seq}`,
  ].filter((part) => part !== '');
  return `${problem.check}: ${place.length === 0 ? '' : `${place.join(' ')}: `}${problem.message}`;
}
