import {
  type AccountState,
  AGENT_STATE,
  type PackedAgent,
  type PackedOperation,
  STATUS,
} from '../redis/format.js';
import { blocksToHold } from './pricing.js';
import { type BalanceCheck, type Reason, UNITS, type Unit, type WalletBalance } from './types.js';

/** Would a Reserve be allowed? Judged outside the scripts, from the account as it was shown. */

/** Why an account takes no new work, by its status. */
const STATUS_REFUSALS: Record<number, Reason> = {
  [STATUS.frozen]: 'ACCOUNT_FROZEN',
  [STATUS.closed]: 'ACCOUNT_CLOSED',
};

/** Every wallet that the account ever used, without what agents have of their own. */
export function balancesOf(account: AccountState): WalletBalance[] {
  return account.wallets.map(({ unit, debt, lots }) => {
    const own = lots.filter(({ owner }) => owner === 0);
    const held = own.reduce((sum, lot) => sum + lot.held, 0);
    const remaining = own.reduce((sum, lot) => sum + lot.remaining, 0);
    return { unit: unit as Unit, available: remaining - held, held, debt };
  });
}

/** `agent` is undefined where the estimate is for none that was unlocked; `pairs` null where there is no estimate. */
export function checkedBalance(
  account: AccountState,
  agent: PackedAgent | undefined,
  pairs: PackedOperation | null,
): BalanceCheck {
  const balances = balancesOf(account);
  const suspended = agent !== undefined && agent[2] !== AGENT_STATE.active;
  const refusal = STATUS_REFUSALS[account.status] ?? (suspended ? 'AGENT_SUSPENDED' : undefined);
  const free = { verdict: 'allowed', reason: null, unit: 0, amount: 0, missing: 0, balances } as const;
  if (refusal !== undefined) return { ...free, verdict: 'denied', reason: refusal };
  if (pairs === null) return free;
  let denied: BalanceCheck = { ...free, verdict: 'denied', reason: 'MODEL_UNRATED' };
  for (let i = 0; i < pairs.length; i += 2) {
    const converts = (pairs[i] as number) < 0;
    // For an agent that does not draw on the account nothing is converted.
    if (converts && agent?.[9] === 0) continue;
    const { unit, amount } = wanted(pairs, i, balances);
    if (amount < 0) continue;
    const available = availableTo(converts ? undefined : agent, unit, account, balances);
    if (available >= amount) return { ...free, unit, amount };
    denied = { ...denied, reason: 'INSUFFICIENT_BALANCE', unit, amount, missing: amount - available };
  }
  return denied;
}

/** What an agent has of its own, and what the account has where it draws on it. */
function availableTo(
  agent: PackedAgent | undefined,
  unit: Unit,
  account: AccountState,
  balances: readonly WalletBalance[],
): number {
  const ofAccount = balances.find((balance) => balance.unit === unit)?.available ?? 0;
  if (agent === undefined) return ofAccount;
  const lots = account.wallets.find((wallet) => wallet.unit === unit)?.lots ?? [];
  const own = lots.filter(({ owner }) => owner === agent[0]);
  const available = own.reduce((sum, lot) => sum + lot.remaining - lot.held, 0);
  return agent[9] === 0 ? available : available + ofAccount;
}

/** The unit and amount that a Reserve with these pairs would hold by the one at `i`. */
function wanted(
  pairs: PackedOperation,
  i: number,
  balances: readonly WalletBalance[],
): { unit: Unit; amount: number } {
  const [unit, amount] = [pairs[i] as number, pairs[i + 1] as number];
  if (unit > 0) return { unit: unit as Unit, amount };
  const characters = pairs[pairs.findIndex((pair, at) => at % 2 === 0 && pair === UNITS.tts_characters) + 1];
  const debt = balances.find((balance) => balance.unit === UNITS.tts_characters)?.debt ?? 0;
  return { unit: UNITS.credits, amount: blocksToHold([unit, amount], characters as number, debt) };
}
