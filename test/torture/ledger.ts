/** The ledger as it stands in Postgres, read with plain SQL. */
import { sql } from '../helpers/audit.js';

export interface LedgerLine {
  readonly kind: string;
  readonly id: string;
  readonly unit: string;
  readonly granted: number;
  readonly spent: number;
  readonly converted: number;
  readonly debt: number;
  readonly flags: string;
}

/** Lines by account and by `kind/id`. */
export class Ledger {
  readonly #lines = new Map<string, Map<string, LedgerLine[]>>();
  count = 0;

  constructor(lines: Iterable<readonly [account: string, line: LedgerLine]>) {
    for (const [account, line] of lines) this.#add(account, line);
  }

  static async read(postgresUrl: string): Promise<Ledger> {
    const rows = await sql(
      postgresUrl,
      `SELECT a.account_id, e.kind, e.id, e.unit, e.granted, e.spent, e.converted, e.debt, e.flags
       FROM entries e JOIN accounts a USING (account_key)`,
    );
    return new Ledger(
      rows.map((row) => [
        row.account_id as string,
        {
          kind: row.kind as string,
          id: row.id as string,
          unit: row.unit as string,
          granted: Number(row.granted),
          spent: Number(row.spent),
          converted: Number(row.converted),
          debt: Number(row.debt),
          flags: row.flags as string,
        },
      ]),
    );
  }

  /** All with this kind and id; more than one is a double. */
  of(account: string, kind: string, id: string): readonly LedgerLine[] {
    return this.#lines.get(account)?.get(`${kind}/${id}`) ?? [];
  }

  *all(): Iterable<readonly [account: string, line: LedgerLine]> {
    for (const [account, lines] of this.#lines) {
      for (const same of lines.values()) for (const line of same) yield [account, line];
    }
  }

  #add(account: string, line: LedgerLine): void {
    const lines = this.#lines.get(account) ?? new Map<string, LedgerLine[]>();
    this.#lines.set(account, lines);
    const key = `${line.kind}/${line.id}`;
    const same = lines.get(key);
    if (same === undefined) lines.set(key, [line]);
    else same.push(line);
    this.count++;
  }
}
