import { auditAccount, type StoredAccount } from '../ledger/account-audit.js';
import type { Report } from '../ledger/finding.js';
import { AccountFold } from '../ledger/fold.js';
import type { LedgerLine } from '../ledger/line.js';
import { OpeningAudit, type StoredOpening } from '../ledger/opening-audit.js';
import { partitionOf } from '../redis/keys.js';

/** What is stored beside the lines of all accounts and holds for one of them. */
export interface StoredBeside {
  readonly partitionCount: number;
  /** Months whose openings all accounts of a partition must have. */
  readonly openedMonths: readonly { readonly partition: number; readonly month: number }[];
}

/** The lines of one account, in order of their numbers, and whether they add up to what is stored of it. */
export class AccountLines {
  readonly fold: AccountFold;
  readonly #openings = new OpeningAudit();

  constructor(
    accountKey: number,
    private readonly report: Report,
  ) {
    this.fold = new AccountFold(accountKey, report);
  }

  add(line: LedgerLine): void {
    this.fold.add(line);
    this.#openings.add(line);
  }

  /** Call after the last line, with what the same snapshot stores. Returns by how many micro-credits balances differ. */
  finish(account: StoredAccount, openings: readonly StoredOpening[], beside: StoredBeside): bigint {
    const drift = auditAccount(this.fold, account, this.report);
    const { accountId, accountKey, partition } = account;
    const months = beside.openedMonths.filter((one) => one.partition === partition).map(({ month }) => month);
    this.#openings.finish(account, openings, months, this.report);
    if (accountId !== null && partitionOf(accountId, beside.partitionCount) !== partition) {
      const message = 'the account belongs to another partition';
      this.report({ check: 'balances', accountKey, account: accountId, partition, message });
    }
    return drift;
  }
}
