import type { Report } from './finding.js';
import type { LedgerLine } from './line.js';
import { monthOf } from './month.js';

/** A wallet at the begin of a month, as Postgres stores it beside the ledger. */
export interface StoredOpening {
  /** yyyymm, UTC, of booked time. */
  readonly month: number;
  readonly unit: string;
  /** The account's last line before the month. */
  readonly accountSeq: number;
  readonly remaining: number;
  readonly held: number;
  readonly debt: number;
}

interface OpeningBalance {
  remaining: number;
  held: number;
  debt: number;
}

/** An account after some line, and the month of the line after it. */
interface Mark {
  readonly month: number;
  readonly accountSeq: number;
  readonly wallets: ReadonlyMap<string, OpeningBalance>;
}

/** Adds the lines of one account up, in order of their numbers, and remembers where each month of booked time began. */
export class OpeningAudit {
  readonly #marks: Mark[] = [];
  readonly #wallets = new Map<string, OpeningBalance>();
  #month = 0;
  #accountSeq = 0;

  add(line: LedgerLine): void {
    const month = monthOf(line.bookedTimeMs);
    if (month > this.#month) this.#marks.push({ ...this.#now(), month });
    this.#month = month;
    this.#accountSeq = line.accountSeq;
    if (line.unit === '') return;
    const wallet = this.#wallets.get(line.unit) ?? { remaining: 0, held: 0, debt: 0 };
    wallet.remaining += line.granted + line.debt - line.spent - line.expired - line.converted;
    wallet.debt += line.debt;
    wallet.held = line.heldAfter;
    this.#wallets.set(line.unit, wallet);
  }

  #now(): Omit<Mark, 'month'> {
    const wallets = new Map([...this.#wallets].map(([unit, wallet]) => [unit, { ...wallet }]));
    return { accountSeq: this.#accountSeq, wallets };
  }

  /** The account after its last line before a month. */
  #before(month: number): Omit<Mark, 'month'> {
    return this.#marks.find((mark) => mark.month >= month) ?? this.#now();
  }

  /** Compares what is stored with what the lines add up to; `openedMonths` are those whose openings must be there. */
  finish(
    account: { readonly accountKey: number; readonly accountId: string | null; readonly partition: number },
    openings: readonly StoredOpening[],
    openedMonths: readonly number[],
    report: Report,
  ): void {
    const { accountKey, accountId, partition } = account;
    const find = (accountSeq: number, message: string): void =>
      report({
        check: 'openings',
        message,
        accountKey,
        partition,
        accountSeq,
        ...(accountId === null ? {} : { account: accountId }),
      });
    for (const month of new Set(openings.map((opening) => opening.month))) {
      this.#compare(
        month,
        openings.filter((opening) => opening.month === month),
        find,
      );
    }
    for (const month of openedMonths) {
      const { accountSeq, wallets } = this.#before(month);
      const isThere = openings.some((opening) => opening.month <= month && opening.accountSeq === accountSeq);
      if (wallets.size > 0 && !isThere) find(accountSeq, `no opening of ${month}`);
    }
  }

  #compare(
    month: number,
    stored: readonly StoredOpening[],
    find: (accountSeq: number, message: string) => void,
  ): void {
    const { accountSeq, wallets } = this.#before(month);
    for (const opening of stored) {
      const wallet = wallets.get(opening.unit);
      const says = text(opening);
      if (wallet === undefined) find(opening.accountSeq, `opening of ${month}: no line of ${opening.unit}`);
      else if (opening.accountSeq !== accountSeq)
        find(accountSeq, `opening of ${month}: after line ${opening.accountSeq}`);
      else if (says !== text(wallet)) {
        find(accountSeq, `opening of ${month}: ${opening.unit} ${says}, the lines add up to ${text(wallet)}`);
      }
    }
    for (const unit of wallets.keys()) {
      if (!stored.some((opening) => opening.unit === unit))
        find(accountSeq, `opening of ${month}: ${unit} is not there`);
    }
  }
}

function text({ remaining, held, debt }: OpeningBalance): string {
  return `remaining ${remaining}, held ${held}, debt ${debt}`;
}
