import type { SidecarClient } from '../cli/client.js';
import type { Population } from './population.js';

/** What an operator can see from outside while the demo runs. */

export interface Wallets {
  /** Scarce accounts that have no credits left. */
  readonly empty: number;
  readonly debtMicros: bigint;
}

export async function watchWallets(client: SidecarClient, population: Population): Promise<Wallets> {
  const answers = await Promise.all(
    population.scarceIds.map((accountId) => client.call('AccountService/GetBalance', { accountId })),
  );
  let empty = 0;
  let debtMicros = 0n;
  for (const { balances } of answers) {
    const credits = balances.find(({ unit }) => unit === 'UNIT_CREDITS');
    if (credits === undefined) continue;
    if (credits.available === '0') empty++;
    debtMicros += BigInt(credits.debt);
  }
  return { empty, debtMicros };
}

export interface Journal {
  readonly entries: number;
  readonly oldestSeconds: number;
}

/** From the metrics, as a dashboard would. */
export async function watchJournal(httpAddress: string): Promise<Journal> {
  const response = await fetch(`http://${httpAddress}/metrics`);
  const text = await response.text();
  const gauge = (name: string): number => {
    const value = new RegExp(`^drawdown_${name} (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`The metrics have no drawdown_${name}`);
    return Number(value);
  };
  return { entries: gauge('journal_entries'), oldestSeconds: gauge('journal_oldest_age_seconds') };
}
