import type { Logger } from 'pino';
import type { Finding } from '../ledger/finding.js';
import type { Metrics } from '../metrics.js';

/** Accounts with problems that are remembered. Of further ones every look counts and is logged again. */
const ACCOUNTS_MAX = 1_000;

interface Discrepancy {
  readonly partition: number;
  readonly driftMicros: bigint;
  readonly said: ReadonlySet<string>;
}

/** Which accounts have problems now: each problem is counted and logged once, until the account is found sound. */
export class Discrepancies {
  readonly #accounts = new Map<number, Discrepancy>();

  constructor(
    private readonly metrics: Pick<
      Metrics,
      'verifyProblems' | 'verifyDriftMicros' | 'verifyDiscrepantAccounts'
    >,
    private readonly logger: Logger,
  ) {}

  /** What was found of an account now; nothing: it is sound. */
  say(
    { accountKey, partition }: { readonly accountKey: number; readonly partition: number },
    { findings, driftMicros }: { readonly findings: readonly Finding[]; readonly driftMicros: bigint },
  ): void {
    const before = this.#accounts.get(accountKey);
    this.#accounts.delete(accountKey);
    for (const finding of findings) {
      if (before?.said.has(kindOf(finding)) === true) continue;
      const { check, message, accountSeq, epoch, seq } = finding;
      this.metrics.verifyProblems.inc({ check });
      this.logger.error({ accountKey, accountSeq, partition, epoch, seq, check }, `verification: ${message}`);
    }
    if (findings.length > 0 && this.#accounts.size < ACCOUNTS_MAX) {
      this.#accounts.set(accountKey, { partition, driftMicros, said: new Set(findings.map(kindOf)) });
    }
    this.#measure();
  }

  /** Forgets accounts of partitions that somebody else verifies now. */
  keepOnly(partitions: ReadonlySet<number>): void {
    for (const [accountKey, { partition }] of this.#accounts) {
      if (!partitions.has(partition)) this.#accounts.delete(accountKey);
    }
    this.#measure();
  }

  #measure(): void {
    const discrepancies = [...this.#accounts.values()];
    this.metrics.verifyDiscrepantAccounts.set(discrepancies.length);
    this.metrics.verifyDriftMicros.set(
      Number(discrepancies.reduce((sum, { driftMicros }) => sum + driftMicros, 0n)),
    );
  }
}

/** Balances move on, so the numbers in a message do not make it another problem. */
function kindOf({ check, message }: Finding): string {
  return `${check} ${message.replaceAll(/\d+/g, '#')}`;
}
